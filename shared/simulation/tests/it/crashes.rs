//! Every single thing that can go wrong, one at a time, at every place where it can.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use alloy_primitives::U256;
use causeway_chains::model::Fault as ChainFault;
use causeway_domain::parcel::ParcelState;
use causeway_queue::memory::Fault as QueueFault;
use causeway_simulation::{
    Setup, World,
    api::recipient,
    clock::killed_after,
    faults::{ChainScript, CommitRule, EVERY_TRY, any},
    world::TUSD,
};
use causeway_state::message::queues;
use causeway_store::memory::CommitFault;

/// Two that are paid, one that reverts in its block, one that is rejected before.
fn small_world() -> World {
    let mut world = World::new(Setup::default());
    let token = world.asset("TBLK").address;
    world.chain.set_lenient(token, true);
    world.chain.set_blacklisted(token, recipient("reverting"), true);
    world.track();
    world
}

fn requests(world: &mut World) {
    for (key, symbol, to) in [("1", "TUSD", "paid-1"), ("2", "TBLK", "reverting"), ("3", "TBLK", "paid-2")] {
        let one = |world: &World| world.request("acme", Some(key), symbol, "1", recipient(to));
        let mut answer = world.clock.run(one(world));
        // A client whose request fails sends it again, with its key.
        while answer.status.is_server_error() {
            answer = world.clock.run(one(world));
        }
        world.take_note("acme", &answer);
    }
}

fn must_have_ended_well(world: &World) {
    let mut states: Vec<&str> = world.parcels().iter().map(|parcel| parcel.state.as_str()).collect();
    states.sort_unstable();
    assert_eq!(states, ["confirmed", "confirmed", "failed"]);
}

#[test]
fn every_commit_of_a_run_may_fail_in_every_way() {
    for (tries, fault) in [
        (1, CommitFault::LoseReply),
        (EVERY_TRY, CommitFault::LoseReply),
        (EVERY_TRY, CommitFault::LoseCall),
        (EVERY_TRY, CommitFault::Delay),
        (EVERY_TRY, CommitFault::Contended),
    ] {
        for skip in 0.. {
            let mut world = small_world();
            world.script.commit(CommitRule { which: any, skip, tries, fault });
            requests(&mut world);
            world.pass(6_000);
            world.rows.land();
            world.finish();
            must_have_ended_well(&world);
            if world.script.struck() == 0 {
                assert!(skip > 15, "there were only {skip} commits");
                break;
            }
        }
    }
}

#[test]
fn every_publish_of_a_run_may_be_lost_or_repeated() {
    for fault in [QueueFault::RefuseBefore, QueueFault::LoseReply, QueueFault::AcceptOnly(Vec::new())] {
        for victim in 0.. {
            let mut world = small_world();
            let calls = Arc::new(AtomicU32::new(0));
            let (count, fault) = (Arc::clone(&calls), fault.clone());
            world.queue.set_fault(move |_, _| {
                if count.fetch_add(1, Ordering::SeqCst) == victim { fault.clone() } else { QueueFault::Pass }
            });
            requests(&mut world);
            world.finish();
            must_have_ended_well(&world);
            if calls.load(Ordering::SeqCst) <= victim {
                assert!(victim > 5, "there were only {victim} publishes");
                break;
            }
        }
    }
}

#[test]
fn every_call_of_the_chain_may_fail() {
    for fault in [ChainFault::FailBefore, ChainFault::LoseReply, ChainFault::Delay] {
        for victim in 0..150 {
            let mut world = small_world();
            let calls = AtomicU32::new(0);
            world.chain.set_faults(Arc::new(ChainScript(move |_| {
                if calls.fetch_add(1, Ordering::SeqCst) == victim { fault } else { ChainFault::Pass }
            })));
            requests(&mut world);
            world.pass(3_000);
            world.chain.land();
            world.finish();
            must_have_ended_well(&world);
        }
    }
}

/// Runs a small world in which one delivery of a queue, the `turn`th, is killed after so many polls. Answers whether it
/// was there to be killed, and whether it was.
fn kill_one(queue: &'static str, turn: u32, polls: u64) -> (bool, bool) {
    let mut world = small_world();
    requests(&mut world);
    let mut turns = 0;
    let mut killed = None;
    world.held.insert(queue);
    while killed.is_none() && !world.has_ended() && turns <= turn {
        world.step();
        while killed.is_none() {
            if turns == turn {
                world.crossing.set(true);
                killed = world.deliver_and_kill(queue, polls);
                world.crossing.set(false);
                break;
            }
            if !world.deliver(queue) {
                break;
            }
            turns += 1;
        }
    }
    world.held.clear();
    world.check();
    world.finish();
    must_have_ended_well(&world);
    (killed.is_some(), killed == Some(true))
}

#[test]
fn a_signer_a_sender_and_a_settler_may_be_killed_at_any_await() {
    for queue in [queues::TRANSFERS_NORMAL, queues::TRANSACTIONS, queues::CHAIN_EVENTS] {
        let mut kills = 0;
        for turn in 0.. {
            let mut there = false;
            for polls in 1.. {
                let (found, killed) = kill_one(queue, turn, polls);
                there |= found;
                kills += u32::from(killed);
                if !killed {
                    break;
                }
            }
            if !there {
                break;
            }
        }
        assert!(kills > 8, "{queue}: killed only {kills} times");
    }
}

#[test]
fn intake_may_be_killed_at_any_await_and_the_client_repeats() {
    for polls in 1.. {
        let mut world = small_world();
        let request = |world: &World| world.request("acme", Some("k"), "TUSD", "1", recipient("rosa"));
        world.crossing.set(true);
        let first = world.clock.run(killed_after(polls, request(&world)));
        world.crossing.set(false);
        world.check();
        let again = world.clock.run(request(&world));
        let id = world.take_note("acme", &again);
        world.finish();
        assert_eq!(world.parcel(&id).state, ParcelState::Confirmed);
        assert_eq!(world.on_chain(recipient("rosa"), TUSD), U256::from(1_000_000));
        if first.is_some() {
            assert!(polls > 5);
            break;
        }
    }
}
