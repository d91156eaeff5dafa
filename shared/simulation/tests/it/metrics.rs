//! What alarms are set on: told when it is so, and while nothing else works.

use std::sync::Arc;

use causeway_chains::model::{Fault as ChainFault, Finality, Provider};
use causeway_domain::{Clock, clock::Millis};
use causeway_keys::memory::Fault;
use causeway_runtime::metrics::{
    FINALITY_LAG, HEAD_AGE, HEARTBEAT, LANES_HALTED, OLDEST_LOOK_AGE, OLDEST_UNSEEN_AGE, OLDEST_WAIT_AGE,
};
use causeway_simulation::{Setup, World, api::recipient, faults::ChainScript};
use causeway_state::message::queues;

/// Alarms look at so long a time: within it, each measure must come at least once.
const ALARM_PERIOD_MS: u64 = 120_000;

/// A world with a transaction that is signed and in no block, and when it was signed.
fn unseen() -> (World, Millis) {
    let mut world = World::new(Setup::default());
    world.track();
    world.next_block_at = None;
    world.withdraw("TUSD", "1", recipient("first"));
    world.pass(30_000);
    world.withdraw("TUSD", "1", recipient("second"));
    world.pass(ALARM_PERIOD_MS);
    let signed = world.lane_view("acme").expect("begun").transactions;
    assert_eq!(signed.len(), 2);
    (world, signed[0].0.created_at)
}

#[test]
fn the_oldest_transaction_without_a_block_is_told_by_its_age() {
    let (mut world, signed_at) = unseen();
    let (told_at, age) = world.measured.last(OLDEST_UNSEEN_AGE).expect("told");
    assert_eq!(told_at - age, signed_at, "it is the first one's age, however often its lane was published since");
    assert!(told_at + ALARM_PERIOD_MS > world.clock.now_ms());
    world.next_block_at = Some(world.clock.now_ms());
    world.finish();
    world.pass(ALARM_PERIOD_MS);
    assert_eq!(world.measured.last(OLDEST_UNSEEN_AGE).map(|(_, age)| age), Some(0), "nothing is unseen any more");
}

#[test]
fn what_was_signed_and_never_sent_is_told_as_well() {
    let mut world = World::new(Setup::default());
    world.held.insert(queues::TRANSACTIONS);
    world.withdraw("TUSD", "1", recipient("rosa"));
    world.pass(ALARM_PERIOD_MS);
    let (told_at, age) = world.measured.last(OLDEST_UNSEEN_AGE).expect("told");
    let signed = world.lane_view("acme").expect("begun").transactions;
    assert_eq!(told_at - age, signed[0].0.created_at);
}

#[test]
fn no_answer_from_the_chain_stops_the_heart_and_hides_no_age() {
    let (mut world, signed_at) = unseen();
    world.chain.set_provider(0, Provider { down: true, ..Provider::default() });
    let beats = world.measured.values(HEARTBEAT).len();
    world.pass(ALARM_PERIOD_MS);
    assert_eq!(world.measured.values(HEARTBEAT).len(), beats, "a tracker that stands still has no heartbeat");
    for metric in [OLDEST_UNSEEN_AGE, LANES_HALTED] {
        let (told_at, _) = world.measured.last(metric).expect("told");
        assert!(told_at + ALARM_PERIOD_MS > world.clock.now_ms(), "{} falls silent", metric.name);
    }
    let (told_at, age) = world.measured.last(OLDEST_UNSEEN_AGE).expect("told");
    assert_eq!(told_at - age, signed_at);
}

/// A leader writes its head with every block, and so need not renew its lease besides.
#[test]
fn a_tracker_that_follows_fast_blocks_has_a_heartbeat() {
    let mut world = World::new(Setup::default());
    world.pass(ALARM_PERIOD_MS);
    let beats = world.measured.values(HEARTBEAT);
    let told_at: Vec<Millis> = beats.iter().map(|(told_at, _)| *told_at).collect();
    assert!(told_at.len() > 2, "{told_at:?}");
    assert!(told_at.windows(2).all(|pair| pair[1] - pair[0] < ALARM_PERIOD_MS / 2), "{told_at:?}");
    assert!(world.head().expect("followed").height > 2);
}

#[test]
fn what_waits_for_a_key_that_is_gone_is_told_by_its_age_and_what_is_blocked_is_not() {
    let mut world = World::new(Setup::default());
    world.pass(2_000);
    world.keys.set_fault(|_| Fault::Denied);
    let id = world.withdraw("TUSD", "1", recipient("rosa"));
    world.pass(2 * ALARM_PERIOD_MS);
    let (told_at, age) = world.measured.last(OLDEST_WAIT_AGE).expect("told");
    assert!(told_at + ALARM_PERIOD_MS > world.clock.now_ms());
    assert!(age >= ALARM_PERIOD_MS, "its whole age, however often it was tried since: {age}");
    let scope = world.scopes()[1].clone();
    let block = world.switch(&scope, true);
    world.act(&block);
    world.keys.clear_fault();
    world.pass(2 * ALARM_PERIOD_MS);
    assert_eq!(world.measured.last(OLDEST_WAIT_AGE).map(|(_, age)| age), Some(0), "people know what they block");
    let open = world.switch(&scope, false);
    world.act(&open);
    world.finish();
    assert_eq!(world.parcel(&id).state.as_str(), "confirmed");
    world.pass(ALARM_PERIOD_MS);
    assert_eq!(world.measured.last(OLDEST_WAIT_AGE).map(|(_, age)| age), Some(0));
}

