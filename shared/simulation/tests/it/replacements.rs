//! Numbers that no block takes: more is offered, or the same bytes go again, and any attempt may win.

use std::sync::Arc;

use alloy_primitives::{Address, B256, U256};
use axum::http::{Method, StatusCode};
use causeway_chains::{
    model::{Fault, Orphans, Provider, Reorg},
    transaction,
};
use causeway_domain::{Clock, fees::Fees, lane::LaneGate, parcel::ParcelState, verdict::WaitReason};
use causeway_simulation::{Setup, World, api::recipient, faults::ChainScript};
use causeway_state::{
    lane::{Attempt, AttemptKind, Gate, NUMBERS_PER_PARTITION, Transaction},
    message::queues,
    wallet::Scope,
};
use causeway_store::{Update, Value, Write};

const GWEI: u128 = 1_000_000_000;

/// Withdrawals that nodes have and that no block takes, since the base fee has risen above what they offer.
fn stuck(setup: Setup, base_fee_wei: u128) -> (World, Vec<String>) {
    let mut world = World::new(setup);
    world.next_block_at = None;
    let ids = (0..3).map(|n| world.withdraw("ETH", "1", recipient(&format!("{n}")))).collect();
    world.pass(2_000);
    assert_eq!(world.chain.pooled().len(), 3, "nodes have them");
    world.chain.set_base_fee(base_fee_wei);
    world.next_block_at = Some(world.clock.now_ms());
    (world, ids)
}

fn attempts(world: &World, number: u64) -> Vec<Attempt> {
    let rows = world.clock.run(causeway_store::Store::query(&world.rows, &Attempt::query(&world.lane("acme"), number)));
    rows.expect("memory does not fail").items.iter().map(|row| row.parse().expect("an attempt")).collect()
}

pub(crate) fn throw(world: &mut World, scope: &Scope, blocked: bool) {
    let act = world.switch(scope, blocked);
    assert!(world.act(&act).status.is_success());
}

/// The number of a withdrawal: side by side they get theirs in no order.
fn number(world: &World, id: &str) -> u64 {
    world.parcel(id).number.expect("signed")
}

fn is_paid(world: &World, id: &str) {
    assert_eq!(world.parcel(id).state, ParcelState::Confirmed);
    let to = world.parcel(id).transfers[0].to;
    assert_eq!(world.on_chain(to, Address::ZERO), world.parcel(id).total().to_u256());
}

#[test]
fn what_no_block_takes_offers_more_until_one_does() {
    let (mut world, ids) = stuck(Setup::default(), 10 * GWEI);
    world.finish();
    for id in &ids {
        is_paid(&world, id);
        let attempts = attempts(&world, number(&world, id));
        assert_eq!(attempts.len(), 2, "it was raised once, to the market: {attempts:?}");
        assert!(attempts[1].fees.max_fee_wei >= 20 * GWEI);
        assert_eq!(world.parcel(id).settled.expect("settled").hash, attempts[1].hash);
        assert_eq!(world.status(id).text("transactionHash"), attempts[1].hash.to_string());
    }
}

#[test]
fn receipts_that_err_of_every_attempt_while_the_number_is_used_conclude_nothing() {
    let (mut world, ids) = stuck(Setup::default(), 10 * GWEI);
    let silent = |call: &str| ["receipts", "receipt"].contains(&call);
    world
        .chain
        .set_faults(Arc::new(ChainScript(move |call| if silent(call) { Fault::FailBefore } else { Fault::Pass })));
    world.until("their blocks", |world| world.chain.inclusions(world.lane("acme").address).len() == 3);
    assert!(ids.iter().all(|id| attempts(&world, number(&world, id)).len() == 2), "both hashes of each are asked for");
    let numbers: Vec<u64> = ids.iter().map(|id| number(&world, id)).collect();
    world.pass(180_000);
    assert_eq!(ids.iter().map(|id| number(&world, id)).collect::<Vec<_>>(), numbers, "no other number");
    for id in &ids {
        assert_eq!(world.parcel(id).state, ParcelState::Assigned);
        assert!(attempts(&world, number(&world, id)).iter().all(|attempt| attempt.kind == AttemptKind::Payment));
    }
    assert!(!world.has_halted(), "nobody else has their numbers");
    world.chain.set_faults(Arc::new(ChainScript(|_| Fault::Pass)));
    world.finish();
    ids.iter().for_each(|id| is_paid(&world, id));
}

