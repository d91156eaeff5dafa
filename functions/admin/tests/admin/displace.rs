//! A number that an operator gives up, since another's transaction took it for good.

use causeway_domain::{
    Address, B256, Bytes, U256,
    fees::Priority,
    id::TraceId,
    lane::{LaneGate, LaneId},
    parcel::ParcelState,
};
use causeway_state::{
    displace::foreign,
    lane::{Counter, Gate, Intent, Outcome, Transaction},
    parcel::{CancelAsked, Parcel},
    taken::{Said, TakenAt},
    tracker::{Head, HeaderRow, Watch},
};
use causeway_store::{Expect, Item, MemoryStore, Write};
use serde_json::{Value, json};

use crate::{
    refund::{balances, held},
    support::{Answer, NOW, World},
};

/// The block at which it was found to be another's.
const BLOCK: B256 = B256::repeat_byte(0xBB);

/// A lane halted at number 4, which was to pay a parcel; a look has named what took it.
pub(crate) async fn halted(change: impl Fn(Parcel) -> Parcel, reopened: u32) -> (World, LaneId, Parcel) {
    let (world, parcel, _) = held(&MemoryStore::new(), ParcelState::Assigned).await;
    let row = world.row(&Parcel::key(parcel.id)).await.expect("there");
    let parcel = change(Parcel { number: Some(4), hash: Some(B256::repeat_byte(4)), ..parcel });
    let (key, item) = (Parcel::key(parcel.id), parcel.item().expect("a row"));
    world.put(Write::Put { key, item, expect: vec![Expect::Version(row.version())] }).await;
    let lane = parcel.wallet.clone();
    world.put(Counter::create(&lane, 6)).await;
    let taken_at = Some(TakenAt { height: 90, hash: BLOCK });
    let gate = Gate { seen: 5, taken_at, ..Gate::new(4, NOW) }
        .halted(&format!("{}: {} to nobody", foreign(4), B256::repeat_byte(0x12)), 4);
    world.put(gate.put(&lane, 0).expect("a row")).await;
    let header = HeaderRow { height: 90, hash: BLOCK, parent: B256::ZERO };
    let key = HeaderRow::key(&lane.network, 90);
    world.put(Write::create(key, Item::from_fields(&header).expect("a row"))).await;
    tracked(&world, &lane, 90).await;
    let transaction = Transaction {
        number: 4,
        parcels: vec![parcel.id],
        intent: Intent { to: Address::ZERO, value: U256::ZERO, data: Bytes::new(), gas_limit: 21_000 },
        attempts: 1,
        send: None,
        priority: Priority::Normal,
        since: 1,
        created_at: NOW,
        trace: parcel.trace,
        outcome: None,
        reopened,
    };
    let item = Item::from_fields(&transaction).expect("a row");
    world.put(Write::create(Transaction::key(&lane, 4), item)).await;
    (world, lane, parcel)
}

/// The tracker has told what is final up to this height.
async fn tracked(world: &World, lane: &LaneId, finalized: u64) {
    let head = Head {
        height: 100,
        hash: B256::repeat_byte(100),
        confirmed: 98,
        finalized,
        epoch: 1,
        leader: "leader".to_owned(),
        lease_until: NOW,
        looked_at: NOW,
        anew_at: 0,
    };
    let item = Item::from_fields(&head).expect("a row");
    world.put(Write::Put { key: Head::key(&lane.network), item, expect: vec![] }).await;
}

pub(crate) async fn displace(world: &World, lane: &LaneId, number: u64) -> Answer {
    displace_taken_by(world, lane, number, json!(null)).await
}

/// As [`displace`], with the operator's word for what took it.
pub(crate) async fn displace_taken_by(world: &World, lane: &LaneId, number: u64, taken_by: Value) -> Answer {
    let path = format!("/admin/v1/lanes/local/{}/displace", lane.address);
    let reason = "seen in two explorers at a final block";
    world.post(&path, json!({"number": number, "takenBy": taken_by, "reason": reason})).await
}

pub(crate) async fn stored(world: &World, parcel: &Parcel) -> Parcel {
    world.row(&Parcel::key(parcel.id)).await.expect("there").parse().expect("a parcel")
}

