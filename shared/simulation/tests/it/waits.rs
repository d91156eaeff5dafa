//! What cannot go on just now waits as a row, and goes on when it can.

use alloy_primitives::{Address, U256};
use causeway_chains::model::{Orphans, Provider, Reorg};
use causeway_domain::{Clock, lane::LaneGate, parcel::ParcelState, verdict::WaitReason};
use causeway_runtime::metrics::TREASURY_SHORT;
use causeway_simulation::{Setup, World, api::recipient, clock::give_way};
use causeway_state::{lane::AttemptKind, message::queues};
use futures::future::join;

fn reason(world: &World, id: &str) -> Option<WaitReason> {
    world.parcel(id).wait.map(|wait| wait.reason)
}

#[test]
fn a_treasury_short_of_a_token_waits_for_its_top_up() {
    let mut world = World::new(Setup { tokens: 10, ..Setup::default() });
    world.owe("acme", "TBLK", 90);
    let small = world.withdraw("TBLK", "8", recipient("small"));
    let large = world.withdraw("TBLK", "80", recipient("large"));
    world.pass(120_000);
    assert_eq!(world.parcel(&small).state, ParcelState::Confirmed);
    assert_eq!(reason(&world, &large), Some(WaitReason::TreasuryShort));
    assert!(!world.measured.values(TREASURY_SHORT).is_empty());
    let units = U256::from(90_000_000);
    world.chain.credit(world.lane("acme").address, Some(world.asset("TBLK").address), units);
    world.finish();
    assert_eq!(world.parcel(&large).state, ParcelState::Confirmed);
}

#[test]
fn a_top_up_at_any_moment_of_a_trial_rejects_nothing() {
    let mut waited = 0;
    for moment in 0..40 {
        let mut world = World::new(Setup { tokens: 10, ..Setup::default() });
        world.owe("acme", "TBLK", 90);
        world.pass(2_000);
        let id = world.withdraw("TBLK", "80", recipient("rosa"));
        let batch = world.receive(queues::TRANSFERS_NORMAL).expect("published");
        let (treasury, token) = (world.lane("acme").address, world.asset("TBLK").address);
        let top_up = async {
            for _ in 0..moment {
                give_way().await;
            }
            world.chain.credit(treasury, Some(token), U256::from(90_000_000));
        };
        world.crossing.set(true);
        let work = world.work(queues::TRANSFERS_NORMAL, batch.clone());
        let (failed, ()) = world.clock.run(join(work, top_up));
        world.crossing.set(false);
        world.worked_off(&batch, Some(&failed));
        waited += u32::from(reason(&world, &id) == Some(WaitReason::ChainUnavailable));
        world.finish();
        assert_eq!(world.parcel(&id).state, ParcelState::Confirmed, "paid in at moment {moment}");
    }
    assert!(waited > 0, "no top-up came between a trial and the look at the balance");
}

/// Another node answers the look at the balance than the trials, or the same one after it caught up: what a branch gave back, or
/// somebody paid in, is there for the one and not for the others.
#[test]
fn trials_by_a_node_that_knows_less_than_the_look_at_the_balance_reject_nothing() {
    for moment in 0..40 {
        for ahead in 1..8 {
            let mut world = World::new(Setup { tokens: 10, ..Setup::default() });
            world.owe("acme", "TBLK", 3);
            let first = world.withdraw("TBLK", "8", recipient("rosa"));
            let (treasury, token) = (world.lane("acme").address, world.asset("TBLK").address);
            world.until("its block", |world| world.on_chain(treasury, token) < U256::from(10_000_000));
            let second = world.withdraw("TBLK", "5", recipient("otto"));
            let batch = world.receive(queues::TRANSFERS_NORMAL).expect("published");
            world.next_block_at = None;
            let old = world.chain.header(world.chain.height()).map(|header| header.hash);
            world.chain.reorg(&Reorg { depth: 2, blocks: 3, again: Vec::new(), orphans: Orphans::Waiting });
            let chain = world.chain.clone();
            let stands = |stuck_at| chain.set_provider(0, Provider { stuck_at, ..Provider::default() });
            stands(old);
            let catches_up = async {
                for (turns, stuck_at) in [(moment, old), (ahead, None), (40, old)] {
                    stands(stuck_at);
                    for _ in 0..turns {
                        give_way().await;
                    }
                }
            };
            world.crossing.set(true);
            let work = world.work(queues::TRANSFERS_NORMAL, batch.clone());
            let (failed, ()) = world.clock.run(join(work, catches_up));
            world.crossing.set(false);
            world.worked_off(&batch, Some(&failed));
            assert_ne!(world.parcel(&second).state, ParcelState::Rejected, "ahead from {moment} for {ahead}");
            stands(None);
            world.chain.credit(treasury, Some(token), U256::from(3_000_000));
            world.next_block_at = Some(world.clock.now_ms());
            world.finish();
            assert!([first, second].iter().all(|id| world.parcel(id).state == ParcelState::Confirmed));
        }
    }
}