#[test]
fn what_was_told_as_paid_and_left_the_chain_offers_more_once_people_have_opened_its_lane() {
    for orphans in [Orphans::Waiting, Orphans::Forgotten] {
        let mut world = World::new(Setup { final_at: 30, ..Setup::default() });
        world.track();
        let id = world.withdraw("ETH", "1", recipient("rosa"));
        world.until("its confirmation", |world| world.parcel(&id).state == ParcelState::Confirmed);
        let depth = world.chain.height();
        world.chain.reorg(&Reorg { depth, blocks: depth + 1, again: Vec::new(), orphans });
        world.chain.set_base_fee(10 * GWEI);
        world.until("its return", |world| world.parcel(&id).state == ParcelState::Reopened);
        world.pass(120_000);
        assert_eq!(attempts(&world, 0).len(), 1, "nothing is signed while people look (rule 5)");
        assert_eq!(world.release_lanes().len(), 1);
        world.finish();
        is_paid(&world, &id);
        let attempts = attempts(&world, 0);
        assert_eq!(attempts.len(), 2, "it was raised once, to the market: {attempts:?}");
        assert!(attempts[1].kind == AttemptKind::Payment && attempts[1].fees.max_fee_wei >= 20 * GWEI);
        assert_eq!(world.parcel(&id).settled.expect("settled").hash, attempts[1].hash);
    }
}

#[test]
fn the_urgent_are_raised_sooner() {
    let mut raised_after = Vec::new();
    for priority in ["high", "normal", "low"] {
        let mut world = World::new(Setup::default());
        world.next_block_at = None;
        world.transfer("key", "ETH", "1", recipient("rosa"), priority);
        world.pass(2_000);
        world.chain.set_base_fee(10 * GWEI);
        world.next_block_at = Some(world.clock.now_ms());
        let start = world.clock.now_ms();
        world.until("a second attempt", |world| attempts(world, 0).len() == 2);
        raised_after.push((world.clock.now_ms() - start) / 1_000);
        world.finish();
    }
    assert!(raised_after.is_sorted() && raised_after[0] < raised_after[1] && raised_after[1] < raised_after[2]);
}

#[test]
fn what_nodes_forgot_goes_again_as_it_was() {
    let (mut world, ids) = stuck(Setup::default(), GWEI);
    world.next_block_at = None;
    for waiting in world.chain.pooled() {
        assert!(world.chain.drop_from_pool(waiting.hash));
    }
    world.pass(1_000);
    world.next_block_at = Some(world.clock.now_ms());
    world.finish();
    for id in &ids {
        is_paid(&world, id);
        assert_eq!(attempts(&world, number(&world, id)).len(), 1, "no number is raised without need");
    }
}

#[test]
fn an_older_attempt_that_wins_is_found_by_its_hash() {
    let (mut world, ids) = stuck(Setup::default(), 10 * GWEI);
    // Nodes say yes to what is raised, and lose it: their pools keep the older ones.
    world.chain.set_provider(0, Provider { loses: true, ..Provider::default() });
    world.until("other attempts", |world| (0..3).all(|number| attempts(world, number).len() == 2));
    world.pass(2_000);
    world.next_block_at = None;
    world.chain.set_provider(0, Provider::default());
    world.chain.set_base_fee(GWEI);
    let old: Vec<B256> = (0..3).map(|number| attempts(&world, number)[0].hash).collect();
    let old_of = |world: &World, id: &str| old[usize::try_from(number(world, id)).expect("small")];
    world.chain.mine_only(&old);
    world.pass(1_000);
    let told = world.status(&ids[0]);
    assert_eq!(told.text("transactionHash"), old_of(&world, &ids[0]).to_string(), "the one that a block holds");
    world.next_block_at = Some(world.clock.now_ms());
    world.finish();
    for id in &ids {
        is_paid(&world, id);
        assert_eq!(world.parcel(id).settled.expect("settled").hash, old_of(&world, id));
    }
}

