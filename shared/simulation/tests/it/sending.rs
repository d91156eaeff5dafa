//! Stored bytes on their way to a node: repeated as often as needed, never anything else.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use alloy_primitives::keccak256;
use causeway_chains::model::{Fault, Provider};
use causeway_domain::{Clock, lane::LaneGate, parcel::ParcelState};
use causeway_simulation::{
    Setup, World,
    api::recipient,
    faults::{ChainScript, CommitRule, EVERY_TRY, writes_gate},
};
use causeway_state::{
    lane::{Gate, NUMBERS_PER_PARTITION},
    message::queues,
};
use causeway_store::{Commit, CommitToken, Store, memory::CommitFault};
use futures::FutureExt;

const NORMAL: &str = queues::TRANSFERS_NORMAL;
const LANES: &str = queues::TRANSACTIONS;

/// A world in which so many withdrawals are signed and none is sent.
fn signed(count: u64) -> World {
    let mut world = World::new(Setup::default());
    for number in 0..count {
        world.withdraw("TUSD", "1", recipient(&format!("someone-{number}")));
    }
    world.track();
    world.deliver_all(NORMAL);
    world.check();
    world
}

/// Every number's bytes as the network was handed them; the same each time.
fn handed_once(world: &World) {
    let mut all: Vec<_> = world.chain.handed().into_iter().map(|handed| handed.raw).collect();
    all.sort();
    all.dedup();
    let next = world.lane_view("acme").expect("begun").next;
    assert_eq!(all.len() as u64, next, "each number has one set of bytes");
}

#[test]
fn a_sender_killed_after_the_node_accepted_sends_the_same_bytes_again() {
    let mut kills = 0;
    for polls in 1.. {
        let mut world = signed(3);
        world.crossing.set(true);
        let killed = world.deliver_and_kill(LANES, polls).expect("a message");
        world.crossing.set(false);
        world.finish();
        handed_once(&world);
        kills += u32::from(killed);
        if !killed {
            break;
        }
    }
    assert!(kills > 10, "the sender was killed only {kills} times");
}

#[test]
fn a_gate_that_is_not_surely_written_is_found_out_by_sending_again() {
    for (tries, fault) in [
        (1, CommitFault::LoseReply),
        (EVERY_TRY, CommitFault::LoseReply),
        (EVERY_TRY, CommitFault::LoseCall),
        (EVERY_TRY, CommitFault::Delay),
        (EVERY_TRY, CommitFault::Contended),
    ] {
        let mut world = signed(4);
        world.script.commit(CommitRule { which: writes_gate, skip: 0, tries, fault });
        world.deliver(LANES);
        assert!(world.script.struck() > 0, "{fault:?}");
        world.pass(4_000);
        world.rows.land();
        world.finish();
        handed_once(&world);
    }
}

#[test]
fn an_unknown_outcome_keeps_the_number_and_sends_the_same_bytes() {
    for fault in [Fault::FailBefore, Fault::LoseReply, Fault::Delay, Fault::Limit { after_ms: Some(700) }] {
        let mut world = signed(4);
        let left = AtomicU32::new(7);
        world.chain.set_faults(Arc::new(ChainScript(move |call| {
            let strikes = call == "broadcast"
                && left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1)).is_ok();
            if strikes { fault } else { Fault::Pass }
        })));
        world.pass(15_000);
        world.chain.land();
        world.finish();
        handed_once(&world);
    }
}

/// A function ends at 30 s, and with it all that it has not written: what nodes have would count as never sent.
#[test]
fn what_slow_nodes_took_is_on_record_long_before_the_sender_must_end() {
    let mut world = signed(8);
    let clock = world.clock.clone();
    world.chain.set_faults(Arc::new(ChainScript(move |call| {
        if call == "broadcast" {
            clock.advance(8_000);
        }
        Fault::Pass
    })));
    let began = world.clock.now_ms();
    for known in 1..=3 {
        assert!(world.deliver(LANES), "it announced the rest itself");
        let (gate, handed) = (world.lane_view("acme").expect("begun").gate, world.chain.handed().len() as u64);
        assert_eq!((gate.seen, handed), (known, known));
    }
    assert!(world.clock.now_ms() - began <= 3 * 8_000, "the node's own time");
    world.chain.set_faults(Arc::new(ChainScript(|_| Fault::Pass)));
    world.finish();
    handed_once(&world);
}