#[test]
fn a_treasury_short_of_the_coin_waits_before_it_signs() {
    let mut world = World::new(Setup::default());
    let treasury = world.lane("acme").address;
    let full = world.on_chain(treasury, Address::ZERO);
    world.chain.set_balance(treasury, U256::from(1_000_000_000_000_000_000_u64));
    let id = world.withdraw("ETH", "2", recipient("rosa"));
    world.pass(90_000);
    assert_eq!(reason(&world, &id), Some(WaitReason::TreasuryShort));
    assert_eq!(world.lane_view("acme").map(|view| view.next), None, "nothing was signed");
    world.chain.set_balance(treasury, full);
    world.finish();
}

#[test]
fn a_treasury_short_of_gas_waits_with_its_bytes_and_sends_the_same_ones() {
    let mut world = World::new(Setup::default());
    let treasury = world.lane("acme").address;
    let full = world.on_chain(treasury, Address::ZERO);
    world.chain.set_balance(treasury, U256::from(1_000));
    let ids: Vec<String> = (0..3).map(|n| world.withdraw("TUSD", "1", recipient(&format!("{n}")))).collect();
    world.pass(90_000);
    let view = world.lane_view("acme").expect("begun");
    assert!(matches!(view.gate.gate, LaneGate::Waiting { reason: WaitReason::TreasuryShort, .. }), "{:?}", view.gate);
    assert!(ids.iter().all(|id| world.parcel(id).state == ParcelState::Assigned));
    let before = view.transactions;
    // Its alarm rings in each of its periods, and nobody else waits.
    let told = |world: &World| world.measured.values(TREASURY_SHORT).len();
    let first = told(&world);
    let other = world.clock.run(world.request("globex", Some("other"), "TUSD", "1", recipient("other")));
    let other = world.take_note("globex", &other);
    let other = world.parcel_id("globex", &other);
    world.pass(60_000);
    assert!(told(&world) > first && first > 0);
    let of_other = world.parcels().into_iter().find(|parcel| parcel.id == other).expect("there");
    assert_eq!(of_other.state, ParcelState::Confirmed);
    world.chain.set_balance(treasury, full);
    world.finish();
    let last = told(&world);
    world.pass(120_000);
    assert_eq!(told(&world), last, "the alarm ends");
    let after = world.lane_view("acme").expect("begun").transactions;
    assert!(before.iter().zip(&after).all(|((_, before), (_, after))| before.raw == after.raw));
}

#[test]
fn fees_above_the_cap_are_waited_out() {
    let mut world = World::new(Setup { fee_cap_wei: 5_000_000_000, ..Setup::default() });
    world.chain.set_base_fee(6_000_000_000);
    let id = world.withdraw("TUSD", "1", recipient("rosa"));
    world.pass(90_000);
    assert_eq!(reason(&world, &id), Some(WaitReason::FeeAboveCap));
    world.chain.set_base_fee(1_000_000_000);
    world.finish();
}

