//! Rule 4: a number that somebody else's transaction took. Paid under another number only where that is proven.

use alloy_primitives::{Address, B256, U256};
use axum::http::{Method, StatusCode};
use causeway_chains::model::{Orphans, Provider, Receipts, Reorg};
use causeway_domain::{Clock, lane::LaneGate, parcel::ParcelState};
use causeway_simulation::{
    Setup, World,
    api::recipient,
    people::{Act, Promise},
};
use causeway_state::{
    lane::{Outcome, USED_BEFORE},
    message::queues,
};
use serde_json::{Value, json};

/// A withdrawal whose number a stranger's transaction took after it was signed, and before it was sent.
fn taken(setup: Setup) -> (World, String) {
    let (mut world, id) = signed(setup);
    stranger(&mut world, 1);
    world.held.clear();
    (world, id)
}

/// A withdrawal that is signed as number 1, and held back.
pub(crate) fn signed(setup: Setup) -> (World, String) {
    let mut world = World::new(setup);
    world.withdraw("ETH", "1", recipient("first"));
    world.finish();
    world.held.insert(queues::TRANSACTIONS);
    let id = world.withdraw("ETH", "1", recipient("rosa"));
    world.pass(2_000);
    assert_eq!(world.parcel(&id).number, Some(1));
    (world, id)
}

/// A signer of ours pays rosa what `id` says, or nothing to itself, and a restore loses the row of its attempt.
fn lost(world: &mut World, number: u64, id: &str, pays: bool) {
    let lane = world.lane("acme").address;
    let (to, value) = if pays { (recipient("rosa"), world.parcel(id).total().to_u256()) } else { (lane, U256::ZERO) };
    world.chain.foreign_payment(lane, number, to, value).expect("free");
    world.pass(2_000);
}

/// Somebody else uses a number of acme's lane.
fn stranger(world: &mut World, number: u64) {
    world.chain.foreign(world.lane("acme").address, number).expect("free");
    world.pass(2_000);
}

fn two() -> Setup {
    Setup { providers: 2, ..Setup::default() }
}

fn got(world: &World) -> U256 {
    world.on_chain(recipient("rosa"), Address::ZERO)
}

#[test]
fn what_two_providers_prove_at_a_final_block_is_paid_once_under_another_number() {
    let (mut world, id) = taken(two());
    let behind = world.withdraw("ETH", "2", recipient("karl"));
    world.finish();
    let parcel = world.parcel(&id);
    assert_eq!((parcel.state, parcel.displaced), (ParcelState::Confirmed, 1));
    assert!(parcel.number > Some(1));
    assert_eq!(got(&world), parcel.total().to_u256());
    assert_eq!(world.parcel(&behind).state, ParcelState::Confirmed);
    assert!(!world.has_halted(), "the lane goes on");
    let outcome = world.lane_view("acme").expect("begun").transactions[1].0.outcome.clone();
    let Some(Outcome::Displaced { by, height }) = outcome else { panic!("{outcome:?}") };
    assert_eq!(by.len(), 2, "who proved it: {by:?}");
    assert!(height > 0);
}

#[test]
fn it_is_found_also_where_no_leader_leads_long_enough_to_look_twice() {
    let (mut world, id) = taken(two());
    for _ in 0..8 {
        world.replace_tracker();
        world.pass(55_000);
    }
    let parcel = world.parcel(&id);
    assert_eq!((parcel.state, parcel.displaced), (ParcelState::Confirmed, 1));
    assert_eq!(got(&world), parcel.total().to_u256());
}

/// An operator gives number 1 of acme's lane up; the answer's status.
fn give_up(world: &mut World) -> StatusCode {
    displace(world, json!({"number": 1, "reason": "tried"}))
}

/// The same, with the word for what took it.
fn give_up_taken_by(world: &mut World, hash: B256) -> StatusCode {
    displace(world, json!({"number": 1, "takenBy": hash, "reason": "tried"}))
}

