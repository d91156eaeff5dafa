//! Tables that were set back to an earlier time, and a chain that was not: what ours did meanwhile is found on the chain and
//! put on record, and what nobody can tell waits for people. Nothing is paid twice.

use alloy_primitives::{Address, U256, keccak256};
use axum::http::{Method, StatusCode};
use causeway_chains::{
    BroadcastOutcome, Chain,
    model::{Provider, Receipts},
    transaction::{Payment, digest, seal},
};
use causeway_domain::{Bytes, Clock, fees::Fees, lane::LaneGate, parcel::ParcelState};
use causeway_keys::{KeyRef, Keys};
use causeway_queue::memory::Fault;
use causeway_simulation::{
    Setup, World,
    api::recipient,
    people::{Act, Promise},
};
use causeway_state::{
    adopt::watch_of,
    lane::{Attempt, AttemptKind, Outcome, USED_BEFORE},
    message::queues,
};
use serde_json::{Value, json};

const GWEI: u128 = 1_000_000_000;
/// The tracker holds lanes against the chain each minute, and at a final height.
pub(crate) const LOOKS_MS: u64 = 90_000;

/// A world in which number 0 of acme's lane is paid.
pub(crate) fn begun(setup: Setup) -> World {
    let mut world = World::new(setup);
    world.withdraw("ETH", "1", recipient("first"));
    world.finish();
    world
}

/// What a signer of ours signs under a number.
pub(crate) fn ours(world: &World, number: u64, to: Address, value: U256) -> Bytes {
    let lane = world.lane("acme");
    let fees = Fees { max_fee_wei: 100 * GWEI, max_priority_wei: 10 * GWEI };
    let chain_id = world.network.chain_id;
    let payment = Payment { chain_id, number, to, value, data: Bytes::new(), gas_limit: 21_000, fees };
    let key = KeyRef::Kms { key_id: "treasury-acme".to_owned() };
    let signature = world.clock.run(world.keys.sign(&key, lane.address, digest(&payment))).expect("a key");
    seal(&payment, signature.r, signature.s, signature.y_odd).raw
}

/// A signer of ours had signed and sent this under the next number before the tables were set back.
pub(crate) fn lost(world: &mut World, number: u64, to: Address, value: U256) {
    let raw = ours(world, number, to, value);
    let told = world.clock.run(world.chain.broadcast(&raw));
    assert_eq!(told.outcome, BroadcastOutcome::Accepted);
    world.pass(2_000);
}

pub(crate) fn value(world: &World, id: &str) -> U256 {
    world.parcel(id).total().to_u256()
}

pub(crate) fn got(world: &World, who: &str) -> U256 {
    world.on_chain(recipient(who), Address::ZERO)
}

/// Withdrawals to these that are accepted, and whose messages are held back.
fn accepted(world: &mut World, who: &[&str]) -> Vec<String> {
    world.held.insert(queues::TRANSFERS_NORMAL);
    who.iter().map(|who| world.withdraw("ETH", "1", recipient(who))).collect()
}

#[test]
fn a_receipt_that_no_node_has_hides_no_other_payment_of_its_block() {
    let mut world = begun(Setup::default());
    let ids = accepted(&mut world, &["anna", "bert"]);
    world.next_block_at = None;
    for (number, who) in [(1, "anna"), (2, "bert")] {
        let amount = value(&world, &ids[usize::from(number == 2)]);
        lost(&mut world, number, recipient(who), amount);
    }
    world.chain.mine();
    assert!(world.chain.pooled().is_empty(), "one block has both");
    world.chain.set_provider(0, Provider { receipts: Receipts::First(1), ..Provider::default() });
    world.next_block_at = Some(world.clock.now_ms());
    world.pass(LOOKS_MS);
    assert_eq!(world.parcel(&ids[0]).number, Some(1), "found by its own receipt");
    world.chain.set_provider(0, Provider::default());
    world.pass(LOOKS_MS);
    world.held.clear();
    world.finish();
    assert!(ids.iter().all(|id| world.parcel(id).state == ParcelState::Confirmed));
}