#[test]
fn bytes_that_arrive_late_are_not_sent_under_another_number() {
    let mut world = signed(1);
    world.chain.set_faults(Arc::new(ChainScript(|call| if call == "broadcast" { Fault::Delay } else { Fault::Pass })));
    world.pass(60_000);
    let open = world.lane_view("acme").expect("begun");
    assert_eq!((open.next, open.gate.seen), (1, 0), "the number is kept");
    world.chain.set_faults(Arc::new(ChainScript(|_| Fault::Pass)));
    world.chain.land();
    world.finish();
    handed_once(&world);
}

#[test]
fn a_number_that_our_own_transaction_used_up_is_not_sent_twice() {
    let mut world = signed(3);
    // The node takes all, every reply is lost, and blocks hold them before anybody asks again.
    world
        .chain
        .set_faults(Arc::new(ChainScript(|call| if call == "broadcast" { Fault::LoseReply } else { Fault::Pass })));
    for _ in 0..3 {
        world.deliver(LANES);
        world.clock.advance(20_000);
        world.track();
    }
    world.chain.mine();
    world.chain.set_faults(Arc::new(ChainScript(|_| Fault::Pass)));
    // The sender asks before the tracker has seen the block.
    world.clock.advance(20_000);
    world.deliver(LANES);
    assert!(world.coverage.all().contains_key("node: number too low"), "{:?}", world.coverage.all());
    world.finish();
    handed_once(&world);
}

#[test]
fn a_node_that_forgot_its_pool_is_told_again() {
    let mut world = signed(5);
    world.next_block_at = None;
    world.deliver_all(LANES);
    let waiting: Vec<_> = world.chain.pooled().into_iter().map(|pooled| pooled.hash).collect();
    assert_eq!(waiting.len(), 5);
    for hash in &waiting[1..4] {
        assert!(world.chain.drop_from_pool(*hash));
    }
    let before = world.chain.handed().len();
    world.until("all at a node again", |world| world.chain.pooled().len() == 5);
    let again: Vec<_> = world.chain.handed()[before..].iter().map(|handed| keccak256(&handed.raw)).collect();
    let lost: Vec<_> = again.iter().filter(|hash| waiting[1..4].contains(hash)).collect();
    assert_eq!(lost, waiting[1..4].iter().collect::<Vec<_>>(), "once each, in order");
    world.next_block_at = Some(world.clock.now_ms() + 1000);
    world.finish();
    handed_once(&world);
}

#[test]
fn a_number_refused_for_good_halts_its_lane_and_nothing_later_is_sent() {
    let mut world = signed(5);
    world.refused.number(2);
    world.pass(60_000);
    let view = world.lane_view("acme").expect("begun");
    let LaneGate::Halted { reason, limit } = &view.gate.gate else { panic!("{:?}", view.gate) };
    assert_eq!(*limit, 2);
    assert!(reason.contains("number 2 is refused: the nodes do not like it"), "{reason}");
    assert_eq!(world.chain.handed().len(), 2, "numbers 0 and 1");
    // New ones wait with their money held; nothing is signed for a halted lane.
    let late = world.withdraw("TUSD", "1", recipient("late"));
    world.pass(120_000);
    assert_eq!(world.lane_view("acme").expect("begun").next, 5);
    assert!(world.parcel(&late).state.holds_money());
    assert_eq!(world.parcels().iter().filter(|parcel| parcel.state == ParcelState::Confirmed).count(), 2);
    // An operator finds the cause and releases the lane.
    world.refused.clear();
    world.release_lanes();
    world.finish();
    handed_once(&world);
}

/// Right before the sender's next write somebody else changes the gate.
fn meanwhile(world: &World, change: fn(Gate) -> Gate) {
    let lane = world.lane("acme");
    world.store.before(writes_gate, move |rows| {
        let row = rows.get(&Gate::key(&lane)).now_or_never().expect("at once").expect("readable").expect("there");
        let write = change(row.parse().expect("a gate")).put(&lane, row.version()).expect("a row");
        let done =
            rows.commit(&CommitToken::new("meanwhile"), &[write]).now_or_never().expect("at once").expect("valid");
        assert_eq!(done, Commit::Committed);
    });
}