#[test]
fn a_cap_ends_what_is_offered_and_the_same_bytes_go_on() {
    let (mut world, ids) = stuck(Setup { fee_cap_wei: 5_000_000_000, ..Setup::default() }, 10 * GWEI);
    world.pass(300_000);
    let under = |fees: Fees| fees.max_fee_wei <= 5 * GWEI;
    assert!((0..3).all(|number| attempts(&world, number).iter().all(|attempt| under(attempt.fees))));
    assert!(ids.iter().all(|id| world.parcel(id).state == ParcelState::Assigned), "nothing has failed");
    let handed = world.chain.handed().len();
    world.pass(60_000);
    assert!(world.chain.handed().len() > handed, "it is handed to nodes again");
    world.chain.set_base_fee(GWEI);
    world.finish();
    ids.iter().for_each(|id| is_paid(&world, id));
}

#[test]
fn a_signer_killed_anywhere_in_a_raise_leaves_one_payment() {
    let mut killed = 0;
    for polls in 1..40 {
        let (mut world, ids) = stuck(Setup { seed: polls, ..Setup::default() }, 10 * GWEI);
        world.held.insert(queues::SIGN_REQUESTS);
        world.pass(15_000);
        world.crossing.set(true);
        killed += u32::from(world.deliver_and_kill(queues::SIGN_REQUESTS, polls) == Some(true));
        world.crossing.set(false);
        world.held.clear();
        world.finish();
        ids.iter().for_each(|id| is_paid(&world, id));
    }
    assert!(killed > 10, "the signer was killed {killed} times");
}

#[test]
fn what_people_hold_back_is_not_raised() {
    let (mut world, ids) = stuck(Setup::default(), 10 * GWEI);
    let lane = Scope::Lane(world.lane("acme"));
    throw(&mut world, &lane, true);
    world.pass(60_000);
    assert!((0..3).all(|number| attempts(&world, number).len() == 1));
    throw(&mut world, &lane, false);
    world.finish();
    ids.iter().for_each(|id| is_paid(&world, id));
    assert!((0..3).all(|number| attempts(&world, number).iter().all(|attempt| attempt.kind == AttemptKind::Payment)));
}

#[test]
fn a_pause_holds_back_what_no_node_has_and_lets_it_go_afterwards() {
    let lane = World::new(Setup::default()).lane("acme");
    for scope in Scope::of_payment(&"acme".parse().expect("a tenant"), &lane) {
        let mut world = World::new(Setup::default());
        world.held.insert(queues::TRANSACTIONS);
        let id = world.withdraw("ETH", "1", recipient("rosa"));
        world.pass(1_000);
        throw(&mut world, &scope, true);
        world.held.clear();
        world.pass(60_000);
        assert_eq!(world.chain.handed().len(), 0, "signed, and not sent: {scope:?}");
        throw(&mut world, &scope, false);
        world.finish();
        is_paid(&world, &id);
    }
}

#[test]
fn a_pause_holds_no_cancel_back_that_is_asked_for_beside_what_is_stuck() {
    let (mut world, ids) = stuck(Setup::default(), 10 * GWEI);
    let lane = Scope::Lane(world.lane("acme"));
    throw(&mut world, &lane, true);
    world.held.insert(queues::SIGN_REQUESTS);
    world.pass(30_000);
    let unwanted = ids.iter().max_by_key(|id| number(&world, id)).expect("three").clone();
    let path = format!("/withdrawal/cancel/{unwanted}");
    let answer = world.clock.run(world.call("acme", Method::POST, &path, None, None));
    assert_eq!(answer.status, StatusCode::ACCEPTED);
    world.held.clear();
    world.pass(500);
    for id in &ids {
        let kinds: Vec<AttemptKind> = attempts(&world, number(&world, id)).iter().map(|one| one.kind).collect();
        let more = (*id == unwanted).then_some(AttemptKind::Cancel);
        assert!(kinds.into_iter().eq([AttemptKind::Payment].into_iter().chain(more)), "a no-op for what is unwanted");
    }
}