#[tokio::test]
async fn it_is_given_up_once_and_what_it_was_to_pay_is_accepted_again() {
    let (world, lane, parcel) = halted(|parcel| parcel, 0).await;
    let told = displace(&world, &lane, 4).await.ok();
    assert_eq!((&told["state"], &told["consumed"]), (&json!("waiting"), &json!(5)), "the next one is looked at first");
    let again = stored(&world, &parcel).await;
    assert_eq!((again.state, again.number, again.displaced), (ParcelState::Accepted, None, 1));
    assert!(again.due_at.is_some(), "the sweep publishes it");
    assert_eq!(balances(&world).await, ("6".to_owned(), "4".to_owned()), "its money stays held");
    let transaction: Transaction = world.row(&Transaction::key(&lane, 4)).await.expect("there").parse().expect("a row");
    assert_eq!(transaction.outcome, Some(Outcome::Displaced { height: 0, by: vec!["olga".to_owned()] }));
    assert!(world.actions().await.contains(&"lanes.displace".to_owned()));
    assert_eq!(displace(&world, &lane, 4).await.refusal(), (409, "CONFLICT".to_owned(), String::new()), "not halted");
}

/// Rows may have forgotten that a later number paid it: its money stays held until a look has told (rule 4).
#[tokio::test]
async fn what_was_to_be_cancelled_is_accepted_again_with_its_wish_and_its_money_held() {
    let wish = || Some(CancelAsked { by: "alice".to_owned(), at: NOW, reason: None });
    let (world, lane, parcel) = halted(|parcel| Parcel { cancel: wish(), ..parcel }, 0).await;
    displace(&world, &lane, 4).await.ok();
    let again = stored(&world, &parcel).await;
    assert_eq!((again.state, again.number, again.cancel), (ParcelState::Accepted, None, wish()));
    assert!(again.due_at.is_some(), "the sweep publishes it, and whoever takes it cancels it");
    assert_eq!(balances(&world).await, ("6".to_owned(), "4".to_owned()));
}

/// A wish that came too late before it was told is over: the client was told that it is paid.
#[tokio::test]
async fn what_was_told_as_paid_once_is_an_operators_to_give_up_and_is_paid_again() {
    let wish = Some(CancelAsked { by: "alice".to_owned(), at: NOW, reason: None });
    let reopened = |parcel| Parcel { state: ParcelState::Reopened, reopened: 1, cancel: wish.clone(), ..parcel };
    let (world, lane, parcel) = halted(reopened, 1).await;
    displace(&world, &lane, 4).await.ok();
    let again = stored(&world, &parcel).await;
    assert_eq!((again.state, again.number, again.reopened), (ParcelState::Accepted, None, 1));
    assert_eq!(again.cancel, None);
}

#[tokio::test]
async fn nothing_else_is_given_up() {
    let (world, lane, parcel) = halted(|parcel| parcel, 0).await;
    let conflict = (409, "CONFLICT".to_owned(), "number".to_owned());
    assert_eq!(displace(&world, &lane, 3).await.refusal(), (404, "NOT_FOUND".to_owned(), "number".to_owned()));
    assert_eq!(stored(&world, &parcel).await.state, ParcelState::Assigned);
    let (world, lane, _) = halted(|parcel| Parcel { number: Some(5), ..parcel }, 0).await;
    assert_eq!(displace(&world, &lane, 4).await.refusal(), conflict, "its parcel has another number");
    let row = world.row(&Gate::key(&lane)).await.expect("there");
    let gate: Gate = row.parse().expect("a gate");
    let elsewhere = Gate { gate: LaneGate::Halted { reason: "a branch".to_owned(), limit: 6 }, ..gate };
    world.put(elsewhere.put(&lane, row.version()).expect("a row")).await;
    assert_eq!(displace(&world, &lane, 4).await.refusal(), conflict, "the lane halted elsewhere");
}

#[tokio::test]
async fn before_its_block_is_final_nothing_is_given_up() {
    let (world, lane, parcel) = halted(|parcel| parcel, 0).await;
    let conflict = (409, "CONFLICT".to_owned(), "number".to_owned());
    tracked(&world, &lane, 89).await;
    assert_eq!(displace(&world, &lane, 4).await.refusal(), conflict, "a branch may have ours instead");
    tracked(&world, &lane, 90).await;
    let row = world.row(&Gate::key(&lane)).await.expect("there");
    let gate: Gate = row.parse().expect("a gate");
    let elsewhere = Some(TakenAt { height: 90, hash: B256::repeat_byte(0xCC) });
    let other = Gate { taken_at: elsewhere, ..gate.clone() };
    world.put(other.put(&lane, row.version()).expect("a row")).await;
    assert_eq!(displace(&world, &lane, 4).await.refusal(), conflict, "its block has left the chain");
    let unseen = Gate { taken_at: None, ..gate.clone() };
    world.put(unseen.put(&lane, row.version() + 1).expect("a row")).await;
    assert_eq!(displace(&world, &lane, 4).await.refusal(), conflict, "no look has told since when");
    assert_eq!(stored(&world, &parcel).await.state, ParcelState::Assigned);
    world.put(gate.put(&lane, row.version() + 2).expect("a row")).await;
    displace(&world, &lane, 4).await.ok();
    assert_eq!(stored(&world, &parcel).await.state, ParcelState::Accepted);
}

