//! An operator's word on what a final block does not decide: carried out once, as settle would have, and only there.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use causeway_domain::{
    Address, B256, Bytes, U256,
    fees::Priority,
    id::{DeadLetterId, TraceId},
    lane::LaneId,
    parcel::ParcelState,
};
use causeway_state::{
    dead_letter::{DeadLetter, Status, Word},
    lane::{Intent, Outcome, Transaction},
    message::queues,
    parcel::{Parcel, Settled},
    tables::{AUDIT, DEAD_LETTERS, LEDGER},
    tracker::{Head, HeaderRow, Watch},
};
use causeway_store::{
    CommitToken, Expect, Item, Key, MemoryStore, Write,
    memory::{CommitFault, Faults, Read, ReadFault},
};
use serde_json::{Value, json};

use crate::{
    dead_letters::{act, letter, put_letter, show},
    refund::{balances, held},
    support::{Answer, Interloper, NOW, World},
};

const BLOCK: B256 = B256::repeat_byte(7);
const HASH: B256 = B256::repeat_byte(4);
/// Below the height up to which the tracker told `final`.
const HEIGHT: u64 = 7;

fn header(lane: &LaneId) -> Key {
    HeaderRow::key(&lane.network, HEIGHT)
}

/// The row of a number that is to pay a parcel.
async fn put_transaction(world: &World, lane: &LaneId, number: u64, parcel: &Parcel) {
    let transaction = Transaction {
        number,
        parcels: vec![parcel.id],
        intent: Intent { to: Address::ZERO, value: U256::ZERO, data: Bytes::new(), gas_limit: 21_000 },
        attempts: 1,
        send: None,
        priority: Priority::Normal,
        since: 1,
        created_at: NOW,
        trace: TraceId::derived(&["t"]),
        outcome: None,
        reopened: 0,
    };
    let item = Item::from_fields(&transaction).expect("a row");
    world.put(Write::create(Transaction::key(lane, number), item)).await;
}

/// What a block says of a number of the lane: it succeeded, and 3.9 of the 4 TUSD arrived.
fn inclusion(parcel: &Parcel, number: u64, hash: B256) -> Value {
    json!({
        "hash": hash, "lane": parcel.wallet, "number": number, "attempt": 0, "success": true, "gas_used": 50_000,
        "gas_price_wei": 2_000_000_000,
        "moved": [{"token": parcel.asset.address, "to": parcel.transfers[0].to, "amount": "3900000"}],
    })
}

fn stage(inclusions: &[Value]) -> Value {
    json!({"network": "local", "stage": "final", "height": HEIGHT, "block_hash": BLOCK, "inclusions": inclusions})
}

/// A signed transfer of 4 TUSD whose transaction is in a final block and moved 3.9; and its dead letter.
async fn asked(store: &MemoryStore) -> (World, Parcel, String) {
    let (world, parcel, _) = held(store, ParcelState::Assigned).await;
    let gas = json!({
        "tenant": "acme", "account": "gas", "network": "local", "token": "ETH", "amount": "1", "reason": "gas",
        "idempotencyKey": "gas",
    });
    world.post("/admin/v1/accounts/credit", gas).await.ok();
    let parcel = Parcel { number: Some(4), hash: Some(HASH), ..parcel };
    let item = parcel.item().expect("a row");
    world.put(Write::Put { key: Parcel::key(parcel.id), item, expect: vec![Expect::Version(1)] }).await;
    put_transaction(&world, &parcel.wallet, 4, &parcel).await;
    let row = HeaderRow { height: HEIGHT, hash: BLOCK, parent: B256::ZERO };
    world.put(Write::create(header(&parcel.wallet), Item::from_fields(&row).expect("a row"))).await;
    let body = stage(&[inclusion(&parcel, 4, HASH)]);
    let id = put_letter(&world, &letter("stage", queues::CHAIN_EVENTS_DEAD, &body.to_string(), None)).await;
    (world, parcel, id)
}

async fn settle(world: &World, id: &str, paid: bool) -> Answer {
    world.post(&format!("/admin/v1/dead-letters/{id}/settle"), json!({"paid": paid, "reason": "seen"})).await
}

