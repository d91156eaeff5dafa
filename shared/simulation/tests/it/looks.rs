//! Reconciliation where leaders have less time than a look takes.

use std::sync::Arc;

use causeway_domain::Clock;
use causeway_simulation::{
    Setup, World,
    api::recipient,
    clock::give_way,
    drive::track,
    faults::{CommitRule, EVERY_TRY, Which},
    world::TENANTS,
};
use causeway_state::reconciliation::Report;
use causeway_store::memory::CommitFault;
use futures::future::BoxFuture;

use crate::reconciliation::{TOLD_WITHIN_MS, nothing_was_told, report, tamper};

/// Polls a leader that asks every store and node slowly, and kills it, or has it give its lease back.
fn slow_reign(world: &mut World, polls: u64, gives_back: bool) {
    const SLOW_MS: u64 = 100;
    world.crossing.set(true);
    let (tracker, chain, network) = (Arc::clone(&world.tracker), world.chain_port(), world.network.clone());
    let me = world.leader.clone();
    let until = world.clock.now_ms() + polls * SLOW_MS;
    let clock = world.clock.clone();
    let mut reign: BoxFuture<'static, ()> = Box::pin(async move {
        let mut lead = None;
        while clock.now_ms() < until {
            lead = track(&tracker, &network, &*chain, &me, lead).await;
            give_way().await;
        }
        if let (Some(lead), true) = (lead, gives_back) {
            tracker.step_down(&network, lead).await;
        }
    });
    while world.clock.poll_some(reign.as_mut(), 1).is_none() {
        world.clock.advance(SLOW_MS);
        if !gives_back && world.clock.now_ms() >= until {
            break;
        }
    }
    drop(reign);
    world.crossing.set(false);
    world.replace_tracker();
}

/// More of acme's parcels than a leader looks at.
fn with_a_history() -> World {
    let mut world = World::new(Setup { reconcile_ms: 3_600_000, ..Setup::default() });
    world.pass(2_000);
    let token = world.asset("TBLK").address;
    world.chain.set_blacklisted(token, recipient("blacklisted"), true);
    for _ in 0..700 {
        world.withdraw("TBLK", "0.001", recipient("blacklisted"));
    }
    world.finish();
    world.next_block_at = None;
    world
}

/// As if nobody had looked at any treasury yet.
fn forget(world: &World) {
    for tenant in TENANTS {
        tamper::<Report>(world, &Report::key(&world.lane(tenant)), |report| {
            (report.parcels_from, report.due_at, report.at) = (0, 0, 0);
        });
    }
}

#[test]
fn a_look_that_takes_longer_than_a_leader_leads_ends_all_the_same_and_others_have_their_turn() {
    let mut world = with_a_history();
    for gives_back in [false, true] {
        world.pass(20_000);
        forget(&world);
        let looked = |world: &World| TENANTS.map(|tenant| report(world, tenant).at > 0);
        let mut reigns = 0;
        while looked(&world) != [true, true] {
            reigns += 1;
            assert!(reigns < 60, "{:?}", TENANTS.map(|tenant| report(&world, tenant)));
            slow_reign(&mut world, 250, gives_back);
            // A leader that was killed has its lease to its end.
            world.clock.advance(16_000);
        }
        assert!(reigns > 2, "one leader had the time for all of it");
        assert_eq!(report(&world, "acme").look, None);
    }
    world.next_block_at = Some(world.clock.now_ms());
    world.pass(TOLD_WITHIN_MS);
    nothing_was_told(&world);
}

/// A network's blocks must not wait for a report that cannot be written.
#[test]
fn a_look_that_cannot_be_kept_ends_no_reign() {
    let keeps: Which = |writes| writes.iter().any(|write| write.key().pk.starts_with("REPORT#"));
    for fault in [CommitFault::Contended, CommitFault::LoseReply, CommitFault::LoseCall] {
        let mut world = with_a_history();
        world.pass(20_000);
        forget(&world);
        let epoch = world.head().expect("led").epoch;
        world.clock.advance(16_000);
        world.replace_tracker();
        world.script.commit(CommitRule { which: keeps, skip: 0, tries: EVERY_TRY, fault });
        slow_reign(&mut world, 600, true);
        assert!(world.script.struck() > 0, "a report was to be written");
        assert_eq!(world.head().expect("led").epoch, epoch + 1, "one leader led all the time: {fault:?}");
    }
}