#[tokio::test]
async fn what_nodes_refuse_is_not_given_up_as_another_s() {
    let (world, lane, parcel) = halted(|parcel| parcel, 0).await;
    let row = world.row(&Gate::key(&lane)).await.expect("there");
    let taken_at = row.parse::<Gate>().expect("a gate").taken_at;
    let refused =
        Gate { seen: 4, taken_at, ..Gate::new(4, NOW) }.halted("number 4 is refused: exceeds block gas limit", 4);
    world.put(refused.put(&lane, row.version()).expect("a row")).await;
    // An earlier attempt may wait in some pool: a second number would pay twice.
    let refusal = displace(&world, &lane, 4).await;
    assert_eq!(refusal.refusal(), (409, "CONFLICT".to_owned(), "number".to_owned()));
    assert_eq!(stored(&world, &parcel).await.state, ParcelState::Assigned);
    let both = refused.halted(&format!("{}: {} to nobody", foreign(4), B256::repeat_byte(0x12)), 4);
    world.put(both.put(&lane, row.version() + 1).expect("a row")).await;
    displace(&world, &lane, 4).await.ok();
    assert_eq!(stored(&world, &parcel).await.state, ParcelState::Accepted, "looks found it another's all the same");
}

#[tokio::test]
async fn a_number_that_nobody_was_given_is_passed_over() {
    let (world, lane, parcel) = halted(|parcel| parcel, 0).await;
    let row = world.row(&Gate::key(&lane)).await.expect("there");
    let gate = Gate { seen: 6, ..Gate::new(6, NOW) };
    let branch = gate.halted("number 5 was settled and its block left the chain", 6);
    world.put(branch.put(&lane, row.version()).expect("a row")).await;
    assert_eq!(displace(&world, &lane, 7).await.refusal(), (404, "NOT_FOUND".to_owned(), "number".to_owned()));
    let conflict = (409, "CONFLICT".to_owned(), "number".to_owned());
    assert_eq!(displace(&world, &lane, 6).await.refusal(), conflict, "halted for another reason: number 6 is free");
    let unnamed = gate.halted(&foreign(6), 6);
    world.put(unnamed.put(&lane, row.version() + 1).expect("a row")).await;
    let missing = (409, "CONFLICT".to_owned(), "takenBy".to_owned());
    assert_eq!(displace(&world, &lane, 6).await.refusal(), missing, "nobody says what took it");
    let named = gate.halted(&format!("{}: 0x12 to 0x34", foreign(6)), 6);
    world.put(named.put(&lane, row.version() + 2).expect("a row")).await;
    let told = displace(&world, &lane, 6).await.ok();
    let behind = (json!("waiting"), json!(7), json!(7));
    assert_eq!((told["state"].clone(), told["next"].clone(), told["consumed"].clone()), behind);
    let transaction: Transaction = world.row(&Transaction::key(&lane, 6)).await.expect("there").parse().expect("a row");
    assert_eq!(transaction.outcome, Some(Outcome::Displaced { height: 0, by: vec!["olga".to_owned()] }));
    assert_eq!((transaction.parcels.len(), transaction.attempts), (0, 0));
    assert_eq!(stored(&world, &parcel).await.state, ParcelState::Assigned, "nothing of ours is touched");
}

/// Somebody asks again, or still, for what was paid under the number: it would be paid under another one.
/// A lane halted behind all its numbers, at one that nobody was given, in a block of this height; no look names what took it.
async fn unnamed(height: u64) -> (World, LaneId, Gate) {
    let (world, lane, _) = halted(|parcel| parcel, 0).await;
    let row = world.row(&Gate::key(&lane)).await.expect("there");
    let taken_at = Some(TakenAt { height, hash: BLOCK });
    let gate = Gate { seen: 6, taken_at, ..Gate::new(6, NOW) }.halted(&foreign(6), 6);
    world.put(gate.put(&lane, row.version()).expect("a row")).await;
    (world, lane, gate)
}