/// What blocks payments has nodes keep what they have: a no-op must reach them, though the lane was set back to a payment
/// before it.
#[test]
fn a_no_op_goes_out_past_a_payment_that_a_switch_holds_back() {
    // Its stuck numbers may offer no more: they are to go again as they are.
    let setup = Setup { fee_cap_wei: 2_000_000_000, tip_cap_wei: 1, ..Setup::default() };
    let (mut world, ids) = stuck(setup, 10 * GWEI);
    let lane = Scope::Lane(world.lane("acme"));
    throw(&mut world, &lane, true);
    world.pass(40_000);
    let gate = world.lane_view("acme").expect("begun").gate;
    assert_eq!((gate.seen, gate.consumed), (0, 0), "set back, and held there");
    let unwanted = ids.iter().max_by_key(|id| number(&world, id)).expect("three").clone();
    let path = format!("/withdrawal/cancel/{unwanted}");
    let answer = world.clock.run(world.call("acme", Method::POST, &path, None, None));
    assert_eq!(answer.status, StatusCode::ACCEPTED);
    world.pass(30_000);
    let of = attempts(&world, number(&world, &unwanted));
    assert_eq!(of.iter().map(|one| one.kind).collect::<Vec<_>>(), [AttemptKind::Payment, AttemptKind::Cancel]);
    let pooled: Vec<B256> = world.chain.pooled().iter().map(|one| one.hash).collect();
    assert!(pooled.contains(&of[1].hash) && !pooled.contains(&of[0].hash), "it has the payment's place");
    assert_eq!(world.lane_view("acme").expect("begun").gate.seen, 0, "and no payment went out behind the switch");
    throw(&mut world, &lane, false);
    world.chain.set_base_fee(GWEI);
    world.finish();
    for id in &ids {
        let state = if *id == unwanted { ParcelState::Cancelled } else { ParcelState::Confirmed };
        assert_eq!(world.parcel(id).state, state);
    }
}

/// A blocked lane that is set back to its first number, and whose last one lies behind the end of a read.
fn blocked_across_reads() -> (World, Vec<String>) {
    let mut world = World::new(Setup::default());
    let most = NUMBERS_PER_PARTITION + 2;
    world.next_block_at = None;
    let ids: Vec<String> = (0..most).map(|n| world.withdraw("ETH", "0.001", recipient(&format!("{n}")))).collect();
    world.until("all signed", |world| world.lane_view("acme").is_some_and(|lane| lane.next == most));
    world.until("all at nodes", |world| world.chain.pooled().len() as u64 == most);
    let lane = Scope::Lane(world.lane("acme"));
    throw(&mut world, &lane, true);
    let key = Gate::key(&world.lane("acme"));
    let row = world.row(&key).expect("begun");
    let back = Gate { seen: 0, publications: 1_000, ..row.parse().expect("a gate") };
    world.must_commit(&[back.put(&world.lane("acme"), row.version()).expect("a row")]);
    (world, ids)
}

#[test]
fn what_a_lane_waits_for_is_on_record_though_a_row_far_behind_cannot_be_read() {
    let (world, ids) = blocked_across_reads();
    let key = Transaction::key(&world.lane("acme"), NUMBERS_PER_PARTITION);
    let update = Update { set: vec![("priority", Value::from("none"))], ..Update::default() };
    world.must_commit(&[Write::Update { key, update, expect: vec![] }]);
    let lane = world.lane("acme");
    let waits = |world: &World| {
        let gate: Gate = world.row(&Gate::key(&lane)).expect("begun").parse().expect("a gate");
        matches!(gate.gate, LaneGate::Waiting { reason: WaitReason::Blocked, .. })
    };
    assert!(!waits(&world));
    world.clock.run(world.sender.send_lane(&lane)).expect("what lies behind is not this number's");
    assert!(waits(&world));
    assert_eq!(ids.len() as u64, NUMBERS_PER_PARTITION + 2);
}