#[test]
fn payments_whose_rows_are_lost_settle_what_asked_for_them() {
    let mut world = begun(Setup::default());
    let who = ["anna", "bert", "cleo", "dora", "emil"];
    let ids = accepted(&mut world, &who);
    for (number, of) in [(1, 2), (2, 0), (3, 4)] {
        let amount = value(&world, &ids[of]);
        lost(&mut world, number, recipient(who[of]), amount);
    }
    world.pass(LOOKS_MS);
    world.held.clear();
    world.finish();
    for (id, who) in ids.iter().zip(who) {
        assert_eq!(world.parcel(id).state, ParcelState::Confirmed);
        assert_eq!(got(&world, who), value(&world, id), "{who}, once");
    }
    assert_eq!([2, 0, 4].map(|of| world.parcel(&ids[of]).number), [Some(1), Some(2), Some(3)]);
    assert!(!world.has_halted());
}

/// The moment of the restore fell into the commit of a signature: what watches its attempt is there, and nothing else of it.
#[test]
fn a_payment_of_which_only_its_watch_is_left_settles_what_asked_for_it() {
    for paid in [0, 1] {
        let mut world = begun(Setup::default());
        let ids = accepted(&mut world, &["anna", "bert"]);
        let (id, who) = (ids[paid].clone(), ["anna", "bert"][paid]);
        let amount = value(&world, &id);
        let raw = ours(&world, 1, recipient(who), amount);
        let attempt = Attempt {
            number: 1,
            index: 0,
            kind: AttemptKind::Payment,
            hash: keccak256(&raw),
            fees: Fees { max_fee_wei: 100 * GWEI, max_priority_wei: 10 * GWEI },
            raw,
            signed_at: 0,
        };
        let lane = world.lane("acme");
        let watch = watch_of(&lane, &attempt, world.parcel(&id).trace).expect("a row");
        world.must_commit(&[watch]);
        lost(&mut world, 1, recipient(who), amount);
        world.until("its block is told", |world| world.lane_view("acme").is_some_and(|lane| lane.gate.consumed == 2));
        world.pass(2 * LOOKS_MS);
        assert_eq!(world.parcel(&id).number, Some(1), "found, and put on record");
        world.held.clear();
        world.finish();
        for (id, who) in ids.iter().zip(["anna", "bert"]) {
            assert_eq!(world.parcel(id).state, ParcelState::Confirmed);
            assert_eq!(got(&world, who), value(&world, id), "{who}, once");
        }
        assert!(!world.has_halted());
    }
}

#[test]
fn of_several_that_ask_for_the_same_as_many_are_settled_as_were_paid() {
    let mut world = begun(Setup::default());
    let ids = accepted(&mut world, &["anna"; 4]);
    let amount = value(&world, &ids[0]);
    (1..=3).for_each(|number| lost(&mut world, number, recipient("anna"), amount));
    world.pass(LOOKS_MS);
    world.held.clear();
    world.finish();
    assert!(ids.iter().all(|id| world.parcel(id).state == ParcelState::Confirmed));
    assert_eq!(got(&world, "anna"), amount * U256::from(4));
}

#[test]
fn an_attempt_whose_row_is_lost_settles_its_number() {
    let mut world = begun(Setup { providers: 2, ..Setup::default() });
    world.held.insert(queues::TRANSACTIONS);
    let id = world.withdraw("ETH", "1", recipient("rosa"));
    world.pass(2_000);
    let amount = value(&world, &id);
    lost(&mut world, 1, recipient("rosa"), amount);
    world.held.clear();
    world.finish();
    let parcel = world.parcel(&id);
    assert_eq!((parcel.state, parcel.number, parcel.replaced.len()), (ParcelState::Confirmed, Some(1), 1));
    assert_eq!(got(&world, "rosa"), amount);
}

#[test]
fn a_no_op_whose_row_is_lost_cancels_where_that_was_wished() {
    let mut world = begun(Setup { providers: 2, ..Setup::default() });
    world.held.extend([queues::TRANSACTIONS, queues::SIGN_REQUESTS]);
    let id = world.withdraw("ETH", "1", recipient("rosa"));
    world.pass(2_000);
    let lane = world.lane("acme").address;
    lost(&mut world, 1, lane, U256::ZERO);
    let path = format!("/withdrawal/cancel/{id}");
    let answer = world.clock.run(world.call("acme", Method::POST, &path, None, None));
    assert_eq!(answer.status, StatusCode::ACCEPTED);
    world.held.clear();
    world.finish();
    assert_eq!(world.parcel(&id).state, ParcelState::Cancelled);
    assert_eq!((got(&world, "rosa"), world.money("acme", "ETH").held), (U256::ZERO, 0));
    let outcome = world.lane_view("acme").expect("begun").transactions[1].0.outcome.clone();
    assert!(matches!(outcome, Some(Outcome::Cancelled { .. })), "{outcome:?}");
}

