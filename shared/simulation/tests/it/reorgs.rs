//! Branches: what leaves the chain is taken back or sent again, and nobody is paid twice.

use causeway_chains::{
    Chain,
    model::{Orphans, Provider, Reorg},
};
use causeway_domain::{clock::Clock, lane::LaneGate, parcel::ParcelState};
use causeway_simulation::{Setup, World, api::recipient};
use causeway_state::{
    message::{Stage, StageMessage, queues},
    tables::LEDGER,
};
use futures::executor::block_on;

/// A world whose withdrawal lies in a block this deep, as the tracker has seen it.
fn included(setup: Setup, depth: u64) -> (World, String) {
    let mut world = World::new(setup);
    world.track();
    let id = world.withdraw("TUSD", "1", recipient("rosa"));
    world.until("its inclusion", |world| depth_of(world) >= depth);
    (world, id)
}

fn depth_of(world: &World) -> u64 {
    let inclusions = world.chain.inclusions(world.lane("acme").address);
    let found = inclusions.get(&0).and_then(|list| list.iter().find(|inclusion| inclusion.canonical));
    let head = world.head().map_or(0, |head| head.height);
    found.map_or(0, |inclusion| (head + 1).saturating_sub(inclusion.receipt.block_number))
}

/// Names of the first parcel's entries in its tenant's account.
fn entries(world: &World, id: &str) -> Vec<String> {
    let bare = world.parcel_id("acme", id).bare();
    let rows = world.rows.dump(LEDGER);
    let names =
        rows.iter().filter_map(|row| row.text("sk")?.strip_prefix("E#")?.strip_prefix(&*bare).map(ToOwned::to_owned));
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

fn branch(world: &World, depth: u64, blocks: u64, orphans: Orphans) {
    let missing = world.chain.reorg(&Reorg { depth, blocks, again: Vec::new(), orphans });
    assert!(missing.is_empty());
}

#[test]
fn a_transaction_that_leaves_before_it_counts_is_sent_again_and_posted_once() {
    for orphans in [Orphans::Forgotten, Orphans::Waiting] {
        let (mut world, id) = included(Setup::default(), 2);
        branch(&world, 2, 3, orphans);
        world.finish();
        assert_eq!(world.parcel(&id).state, ParcelState::Confirmed);
        assert_eq!(entries(&world, &id), ["#hold", "#post#0"]);
        assert!(matches!(world.lane_view("acme").expect("begun").gate.gate, LaneGate::Open));
    }
}

#[test]
fn a_transaction_that_moves_to_another_block_is_posted_once() {
    let (mut world, id) = included(Setup::default(), 2);
    let again: Vec<_> = world.chain.newest(2).into_iter().map(|(raw, index)| (raw, index + 1)).collect();
    assert_eq!(again.len(), 1);
    let before = world.chain.handed().len();
    assert!(world.chain.reorg(&Reorg { depth: 2, blocks: 3, again, orphans: Orphans::Forgotten }).is_empty());
    let inclusions = world.chain.inclusions(world.lane("acme").address).into_values().flatten();
    let [now] = inclusions.filter(|it| it.canonical).collect::<Vec<_>>().try_into().expect("one");
    world.until("its confirmation", |world| world.parcels()[0].state == ParcelState::Confirmed);
    let settled = world.parcels()[0].settled.clone().expect("settled");
    assert_eq!((settled.height, settled.block_hash), (now.receipt.block_number, now.receipt.block_hash));
    assert!(world.chain.height() + 1 >= settled.height + world.network.confirmed_at, "counted anew from its new block");
    world.finish();
    assert_eq!(entries(&world, &id), ["#hold", "#post#0"]);
    let raw: std::collections::BTreeSet<_> = world.chain.handed().into_iter().map(|handed| handed.raw).collect();
    assert!(world.chain.handed().len() >= before && raw.len() == 1, "the same bytes only");
}

#[test]
fn many_transactions_that_leave_and_move_are_each_posted_once() {
    for seed in 0..10 {
        let mut world = World::new(Setup { seed, ..Setup::default() });
        for number in 0..20 {
            world.withdraw("TUSD", "1", recipient(&format!("{number}")));
            world.step();
        }
        for _ in 0..4 {
            let depth = 1 + world.clock.below(2);
            let again: Vec<_> = world.chain.newest(depth).into_iter().filter(|_| world.clock.chance(500)).collect();
            let orphans = if world.clock.chance(500) { Orphans::Waiting } else { Orphans::Forgotten };
            world.chain.reorg(&Reorg { depth, blocks: depth + 1, again, orphans });
            world.pass(1_000 + 200 * world.clock.below(6));
        }
        world.finish();
        assert!(world.parcels().iter().all(|parcel| parcel.state == ParcelState::Confirmed && parcel.reopened == 0));
    }
}

#[test]
fn a_settled_transaction_that_leaves_is_reopened_and_its_lane_halts_until_released() {
    let (mut world, id) = included(Setup { final_at: 12, ..Setup::default() }, 4);
    world.until("its confirmation", |world| world.parcels()[0].state == ParcelState::Confirmed);
    let bytes = world.lane_view("acme").expect("begun").transactions[0].1.raw.clone();
    branch(&world, 6, 7, Orphans::Forgotten);
    world.until("its reopening", |world| world.parcels()[0].state == ParcelState::Reopened);
    assert_eq!(world.status(&id).text("status"), "BROADCASTING");
    assert_eq!(entries(&world, &id), ["#hold", "#post#0", "#reverse#0"]);
    let later = world.withdraw("TUSD", "1", recipient("later"));
    world.until("its second confirmation", |world| world.parcel(&id).state == ParcelState::Confirmed);
    assert_eq!(entries(&world, &id), ["#hold", "#post#0", "#post#1", "#reverse#0"]);
    assert!(world.chain.handed().iter().all(|handed| handed.raw == bytes), "the same bytes, nothing else");
    let view = world.lane_view("acme").expect("begun");
    assert!(matches!(&view.gate.gate, LaneGate::Halted { limit: 1, .. }), "{:?}", view.gate);
    world.pass(60_000);
    assert!(world.parcel(&later).state.may_be_assigned());
    world.release_lanes();
    world.finish();
    assert_eq!(world.parcel(&later).state, ParcelState::Confirmed);
}

#[test]
fn a_revert_that_a_branch_turns_into_a_success_is_paid() {
    let mut world = World::new(Setup::default());
    let token = world.asset("TBLK").address;
    world.chain.set_blacklisted(token, recipient("rosa"), true);
    world.chain.set_lenient(token, true);
    let id = world.withdraw("TBLK", "1", recipient("rosa"));
    world.until("its revert", |world| depth_of(world) >= 4);
    world.chain.set_blacklisted(token, recipient("rosa"), false);
    branch(&world, 4, 5, Orphans::Waiting);
    world.finish();
    assert_eq!(world.parcel(&id).state, ParcelState::Confirmed);
}

#[test]
fn a_success_that_a_branch_turns_into_a_revert_is_reopened_and_released_when_final() {
    let mut world = World::new(Setup { final_at: 12, ..Setup::default() });
    let token = world.asset("TBLK").address;
    world.chain.set_lenient(token, true);
    let id = world.withdraw("TBLK", "1", recipient("rosa"));
    world.until("its confirmation", |world| world.parcels()[0].state == ParcelState::Confirmed);
    world.chain.set_blacklisted(token, recipient("rosa"), true);
    branch(&world, 5, 6, Orphans::Waiting);
    world.finish();
    assert_eq!(world.parcel(&id).state, ParcelState::Failed);
    assert_eq!(entries(&world, &id), ["#hold", "#post#0", "#release", "#reverse#0"]);
}

#[test]
fn a_release_that_leaves_the_chain_undoes_nothing_and_asks_people() {
    let mut world = World::new(Setup::default());
    let token = world.asset("TBLK").address;
    world.chain.set_blacklisted(token, recipient("rosa"), true);
    world.chain.set_lenient(token, true);
    let id = world.withdraw("TBLK", "1", recipient("rosa"));
    world.until("its end", |world| world.parcels()[0].state == ParcelState::Failed);
    branch(&world, 8, 9, Orphans::Waiting);
    world.pass(60_000);
    assert_eq!(world.parcel(&id).state, ParcelState::Failed);
    assert_eq!(entries(&world, &id), ["#hold", "#release"]);
    assert!(matches!(world.lane_view("acme").expect("begun").gate.gate, LaneGate::Halted { .. }));
}

#[test]
fn a_release_that_leaves_and_pays_on_the_other_branch_lies_in_front_of_people() {
    let mut world = World::new(Setup::default());
    let token = world.asset("TBLK").address;
    world.chain.set_blacklisted(token, recipient("rosa"), true);
    world.chain.set_lenient(token, true);
    world.inbox.receives_max = 2;
    world.pass(5_000);
    let id = world.withdraw("TBLK", "1", recipient("rosa"));
    world.until("its end", |world| world.parcels()[0].state == ParcelState::Failed);
    world.chain.set_blacklisted(token, recipient("rosa"), false);
    assert!(world.turn_below(8));
    world.until("the halt", World::has_halted);
    world.release_lanes();
    world.until("a dead letter", World::asks_people);
    assert_eq!(world.on_chain(recipient("rosa"), token), alloy_primitives::U256::from(1_000_000));
    assert_eq!(world.parcel(&id).state, ParcelState::Failed, "nothing is undone");
    assert_eq!(entries(&world, &id), ["#hold", "#release"]);
    // A replay changes nothing; people put it right in the books outside of this, and set it aside.
    world.look_at_letters();
    world.until("the dead letter again", World::asks_people);
    world.look_at_letters();
    assert!(!world.asks_people());
    let after = world.withdraw("TBLK", "1", recipient("otto"));
    world.finish();
    assert_eq!(world.parcel(&after).state, ParcelState::Confirmed, "the lane goes on");
}

/// The stage messages of a deep reorganisation, withheld: `confirmed` of the old block settled, the rest in hand.
fn withheld() -> (World, String, Vec<(StageMessage, String)>) {
    let (mut world, id) = included(Setup { final_at: 30, ..Setup::default() }, 4);
    world.until("its confirmation", |world| world.parcels()[0].state == ParcelState::Confirmed);
    world.held.insert(queues::CHAIN_EVENTS);
    branch(&world, 6, 7, Orphans::Waiting);
    world.until("both messages", |world| world.inbox.of(queues::CHAIN_EVENTS).len() >= 2);
    let bodies = world.inbox.of(queues::CHAIN_EVENTS).into_iter().map(|letter| letter.message.body.clone());
    let told = bodies.map(|body| (serde_json::from_str::<StageMessage>(&body).expect("a stage"), body)).collect();
    (world, id, told)
}

fn only(told: &[(StageMessage, String)], stage: Stage) -> Vec<String> {
    told.iter().filter(|(message, _)| message.stage == stage).map(|(_, body)| body.clone()).collect()
}

#[test]
fn confirmed_of_the_new_block_waits_for_reorged_of_the_old_one() {
    let (mut world, id, told) = withheld();
    let (confirmed, reorged) = (only(&told, Stage::Confirmed), only(&told, Stage::Reorged));
    assert_eq!((confirmed.len(), reorged.len()), (1, 1));
    assert_eq!(world.hand(queues::CHAIN_EVENTS, &confirmed), 1, "it comes again");
    assert_eq!(entries(&world, &id), ["#hold", "#post#0"]);
    assert_eq!(world.hand(queues::CHAIN_EVENTS, &reorged), 0);
    assert_eq!(world.hand(queues::CHAIN_EVENTS, &confirmed), 0);
    assert_eq!(world.hand(queues::CHAIN_EVENTS, &[reorged, confirmed].concat()), 0, "repeats");
    world.check();
    assert_eq!(entries(&world, &id), ["#hold", "#post#0", "#post#1", "#reverse#0"]);
    world.held.clear();
    world.finish();
}

#[test]
fn reorged_before_confirmed_of_the_same_block_settles_neither() {
    let mut world = World::new(Setup { final_at: 30, ..Setup::default() });
    world.track();
    let id = world.withdraw("TUSD", "1", recipient("rosa"));
    world.held.insert(queues::CHAIN_EVENTS);
    world.until("confirmed", |world| !world.inbox.of(queues::CHAIN_EVENTS).is_empty());
    let confirmed = world.inbox.of(queues::CHAIN_EVENTS)[0].message.body.clone();
    branch(&world, 5, 6, Orphans::Forgotten);
    world.until("reorged", |world| world.inbox.of(queues::CHAIN_EVENTS).len() >= 2);
    let reorged = world.inbox.of(queues::CHAIN_EVENTS)[1].message.body.clone();
    assert_eq!(world.hand(queues::CHAIN_EVENTS, &[reorged, confirmed]), 0);
    assert_eq!(entries(&world, &id), ["#hold"]);
    world.held.clear();
    world.finish();
    assert_eq!(entries(&world, &id), ["#hold", "#post#0"]);
}

#[test]
fn a_chain_that_turns_back_to_its_first_branch_keeps_what_it_had_settled() {
    let mut world = World::new(Setup { final_at: 30, ..Setup::default() });
    world.track();
    let id = world.withdraw("TUSD", "1", recipient("rosa"));
    world.until("its confirmation", |world| world.parcels()[0].state == ParcelState::Confirmed);
    world.next_block_at = None;
    let seen = world.chain.height();
    // The first branch grows, unseen by us: our node turns to the second one, and then back.
    world.chain.set_provider(
        0,
        Provider { stuck_at: world.chain.header(seen).map(|header| header.hash), ..Provider::default() },
    );
    for _ in 0..6 {
        world.chain.mine();
    }
    let first = world.chain.header(seen + 6).map(|header| header.hash);
    branch(&world, seen + 6, seen + 2, Orphans::Waiting);
    world.held.insert(queues::CHAIN_EVENTS);
    world.chain.set_provider(0, Provider::default());
    world.until("the second branch", |world| world.head().is_some_and(|head| head.height == seen + 2));
    world.chain.set_provider(0, Provider { stuck_at: first, ..Provider::default() });
    world.until("the first branch", |world| world.head().is_some_and(|head| head.height == seen + 6));
    // What was said of the turn arrives late, and last.
    let bodies: Vec<String> =
        world.inbox.of(queues::CHAIN_EVENTS).into_iter().map(|letter| letter.message.body.clone()).collect();
    let told: Vec<_> =
        bodies.into_iter().map(|body| (serde_json::from_str::<StageMessage>(&body).expect("a stage"), body)).collect();
    assert!(!only(&told, Stage::Reorged).is_empty());
    world.hand(queues::CHAIN_EVENTS, &only(&told, Stage::Confirmed));
    world.hand(queues::CHAIN_EVENTS, &only(&told, Stage::Reorged));
    world.check();
    assert_eq!(world.parcel(&id).state, ParcelState::Confirmed, "its block is on the chain");
    assert_eq!(entries(&world, &id), ["#hold", "#post#0"]);
    assert!(matches!(world.lane_view("acme").expect("begun").gate.gate, LaneGate::Open));
}

#[test]
fn a_node_that_stays_on_an_old_branch_does_not_lead_the_way_back_deeper_than_the_chain_turned() {
    // Nodes answer by turns: each is asked once for the block at which the branches part.
    for turns in 0..4 {
        let setup = Setup { providers: 4, rotate: true, confirmed_at: 2, final_at: 30, ..Setup::default() };
        let (mut world, id) = included(setup, 1);
        world.next_block_at = None;
        let top = world.chain.height();
        let old = world.chain.header(top).map(|header| header.hash);
        let again = world.chain.newest(1);
        world.chain.reorg(&Reorg { depth: 1, blocks: 2, again, orphans: Orphans::Waiting });
        world.until("its confirmation", |world| world.parcels()[0].state == ParcelState::Confirmed);
        world.chain.set_provider(3, Provider { stuck_at: old, ..Provider::default() });
        branch(&world, 1, 2, Orphans::Waiting);
        for _ in 0..turns {
            block_on(world.chain.head()).expect("an answer");
        }
        // A few looks, and the node is well again.
        world.pass(world.network.block_time_ms);
        world.chain.set_provider(3, Provider::default());
        world.until("the new branch", |world| world.head().is_some_and(|head| head.height == top + 2));
        world.next_block_at = Some(world.clock.now_ms());
        world.finish();
        let gate = world.lane_view("acme").expect("begun").gate;
        assert!(matches!(gate.gate, LaneGate::Open), "its block never left: {:?}", gate.gate);
        assert_eq!(entries(&world, &id), ["#hold", "#post#0"]);
    }
}

#[test]
fn a_node_on_another_branch_does_not_turn_the_tracker_while_one_has_its_head() {
    // Nodes answer by turns: which one is asked for what is tried both ways.
    for turns in 0..2 {
        let mut world = World::new(Setup { providers: 2, rotate: true, final_at: 30, ..Setup::default() });
        world.pass(2_000);
        world.next_block_at = None;
        let seen = world.chain.header(world.chain.height()).map(|header| header.hash);
        let at = |node, stuck_at| world.chain.set_provider(node, Provider { stuck_at, ..Provider::default() });
        // The other branch grows, unseen by us, longer than ours will be.
        (0..2).for_each(|node| at(node, seen));
        for _ in 0..12 {
            world.chain.mine();
        }
        let other = world.chain.header(world.chain.height()).map(|header| header.hash);
        branch(&world, 12, 1, Orphans::Waiting);
        (0..2).for_each(|node| at(node, None));
        world.next_block_at = Some(world.clock.now_ms());
        let id = world.withdraw("TUSD", "1", recipient("rosa"));
        world.until("its confirmation", |world| world.parcels()[0].state == ParcelState::Confirmed);
        world.chain.set_provider(1, Provider { stuck_at: other, ..Provider::default() });
        for _ in 0..turns {
            block_on(world.chain.head()).expect("an answer");
        }
        world.pass(3 * world.network.block_time_ms);
        world.chain.set_provider(1, Provider::default());
        world.finish();
        let gate = world.lane_view("acme").expect("begun").gate;
        assert!(matches!(gate.gate, LaneGate::Open), "its block never left: {:?}", gate.gate);
        assert_eq!(entries(&world, &id), ["#hold", "#post#0"]);
    }
}

#[test]
fn a_branch_that_begins_before_a_young_networks_oldest_lane_is_followed() {
    let mut world = World::new(Setup::default());
    for _ in 0..40 {
        world.chain.mine();
    }
    world.track();
    let id = world.withdraw("TUSD", "1", recipient("rosa"));
    world.until("its confirmation", |world| world.parcels()[0].state == ParcelState::Confirmed);
    assert!(world.turn_below(world.chain.height() - 10), "thirty blocks below the lane's first");
    world.until("its return", |world| world.parcel(&id).state == ParcelState::Reopened);
    assert_eq!(world.release_lanes().len(), 1);
    world.finish();
    assert_eq!(world.parcel(&id).state, ParcelState::Confirmed);
}