/// Payments in front of it fill a partition of their own.
#[test]
fn a_no_op_goes_out_past_more_payments_than_one_read_tells_of() {
    let (mut world, ids) = blocked_across_reads();
    let lane = Scope::Lane(world.lane("acme"));
    let last = ids.iter().max_by_key(|id| number(&world, id)).expect("many").clone();
    let path = format!("/withdrawal/cancel/{last}");
    world.clock.run(world.call("acme", Method::POST, &path, None, None));
    world.pass(20_000);
    let of = attempts(&world, number(&world, &last));
    let pooled: Vec<B256> = world.chain.pooled().iter().map(|one| one.hash).collect();
    assert!(pooled.contains(&of[1].hash) && !pooled.contains(&of[0].hash), "it has the payment's place");
    throw(&mut world, &lane, false);
    world.next_block_at = Some(world.clock.now_ms());
    world.finish();
    assert_eq!(world.parcel(&last).state, ParcelState::Cancelled);
}

/// A lane that is set back to a payment which nodes have no more and its treasury cannot afford beside the next, and the
/// no-op of its last number, which no node has yet.
fn short_before_a_no_op(gate: impl FnOnce(Gate) -> Gate) -> (World, B256) {
    let setup = Setup { fee_cap_wei: 2_000_000_000, tip_cap_wei: 1, ..Setup::default() };
    let (mut world, ids) = stuck(setup, 10 * GWEI);
    world.held.insert(queues::TRANSACTIONS);
    let unwanted = ids.iter().max_by_key(|id| number(&world, id)).expect("three").clone();
    let path = format!("/withdrawal/cancel/{unwanted}");
    world.clock.run(world.call("acme", Method::POST, &path, None, None));
    world.pass(12_000);
    let of = attempts(&world, number(&world, &unwanted));
    assert_eq!(of.iter().map(|one| one.kind).collect::<Vec<_>>(), [AttemptKind::Payment, AttemptKind::Cancel]);
    assert!(world.chain.drop_from_pool(attempts(&world, 0)[0].hash));
    let lane = world.lane("acme");
    world.chain.set_balance(lane.address, U256::from(GWEI * GWEI * 3 / 2));
    let row = world.row(&Gate::key(&lane)).expect("begun");
    let back = gate(Gate { seen: 0, ..row.parse().expect("a gate") });
    world.must_commit(&[back.put(&lane, row.version()).expect("a row")]);
    (world, of[1].hash)
}

/// One sender's work on that lane; whether the no-op has the payment's place then.
fn sends_the_no_op(world: &World, no_op: B256) -> bool {
    world.clock.run(world.sender.send_lane(&world.lane("acme"))).expect("it waits");
    let gate = world.lane_view("acme").expect("begun").gate;
    assert!(matches!(gate.gate, LaneGate::Waiting { reason: WaitReason::TreasuryShort, .. }), "{gate:?}");
    world.chain.pooled().iter().any(|one| one.hash == no_op)
}

/// All providers are asked at once, and answer as late as the slowest of them; where that took three in turn, what is left of
/// the function's time is for writing what the lane waits for.
#[test]
fn a_provider_that_answers_late_keeps_no_no_op_from_nodes() {
    for (late_ms, goes) in [(8_000, true), (11_000, false)] {
        let (world, no_op) = short_before_a_no_op(|gate| gate);
        let clock = world.clock.clone();
        world.chain.set_faults(Arc::new(ChainScript(move |call| {
            if call == "broadcast" {
                clock.advance(late_ms);
            }
            Fault::Pass
        })));
        assert_eq!(sends_the_no_op(&world, no_op), goes, "{late_ms} ms");
    }
}

/// One of its numbers may be another's, or ours and not remembered.
#[test]
fn while_a_lane_is_doubted_no_no_op_goes_out_past_what_it_waits_for() {
    for doubted in [false, true] {
        let (world, no_op) = short_before_a_no_op(|gate| Gate { foreign_since: doubted.then_some(1), ..gate });
        assert_eq!(sends_the_no_op(&world, no_op), !doubted);
    }
}