#[test]
fn a_tag_that_stands_still_is_told_by_how_far_finality_lags() {
    let mut world = World::new(Setup { final_tag: true, ..Setup::default() });
    world.pass(20_000);
    assert_eq!(world.measured.last(FINALITY_LAG).map(|(_, lag)| lag), Some(0));
    world.chain.set_finality(Finality::At(world.chain.height()));
    let beats = world.measured.values(HEARTBEAT).len();
    world.pass(2 * ALARM_PERIOD_MS);
    let (_, lag) = world.measured.last(FINALITY_LAG).expect("told");
    assert!(lag >= ALARM_PERIOD_MS, "{lag}");
    assert!(world.measured.values(HEARTBEAT).len() > beats, "success is told all the same, so the heart beats");
    world.chain.set_finality(Finality::Behind(2));
    world.pass(ALARM_PERIOD_MS);
    assert_eq!(world.measured.last(FINALITY_LAG).map(|(_, lag)| lag), Some(0));
}

/// Its nodes answer as ever, and what is in its newest block is no deeper for ever.
#[test]
fn a_chain_that_stands_still_is_told_by_the_age_of_its_newest_block() {
    let mut world = World::new(Setup::default());
    world.chain.set_next_timestamp(world.clock.now_ms() / 1_000);
    world.pass(ALARM_PERIOD_MS);
    let id = world.withdraw("TUSD", "1", recipient("rosa"));
    world.until("its block", |world| !world.chain.inclusions(world.lane("acme").address).is_empty());
    let (_, age) = world.measured.last(HEAD_AGE).expect("told");
    assert!(age < ALARM_PERIOD_MS, "{age}");
    world.next_block_at = None;
    world.pass(4 * ALARM_PERIOD_MS);
    assert_eq!(world.parcel(&id).state.as_str(), "assigned");
    let beats = world.measured.values(HEARTBEAT).len();
    world.pass(ALARM_PERIOD_MS);
    assert!(world.measured.values(HEARTBEAT).len() > beats, "its tracker does what it can");
    let (told_at, age) = world.measured.last(HEAD_AGE).expect("told");
    assert!(told_at + ALARM_PERIOD_MS > world.clock.now_ms());
    assert!(age >= 4 * ALARM_PERIOD_MS, "{age}");
    world.next_block_at = Some(world.clock.now_ms());
    world.chain.set_next_timestamp(world.clock.now_ms() / 1_000);
    world.finish();
    world.pass(ALARM_PERIOD_MS);
    let (_, age) = world.measured.last(HEAD_AGE).expect("told");
    assert!(age < ALARM_PERIOD_MS, "{age}");
}

#[test]
fn what_waits_for_room_on_its_lane_is_told_by_its_age() {
    let mut world = World::new(Setup { in_flight_max: 1, ..Setup::default() });
    world.pass(2_000);
    world.next_block_at = None;
    let first = world.withdraw("TUSD", "1", recipient("rosa"));
    world.pass(2_000);
    let second = world.withdraw("TUSD", "1", recipient("rosa"));
    world.pass(2 * ALARM_PERIOD_MS);
    let (first, waits) = (world.parcel(&first), world.parcel(&second));
    assert_eq!((first.number, waits.number), (Some(0), None), "there is room for one");
    let (told_at, age) = world.measured.last(OLDEST_WAIT_AGE).expect("told");
    // A withdrawal comes behind those that are more urgent and came up to a minute later.
    assert!(told_at - age <= waits.created_at + 60_000 && age >= ALARM_PERIOD_MS / 2, "{age}");
    world.next_block_at = Some(world.clock.now_ms());
    world.finish();
    world.pass(ALARM_PERIOD_MS);
    assert_eq!(world.measured.last(OLDEST_WAIT_AGE).map(|(_, age)| age), Some(0));
}

#[test]
fn a_lane_that_cannot_begin_is_told_by_the_age_of_what_waits_for_it() {
    let mut world = World::new(Setup::default());
    world.pass(1_000);
    world.next_block_at = None;
    let waits = world.chain.foreign(world.lane("acme").address, 0).expect("free");
    let id = world.withdraw("ETH", "1", recipient("rosa"));
    world.pass(2 * ALARM_PERIOD_MS);
    assert_eq!((world.parcel(&id).number, world.has_halted()), (None, false), "no other alarm tells");
    let (_, age) = world.measured.last(OLDEST_WAIT_AGE).expect("told");
    assert!(age >= ALARM_PERIOD_MS, "{age}");
    assert!(world.chain.drop_from_pool(waits));
    world.next_block_at = Some(world.clock.now_ms());
    world.finish();
}

#[test]
fn a_treasury_that_nobody_looks_at_is_told_by_the_age_of_its_latest_look() {
    let mut world = World::new(Setup { reconcile_ms: 60_000, ..Setup::default() });
    world.pass(ALARM_PERIOD_MS);
    let (_, age) = world.measured.last(OLDEST_LOOK_AGE).expect("told");
    assert!(age < ALARM_PERIOD_MS, "all are looked at: {age}");
    // What no node tells cannot be looked at; blocks are followed all the same.
    world.chain.set_faults(Arc::new(ChainScript(|call| match call {
        "holdings" => ChainFault::FailBefore,
        _ => ChainFault::Pass,
    })));
    world.pass(3 * ALARM_PERIOD_MS);
    let (_, age) = world.measured.last(OLDEST_LOOK_AGE).expect("told");
    assert!(age >= 2 * ALARM_PERIOD_MS, "{age}");
}