async fn settle_one(world: &World, id: &str, hash: B256, paid: bool) -> Answer {
    let body = json!({"paid": paid, "hash": hash, "reason": "seen"});
    world.post(&format!("/admin/v1/dead-letters/{id}/settle"), body).await
}

async fn stored(world: &World, parcel: &Parcel) -> Parcel {
    world.row(&Parcel::key(parcel.id)).await.expect("there").parse().expect("a parcel")
}

async fn outcome(world: &World, lane: &LaneId, number: u64) -> Option<Outcome> {
    let row = world.row(&Transaction::key(lane, number)).await.expect("there");
    row.parse::<Transaction>().expect("a transaction").outcome
}

/// What an account has free: whose, of what.
async fn free(world: &World, owner: &str, symbol: &str) -> String {
    let items = world.all("/admin/v1/accounts/acme", 100).await;
    let is = |item: &&Value| {
        item["account"].as_str().is_some_and(|text| text.starts_with(owner)) && item["symbol"] == symbol
    };
    items.iter().find(is).expect("the account")["available"].as_str().expect("text").to_owned()
}

fn conflict(field: &str) -> (u16, String, String) {
    (409, "CONFLICT".to_owned(), field.to_owned())
}

fn told(available: &str, held: &str) -> (String, String) {
    (available.to_owned(), held.to_owned())
}

/// A restore left what watches an attempt, and not the rest of its commit.
#[tokio::test]
async fn nobody_says_of_what_reverted_that_it_paid() {
    let (world, parcel, _) = asked(&MemoryStore::new()).await;
    let mut reverted = inclusion(&parcel, 4, B256::repeat_byte(0x77));
    (reverted["success"], reverted["moved"]) = (json!(false), json!([]));
    let id =
        put_letter(&world, &letter("lost", queues::CHAIN_EVENTS_DEAD, &stage(&[reverted]).to_string(), None)).await;
    assert_eq!(settle(&world, &id, true).await.refusal(), conflict("paid"));
    assert_eq!(balances(&world).await, told("6", "4"), "nothing moved");
    settle(&world, &id, false).await.ok();
    let after = stored(&world, &parcel).await;
    assert_eq!((after.state, balances(&world).await), (ParcelState::Failed, told("10", "0")));
    assert!(after.failure.is_some_and(|failure| failure.reason.starts_with("its number is used up")));
}

#[tokio::test]
async fn what_people_say_was_paid_is_posted_once() {
    let (world, parcel, id) = asked(&MemoryStore::new()).await;
    let answer = settle(&world, &id, true).await.ok();
    assert_eq!(
        (&answer["status"], &answer["by"], &answer["note"]),
        (&json!("settled"), &json!("olga"), &json!("seen"))
    );
    assert_eq!(answer["settled"], json!([{"hash": HASH, "paid": true}]));
    let after = stored(&world, &parcel).await;
    let settled = Some(Settled { hash: HASH, height: HEIGHT, block_hash: BLOCK });
    assert_eq!((after.state, after.settled, after.failure), (ParcelState::Confirmed, settled, None));
    let gas_cost_wei = U256::from(100_000_000_000_000_u64);
    let paid = Outcome::Paid { hash: HASH, block_hash: BLOCK, height: HEIGHT, gas_cost_wei };
    assert_eq!(outcome(&world, &parcel.wallet, 4).await, Some(paid));
    assert_eq!(balances(&world).await, told("6", "0"));
    assert_eq!(free(&world, "treasury:", "TUSD").await, "-6", "all of it, as the books had it");
    assert_eq!(
        (free(&world, "gas:", "ETH").await, free(&world, "treasury:", "ETH").await),
        ("0.9999".into(), "-0.9999".into())
    );
    // Once more changes nothing, and nobody takes it back.
    let rows = world.rows(AUDIT) + world.rows(LEDGER);
    assert_eq!(settle(&world, &id, true).await.ok(), answer);
    assert_eq!(settle_one(&world, &id, HASH, true).await.ok(), answer);
    assert_eq!(settle(&world, &id, false).await.refusal(), conflict("paid"));
    assert_eq!(settle_one(&world, &id, B256::ZERO, true).await.refusal(), conflict("hash"));
    for verb in ["replay", "refund", "discard"] {
        assert_eq!(act(&world, &id, verb).await.refusal(), conflict(""), "{verb}");
    }
    assert_eq!(world.rows(AUDIT) + world.rows(LEDGER), rows);
    let listed = world.get("/admin/v1/dead-letters?status=settled").await.ok();
    assert_eq!(listed["items"][0]["id"], json!(id));
    let record = world.must_be_sound().await.pop().expect("a record");
    assert_eq!(
        (record.action.as_str(), record.target.as_str(), record.reason.as_str()),
        ("dead-letters.settle", &*id, "seen")
    );
    let detail: Value = serde_json::from_str(&record.detail).expect("JSON");
    let moved = json!([{"parcel": parcel.id, "tenant": "acme", "amount": "4", "symbol": "TUSD"}]);
    assert_eq!((&detail["paid"], &detail["hash"], &detail["parcels"]), (&json!(true), &json!(HASH), &moved));
    assert_eq!(detail["moved"][0]["amount"], "3900000");
}