#[test]
fn what_nobody_asks_for_any_more_halts_the_lane_until_somebody_asks_again() {
    let mut world = begun(Setup::default());
    let amount = U256::from(10_u64).pow(U256::from(18));
    lost(&mut world, 1, recipient("rosa"), amount);
    world.pass(2 * LOOKS_MS);
    assert!(world.has_halted(), "whose it was, people must find out");
    let LaneGate::Halted { reason, .. } = world.lane_view("acme").expect("begun").gate.gate else { panic!("halted") };
    assert!(reason.ends_with(&format!("to {}", recipient("rosa"))), "and are told what it is: {reason}");
    let other = world.withdraw("ETH", "2", recipient("karl"));
    world.pass(LOOKS_MS);
    assert_eq!((world.parcel(&other).number, got(&world, "karl")), (None, U256::ZERO));
    // The client of the transfer that is lost asks for it again.
    let id = world.withdraw("ETH", "1", recipient("rosa"));
    world.finish();
    assert_eq!((world.parcel(&id).state, world.parcel(&id).number), (ParcelState::Confirmed, Some(1)));
    assert_eq!(got(&world, "rosa"), amount, "it is told as what was paid, and not paid again");
    assert_eq!(world.parcel(&other).state, ParcelState::Confirmed);
}

#[test]
fn nothing_is_signed_while_the_tracker_is_far_behind() {
    let mut world = begun(Setup::default());
    let tracked = world.head().expect("a head").height;
    let most = world.network.behind_max();
    world.chain.mine_empty(most + 5);
    let answer = world.clock.run(world.request("acme", Some("k"), "ETH", "1", recipient("rosa")));
    assert_eq!(answer.status, StatusCode::CREATED);
    world.collect();
    world.deliver_all(queues::TRANSFERS_NORMAL);
    assert_eq!(world.head().expect("a head").height, tracked);
    assert_eq!(world.parcels().iter().filter(|parcel| parcel.state == ParcelState::Waiting).count(), 1);
    world.finish();
    assert_eq!(got(&world, "rosa"), U256::from(10_u64).pow(U256::from(18)));
}

#[test]
fn what_nobody_ever_asks_for_again_is_an_operators_to_pass_over() {
    let mut world = begun(Setup::default());
    let amount = U256::from(10_u64).pow(U256::from(18));
    lost(&mut world, 1, recipient("rosa"), amount);
    world.pass(2 * LOOKS_MS);
    assert!(world.has_halted());
    let id = world.withdraw("ETH", "2", recipient("karl"));
    let lane = world.lane("acme");
    for (number, status) in [(0, StatusCode::CONFLICT), (2, StatusCode::NOT_FOUND), (1, StatusCode::OK)] {
        let (what, path) = ("people: displace", format!("lanes/{lane}/displace"));
        let act = Act { what, path, body: json!({"number": number, "reason": "a restore"}), promise: Promise::Nothing };
        assert_eq!(world.act(&act).status, status, "number {number}");
    }
    world.pass(LOOKS_MS);
    let parcel = world.parcel(&id);
    assert_eq!((parcel.state, parcel.number), (ParcelState::Confirmed, Some(2)));
    assert_eq!((got(&world, "rosa"), got(&world, "karl")), (amount, value(&world, &id)));
}

