//! Refunds: held money becomes free exactly once, and never while signed bytes could still move it.

use std::sync::Arc;

use causeway_domain::{B256, id::ParcelId, lane::LaneId, parcel::ParcelState};
use causeway_state::{
    dead_letter::DeadLetter,
    lane::Gate,
    ledger::{AccountId, Owner, Postings},
    message::queues,
    parcel::{HoldPart, Parcel},
    tables::AUDIT,
    tracker::Head,
};
use causeway_store::{Commit, CommitToken, Expect, Item, MemoryStore, Store, Write};
use serde_json::json;

use crate::{
    dead_letters::{act, letter, put_letter, show},
    support::{Interloper, NOW, World},
};

/// A parcel of 4 TUSD of acme.
pub(crate) fn parcel(treasury: &str, state: ParcelState) -> Parcel {
    serde_json::from_value(json!({
        "id": ParcelId::derived(&["a parcel"]), "tenant": "acme", "user": "alice", "surface": "transfer",
        "body_hash": B256::ZERO, "wallet": format!("local/{treasury}"),
        "asset": "local:0x700b6a60ce7eaaea56f065753d8dcb9653dbad35", "decimals": 6, "symbol": "TUSD",
        "transfers": [{"to": "0x70997970C51812dc3A010C7d01b50e0d17dc79C8", "amount": "4000000"}],
        "priority": "normal", "state": state, "hold": [], "created_at": NOW, "updated_at": NOW,
        "trace": "trc_01kavbz7j0000000000000000b",
    }))
    .expect("a parcel")
}

/// A tenant with 10 TUSD, 4 of them held for a parcel in this state, and that parcel's dead letter.
pub(crate) async fn held(store: &MemoryStore, state: ParcelState) -> (World, Parcel, String) {
    let world = World::over(store.clone(), Arc::new(store.clone()));
    let address = world.treasury("acme").await;
    world.credit("acme", "TUSD", "10", "k").await.ok();
    let mut about = parcel(&address, state);
    about.hold = (0..4).map(|shard| HoldPart { shard, amount: amount(1_000_000) }).collect();
    let account = AccountId { owner: Owner::Tenant(about.tenant.clone()), asset: about.asset.clone() };
    let mut postings = Postings::new();
    postings.hold(&account, &about.hold, &about.id.bare()).expect("a hold");
    let mut writes = postings.writes(NOW).expect("balanced");
    writes.push(about.create().expect("a row"));
    writes.push(head(&about.wallet, NOW, 0));
    assert_eq!(store.commit(&CommitToken::new("hold"), &writes).await.expect("tried"), Commit::Committed);
    let id = put_letter(&world, &letter("a", queues::TRANSFERS_DEAD, "{}", Some(about.id))).await;
    (world, about, id)
}

/// The tracker's word that the rows are as the chain is, given then.
fn head(lane: &LaneId, looked_at: u64, version: u64) -> Write {
    let head = Head {
        height: 9,
        hash: B256::ZERO,
        confirmed: 9,
        finalized: 9,
        epoch: 1,
        leader: "leader".to_owned(),
        lease_until: 0,
        looked_at,
        anew_at: 0,
    };
    let expect = vec![if version == 0 { Expect::Absent } else { Expect::Version(version) }];
    Write::Put { key: Head::key(&lane.network), item: Item::from_fields(&head).expect("a row"), expect }
}

/// What leaves it open whether the chain has paid a parcel of the lane: a tracker that stands still, and a number that may
/// be another's.
pub(crate) fn doubts(lane: &LaneId) -> [Write; 3] {
    let doubted = Gate { foreign_since: Some(NOW), ..Gate::new(0, NOW) };
    let beginning = Gate::new(3, NOW).beginning_at(3);
    let gate = |gate: Gate| gate.put(lane, 0).expect("a row");
    [head(lane, 0, 1), gate(doubted), gate(beginning)]
}

fn amount(units: u128) -> causeway_domain::Amount {
    causeway_domain::Amount::new(units).expect("an amount")
}

pub(crate) async fn balances(world: &World) -> (String, String) {
    let items = world.all("/admin/v1/accounts/acme", 100).await;
    let account = items.iter().find(|item| item["account"] == "tenant:acme" && item["symbol"] == "TUSD");
    let text = |name: &str| account.expect("the account")[name].as_str().expect("text").to_owned();
    (text("available"), text("held"))
}

fn told(available: &str, held: &str) -> (String, String) {
    (available.to_owned(), held.to_owned())
}

async fn stored(world: &World, about: &Parcel) -> Parcel {
    world.row(&Parcel::key(about.id)).await.expect("there").parse().expect("a parcel")
}

#[tokio::test]
async fn held_money_becomes_free_once_and_the_client_is_told_why() {
    for state in [ParcelState::Accepted, ParcelState::Waiting] {
        let (world, about, id) = held(&MemoryStore::new(), state).await;
        assert_eq!(balances(&world).await, told("6", "4"));
        let answer = act(&world, &id, "refund").await.ok();
        assert_eq!((&answer["status"], &answer["transfer"]["state"]), (&json!("refunded"), &json!("rejected")));
        assert_eq!(balances(&world).await, told("10", "0"));
        let after = stored(&world, &about).await;
        let failure = after.failure.expect("told");
        assert_eq!((failure.code.as_str(), failure.reason.as_str()), ("REFUNDED", "a test"));
        assert_eq!((after.state, after.due_at), (ParcelState::Rejected, None));
        // Once more changes nothing.
        let rows = world.rows(AUDIT);
        assert_eq!(act(&world, &id, "refund").await.ok(), answer);
        assert_eq!(world.rows(AUDIT), rows);
        for verb in ["replay", "discard"] {
            assert_eq!(act(&world, &id, verb).await.refusal().1, "CONFLICT", "{verb}");
        }
        assert_eq!(balances(&world).await, told("10", "0"));
        let expected = ["treasuries.register", "accounts.credit", "dead-letters.refund"];
        assert_eq!(world.actions().await, expected);
    }
}