#[tokio::test]
async fn what_people_say_was_not_paid_is_released_once_and_its_client_told() {
    let (world, parcel, id) = asked(&MemoryStore::new()).await;
    let answer = settle(&world, &id, false).await.ok();
    assert_eq!((&answer["status"], &answer["settled"][0]["paid"]), (&json!("settled"), &json!(false)));
    let after = stored(&world, &parcel).await;
    let failure = after.failure.expect("told");
    assert_eq!((after.state, failure.code.as_str()), (ParcelState::Failed, "SETTLED_UNPAID"));
    assert!(failure.reason.contains("did not pay what was asked for"), "{}", failure.reason);
    let ended = outcome(&world, &parcel.wallet, 4).await;
    assert!(
        matches!(&ended, Some(Outcome::Reverted { hash, reason, .. }) if *hash == HASH && *reason == failure.reason)
    );
    assert_eq!(balances(&world).await, told("10", "0"));
    assert_eq!(
        (free(&world, "treasury:", "TUSD").await, free(&world, "gas:", "ETH").await),
        ("-10".into(), "0.9999".into())
    );
    let rows = world.rows(AUDIT);
    assert_eq!(settle(&world, &id, false).await.ok(), answer);
    assert_eq!(settle(&world, &id, true).await.refusal(), conflict("paid"));
    assert_eq!(world.rows(AUDIT), rows);
    world.must_be_sound().await;
}

#[tokio::test]
async fn a_word_is_said_in_full() {
    let (world, _, id) = asked(&MemoryStore::new()).await;
    let path = format!("/admin/v1/dead-letters/{id}/settle");
    let cases = [
        (json!({"reason": "r"}), "paid"),
        (json!({"paid": "yes", "reason": "r"}), "paid"),
        (json!({"paid": true}), "reason"),
        (json!({"paid": true, "reason": "r", "hash": "0x12"}), "hash"),
        (json!({"paid": true, "reason": "r", "hash": 4}), "hash"),
        (json!({"paid": true, "reason": "r", "unpaid": true}), "unpaid"),
    ];
    for (body, field) in cases {
        let refused = world.post(&path, body.clone()).await.refusal();
        assert_eq!(refused, (400, "VALIDATION_ERROR".to_owned(), field.to_owned()), "{body}");
    }
    let unknown = settle(&world, "dl_00000000000000000000000000", true).await.refusal();
    assert_eq!(unknown, (404, "NOT_FOUND".to_owned(), "id".to_owned()));
    assert_eq!(show(&world, &id).await["status"], "open");
}