/// Its client asked again a moment ago, and no look has found that out yet.
#[test]
fn what_somebody_asks_for_again_is_not_passed_over() {
    let mut world = begun(Setup::default());
    let amount = U256::from(10_u64).pow(U256::from(18));
    lost(&mut world, 1, recipient("rosa"), amount);
    world.pass(2 * LOOKS_MS);
    assert!(world.has_halted());
    let again = world.withdraw("ETH", "1", recipient("rosa"));
    let (what, path) = ("people: displace", format!("lanes/{}/displace", world.lane("acme")));
    let act = Act { what, path, body: json!({"number": 1, "reason": "nobody asks"}), promise: Promise::Nothing };
    assert_eq!(world.act(&act).status, StatusCode::CONFLICT);
    world.finish();
    assert_eq!((world.parcel(&again).state, world.parcel(&again).number), (ParcelState::Confirmed, Some(1)));
    assert_eq!(got(&world, "rosa"), amount, "once");
}

#[test]
fn behind_an_adopted_number_nothing_is_signed_before_the_next_is_looked_at() {
    let mut world = begun(Setup::default());
    let amount = U256::from(10_u64).pow(U256::from(18));
    lost(&mut world, 1, recipient("rosa"), amount);
    lost(&mut world, 2, recipient("rosb"), amount);
    world.pass(2 * LOOKS_MS);
    let karl = world.withdraw("ETH", "2", recipient("karl"));
    let rosa = world.withdraw("ETH", "1", recipient("rosa"));
    world.pass(4 * LOOKS_MS);
    assert_eq!(world.parcel(&rosa).state, ParcelState::Confirmed);
    assert_eq!(world.parcel(&karl).number, None, "number 2 is lost as well");
    let rosb = world.withdraw("ETH", "1", recipient("rosb"));
    world.finish();
    assert_eq!((world.parcel(&rosb).state, world.parcel(&rosb).number), (ParcelState::Confirmed, Some(2)));
    assert_eq!((got(&world, "rosa"), got(&world, "rosb")), (amount, amount));
    assert_eq!((world.parcel(&karl).number, got(&world, "karl")), (Some(3), value(&world, &karl)));
}

#[test]
fn what_reverted_on_chain_is_nobodys_payment() {
    let mut world = begun(Setup::default());
    let ids = accepted(&mut world, &["rosa"]);
    let amount = value(&world, &ids[0]);
    world.chain.make_revert(recipient("rosa"), Bytes::new());
    lost(&mut world, 1, recipient("rosa"), amount);
    world.pass(2 * LOOKS_MS);
    assert_eq!((world.parcel(&ids[0]).number, got(&world, "rosa")), (None, U256::ZERO));
    assert!(world.has_halted(), "it paid nobody, and whose it was people find out");
}

#[test]
fn what_the_chain_may_have_paid_is_not_rejected_while_its_lane_is_closed() {
    let mut world = begun(Setup::default());
    let ids = accepted(&mut world, &["rosa", "karl"]);
    let amount = value(&world, &ids[1]);
    lost(&mut world, 1, recipient("nobody asks"), amount);
    lost(&mut world, 2, recipient("karl"), amount);
    world.pass(2 * LOOKS_MS);
    assert!(world.has_halted());
    // A trial of the same payment would fail by now.
    world.chain.make_revert(recipient("karl"), Bytes::new());
    world.held.clear();
    world.pass(LOOKS_MS);
    assert_eq!(world.parcel(&ids[1]).state, ParcelState::Waiting, "number 2 paid it");
}

#[test]
fn a_leader_killed_anywhere_in_an_adoption_leaves_nothing_untold() {
    let mut kills = 0;
    for polls in 1.. {
        let mut world = begun(Setup::default());
        let ids = accepted(&mut world, &["rosa", "rosb"]);
        for (number, (id, who)) in (1..).zip(ids.iter().zip(["rosa", "rosb"])) {
            let amount = value(&world, id);
            lost(&mut world, number, recipient(who), amount);
        }
        world.pass(10_000);
        world.replace_tracker();
        world.clock.advance(20_000);
        world.make_blocks();
        world.track();
        let killed = world.track_and_kill(polls);
        world.held.clear();
        world.finish();
        for (id, who) in ids.iter().zip(["rosa", "rosb"]) {
            assert_eq!((world.parcel(id).state, got(&world, who)), (ParcelState::Confirmed, value(&world, id)));
        }
        kills += u32::from(killed);
        if !killed {
            break;
        }
    }
    assert!(kills > 20, "{kills} moments");
}