#[test]
fn a_full_lane_goes_on_as_its_numbers_are_used_up() {
    let mut world = World::new(Setup { in_flight_max: 3, ..Setup::default() });
    world.next_block_at = None;
    let ids: Vec<String> = (0..11).map(|n| world.withdraw("TUSD", "1", recipient(&format!("{n}")))).collect();
    world.pass(40_000);
    assert_eq!(world.lane_view("acme").expect("begun").next, 3);
    let full = |id: &&String| reason(&world, id) == Some(WaitReason::LaneFull);
    assert_eq!(ids.iter().filter(full).count(), 8);
    world.next_block_at = Some(0);
    world.next_block_at = Some(causeway_domain::Clock::now_ms(&world.clock));
    while !world.has_ended() {
        world.step();
        let view = world.lane_view("acme").expect("begun");
        assert!(view.next - view.gate.consumed <= 3);
    }
    world.finish();
    assert_eq!(world.lane_view("acme").expect("begun").next, 11);
}

#[test]
fn the_urgent_go_first_where_there_is_little_room() {
    let mut world = World::new(Setup { in_flight_max: 1, ..Setup::default() });
    world.next_block_at = None;
    world.withdraw("TUSD", "1", recipient("first"));
    world.pass(5_000);
    for (priority, count) in [("low", 2), ("normal", 2), ("high", 2)] {
        for number in 0..count {
            let key = format!("{priority}-{number}");
            let answer = world.transfer(&key, "TUSD", "1", recipient(&key), priority);
            assert_eq!(answer.status.as_u16(), 202, "{answer:?}");
            world.pass(1_000);
        }
    }
    world.next_block_at = Some(causeway_domain::Clock::now_ms(&world.clock));
    world.finish();
    let mut order: Vec<_> = world.parcels();
    order.sort_by_key(|parcel| parcel.number);
    let priorities: Vec<String> = order.iter().map(|parcel| format!("{:?}", parcel.priority)).collect();
    assert_eq!(priorities, ["Normal", "High", "High", "Normal", "Normal", "Low", "Low"]);
}

#[test]
fn ten_minutes_without_any_provider_change_nothing_but_waits() {
    let mut world = World::new(Setup::default());
    let early: Vec<String> = (0..3).map(|n| world.withdraw("TUSD", "1", recipient(&format!("early-{n}")))).collect();
    world.pass(1_600);
    let numbers = world.lane_view("acme").expect("begun").next;
    let states: Vec<ParcelState> = early.iter().map(|id| world.parcel(id).state).collect();
    assert!(!world.chain.handed().is_empty(), "a node has some of them");
    world.chain.set_provider(0, Provider { down: true, ..Provider::default() });
    let late: Vec<String> = (0..3).map(|n| world.withdraw("TUSD", "1", recipient(&format!("late-{n}")))).collect();
    world.pass(10 * 60 * 1000);
    assert_eq!(early.iter().map(|id| world.parcel(id).state).collect::<Vec<_>>(), states);
    assert_eq!(world.lane_view("acme").expect("begun").next, numbers);
    for id in &late {
        let wait = reason(&world, id);
        assert!(matches!(wait, None | Some(WaitReason::ChainUnavailable)), "{wait:?}");
    }
    assert_eq!(world.dead_letters().len(), 0);
    assert!(!matches!(world.lane_view("acme").expect("begun").gate.gate, LaneGate::Halted { .. }));
    world.chain.set_provider(0, Provider::default());
    world.finish();
    assert!(early.iter().chain(&late).all(|id| world.parcel(id).state == ParcelState::Confirmed));
    let attempts = world.lane_view("acme").expect("begun").transactions.into_iter().map(|(_, attempt)| attempt.kind);
    assert!(attempts.clone().count() >= 6 && attempts.into_iter().all(|kind| kind == AttemptKind::Payment), "no no-op");
}

#[test]
fn indexes_that_lag_behind_the_rows_delay_but_lose_nothing() {
    let mut world = World::new(Setup { in_flight_max: 2, ..Setup::default() });
    world.rows.set_index_lag(7);
    for number in 0..7 {
        world.withdraw("TUSD", "1", recipient(&format!("{number}")));
    }
    world.finish();
}