fn displace(world: &mut World, body: Value) -> StatusCode {
    let path = format!("lanes/{}/displace", world.lane("acme"));
    world.act(&Act { what: "people: displace", path, body, promise: Promise::Nothing }).status
}

/// Until the tracker takes the block of this height for final.
fn final_at(world: &mut World, height: u64) {
    world.until("its end", |world| world.head().is_some_and(|head| head.finalized >= height));
}

#[test]
fn an_operator_gives_no_number_up_whose_block_may_still_leave() {
    let (mut world, id) = taken(Setup { final_at: 60, ..Setup::default() });
    world.until("its halt", World::has_halted);
    let halted_at = world.chain.height();
    assert_eq!(give_up(&mut world), StatusCode::CONFLICT, "a branch can still have ours instead");
    assert_eq!(world.parcel(&id).state, ParcelState::Assigned);
    final_at(&mut world, halted_at);
    assert_eq!(give_up(&mut world), StatusCode::OK);
    world.finish();
    let parcel = world.parcel(&id);
    assert_eq!((parcel.state, parcel.number), (ParcelState::Confirmed, Some(2)));
    assert_eq!(got(&world), parcel.total().to_u256());
}

#[test]
fn what_took_a_number_on_a_branch_that_left_is_final_on_no_other_one() {
    let (mut world, id) = taken(Setup { final_at: 100, ..Setup::default() });
    world.until("its halt", World::has_halted);
    let (lane, halted_at) = (world.lane("acme").address, world.chain.height());
    let height = |world: &World| {
        let all = world.chain.inclusions(lane).remove(&1).expect("taken");
        all.into_iter().find(|taken| taken.canonical).expect("on the chain").receipt.block_number
    };
    // On the other branch somebody takes it later, before our bytes are sent again.
    world.held.insert(queues::TRANSACTIONS);
    let depth = halted_at + 1 - height(&world);
    world.chain.reorg(&Reorg { depth, blocks: depth + 2, again: Vec::new(), orphans: Orphans::Forgotten });
    world.chain.foreign(lane, 1).expect("free");
    world.pass(4_000);
    let taken_at = height(&world);
    assert!(taken_at > halted_at, "{taken_at}");
    final_at(&mut world, halted_at);
    assert_eq!(give_up(&mut world), StatusCode::CONFLICT, "the block that is final is another one");
    world.held.clear();
    final_at(&mut world, taken_at + 100);
    assert_eq!(give_up(&mut world), StatusCode::OK);
    world.finish();
    assert_eq!(world.parcel(&id).state, ParcelState::Confirmed);
    assert_eq!(got(&world), world.parcel(&id).total().to_u256());
}

#[test]
fn one_provider_proves_nothing() {
    let (mut world, id) = taken(Setup::default());
    world.pass(600_000);
    assert!(world.has_halted());
    assert_eq!(world.parcel(&id).state, ParcelState::Assigned, "an operator's case, its money held");
    assert_eq!(got(&world), U256::ZERO);
}

#[test]
fn two_of_which_one_is_silent_or_behind_prove_nothing() {
    for view in [Provider { down: true, ..Provider::default() }, Provider { lag: 1_000, ..Provider::default() }] {
        let (mut world, id) = taken(two());
        world.chain.set_provider(1, view);
        world.pass(400_000);
        assert_eq!(world.parcel(&id).state, ParcelState::Assigned);
        world.chain.set_provider(1, Provider::default());
        world.finish();
        assert_eq!(world.parcel(&id).state, ParcelState::Confirmed);
        assert_eq!(got(&world), world.parcel(&id).total().to_u256());
    }
}

#[test]
fn a_number_that_was_used_before_it_was_signed_is_for_people() {
    let mut world = World::new(two());
    world.withdraw("ETH", "1", recipient("first"));
    world.finish();
    // What a restored table looks like: the chain is ahead of the rows.
    world.chain.foreign(world.lane("acme").address, 1).expect("free");
    world.pass(5_000);
    let id = world.withdraw("ETH", "1", recipient("rosa"));
    world.pass(600_000);
    assert!(world.has_halted());
    assert_eq!(world.parcel(&id).state, ParcelState::Assigned, "the transaction that took it may have paid the same");
    assert_eq!(got(&world), U256::ZERO);
}