#[test]
fn a_number_whose_state_no_node_keeps_halts_its_lane() {
    let mut world = begun(Setup::default());
    let amount = U256::from(10_u64).pow(U256::from(18));
    lost(&mut world, 1, recipient("rosa"), amount);
    world.held.insert(queues::TRANSFERS_NORMAL);
    world.chain.mine_empty(600);
    world.pass(3 * LOOKS_MS);
    assert!(world.has_halted(), "people look, though nobody can tell them what it was");
}

fn cancel(world: &World, id: &str) -> StatusCode {
    let path = format!("/withdrawal/cancel/{id}");
    world.clock.run(world.call("acme", Method::POST, &path, None, None)).status
}

fn release(world: &mut World, body: Value) -> StatusCode {
    let path = format!("lanes/{}/release", world.lane("acme"));
    world.act(&Act { what: "people: release", path, body, promise: Promise::Nothing }).status
}

#[test]
fn a_lane_that_began_after_the_moment_pays_nothing_twice() {
    let mut world = World::new(Setup::default());
    world.pass(2_000);
    let ids = accepted(&mut world, &["rosa", "karl"]);
    let amount = value(&world, &ids[0]);
    lost(&mut world, 0, recipient("rosa"), amount);
    world.pass(LOOKS_MS);
    world.held.clear();
    world.pass(LOOKS_MS);
    assert_eq!((got(&world, "rosa"), got(&world, "karl")), (amount, U256::ZERO), "whose number 0 was, nobody knows");
    let LaneGate::Halted { reason, limit: 1 } = world.lane_view("acme").expect("begun").gate.gate else {
        panic!("it begins halted")
    };
    assert_eq!(reason, USED_BEFORE);
    assert_eq!(cancel(&world, &ids[0]), StatusCode::ACCEPTED, "it may be paid");
    assert!(world.parcel(&ids[0]).state.holds_money());
    for unsaid in [json!({"reason": "a restore"}), json!({"from": 2, "reason": "a restore"})] {
        assert_eq!(release(&mut world, unsaid), StatusCode::CONFLICT);
    }
    // The key was nobody's but Causeway's.
    assert_eq!(release(&mut world, json!({"from": 0, "reason": "a restore"})), StatusCode::OK);
    world.finish();
    let told = ids.iter().map(|id| (world.parcel(id).state, world.parcel(id).number)).collect::<Vec<_>>();
    assert_eq!(told, [(ParcelState::Confirmed, Some(0)), (ParcelState::Confirmed, Some(1))]);
    assert_eq!((got(&world, "rosa"), got(&world, "karl")), (amount, amount), "each once");
}

/// Rows so old, or so new, that the tracker began after the block that has the payment: nobody could ever settle it.
#[test]
fn what_was_paid_before_the_tracker_began_is_told_to_people_and_holds_up_nothing_for_good() {
    let mut world = World::new(Setup::default());
    let amount = U256::from(10).pow(U256::from(18));
    let raw = ours(&world, 0, recipient("rosa"), amount);
    assert_eq!(world.clock.run(world.chain.broadcast(&raw)).outcome, BroadcastOutcome::Accepted);
    (0..700).for_each(|_| {
        world.chain.mine();
    });
    world.pass(2_000);
    let ids: [String; 2] = ["rosa", "karl"].map(|who| world.withdraw("ETH", "1", recipient(who)));
    world.until("its halt", World::has_halted);
    assert_eq!(release(&mut world, json!({"from": 0, "reason": "it was ours"})), StatusCode::OK);
    world.pass(5 * LOOKS_MS);
    // Nodes do not keep the states any more between which it was used.
    let path = format!("lanes/{}/displace", world.lane("acme"));
    let body = json!({"number": 0, "takenBy": keccak256(&raw), "reason": "an explorer"});
    let said = world.act(&Act { what: "people: displace", path, body, promise: Promise::Nothing });
    assert_eq!(said.status, StatusCode::OK);
    world.pass(2 * LOOKS_MS);
    let gate = world.lane_view("acme").expect("begun").gate;
    let LaneGate::Halted { reason, limit: 0 } = &gate.gate else { panic!("nobody could act on {gate:?}") };
    assert!(reason.contains("0x"), "{reason}");
    // What asks for it is theirs to end, and nothing goes out meanwhile.
    assert!(ids.iter().all(|id| world.parcel(id).state == ParcelState::Waiting));
    assert_eq!(cancel(&world, &ids[0]), StatusCode::ACCEPTED);
    assert_eq!((got(&world, "rosa"), got(&world, "karl")), (amount, U256::ZERO));
}

