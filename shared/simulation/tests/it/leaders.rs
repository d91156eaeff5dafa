//! Trackers that die, stall, start late or are two; and what holds a lane against its chain.

use std::sync::Arc;

use alloy_primitives::U256;
use causeway_chains::model::{Finality, Orphans, Provider, Receipts, Reorg};
use causeway_domain::{Clock, lane::LaneGate, parcel::ParcelState};
use causeway_queue::memory::Fault;
use causeway_simulation::{Setup, World, api::recipient, drive::track, world::TUSD};
use causeway_state::{lane::USED_BEFORE, message::queues};

#[test]
fn a_transaction_mined_before_the_first_tracker_began_is_found() {
    let mut world = World::new(Setup::default());
    let id = world.withdraw("TUSD", "1", recipient("rosa"));
    // The deployment is young: signer and sender work, the tracker's schedule has not come yet.
    for queue in [queues::TRANSFERS_NORMAL, queues::TRANSACTIONS] {
        world.deliver_all(queue);
    }
    for _ in 0..5 {
        world.clock.advance(1_000);
        world.make_blocks();
    }
    world.finish();
    assert_eq!(world.parcel(&id).state, ParcelState::Confirmed);
    world.pass(180_000);
    assert!(matches!(world.lane_view("acme").expect("begun").gate.gate, LaneGate::Open));
}

#[test]
fn a_killed_leader_is_replaced_and_its_successor_goes_on() {
    let mut world = World::new(Setup::default());
    world.track();
    let id = world.withdraw("TUSD", "1", recipient("rosa"));
    world.pass(2_000);
    let epoch = world.head().expect("followed").epoch;
    world.replace_tracker();
    world.pass(10_000);
    assert_eq!(world.head().expect("followed").epoch, epoch, "the lease still holds");
    world.pass(6_000);
    assert_eq!(world.head().expect("followed").epoch, epoch + 1);
    world.finish();
    assert_eq!(world.status(&id).text("status"), "COMPLETED");
}

#[test]
fn a_leader_killed_anywhere_in_a_reorganisation_leaves_nothing_untold() {
    let mut kills = 0;
    for polls in 1.. {
        let mut world = World::new(Setup { final_at: 12, ..Setup::default() });
        world.track();
        for number in 0..3 {
            world.withdraw("TUSD", "1", recipient(&format!("{number}")));
        }
        world.until("confirmation", |world| world.parcels().iter().all(|p| p.state == ParcelState::Confirmed));
        world.chain.reorg(&Reorg { depth: 5, blocks: 6, again: Vec::new(), orphans: Orphans::Forgotten });
        let (tracker, chain, lead) = (Arc::clone(&world.tracker), world.chain_port(), world.lead.take());
        world.crossing.set(true);
        let work = track(&tracker, &world.network, &*chain, &world.leader, lead);
        let ended = world.clock.run(causeway_simulation::clock::killed_after(polls, work));
        world.crossing.set(false);
        let killed = ended.is_none();
        world.lead = ended.flatten();
        if killed {
            world.replace_tracker();
        }
        world.finish();
        assert!(world.parcels().iter().all(|parcel| parcel.reopened == 1));
        kills += u32::from(killed);
        if !killed {
            break;
        }
    }
    assert!(kills > 20, "the leader was killed only {kills} times");
}

#[test]
fn an_old_leader_that_wakes_up_anywhere_changes_nothing_that_matters() {
    for polls in 1.. {
        let mut world = World::new(Setup::default());
        world.track();
        for number in 0..3 {
            world.withdraw("TUSD", "1", recipient(&format!("{number}")));
        }
        world.until("inclusion", |world| {
            world.parcels().iter().all(|p| p.number.is_some())
                && world.lane_view("acme").is_some_and(|view| view.gate.consumed == 3)
        });
        world.chain.reorg(&Reorg { depth: 2, blocks: 3, again: Vec::new(), orphans: Orphans::Forgotten });
        world.crossing.set(true);
        let (tracker, chain, network) = (Arc::clone(&world.tracker), world.chain_port(), world.network.clone());
        let (me, lead) = (world.leader.clone(), world.lead.take());
        let mut old = Box::pin(async move { track(&tracker, &network, &*chain, &me, lead).await });
        let ended = world.clock.poll_some(old.as_mut(), polls).is_some();
        world.crossing.set(false);
        if ended {
            break;
        }
        world.replace_tracker();
        world.pass(40_000);
        world.clock.run(old);
        world.check();
        world.pass(150_000);
        let gate = world.lane_view("acme").expect("begun").gate;
        assert!(matches!(gate.gate, LaneGate::Open), "held up at {polls}: {gate:?}");
        world.finish();
        // The lane still knows what the chain used up.
        world.withdraw("TUSD", "1", recipient("later"));
        world.finish();
        assert_eq!(world.lane_view("acme").expect("begun").gate.consumed, 4, "held up at {polls}");
    }
}

