//! A number whose transaction paid what a transfer asks for: who gives it up would have that paid once more.

use causeway_domain::{
    B256,
    id::ParcelId,
    lane::{LaneGate, LaneId},
    parcel::ParcelState,
};
use causeway_state::{
    displace::foreign,
    lane::{Gate, Transaction},
    parcel::{CancelAsked, Parcel},
    taken::Paid,
};
use causeway_store::{Item, Write};

use serde_json::json;

use crate::{
    displace::{displace, displace_taken_by, halted, stored},
    support::{NOW, World},
    switches::throw,
};

/// A look found this number taken by what paid exactly what the parcel asks for.
async fn taken(world: &World, lane: &LaneId, number: u64, parcel: &Parcel) {
    let row = world.row(&Gate::key(lane)).await.expect("there");
    let gate: Gate = row.parse().expect("a gate");
    let paid = Paid { asset: parcel.asset.address, to: parcel.transfers[0].to, amount: parcel.transfers[0].amount };
    let taken = Gate { taken_for: Some(paid), gate: LaneGate::Open, ..gate.consumed(number, NOW) };
    let named = Gate { taken_at: gate.taken_at, ..taken }.halted(&format!("{}: 0x12 to 0x34", foreign(number)), number);
    world.put(named.put(lane, row.version()).expect("a row")).await;
}

async fn wished(world: &World, parcel: &Parcel) {
    let asked = CancelAsked { by: "olga".to_owned(), at: NOW, reason: None };
    let item = Parcel { cancel: Some(asked), ..parcel.clone() }.item().expect("a row");
    world.put(Write::Put { key: Parcel::key(parcel.id), item, expect: vec![] }).await;
}

async fn is_refused(world: &World, lane: &LaneId, number: u64) {
    let conflict = (409, "CONFLICT".to_owned(), "number".to_owned());
    assert_eq!(displace(world, lane, number).await.refusal(), conflict, "number {number}");
}

/// Another parcel that asks for the same.
fn twin(parcel: &Parcel) -> Parcel {
    Parcel { id: ParcelId::derived(&["again"]), ..parcel.clone() }
}

#[tokio::test]
async fn it_is_not_given_up_while_one_without_a_number_asks() {
    for number in [4, 6] {
        let (world, lane, parcel) = halted(|parcel| parcel, 0).await;
        let waits =
            Parcel { state: ParcelState::Accepted, number: None, hash: None, due_at: Some(NOW), ..twin(&parcel) };
        world.put(waits.create().expect("a row")).await;
        if number == 4 {
            // Its own one is never paid.
            wished(&world, &parcel).await;
        }
        taken(&world, &lane, number, &waits).await;
        is_refused(&world, &lane, number).await;
        // Its client is told in another way that it is paid.
        wished(&world, &waits).await;
        displace(&world, &lane, number).await.ok();
    }
}

/// The rows forgot its attempt, and the chain has it.
#[tokio::test]
async fn it_is_not_given_up_while_its_own_transfer_asks() {
    let (world, lane, parcel) = halted(|parcel| parcel, 0).await;
    taken(&world, &lane, 4, &parcel).await;
    is_refused(&world, &lane, 4).await;
    wished(&world, &stored(&world, &parcel).await).await;
    displace(&world, &lane, 4).await.ok();
    let again = stored(&world, &parcel).await;
    assert_eq!((again.state, again.cancel.is_some()), (ParcelState::Accepted, true), "never to be paid");
}

/// Of what is signed the payment would go out, and its no-op is signed only once the lane is open.
#[tokio::test]
async fn it_is_not_given_up_while_a_later_one_asks_whose_payments_are_not_held_back() {
    let scopes = |lane: &LaneId| [format!("lane:{lane}"), "network:local".to_owned(), "tenant:acme".to_owned()];
    for which in 0..3 {
        let (world, lane, parcel) = halted(|parcel| parcel, 0).await;
        wished(&world, &parcel).await;
        let behind = Parcel { number: Some(5), hash: Some(B256::repeat_byte(5)), ..twin(&parcel) };
        world.put(behind.create().expect("a row")).await;
        let row = world.row(&Transaction::key(&lane, 4)).await.expect("there");
        let fourth: Transaction = row.parse().expect("a transaction");
        let fifth = Transaction { number: 5, parcels: vec![behind.id], ..fourth };
        let key = Transaction::key(&lane, 5);
        world.put(Write::create(key, Item::from_fields(&fifth).expect("a row"))).await;
        taken(&world, &lane, 4, &behind).await;
        is_refused(&world, &lane, 4).await;
        wished(&world, &behind).await;
        is_refused(&world, &lane, 4).await;
        // It cannot be cancelled first: that takes an open lane.
        let said = displace(&world, &lane, 4).await;
        assert!(said.body["message"].as_str().expect("a reason").contains("block the lane, ask again"), "{said:?}");
        let scope = scopes(&lane)[which].clone();
        throw(&world, &scope, true).await.ok();
        throw(&world, &scope, false).await.ok();
        is_refused(&world, &lane, 4).await;
        throw(&world, &scope, true).await.ok();
        displace(&world, &lane, 4).await.ok();
    }
}

#[tokio::test]
async fn it_is_not_given_up_while_nobody_can_tell_what_a_later_one_pays() {
    let (world, lane, parcel) = halted(|parcel| parcel, 0).await;
    wished(&world, &parcel).await;
    world.put(Write::create(Transaction::key(&lane, 5), Item::new().with("number", "five"))).await;
    taken(&world, &lane, 4, &parcel).await;
    let said = displace(&world, &lane, 4).await;
    assert!(said.body["message"].as_str().expect("a reason").contains("number 5"), "{said:?}");
    // Readable, and what it pays is not there.
    let row = world.row(&Transaction::key(&lane, 4)).await.expect("there");
    let fourth: Transaction = row.parse().expect("a transaction");
    let fifth = Transaction { number: 5, parcels: vec![twin(&parcel).id], ..fourth };
    let item = Item::from_fields(&fifth).expect("a row");
    world.put(Write::Put { key: Transaction::key(&lane, 5), item, expect: vec![] }).await;
    is_refused(&world, &lane, 4).await;
}

/// Until a look has told what took it, or where no node tells what that paid, nobody can hold it against what is asked for.
#[tokio::test]
async fn it_is_not_given_up_before_it_is_told_what_it_paid() {
    let (world, lane, parcel) = halted(|parcel| parcel, 0).await;
    let row = world.row(&Gate::key(&lane)).await.expect("there");
    let gate: Gate = row.parse().expect("a gate");
    let unnamed = Gate { gate: LaneGate::Open, ..gate.clone() }.halted(&foreign(4), 4);
    let unread = Gate { unread: true, ..gate };
    let at_taker = (409, "CONFLICT".to_owned(), "takenBy".to_owned());
    for gate in [&unnamed, &unread] {
        let item = Item::from_fields(gate).expect("a row");
        world.put(Write::Put { key: Gate::key(&lane), item, expect: vec![] }).await;
        assert_eq!(displace(&world, &lane, 4).await.refusal(), at_taker);
        assert_eq!(stored(&world, &parcel).await.state, ParcelState::Assigned);
    }
    displace_taken_by(&world, &lane, 4, json!(B256::repeat_byte(0x12))).await.ok();
    assert_eq!(stored(&world, &parcel).await.state, ParcelState::Accepted);
}