#[tokio::test]
async fn nothing_but_an_undecided_transaction_of_a_final_block_is_settled() {
    let (world, parcel, id) = asked(&MemoryStore::new()).await;
    let of = |change: &dyn Fn(&mut Value)| {
        let mut body = stage(&[inclusion(&parcel, 4, HASH)]);
        change(&mut body);
        body.to_string()
    };
    let dead = |name: &str, body: &str| letter(name, queues::CHAIN_EVENTS_DEAD, body, None);
    let known = of(&|_| {});
    let told = |field: &'static str, value: Value| of(&|body| body["inclusions"][0][field] = value.clone());
    let exact = json!([{"token": parcel.asset.address, "to": parcel.transfers[0].to, "amount": "4000000"}]);
    let letters = [
        letter("elsewhere", queues::TRANSFERS_DEAD, &known, None),
        DeadLetter { cut: true, ..dead("cut", &known) },
        DeadLetter { status: Status::Replayed, ..dead("replayed", &known) },
        DeadLetter { status: Status::Refunded, ..dead("refunded", &known) },
        DeadLetter { status: Status::Discarded, ..dead("discarded", &known) },
        dead("poison", "nothing at all"),
        dead("confirmed", &of(&|body| body["stage"] = json!("confirmed"))),
        dead("reorged", &of(&|body| body["stage"] = json!("reorged"))),
        dead("another block", &of(&|body| body["block_hash"] = json!(B256::repeat_byte(8)))),
        dead("not yet final", &of(&|body| body["height"] = json!(10))),
        dead("reverted", &told("success", json!(false))),
        dead("moved nothing", &told("moved", json!([]))),
        dead("proven", &told("moved", exact)),
        dead("a no-op", &told("cancel", json!(true))),
        dead("unknown", &told("number", json!(5))),
        dead("empty", &stage(&[]).to_string()),
    ];
    // A block of height 10 is on the chain, and the tracker has told `final` up to 9.
    let row = HeaderRow { height: 10, hash: BLOCK, parent: B256::ZERO };
    let item = Item::from_fields(&row).expect("a row");
    world.put(Write::create(HeaderRow::key(&parcel.wallet.network, 10), item)).await;
    let rows = world.rows(AUDIT) + world.rows(LEDGER);
    for dead in letters {
        let id = put_letter(&world, &dead).await;
        for paid in [true, false] {
            let refused = settle(&world, &id, paid).await;
            assert_eq!(refused.clone().refusal(), conflict("id"), "{}: {refused:?}", dead.message);
        }
        assert_eq!(show(&world, &id).await["status"], dead.status.as_str());
    }
    assert_eq!(settle_one(&world, &id, B256::ZERO, true).await.refusal(), conflict("hash"), "another transaction");
    assert_eq!((stored(&world, &parcel).await, balances(&world).await), (parcel.clone(), self::told("6", "4")));
    assert_eq!(world.rows(AUDIT) + world.rows(LEDGER), rows);
    // Settled by what the chain had instead, there is nothing left to say.
    let row = world.row(&Transaction::key(&parcel.wallet, 4)).await.expect("there");
    let transaction: Transaction = row.parse().expect("a transaction");
    let paid = Outcome::Paid { hash: HASH, block_hash: BLOCK, height: HEIGHT, gas_cost_wei: U256::ZERO };
    let ended = Transaction { outcome: Some(paid), ..transaction };
    world.put(ended.put(&parcel.wallet, row.version()).expect("a row")).await;
    assert_eq!(settle(&world, &id, true).await.refusal(), conflict("id"));
}

#[tokio::test]
async fn a_block_that_is_not_final_or_leaves_meanwhile_moves_nothing() {
    for case in 0..3 {
        let store = MemoryStore::new();
        let (setup, parcel, id) = asked(&store).await;
        let (network, lane) = (parcel.wallet.network.clone(), parcel.wallet.clone());
        let head: Head = setup.row(&Head::key(&network)).await.expect("there").parse().expect("a head");
        let back = Item::from_fields(&Head { finalized: HEIGHT - 1, ..head }).expect("a row");
        let other = HeaderRow { height: HEIGHT, hash: B256::ZERO, parent: B256::ZERO };
        let (at, write) = match case {
            0 => (header(&lane), Write::Delete { key: header(&lane), expect: vec![] }),
            1 => {
                let item = Item::from_fields(&other).expect("a row");
                (header(&lane), Write::Put { key: header(&lane), item, expect: vec![] })
            }
            _ => (Head::key(&network), Write::Put { key: Head::key(&network), item: back, expect: vec![] }),
        };
        let meets = Interloper::before(&store, at, write);
        let world = World::over(store, Arc::new(meets));
        let records = world.rows(AUDIT);
        assert_eq!(settle(&world, &id, false).await.refusal(), conflict(""), "case {case}");
        assert_eq!((stored(&setup, &parcel).await, balances(&setup).await), (parcel.clone(), told("6", "4")));
        assert_eq!((outcome(&setup, &lane, 4).await, world.rows(AUDIT)), (None, records));
        assert_eq!(show(&setup, &id).await["status"], "open");
        // And looking again says why; a header that is forgotten leaves it to the watch, and there is none.
        let why = if case == 0 { "" } else { "id" };
        assert_eq!(settle(&setup, &id, false).await.refusal(), conflict(why), "case {case}");
    }
}