#[tokio::test]
async fn a_number_that_no_node_can_name_is_passed_over_on_the_word_for_what_took_it() {
    let (world, lane, _) = unnamed(90).await;
    let taker = json!(B256::repeat_byte(0x77));
    let at_field = |status, code: &str| (status, code.to_owned(), "takenBy".to_owned());
    for bad in [json!("0x77"), json!(7), json!(format!("0x0x{}", "7".repeat(62)))] {
        let refusal = displace_taken_by(&world, &lane, 6, bad).await.refusal();
        assert_eq!(refusal, at_field(400, "VALIDATION_ERROR"));
    }
    assert_eq!(displace(&world, &lane, 6).await.refusal(), at_field(409, "CONFLICT"), "missing");
    tracked(&world, &lane, 89).await;
    let early = displace_taken_by(&world, &lane, 6, taker.clone()).await;
    assert_eq!(early.refusal(), (409, "CONFLICT".to_owned(), "number".to_owned()), "a branch may have it free again");
    tracked(&world, &lane, 90).await;
    let told = displace_taken_by(&world, &lane, 6, taker.clone()).await.ok();
    assert_eq!((&told["state"], &told["next"]), (&json!("halted"), &json!(6)), "the tracker looks at it first");
    assert!(told["reason"].as_str().expect("text").contains("is being looked at"), "{told}");
    assert_eq!(displace_taken_by(&world, &lane, 6, taker.clone()).await.refusal(), at_field(409, "CONFLICT"));
    let row = world.row(&Gate::key(&lane)).await.expect("there");
    let gate: Gate = row.parse().expect("a gate");
    let sought = Gate { said: gate.said.map(|said| Said { sought: true, ..said }), ..gate };
    world.put(sought.put(&lane, row.version()).expect("a row")).await;
    let other = displace_taken_by(&world, &lane, 6, json!(B256::repeat_byte(0x76))).await.ok();
    assert_eq!(other["state"], "halted", "another one is looked at anew");
    let row = world.row(&Gate::key(&lane)).await.expect("there");
    world.put(sought.put(&lane, row.version()).expect("a row")).await;
    let told = displace_taken_by(&world, &lane, 6, taker.clone()).await.ok();
    assert_eq!((&told["state"], &told["next"], &told["consumed"]), (&json!("waiting"), &json!(7), &json!(7)));
    let records = world.must_be_sound().await;
    let acts: Vec<_> = records.iter().filter(|record| record.action == "lanes.displace").collect();
    assert_eq!(acts.len(), 3, "whatever was done is on record");
    assert!(acts[2].detail.contains(taker.as_str().expect("text")), "{:?}", acts[2]);
}

#[tokio::test]
async fn what_is_said_to_have_taken_a_number_must_be_what_a_look_found_and_nothing_of_causeways() {
    let taker = B256::repeat_byte(0x77);
    let refused = (409, "CONFLICT".to_owned(), "takenBy".to_owned());
    let (world, lane, gate) = unnamed(90).await;
    let row = world.row(&Gate::key(&lane)).await.expect("there");
    let found = Gate { taken_by: Some(B256::repeat_byte(0x78)), ..gate };
    world.put(found.put(&lane, row.version()).expect("a row")).await;
    assert_eq!(displace_taken_by(&world, &lane, 6, json!(taker)).await.refusal(), refused, "a look found another one");
    let (world, lane, _) = unnamed(90).await;
    let watch = Watch {
        hash: taker,
        lane: lane.clone(),
        number: 6,
        attempt: 0,
        cancel: false,
        trace: TraceId::derived(&["t"]),
        height: None,
        block_hash: None,
    };
    let item = Item::from_fields(&watch).expect("a row");
    world.put(Write::create(Watch::key(&lane.network, taker), item)).await;
    assert_eq!(displace_taken_by(&world, &lane, 6, json!(taker)).await.refusal(), refused, "ours");
    let (world, lane, _) = halted(|parcel| parcel, 0).await;
    let item = Item::from_fields(&watch).expect("a row");
    world.put(Write::create(Watch::key(&lane.network, taker), item)).await;
    assert_eq!(displace_taken_by(&world, &lane, 4, json!(taker)).await.refusal(), refused, "of a parcel's number too");
}