#[test]
fn what_looks_like_an_attempt_of_ours_that_a_restore_lost_is_for_people() {
    for pays in [true, false] {
        let (mut world, id) = signed(two());
        lost(&mut world, 1, &id, pays);
        world.held.clear();
        world.pass(600_000);
        assert!(world.has_halted());
        assert_eq!(world.parcel(&id).state, ParcelState::Assigned, "it may be paid, or cancelled");
        let once = if pays { world.parcel(&id).total().to_u256() } else { U256::ZERO };
        assert_eq!(got(&world), once);
    }
}

#[test]
fn behind_numbers_that_a_restore_lost_nothing_is_paid_that_they_may_have_paid() {
    let mut world = World::new(two());
    world.withdraw("ETH", "1", recipient("first"));
    world.finish();
    world.held.insert(queues::TRANSFERS_NORMAL);
    let ids: Vec<String> = (0..5).map(|_| world.withdraw("ETH", "1", recipient("rosa"))).collect();
    // They were signed, sent and mined; then the tables were set back to when they were not.
    for (number, id) in (1..).zip(&ids[..3]) {
        lost(&mut world, number, id, true);
    }
    let paid = got(&world);
    world.held.clear();
    world.pass(600_000);
    assert!(world.has_halted());
    assert_eq!(got(&world), paid, "which of them are paid, people find out first");
}

#[test]
fn what_is_to_be_cancelled_is_not_signed_again() {
    let (mut world, id) = taken(two());
    let path = format!("/withdrawal/cancel/{id}");
    let answer = world.clock.run(world.call("acme", Method::POST, &path, None, None));
    assert_eq!(answer.status, StatusCode::ACCEPTED);
    world.finish();
    assert_eq!(world.parcel(&id).state, ParcelState::Cancelled);
    assert_eq!(got(&world), U256::ZERO);
    assert_eq!(world.money("acme", "ETH").held, 0);
}

#[test]
fn several_in_a_row_are_each_given_up_once() {
    let mut world = World::new(two());
    world.withdraw("ETH", "1", recipient("first"));
    world.finish();
    world.held.insert(queues::TRANSACTIONS);
    let ids: Vec<String> = (0..4).map(|n| world.withdraw("ETH", "1", recipient(&format!("{n}")))).collect();
    world.pass(2_000);
    for number in 1..=3 {
        stranger(&mut world, number);
    }
    world.held.clear();
    world.finish();
    for (id, n) in ids.iter().zip(0..) {
        assert_eq!(world.parcel(id).state, ParcelState::Confirmed);
        let paid = world.on_chain(recipient(&format!("{n}")), Address::ZERO);
        assert_eq!(paid, world.parcel(id).total().to_u256());
    }
}

#[test]
fn it_is_found_also_where_blocks_come_as_fast_as_the_tracker_looks() {
    let (mut world, id) = taken(two());
    world.step_ms = world.network.block_time_ms;
    world.finish();
    assert_eq!(world.parcel(&id).state, ParcelState::Confirmed);
    assert_eq!(got(&world), world.parcel(&id).total().to_u256());
}

#[test]
fn a_lane_begins_behind_what_others_sent_before_and_can_leave_no_more() {
    for orphans in [Orphans::Waiting, Orphans::Forgotten] {
        let mut world = World::new(Setup::default());
        world.chain.foreign(world.lane("acme").address, 0).expect("free");
        world.pass(2_000);
        let id = world.withdraw("ETH", "1", recipient("rosa"));
        world.pass(1_000);
        assert_eq!(world.parcel(&id).number, None, "what a stranger sent may still leave");
        world.chain.reorg(&Reorg { depth: 3, blocks: 4, again: Vec::new(), orphans });
        world.pass(120_000);
        assert_eq!(world.release_lanes(), [USED_BEFORE]);
        world.finish();
        assert_eq!(world.parcel(&id).state, ParcelState::Confirmed);
        assert_eq!(got(&world), world.parcel(&id).total().to_u256());
    }
}