/// A network whose plain payment takes more than it did, or a node that told too little.
#[test]
fn a_no_op_that_nodes_refuse_is_followed_by_another_where_an_operator_asks_once_more() {
    let mut world = World::new(Setup::default());
    world.next_block_at = None;
    let id = world.withdraw("ETH", "1", recipient("rosa"));
    world.pass(2_000);
    world.refused.number(0);
    let cancel = |world: &mut World| {
        let act = world.cancel(world.parcel(&id).id);
        assert!(world.act(&act).status.is_success());
    };
    cancel(&mut world);
    world.pass(10_000);
    assert!(world.has_halted());
    assert_eq!(attempts(&world, 0).len(), 2);
    world.refused.clear();
    world.pass(60_000);
    assert_eq!(attempts(&world, 0).len(), 2, "nobody asked");
    cancel(&mut world);
    world.pass(10_000);
    let of = attempts(&world, 0);
    assert_eq!(of.iter().filter(|one| one.kind == AttemptKind::Cancel).count(), 2);
    assert!(!world.has_halted(), "it takes the place of what was refused");
    world.next_block_at = Some(world.clock.now_ms());
    world.finish();
    assert_eq!(world.parcel(&id).state, ParcelState::Cancelled);
}

#[test]
fn a_no_op_has_the_gas_that_a_node_says_it_takes_and_its_payment_s_where_none_does() {
    for silent in [false, true] {
        let mut world = World::new(Setup::default());
        world.next_block_at = None;
        let id = world.withdraw("TUSD", "1", recipient("rosa"));
        world.pass(2_000);
        world.chain.set_faults(Arc::new(ChainScript(move |call| {
            if silent && call == "estimate" { Fault::FailBefore } else { Fault::Pass }
        })));
        let path = format!("/withdrawal/cancel/{id}");
        world.clock.run(world.call("acme", Method::POST, &path, None, None));
        world.pass(2_000);
        let of = attempts(&world, number(&world, &id));
        let gas = |attempt: &Attempt| transaction::open(&attempt.raw).expect("ours").payment.gas_limit;
        let (payment, no_op) = (gas(&of[0]), gas(&of[1]));
        assert!(payment > 21_000);
        assert_eq!(no_op, if silent { payment } else { 21_000 });
        world.chain.set_faults(Arc::new(ChainScript(|_| Fault::Pass)));
        world.next_block_at = Some(world.clock.now_ms());
        world.finish();
        assert_eq!(world.parcel(&id).state, ParcelState::Cancelled);
    }
}

#[test]
fn a_tip_at_its_cap_keeps_nothing_from_being_raised_where_the_base_fee_rose() {
    let (mut world, ids) = stuck(Setup { tip_cap_wei: 1, ..Setup::default() }, 10 * GWEI);
    world.finish();
    for id in &ids {
        is_paid(&world, id);
        let attempts = attempts(&world, number(&world, id));
        assert_eq!(attempts.iter().map(|attempt| attempt.fees.max_priority_wei).collect::<Vec<_>>(), [1, 2]);
    }
}

#[test]
fn what_a_cap_keeps_from_being_raised_can_be_cancelled() {
    let (mut world, ids) =
        stuck(Setup { fee_cap_wei: 2 * 1_000_000_000, tip_cap_wei: 1, ..Setup::default() }, 10 * GWEI);
    world.pass(60_000);
    for id in &ids {
        let answer = world.clock.run(world.call("acme", Method::POST, &format!("/withdrawal/cancel/{id}"), None, None));
        assert_eq!(answer.status, StatusCode::ACCEPTED);
    }
    world.pass(60_000);
    // No block takes them at this price, but no node has the payments any more.
    for id in &ids {
        let attempts = attempts(&world, number(&world, id));
        assert_eq!(
            attempts.iter().map(|attempt| attempt.kind).collect::<Vec<_>>(),
            [AttemptKind::Payment, AttemptKind::Cancel]
        );
        assert!(attempts[0].fees.max_fee_wei <= 2 * GWEI && attempts[1].fees.max_fee_wei <= 3 * GWEI, "{attempts:?}");
    }
    world.chain.set_base_fee(GWEI);
    world.finish();
    assert!(ids.iter().all(|id| world.parcel(id).state == ParcelState::Cancelled));
}
