//! Cancelling: at once while nothing is signed, by a no-op on the same number afterwards, and honest about who won.

use alloy_primitives::{Address, B256, U256};
use axum::http::{Method, StatusCode};
use causeway_chains::model::{Orphans, Provider, Reorg};
use causeway_domain::{Clock, parcel::ParcelState};
use causeway_simulation::{
    Setup, World,
    api::{Answer, recipient},
};
use causeway_state::{lane::Outcome, message::queues};
use serde_json::{Value, json};

fn cancel(world: &World, id: &str) -> Answer {
    world.clock.run(world.call("acme", Method::POST, &format!("/withdrawal/cancel/{id}"), None, None))
}

/// A withdrawal that nodes have, and that no block takes until blocks come again.
fn waiting(setup: Setup) -> (World, String) {
    let mut world = World::new(setup);
    world.next_block_at = None;
    let id = world.withdraw("ETH", "1", recipient("rosa"));
    world.pass(1_000);
    assert_eq!(world.chain.pooled().len(), 1, "a node has it");
    (world, id)
}

fn blocks_come(world: &mut World) {
    world.next_block_at = Some(world.clock.now_ms());
}

fn got(world: &World) -> U256 {
    world.on_chain(recipient("rosa"), Address::ZERO)
}

fn ended(world: &mut World, id: &str, state: ParcelState) {
    world.finish();
    let parcel = world.parcel(id);
    assert_eq!(parcel.state, state);
    let paid = if state == ParcelState::Confirmed { parcel.total().to_u256() } else { U256::ZERO };
    assert_eq!(got(world), paid);
}

/// The hashes of number 0's attempts, oldest first.
fn hashes(world: &World, id: &str) -> Vec<B256> {
    let parcel = world.parcel(id);
    parcel.replaced.iter().copied().chain(parcel.hash).collect()
}

#[test]
fn what_is_not_signed_is_cancelled_at_once() {
    let mut world = World::new(Setup::default());
    world.pass(1_000);
    world.held.insert(queues::TRANSFERS_NORMAL);
    let id = world.withdraw("TUSD", "5", recipient("rosa"));
    let before = world.money("acme", "TUSD");
    let answer = cancel(&world, &id);
    assert_eq!((answer.status, answer.text("status")), (StatusCode::OK, "FAILED"));
    let after = world.money("acme", "TUSD");
    assert_eq!((after.held, after.available - before.available), (0, 5_000_000), "its money is free");
    assert_eq!(cancel(&world, &id).status, StatusCode::OK, "a repeat does no harm");
    world.held.clear();
    ended(&mut world, &id, ParcelState::Cancelled);
    assert!(world.lane_view("acme").is_none(), "nothing was signed");
}

#[test]
fn a_no_op_that_becomes_final_cancels_what_is_signed() {
    let (mut world, id) = waiting(Setup::default());
    let answer = cancel(&world, &id);
    assert_eq!((answer.status, answer.text("status")), (StatusCode::ACCEPTED, "BROADCASTING"));
    assert_eq!(answer.body["cancelRequested"], true);
    world.pass(2_000);
    assert_eq!(hashes(&world, &id).len(), 2);
    blocks_come(&mut world);
    world.pass(4_000);
    assert_eq!(world.parcel(&id).state, ParcelState::Assigned, "in a block, and not final: nothing is told");
    assert!(world.money("acme", "ETH").held > 0);
    ended(&mut world, &id, ParcelState::Cancelled);
    assert_eq!(world.status(&id).text("status"), "FAILED");
    assert_eq!(world.parcel(&id).failure.expect("told why").code, "CANCELLED");
    let outcome = world.lane_view("acme").expect("begun").transactions[0].0.outcome.clone();
    assert!(matches!(outcome, Some(Outcome::Cancelled { .. })), "its gas is in the books: {outcome:?}");
}