#[test]
fn a_lane_does_not_begin_above_what_only_a_pool_holds() {
    let mut world = World::new(Setup::default());
    world.pass(1_000);
    world.next_block_at = None;
    let waits = world.chain.foreign(world.lane("acme").address, 0).expect("free");
    let id = world.withdraw("ETH", "1", recipient("rosa"));
    world.pass(5_000);
    assert_eq!(world.parcel(&id).number, None);
    assert!(world.chain.drop_from_pool(waits));
    world.next_block_at = Some(world.clock.now_ms());
    world.finish();
    assert_eq!(world.parcel(&id).number, Some(0));
}

#[test]
fn a_block_that_leaves_before_the_head_moved_hides_no_stranger() {
    let mut killed = 0;
    for polls in 1.. {
        let (mut world, id) = signed(two());
        world.next_block_at = None;
        world.held.clear();
        let lane = world.lane("acme").address;
        world.until("its bytes at a node", |world| !world.chain.pooled().is_empty());
        world.chain.mine();
        let struck = world.track_and_kill(polls);
        // The block leaves for good, and with it what it had of ours.
        world.chain.reorg(&Reorg { depth: 1, blocks: 2, again: vec![], orphans: Orphans::Forgotten });
        world.chain.foreign(lane, 1).expect("free");
        world.chain.mine();
        world.replace_tracker();
        world.next_block_at = Some(world.clock.now_ms());
        world.finish();
        assert_eq!(world.parcel(&id).state, ParcelState::Confirmed, "killed at {polls}");
        assert_eq!(got(&world), world.parcel(&id).total().to_u256());
        killed += u32::from(struck);
        if !struck {
            break;
        }
    }
    assert!(killed > 3, "the leader was killed {killed} times");
}

#[test]
fn a_number_that_no_node_can_name_is_passed_over_on_peoples_word() {
    for made_up in [false, true] {
        let mut world = World::new(two());
        world.withdraw("ETH", "1", recipient("first"));
        world.finish();
        let taker = world.chain.foreign(world.lane("acme").address, 1).expect("free");
        // By the time that a leader looks, nodes do not keep the states any more between which it was used.
        (0..600).for_each(|_| {
            world.chain.mine();
        });
        world.until("its halt", World::has_halted);
        let id = world.withdraw("ETH", "1", recipient("rosa"));
        world.pass(300_000);
        let gate = world.lane_view("acme").expect("begun").gate;
        let LaneGate::Halted { reason, limit: 1 } = &gate.gate else { panic!("{gate:?}") };
        assert!(!reason.contains("0x") && gate.taken_by.is_none(), "nobody names it: {gate:?}");
        assert_eq!(give_up(&mut world), StatusCode::CONFLICT, "which one, they must say");
        // What no node knows is as good as an authorization in somebody else's transaction (EIP-7702).
        let said = if made_up { B256::repeat_byte(0x77) } else { taker };
        assert_eq!(give_up_taken_by(&mut world, said), StatusCode::OK);
        assert!(world.has_halted(), "it is looked at first");
        assert_eq!(give_up_taken_by(&mut world, said), StatusCode::CONFLICT, "not yet");
        world.pass(120_000);
        assert!(world.has_halted());
        // Where nodes know it, the lane's reason names it now.
        let again = if made_up { give_up_taken_by(&mut world, said) } else { give_up(&mut world) };
        assert_eq!(again, StatusCode::OK);
        world.finish();
        let parcel = world.parcel(&id);
        assert_eq!((parcel.state, parcel.number), (ParcelState::Confirmed, Some(2)));
        assert_eq!(got(&world), parcel.total().to_u256());
    }
}