#[test]
fn a_line_longer_than_a_partition_goes_out_whole_and_in_order() {
    let count = 2 * NUMBERS_PER_PARTITION + 3;
    let mut world = signed(count);
    world.deliver(LANES);
    let handed: Vec<_> = world.chain.handed().into_iter().map(|handed| handed.raw).collect();
    let signed = world.lane_view("acme").expect("begun").transactions;
    assert_eq!(handed, signed.into_iter().map(|(_, attempt)| attempt.raw).collect::<Vec<_>>());
    assert_eq!(handed.len() as u64, count);
    world.finish();
}

#[test]
fn what_the_tracker_tells_of_a_block_meanwhile_sends_nothing_again() {
    let mut world = signed(130);
    meanwhile(&world, |gate| Gate { consumed: 30, ..gate });
    world.deliver(LANES);
    let gate = world.lane_view("acme").expect("begun").gate;
    assert_eq!((gate.seen, gate.consumed), (130, 30));
    assert_eq!(world.chain.handed().len(), 130);
}

#[test]
fn a_lane_that_is_set_back_meanwhile_goes_again_from_there() {
    let mut world = signed(5);
    world.deliver(LANES);
    world.withdraw("TUSD", "1", recipient("one more"));
    world.deliver_all(NORMAL);
    meanwhile(&world, |gate| Gate { seen: 2, publications: gate.publications + 1, ..gate });
    world.deliver_all(LANES);
    let signed = world.lane_view("acme").expect("begun").transactions;
    let handed = world.chain.handed();
    let again: Vec<usize> =
        signed.iter().map(|(_, one)| handed.iter().filter(|it| it.raw == one.raw).count()).collect();
    assert_eq!(again, [1, 1, 2, 2, 2, 2]);
    world.finish();
}

/// Its sender knows only the bytes that were replaced: whatever it heard of them, the new ones must go out.
#[test]
fn a_number_that_is_replaced_while_its_bytes_go_out_goes_out_anew() {
    let mut world = signed(2);
    meanwhile(&world, |gate| Gate { replaced_at: 1, publications: gate.publications + 1, ..gate });
    world.deliver_all(LANES);
    let handed = world.chain.handed();
    let signed = world.lane_view("acme").expect("begun").transactions;
    let times: Vec<usize> =
        signed.iter().map(|(_, one)| handed.iter().filter(|it| it.raw == one.raw).count()).collect();
    assert_eq!(times, [2, 2]);
    world.finish();
}

#[test]
fn a_halt_is_not_lost_to_somebody_who_writes_the_gate_at_the_same_moment() {
    let mut world = signed(3);
    world.refused.number(1);
    meanwhile(&world, |gate| Gate { publications: gate.publications + 1, ..gate });
    world.pass(30_000);
    assert!(matches!(world.lane_view("acme").expect("begun").gate.gate, LaneGate::Halted { limit: 1, .. }));
    assert!(
        world
            .chain
            .handed()
            .iter()
            .all(|handed| handed.raw != world.lane_view("acme").expect("begun").transactions[2].1.raw)
    );
    world.refused.clear();
    world.release_lanes();
    world.finish();
}

#[test]
fn lost_and_repeated_lane_messages_change_nothing() {
    let mut world = signed(6);
    world.collect();
    world.inbox.lose(LANES);
    world.pass(3_000);
    assert_eq!(world.chain.handed().len(), 0);
    world.inbox.repeated = 700;
    world.finish();
    handed_once(&world);
}

#[test]
fn a_provider_that_takes_all_and_loses_it_holds_up_nobody_while_another_works() {
    let mut world = World::new(Setup { providers: 2, ..Setup::default() });
    world.pass(2_000);
    world.chain.set_provider(0, Provider { loses: true, ..Provider::default() });
    let ids: Vec<String> = (0..3).map(|n| world.withdraw("ETH", "1", recipient(&format!("r-{n}")))).collect();
    world.finish();
    for id in &ids {
        let parcel = world.parcel(id);
        assert_eq!(
            (parcel.state, parcel.replaced.len()),
            (ParcelState::Confirmed, 0),
            "the same bytes, at the other one"
        );
    }
}