#[test]
fn nothing_is_free_before_the_tracker_has_looked() {
    let mut world = World::new(Setup::default());
    world.pass(2_000);
    let ids: [String; 2] = accepted(&mut world, &["rosa", "karl"]).try_into().expect("two");
    let amount = value(&world, &ids[0]);
    lost(&mut world, 0, recipient("rosa"), amount);
    world.pass(LOOKS_MS);
    world.forget_look();
    assert!(ids.iter().all(|id| cancel(&world, id) == StatusCode::ACCEPTED));
    world.pass(30_000);
    // It finds by itself that the lane, which nobody ever used, is used.
    assert!(world.has_halted());
    assert!(ids.iter().all(|id| world.parcel(id).state.holds_money()));
    assert_eq!(release(&mut world, json!({"from": 0, "reason": "a restore"})), StatusCode::OK);
    world.held.clear();
    world.finish();
    assert_eq!(ids.map(|id| world.parcel(&id).state), [ParcelState::Confirmed, ParcelState::Cancelled]);
    assert_eq!((got(&world, "rosa"), got(&world, "karl")), (amount, U256::ZERO));
}

#[test]
fn a_wish_of_what_is_surely_unpaid_is_carried_out_once_that_is_sure() {
    let mut world = begun(Setup::default());
    let ids = accepted(&mut world, &["rosa"]);
    world.forget_look();
    assert_eq!([cancel(&world, &ids[0]), cancel(&world, &ids[0])], [StatusCode::ACCEPTED; 2], "a repeat does no harm");
    world.held.clear();
    world.finish();
    assert_eq!(world.parcel(&ids[0]).state, ParcelState::Cancelled);
    assert_eq!((got(&world, "rosa"), world.money("acme", "ETH").held), (U256::ZERO, 0));
    assert_eq!(cancel(&world, &ids[0]), StatusCode::OK);
}

#[test]
fn what_a_pool_holds_under_a_number_that_nobody_remembers_keeps_what_it_may_pay() {
    let mut world = begun(Setup::default());
    let ids = accepted(&mut world, &["rosa", "karl"]);
    let amount = value(&world, &ids[0]);
    world.next_block_at = None;
    lost(&mut world, 1, recipient("rosa"), amount);
    world.forget_look();
    world.pass(60_000);
    assert!(!world.has_halted());
    assert!(world.head().expect("a head").vouches(world.clock.now_ms()), "the others go on");
    assert!(ids.iter().all(|id| cancel(&world, id) == StatusCode::ACCEPTED));
    world.held.clear();
    world.pass(LOOKS_MS);
    assert!(ids.iter().all(|id| world.parcel(id).state == ParcelState::Waiting));
    world.next_block_at = Some(world.clock.now_ms());
    world.finish();
    let told = ids.iter().map(|id| world.parcel(id).state).collect::<Vec<_>>();
    assert_eq!(told, [ParcelState::Confirmed, ParcelState::Cancelled]);
    assert_eq!((got(&world, "rosa"), got(&world, "karl")), (amount, U256::ZERO));
}

#[test]
fn what_was_paid_is_not_given_to_whoever_wants_to_be_cancelled() {
    let mut world = begun(Setup::default());
    let ids = accepted(&mut world, &["rosa", "rosa"]);
    let amount = value(&world, &ids[0]);
    lost(&mut world, 1, recipient("rosa"), amount);
    world.forget_look();
    assert_eq!(cancel(&world, &ids[0]), StatusCode::ACCEPTED);
    world.held.clear();
    world.finish();
    let told = ids.iter().map(|id| world.parcel(id).state).collect::<Vec<_>>();
    assert_eq!(told, [ParcelState::Cancelled, ParcelState::Confirmed]);
    assert_eq!(got(&world, "rosa"), amount, "one of the two, which is all that is still wanted");
}