/// A lane that halted at number 1, of which no node keeps the states that would name it; and what has it, and number 2.
fn nameless() -> (World, [B256; 2]) {
    let mut world = World::new(two());
    world.withdraw("ETH", "1", recipient("first"));
    world.finish();
    let lane = world.lane("acme");
    let hashes = [1, 2].map(|number| {
        let hash = world.chain.foreign(lane.address, number).expect("free");
        world.chain.mine();
        hash
    });
    (0..600).for_each(|_| {
        world.chain.mine();
    });
    world.until("its halt", World::has_halted);
    world.pass(300_000);
    (world, hashes)
}

#[test]
fn what_a_node_tells_late_of_what_people_named_is_no_word_either() {
    let (mut world, [_, other]) = nameless();
    world.chain.set_provider(0, Provider { down: true, ..Provider::default() });
    world.chain.set_provider(1, Provider { receipts: Receipts::Late, ..Provider::default() });
    assert_eq!(give_up_taken_by(&mut world, other), StatusCode::OK);
    world.pass(120_000);
    let said = |world: &World| {
        let gate = world.lane_view("acme").expect("begun").gate;
        gate.said.map(|said| (said.sought, said.number))
    };
    assert_eq!(said(&world), Some((true, None)), "it has forgotten it");
    world.chain.set_provider(0, Provider::default());
    world.pass(120_000);
    assert_eq!(said(&world), Some((true, Some(2))));
    assert_eq!(give_up_taken_by(&mut world, other), StatusCode::CONFLICT);
}

#[test]
fn what_people_name_has_the_number_or_is_not_taken_for_it() {
    let (mut world, [taker, other]) = nameless();
    for (named, is_named) in [(other, false), (taker, true)] {
        assert_eq!(give_up_taken_by(&mut world, named), StatusCode::OK);
        world.pass(120_000);
        let gate = world.lane_view("acme").expect("begun").gate;
        let LaneGate::Halted { reason, limit: 1 } = &gate.gate else { panic!("{gate:?}") };
        assert_eq!((gate.taken_by.is_some(), reason.contains("0x")), (is_named, is_named), "{gate:?}");
        // What has another number is no word for this one, however often it is said.
        assert_eq!(gate.said.map(|said| (said.sought, said.number)), (!is_named).then_some((true, Some(2))));
        if !is_named {
            assert_eq!(give_up_taken_by(&mut world, named), StatusCode::CONFLICT);
        }
    }
}

/// Several providers, of which one stays on a branch that the others left: what that has of ours is on no chain.
#[test]
fn what_a_left_branch_has_of_ours_explains_no_number_of_a_strangers() {
    let (mut world, _) = signed(two());
    world.next_block_at = None;
    world.held.clear();
    world.until("its bytes at a node", |world| !world.chain.pooled().is_empty());
    let old = world.chain.mine();
    world.chain.set_provider(1, Provider { stuck_at: Some(old.hash), ..Provider::default() });
    world.chain.reorg(&Reorg { depth: 1, blocks: 2, again: vec![], orphans: Orphans::Forgotten });
    world.held.insert(queues::TRANSACTIONS);
    world.chain.foreign(world.lane("acme").address, 1).expect("free");
    world.next_block_at = Some(world.clock.now_ms());
    world.pass(300_000);
    assert!(world.has_halted(), "it is not told as a doubt without end");
}

/// A node that tells a block without ours, and lacks its receipt for minutes, makes no stranger of it.
#[test]
fn what_a_node_knows_of_ours_and_cannot_prove_halts_nothing() {
    let (mut world, id) = signed(Setup::default());
    world.next_block_at = None;
    world.held.clear();
    world.until("its bytes at a node", |world| !world.chain.pooled().is_empty());
    let hides = world.chain.pooled().into_iter().map(|waiting| waiting.hash).collect();
    world.chain.set_provider(0, Provider { hides, receipts: Receipts::Late, ..Provider::default() });
    world.next_block_at = Some(world.clock.now_ms());
    for _ in 0..30 {
        world.pass(10_000);
        assert!(!world.has_halted(), "it is ours");
    }
    world.chain.set_provider(0, Provider::default());
    world.finish();
    assert_eq!(world.parcel(&id).state, ParcelState::Confirmed);
    assert_eq!(got(&world), world.parcel(&id).total().to_u256());
}