#[test]
fn a_no_op_in_a_block_is_not_told_as_the_payment_and_its_cancel_may_be_repeated() {
    let (mut world, id) = waiting(Setup::default());
    assert_eq!(cancel(&world, &id).status, StatusCode::ACCEPTED);
    world.pass(2_000);
    let [payment, no_op] = hashes(&world, &id)[..] else { panic!("a payment and its no-op") };
    let path = format!("/api/v1/transfers/{}", world.parcel(&id).transfer_id(0));
    let told = |world: &World| world.clock.run(world.call("acme", Method::GET, &path, None, None));
    let before = told(&world);
    assert_eq!((before.text("state"), before.text("transactionHash")), ("broadcast", &*payment.to_string()));
    blocks_come(&mut world);
    world.pass(4_000);
    let taken = world.chain.inclusions(world.lane("acme").address);
    assert_eq!(taken[&0].last().map(|one| one.receipt.hash), Some(no_op), "a block has the no-op");
    let after = told(&world);
    assert_eq!((after.text("state"), after.text("transactionHash")), ("broadcast", &*payment.to_string()));
    assert_eq!((&after.body["confirmations"], &after.body["blockNumber"]), (&json!(0), &Value::Null));
    let again = cancel(&world, &id);
    assert_eq!((again.status, again.text("status")), (StatusCode::ACCEPTED, "BROADCASTING"), "{again:?}");
    ended(&mut world, &id, ParcelState::Cancelled);
    assert_eq!(cancel(&world, &id).status, StatusCode::OK);
}

#[test]
fn a_payment_that_wins_against_its_no_op_is_told_as_paid() {
    let (mut world, id) = waiting(Setup::default());
    world.chain.set_provider(0, Provider { loses: true, ..Provider::default() });
    assert_eq!(cancel(&world, &id).status, StatusCode::ACCEPTED);
    world.pass(2_000);
    assert_eq!(hashes(&world, &id).len(), 2, "the no-op is signed, and nodes lose it");
    blocks_come(&mut world);
    world.pass(1_500);
    world.chain.set_provider(0, Provider::default());
    ended(&mut world, &id, ParcelState::Confirmed);
    let told = world.status(&id);
    assert_eq!(told.text("status"), "COMPLETED");
    assert_eq!(told.text("transactionHash"), hashes(&world, &id)[0].to_string(), "its own, not the no-op's");
    assert_eq!(told.body["cancelRequested"], true);
}

#[test]
fn what_is_in_a_block_or_has_ended_is_not_cancelled() {
    let (mut world, id) = waiting(Setup::default());
    world.chain.mine();
    world.pass(1_000);
    let refused = cancel(&world, &id);
    assert_eq!((refused.status, refused.code()), (StatusCode::CONFLICT, "CONFLICT"));
    blocks_come(&mut world);
    ended(&mut world, &id, ParcelState::Confirmed);
    assert_eq!(cancel(&world, &id).status, StatusCode::CONFLICT);
    let strangers =
        world.clock.run(world.call("globex", Method::POST, &format!("/withdrawal/cancel/{id}"), None, None));
    assert_eq!(strangers.status, StatusCode::NOT_FOUND);
}

#[test]
fn a_branch_that_swaps_payment_and_no_op_is_followed_both_ways() {
    for payment_last in [true, false] {
        let (mut world, id) = waiting(Setup { confirmed_at: 4, final_at: 8, ..Setup::default() });
        let payment = world.lane_view("acme").expect("begun").transactions[0].1.raw.clone();
        if payment_last {
            assert_eq!(cancel(&world, &id).status, StatusCode::ACCEPTED);
            world.pass(2_000);
        }
        world.chain.mine();
        world.pass(1_000);
        // The block leaves; what it held is forgotten, unless the branch holds the payment.
        world.held.insert(queues::TRANSACTIONS);
        let again = if payment_last { vec![(payment, 0)] } else { Vec::new() };
        world.chain.reorg(&Reorg { depth: 1, blocks: 2, again, orphans: Orphans::Forgotten });
        world.pass(2_000);
        if !payment_last {
            assert_eq!(cancel(&world, &id).status, StatusCode::ACCEPTED);
            world.pass(2_000);
        }
        world.held.clear();
        world.pass(1_000);
        blocks_come(&mut world);
        ended(&mut world, &id, if payment_last { ParcelState::Confirmed } else { ParcelState::Cancelled });
    }
}