#[test]
fn a_lane_that_never_began_rejects_nothing_that_its_key_may_have_paid() {
    let mut world = World::new(Setup::default());
    world.pass(2_000);
    let ids = accepted(&mut world, &["karl"]);
    let amount = value(&world, &ids[0]);
    lost(&mut world, 0, recipient("karl"), amount);
    world.chain.make_revert(recipient("karl"), Bytes::new());
    world.held.clear();
    world.pass(LOOKS_MS);
    assert_eq!(world.parcel(&ids[0]).state, ParcelState::Waiting);
    assert_eq!(release(&mut world, json!({"from": 0, "reason": "a restore"})), StatusCode::OK);
    world.finish();
    assert_eq!((world.parcel(&ids[0]).state, got(&world, "karl")), (ParcelState::Confirmed, amount));
}

#[test]
fn a_publish_that_is_lost_in_an_adoption_is_made_again() {
    for losses in 1..=4 {
        let mut world = begun(Setup::default());
        let ids = accepted(&mut world, &["rosa", "rosb"]);
        for (number, (id, who)) in (1..).zip(ids.iter().zip(["rosa", "rosb"])) {
            let amount = value(&world, id);
            lost(&mut world, number, recipient(who), amount);
        }
        let mut left = losses;
        world.queue.set_fault(move |queue, _| {
            let strikes = queue.0 == queues::CHAIN_EVENTS && left > 0;
            left -= i32::from(strikes);
            match (strikes, left % 2) {
                (false, _) => Fault::Pass,
                (true, 0) => Fault::RefuseBefore,
                (true, _) => Fault::LoseReply,
            }
        });
        // Looked at before anything is signed: else whose number each is would be chance.
        world.pass(LOOKS_MS);
        world.held.clear();
        world.finish();
        for (id, who) in ids.iter().zip(["rosa", "rosb"]) {
            assert_eq!((world.parcel(id).state, got(&world, who)), (ParcelState::Confirmed, value(&world, id)));
        }
    }
}

#[test]
fn what_took_a_number_and_is_no_attempt_of_ours_is_given_up_and_paid_once() {
    let mut world = begun(Setup { providers: 2, ..Setup::default() });
    world.held.insert(queues::TRANSACTIONS);
    let id = world.withdraw("ETH", "1", recipient("rosa"));
    world.pass(2_000);
    assert_eq!(world.parcel(&id).number, Some(1));
    // Its bytes can be read, and pay somebody else.
    lost(&mut world, 1, recipient("a stranger's friend"), U256::from(7));
    world.held.clear();
    world.pass(4 * LOOKS_MS);
    let parcel = world.parcel(&id);
    assert_eq!((parcel.state, parcel.number, parcel.displaced), (ParcelState::Confirmed, Some(2), 1));
    assert_eq!(got(&world, "rosa"), value(&world, &id));
    assert!(!world.has_halted());
}

/// Nodes that keep few states do not find what used a number long ago; they still know the transaction that people name.
#[test]
fn a_payment_that_only_people_can_name_is_put_on_record_and_not_passed_over() {
    let mut world = begun(Setup::default());
    let ids = accepted(&mut world, &["rosa"]);
    let amount = value(&world, &ids[0]);
    lost(&mut world, 1, recipient("rosa"), amount);
    (0..600).for_each(|_| {
        world.chain.mine();
    });
    world.forget_look();
    world.until("its halt", World::has_halted);
    world.pass(2 * LOOKS_MS);
    assert_eq!(world.parcel(&ids[0]).number, None, "no node tells what used it");
    let lane = world.lane("acme");
    let hash = world.chain.inclusions(lane.address)[&1][0].receipt.hash;
    let body = json!({"number": 1, "takenBy": hash, "reason": "seen in an explorer"});
    let (what, path) = ("people: pass over", format!("lanes/{lane}/displace"));
    let act = Act { what, path, body, promise: Promise::Nothing };
    assert_eq!(world.act(&act).status, StatusCode::OK, "nobody knows yet that it is ours");
    assert_eq!(world.act(&act).status, StatusCode::CONFLICT, "it is looked at first");
    world.held.clear();
    world.finish();
    let parcel = world.parcel(&ids[0]);
    assert_eq!((parcel.state, parcel.number), (ParcelState::Confirmed, Some(1)));
    assert_eq!(got(&world, "rosa"), amount, "once");
    assert_ne!(world.act(&act).status, StatusCode::OK);
}