#[tokio::test]
async fn a_replayed_one_can_still_be_refunded() {
    let (world, about, id) = held(&MemoryStore::new(), ParcelState::Waiting).await;
    act(&world, &id, "replay").await.ok();
    act(&world, &id, "refund").await.ok();
    assert_eq!(stored(&world, &about).await.state, ParcelState::Rejected);
    assert_eq!(balances(&world).await, told("10", "0"));
    world.must_be_sound().await;
}

#[tokio::test]
async fn money_that_signed_bytes_may_move_stays_held() {
    let states = [
        (ParcelState::Assigned, "may still pay"),
        (ParcelState::Reopened, "may still pay"),
        (ParcelState::Confirmed, "no money is held"),
        (ParcelState::Rejected, "no money is held"),
        (ParcelState::Failed, "no money is held"),
        (ParcelState::Cancelled, "no money is held"),
    ];
    for (state, why) in states {
        let (world, about, id) = held(&MemoryStore::new(), state).await;
        let answer = act(&world, &id, "refund").await;
        assert_eq!((answer.status, &answer.body["code"]), (409, &json!("CONFLICT")), "{state:?}");
        assert!(answer.body["message"].as_str().is_some_and(|text| text.contains(why)), "{answer:?}");
        assert_eq!(stored(&world, &about).await, about);
        assert_eq!(balances(&world).await, told("6", "4"));
        assert_eq!(show(&world, &id).await["status"], "open");
    }
}

#[tokio::test]
async fn a_signature_between_read_and_commit_wins_and_nothing_is_written() {
    let store = MemoryStore::new();
    let (setup, about, id) = held(&store, ParcelState::Waiting).await;
    let assigned = about.assigned(7, B256::repeat_byte(7), NOW);
    let signs = about.moved(1, assigned.clone()).expect("a move");
    let meets = Interloper::before(&store, Parcel::key(about.id), signs);
    let world = World::over(store, Arc::new(meets));
    let records = world.rows(AUDIT);
    assert_eq!(act(&world, &id, "refund").await.refusal(), (409, "CONFLICT".to_owned(), String::new()));
    assert_eq!(stored(&setup, &about).await, assigned);
    assert_eq!(balances(&setup).await, told("6", "4"));
    assert_eq!(show(&setup, &id).await["status"], "open");
    assert_eq!(world.rows(AUDIT), records);
    setup.must_be_sound().await;
}

#[tokio::test]
async fn of_two_operators_one_wins() {
    let store = MemoryStore::new();
    let (setup, about, id) = held(&store, ParcelState::Accepted).await;
    let row = setup.row(&DeadLetter::key(id.parse().expect("an id"))).await.expect("there");
    let known: DeadLetter = row.parse().expect("a dead letter");
    let replays = known.acted(1, causeway_state::dead_letter::Status::Replayed, "otto", "x", NOW).expect("a row");
    let meets = Interloper::before(&store, DeadLetter::key(known.id), replays);
    let world = World::over(store, Arc::new(meets));
    assert_eq!(act(&world, &id, "refund").await.refusal().1, "CONFLICT");
    assert_eq!((stored(&setup, &about).await, balances(&setup).await), (about.clone(), told("6", "4")));
    // Having looked again, the operator may insist.
    act(&world, &id, "refund").await.ok();
    assert_eq!(balances(&setup).await, told("10", "0"));
    setup.must_be_sound().await;
}

#[tokio::test]
async fn without_a_transfer_there_is_nothing_to_refund() {
    let world = World::new();
    let about_nobody = letter("a", queues::TRANSFERS_DEAD, "x", Some(ParcelId::derived(&["unknown"])));
    let about_nothing = letter("b", queues::TRANSFERS_DEAD, "x", None);
    for letter in [about_nobody, about_nothing] {
        let id = put_letter(&world, &letter).await;
        assert_eq!(act(&world, &id, "refund").await.refusal().1, "CONFLICT");
    }
    assert!(world.must_be_sound().await.is_empty());
}

#[tokio::test]
async fn what_the_chain_may_have_paid_is_not_refunded() {
    for doubt in 0..3 {
        let (world, parcel, id) = held(&MemoryStore::new(), ParcelState::Waiting).await;
        world.put(doubts(&parcel.wallet)[doubt].clone()).await;
        assert_eq!(act(&world, &id, "refund").await.refusal().1, "CONFLICT");
        assert_eq!(balances(&world).await, ("6".to_owned(), "4".to_owned()));
        // Somebody has looked, and says so.
        let seen = json!({"reason": "the network is gone", "unpaid": true});
        world.post(&format!("/admin/v1/dead-letters/{id}/refund"), seen).await.ok();
        assert_eq!(balances(&world).await, ("10".to_owned(), "0".to_owned()));
    }
}