#[tokio::test]
async fn a_block_whose_header_is_forgotten_is_known_by_its_watch() {
    let (world, parcel, id) = asked(&MemoryStore::new()).await;
    world.put(Write::Delete { key: header(&parcel.wallet), expect: vec![] }).await;
    let watch = Watch {
        hash: HASH,
        lane: parcel.wallet.clone(),
        number: 4,
        attempt: 0,
        cancel: false,
        trace: parcel.trace,
        height: Some(HEIGHT),
        block_hash: Some(B256::ZERO),
    };
    let key = Watch::key(&parcel.wallet.network, HASH);
    let put =
        |watch: &Watch| Write::Put { key: key.clone(), item: Item::from_fields(watch).expect("a row"), expect: vec![] };
    world.put(put(&watch)).await;
    assert_eq!(settle(&world, &id, true).await.refusal(), conflict(""), "another block has it");
    world.put(put(&Watch { block_hash: Some(BLOCK), ..watch })).await;
    assert_eq!(settle(&world, &id, true).await.ok()["status"], "settled");
    assert_eq!(stored(&world, &parcel).await.state, ParcelState::Confirmed);
}

/// The tables went back to a moment that fell into the commit of a word: the letter has it, the transaction does not.
#[tokio::test]
async fn a_word_that_a_restore_undid_is_taken_once_more() {
    for paid in [true, false] {
        let (world, parcel, _) = asked(&MemoryStore::new()).await;
        let body = stage(&[inclusion(&parcel, 4, HASH)]).to_string();
        let word = Word { hash: HASH, paid: true };
        let half = DeadLetter {
            status: Status::Settled,
            settled: vec![word],
            ..letter("half", queues::CHAIN_EVENTS_DEAD, &body, None)
        };
        let id = put_letter(&world, &half).await;
        let answer = settle(&world, &id, paid).await.ok();
        assert_eq!(answer["settled"], json!([{"hash": HASH, "paid": paid}]), "what is said now counts");
        let wanted = if paid { ParcelState::Confirmed } else { ParcelState::Failed };
        assert_eq!(stored(&world, &parcel).await.state, wanted);
        let rows = world.rows(AUDIT) + world.rows(LEDGER);
        assert_eq!(settle(&world, &id, paid).await.ok(), answer);
        assert_eq!(settle(&world, &id, !paid).await.refusal(), conflict("paid"));
        assert_eq!(world.rows(AUDIT) + world.rows(LEDGER), rows);
        world.must_be_sound().await;
    }
}

#[tokio::test]
async fn of_two_operators_with_two_words_one_wins() {
    let store = MemoryStore::new();
    let (setup, parcel, id) = asked(&store).await;
    // The other one's word lands between this one's look and its commit.
    let key = DeadLetter::key(id.parse::<DeadLetterId>().expect("an id"));
    let known: DeadLetter = setup.row(&key).await.expect("there").parse().expect("a dead letter");
    let replayed = known.acted(1, Status::Replayed, "otto", "x", NOW).expect("a row");
    let world = World::over(store.clone(), Arc::new(Interloper::before(&store, key, replayed)));
    assert_eq!(settle(&world, &id, true).await.refusal(), conflict(""));
    assert_eq!((stored(&setup, &parcel).await, balances(&setup).await), (parcel, told("6", "4")));

    let store = MemoryStore::new();
    let (setup, parcel, id) = asked(&store).await;
    let (one, other) =
        (World::over(store.clone(), Arc::new(store.clone())), World::over(store.clone(), Arc::new(store)));
    let (yes, no) = futures::join!(settle(&one, &id, true), settle(&other, &id, false));
    let won = [yes.status, no.status];
    assert!(won == [200, 409] || won == [409, 200], "{yes:?} {no:?}");
    let (state, money) =
        if won[0] == 200 { (ParcelState::Confirmed, told("6", "0")) } else { (ParcelState::Failed, told("10", "0")) };
    assert_eq!((stored(&setup, &parcel).await.state, balances(&setup).await), (state, money));
    assert_eq!(setup.actions().await.iter().filter(|action| *action == "dead-letters.settle").count(), 1);
}