#[test]
fn of_two_leaders_the_older_ones_head_is_refused() {
    let mut world = World::new(Setup::default());
    world.track();
    let old = world.lead.take();
    assert!(old.is_some());
    world.replace_tracker();
    world.withdraw("TUSD", "1", recipient("rosa"));
    world.pass(20_000);
    let head = world.head().expect("followed");
    let (tracker, chain) = (Arc::clone(&world.tracker), world.chain_port());
    let still = world.clock.run(track(&tracker, &world.network, &*chain, "leader-0", old));
    assert!(still.is_none(), "it steps back");
    let after = world.head().expect("followed");
    assert_eq!((after.epoch, &after.leader), (head.epoch, &head.leader));
    assert!(after.height >= head.height);
    world.finish();
}

#[test]
fn a_number_that_somebody_else_used_halts_the_lane_at_the_second_look() {
    let mut world = World::new(Setup::default());
    world.withdraw("TUSD", "1", recipient("rosa"));
    world.finish();
    let treasury = world.lane("acme").address;
    world.chain.foreign(treasury, 1).expect("free");
    world.pass(3_000);
    let used = world.withdraw("TUSD", "1", recipient("karl"));
    let halted =
        |world: &World| matches!(world.lane_view("acme").expect("begun").gate.gate, LaneGate::Halted { limit: 1, .. });
    let start = world.clock.now_ms();
    world.until("the halt", halted);
    let looked = world.clock.now_ms() - start;
    assert!((60_000..=125_000).contains(&looked), "halted after {looked} ms of simulated time");
    world.pass(120_000);
    assert!(world.parcel(&used).state.holds_money(), "its number is not ours: an operator's case");
    assert_eq!(world.on_chain(recipient("karl"), TUSD), U256::ZERO);
}

#[test]
fn receipts_that_are_late_or_in_part_conclude_nothing() {
    for receipts in [Receipts::Late, Receipts::First(1)] {
        let mut world = World::new(Setup::default());
        world.track();
        for number in 0..3 {
            world.withdraw("TUSD", "1", recipient(&format!("{number}")));
        }
        world.chain.set_provider(0, Provider { receipts, ..Provider::default() });
        world.pass(30_000);
        assert!(world.parcels().iter().all(|parcel| parcel.state == ParcelState::Assigned));
        world.chain.set_provider(0, Provider::default());
        world.finish();
    }
}

#[test]
fn providers_that_lag_by_turns_are_not_believed_to_reorganise() {
    let mut world = World::new(Setup { providers: 3, ..Setup::default() });
    for number in 0..12_u64 {
        world.withdraw("TUSD", "1", recipient(&format!("{number}")));
        for provider in 0..3 {
            let lag = world.clock.below(4);
            let down = world.clock.chance(300);
            world.chain.set_provider(provider, Provider { lag, down, ..Provider::default() });
        }
        world.pass(1_400);
    }
    (0..3).for_each(|provider| world.chain.set_provider(provider, Provider::default()));
    world.finish();
    assert!(world.parcels().iter().all(|parcel| parcel.reopened == 0));
}