/// A withdrawal that was told as paid although a no-op was signed after it, and whose block has left.
fn reopened_with_a_no_op() -> (World, String, Vec<B256>) {
    let (mut world, id) = waiting(Setup { confirmed_at: 2, final_at: 8, ..Setup::default() });
    world.chain.set_provider(0, Provider { loses: true, ..Provider::default() });
    assert_eq!(cancel(&world, &id).status, StatusCode::ACCEPTED);
    world.pass(2_000);
    let hashes = hashes(&world, &id);
    assert_eq!(hashes.len(), 2, "there is a no-op");
    world.chain.mine_only(&hashes[..1]);
    world.chain.mine_empty(2);
    world.pass(2_000);
    assert_eq!(world.parcel(&id).state, ParcelState::Confirmed);
    world.chain.set_provider(0, Provider::default());
    world.chain.reorg(&Reorg { depth: 3, blocks: 4, again: Vec::new(), orphans: Orphans::Forgotten });
    (world, id, hashes)
}

#[test]
fn what_was_told_as_paid_goes_again_as_it_was_although_a_no_op_was_signed_after_it() {
    let (mut world, id, hashes) = reopened_with_a_no_op();
    world.pass(3_000);
    assert_eq!(world.parcel(&id).state, ParcelState::Reopened);
    assert_eq!(cancel(&world, &id).status, StatusCode::CONFLICT, "nothing but the same bytes is sent");
    assert_eq!(world.chain.pooled().first().map(|waiting| waiting.hash), hashes.first().copied());
    world.release_lanes();
    blocks_come(&mut world);
    ended(&mut world, &id, ParcelState::Confirmed);
}

#[test]
fn what_was_told_as_paid_is_raised_above_the_no_op_that_was_signed_after_it() {
    let (mut world, id, before) = reopened_with_a_no_op();
    world.chain.set_base_fee(20_000_000_000);
    world.pass(3_000);
    assert_eq!(world.parcel(&id).state, ParcelState::Reopened);
    world.release_lanes();
    blocks_come(&mut world);
    ended(&mut world, &id, ParcelState::Confirmed);
    let won = hashes(&world, &id);
    assert_eq!((&won[..2], won.len()), (&before[..], 3));
    assert_eq!(world.parcel(&id).settled.expect("settled").hash, won[2]);
}

#[test]
fn a_wish_whose_message_is_lost_is_carried_out_all_the_same() {
    let (mut world, id) = waiting(Setup::default());
    assert_eq!(cancel(&world, &id).status, StatusCode::ACCEPTED);
    world.collect();
    assert_eq!(world.inbox.lose(queues::SIGN_REQUESTS), 1);
    world.until("the no-op", |world| hashes(world, &id).len() == 2);
    world.pass(1_000);
    blocks_come(&mut world);
    ended(&mut world, &id, ParcelState::Cancelled);
}

#[test]
fn a_signer_killed_anywhere_in_a_cancel_leaves_one_end() {
    let mut killed = 0;
    for polls in 1..40 {
        let (mut world, id) = waiting(Setup { seed: polls, ..Setup::default() });
        assert_eq!(cancel(&world, &id).status, StatusCode::ACCEPTED);
        world.crossing.set(true);
        killed += u32::from(world.deliver_and_kill(queues::SIGN_REQUESTS, polls) == Some(true));
        world.crossing.set(false);
        world.pass(40_000);
        blocks_come(&mut world);
        ended(&mut world, &id, ParcelState::Cancelled);
    }
    assert!(killed > 10, "the signer was killed {killed} times");
}

#[test]
fn a_number_that_nodes_refuse_for_good_is_taken_out_of_the_way() {
    let mut world = World::new(Setup::default());
    world.refused.number(0);
    let id = world.withdraw("ETH", "1", recipient("rosa"));
    world.pass(2_000);
    assert!(world.has_halted(), "number 0 is refused");
    let behind = world.withdraw("ETH", "2", recipient("karl"));
    world.pass(2_000);
    assert_eq!(cancel(&world, &id).status, StatusCode::ACCEPTED);
    world.refused.clear();
    ended(&mut world, &id, ParcelState::Cancelled);
    assert_eq!(world.parcel(&behind).state, ParcelState::Confirmed, "the lane goes on");
}