/// Loses the replies of the first commits that touch a dead letter, which were carried out.
#[derive(Debug)]
struct Deaf(AtomicU32);

impl Faults for Deaf {
    fn commit(&self, _: &CommitToken, writes: &[Write]) -> CommitFault {
        let about = writes.iter().any(|write| write.key().table == DEAD_LETTERS);
        let left = self.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(u32::from(about)));
        if about && left.is_ok() { CommitFault::LoseReply } else { CommitFault::Pass }
    }

    fn read(&self, _: Read<'_>) -> ReadFault {
        ReadFault::Pass
    }
}

#[tokio::test]
async fn a_lost_reply_settles_once_and_a_repeat_hears_how() {
    for paid in [true, false] {
        for lost in [1, 7] {
            let store = MemoryStore::new();
            let (setup, parcel, id) = asked(&store).await;
            let deaf = store.with_faults(Arc::new(Deaf(AtomicU32::new(lost))));
            let world = World::over(store, Arc::new(deaf));
            let first = settle(&world, &id, paid).await;
            assert_eq!(first.status, if lost == 1 { 200 } else { 500 }, "{first:?}");
            assert_eq!(settle(&world, &id, !paid).await.refusal(), conflict("paid"));
            assert_eq!(settle(&world, &id, paid).await.ok()["status"], "settled");
            let money = if paid { told("6", "0") } else { told("10", "0") };
            assert_eq!(balances(&setup).await, money);
            assert!(!stored(&setup, &parcel).await.state.holds_money());
            assert_eq!(setup.actions().await.iter().filter(|action| *action == "dead-letters.settle").count(), 1);
        }
    }
}

#[tokio::test]
async fn of_several_in_a_block_each_is_named_and_the_letter_stays_open_until_the_last() {
    let (world, parcel, _) = asked(&MemoryStore::new()).await;
    let second = Parcel {
        id: causeway_domain::id::ParcelId::derived(&["another"]),
        number: Some(5),
        hold: vec![],
        ..parcel.clone()
    };
    world.put(second.create().expect("a row")).await;
    put_transaction(&world, &parcel.wallet, 5, &second).await;
    let other = B256::repeat_byte(5);
    // And one whose row is not there, which is nobody's to settle.
    let lost = inclusion(&parcel, 6, B256::repeat_byte(6));
    let both = [inclusion(&parcel, 4, HASH), inclusion(&second, 5, other)];
    let body = stage(&both).to_string();
    let id = put_letter(&world, &letter("both", queues::CHAIN_EVENTS_DEAD, &body, None)).await;
    assert_eq!(settle(&world, &id, true).await.refusal(), conflict("hash"));
    let answer = settle_one(&world, &id, HASH, true).await.ok();
    assert_eq!((&answer["status"], &answer["settled"]), (&json!("open"), &json!([{"hash": HASH, "paid": true}])));
    assert_eq!(stored(&world, &second).await.state, ParcelState::Assigned, "nothing was said of it");
    assert_eq!(settle_one(&world, &id, HASH, true).await.ok(), answer);
    assert_eq!(settle_one(&world, &id, HASH, false).await.refusal(), conflict("paid"));
    assert_eq!(
        settle(&world, &id, false).await.refusal(),
        conflict("hash"),
        "a word without a name never means the next one"
    );
    let answer = settle_one(&world, &id, other, false).await.ok();
    assert_eq!((&answer["status"], answer["settled"].as_array().map(Vec::len)), (&json!("settled"), Some(2)));
    assert_eq!(stored(&world, &second).await.state, ParcelState::Failed);
    assert_eq!(stored(&world, &parcel).await.state, ParcelState::Confirmed);
    let with_lost = stage(&[both[0].clone(), lost]).to_string();
    let id = put_letter(&world, &letter("lost", queues::CHAIN_EVENTS_DEAD, &with_lost, None)).await;
    assert_eq!(settle(&world, &id, true).await.refusal(), conflict("id"), "its own is settled");
    world.must_be_sound().await;
}