#[test]
fn release_waits_for_the_nodes_finality_however_long_that_stalls() {
    let mut world = World::new(Setup { final_tag: true, ..Setup::default() });
    let token = world.asset("TBLK").address;
    world.chain.set_blacklisted(token, recipient("blacklisted"), true);
    world.chain.set_lenient(token, true);
    world.track();
    world.chain.set_finality(Finality::At(0));
    let id = world.withdraw("TBLK", "1", recipient("blacklisted"));
    world.pass(5_000);
    // Longer than any ring that a leader keeps in memory.
    for _ in 0..45 {
        world.chain.mine_empty(10);
        world.step();
    }
    world.pass(10_000);
    assert_eq!(world.parcel(&id).state, ParcelState::Assigned);
    world.chain.set_finality(Finality::Behind(2));
    world.finish();
    assert_eq!(world.parcel(&id).state, ParcelState::Failed);
}

#[test]
fn a_tracker_that_was_away_for_hours_catches_up() {
    let mut world = World::new(Setup::default());
    world.track();
    for number in 0..3 {
        world.withdraw("TUSD", "1", recipient(&format!("{number}")));
    }
    for queue in [queues::TRANSFERS_NORMAL, queues::TRANSACTIONS] {
        world.deliver_all(queue);
    }
    world.replace_tracker();
    world.chain.mine();
    world.chain.mine_empty(900);
    world.clock.advance(60_000);
    world.next_block_at = Some(world.clock.now_ms());
    world.finish();
    assert!(world.parcels().iter().all(|parcel| parcel.state == ParcelState::Confirmed));
}

#[test]
fn a_node_that_says_every_number_is_free_closes_no_lane() {
    let mut world = World::new(Setup::default());
    let first = world.withdraw("ETH", "1", recipient("rosa"));
    world.finish();
    world.pass(30_000);
    let (consumed, view) = (|world: &World| world.lane_view("acme").expect("begun").gate.consumed, Provider::default());
    assert_eq!(consumed(&world), 1, "{first}");
    world.chain.set_provider(0, Provider { forgets_numbers: true, ..view.clone() });
    for _ in 0..20 {
        world.pass(6_000);
        assert_eq!(consumed(&world), 1, "its block is on the chain");
    }
    world.chain.set_provider(0, view);
    world.withdraw("ETH", "1", recipient("karl"));
    world.finish();
}

#[test]
fn stages_whose_publish_is_lost_are_told_again() {
    let mut world = World::new(Setup::default());
    for number in 0..3 {
        world.withdraw("TUSD", "1", recipient(&format!("{number}")));
    }
    let mut losses = 4;
    world.queue.set_fault(move |queue, messages| {
        let strikes = queue.0 == queues::CHAIN_EVENTS && losses > 0;
        losses -= i32::from(strikes);
        match (strikes, losses % 2) {
            (false, _) => Fault::Pass,
            (true, 0) => Fault::RefuseBefore,
            (true, _) if messages.len() > 1 => Fault::AcceptOnly(vec![0]),
            (true, _) => Fault::LoseReply,
        }
    });
    world.finish();
}

#[test]
fn a_lane_begins_where_people_say_that_others_ended() {
    let mut world = World::new(Setup::default());
    let treasury = world.lane("acme").address;
    for number in 0..3 {
        world.chain.foreign(treasury, number).expect("free");
    }
    world.chain.mine();
    // One more waits in the pool.
    world.chain.foreign(treasury, 3).expect("free");
    world.track();
    let id = world.withdraw("TUSD", "1", recipient("rosa"));
    world.pass(3_000);
    assert_eq!(world.parcel(&id).number, None, "what is below can still leave");
    world.pass(120_000);
    assert_eq!(world.parcel(&id).number, None, "nobody said that it is not Causeway's");
    assert_eq!(world.release_lanes(), [USED_BEFORE]);
    world.until("its number", |world| world.parcel(&id).number.is_some());
    assert_eq!(world.parcel(&id).number, Some(4));
    world.until("its end", |world| world.parcel(&id).state == ParcelState::Confirmed);
    world.pass(180_000);
    let gate = world.lane_view("acme").expect("begun").gate;
    // Number 3 lies below the lane's first: no attempt of ours is missing.
    assert!(matches!(gate.gate, LaneGate::Open), "{gate:?}");
    world.release_lanes();
}
