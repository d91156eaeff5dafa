//! Tables that were set back to an earlier time, a chain that was not, and what somebody wants cancelled: nothing is told as
//! cancelled that the chain has paid.

use alloy_primitives::{Address, U256};
use axum::http::{Method, StatusCode};
use causeway_domain::{Clock, lane::LaneGate, parcel::ParcelState, verdict::WaitReason};
use causeway_simulation::{
    Setup,
    api::recipient,
    people::{Act, Promise},
};
use causeway_state::{message::queues, wallet::Scope};
use serde_json::json;

use crate::{
    replacements::throw,
    restored::{LOOKS_MS, begun, got, lost, value},
};

/// A stranger's number was given up, and what it was to pay was paid under the next one; then the tables were set back to
/// before all that, and its client, who sees nothing paid, cancels. By the proof of providers and by an operator's word.
#[test]
fn what_is_given_up_and_to_be_cancelled_is_told_as_paid_where_a_later_number_paid_it() {
    for providers in [1, 2] {
        let mut world = begun(Setup { providers, ..Setup::default() });
        world.held.insert(queues::TRANSACTIONS);
        let id = world.withdraw("ETH", "1", recipient("rosa"));
        world.pass(2_000);
        assert_eq!(world.parcel(&id).number, Some(1));
        let amount = value(&world, &id);
        lost(&mut world, 1, recipient("a stranger's friend"), U256::from(7));
        lost(&mut world, 2, recipient("rosa"), amount);
        let path = format!("/withdrawal/cancel/{id}");
        let answer = world.clock.run(world.call("acme", Method::POST, &path, None, None));
        assert_eq!(answer.status, StatusCode::ACCEPTED);
        world.held.clear();
        if providers == 1 {
            world.pass(2 * LOOKS_MS);
            let (what, path) = ("people: displace", format!("lanes/{}/displace", world.lane("acme")));
            let body = json!({"number": 1, "reason": "seen in an explorer"});
            let act = Act { what, path, body, promise: Promise::Nothing };
            assert_eq!(world.act(&act).status, StatusCode::OK);
        }
        world.pass(4 * LOOKS_MS);
        let parcel = world.parcel(&id);
        assert_eq!((parcel.state, parcel.number), (ParcelState::Confirmed, Some(2)), "with {providers} providers");
        assert_eq!(got(&world, "rosa"), amount);
        assert_eq!(world.money("acme", "ETH").held, 0);
        assert!(!world.has_halted());
    }
}

/// A restore lost what pays the second, which waits in a pool under the first's number: what is to take the second's place
/// must not go out behind it, or it were paid and told as cancelled.
#[test]
fn behind_a_number_that_is_taken_and_not_known_to_be_ours_no_no_op_goes_out() {
    for providers in [1, 2] {
        let mut world = begun(Setup { providers, ..Setup::default() });
        world.held.insert(queues::TRANSACTIONS);
        let ids = ["rosa", "rosb"].map(|who| world.withdraw("ETH", "1", recipient(who)));
        world.pass(2_000);
        let second = ids.iter().position(|id| world.parcel(id).number == Some(2)).expect("one of them");
        world.next_block_at = None;
        let amount = value(&world, &ids[second]);
        lost(&mut world, 1, recipient(["rosa", "rosb"][second]), amount);
        let path = format!("/withdrawal/cancel/{}", ids[second]);
        let answer = world.clock.run(world.call("acme", Method::POST, &path, None, None));
        assert_eq!(answer.status, StatusCode::ACCEPTED);
        world.pass(2_000);
        assert_eq!(world.parcel(&ids[second]).replaced.len(), 1, "its no-op is signed");
        world.held.clear();
        world.pass(40_000);
        let waits = world.lane_view("acme").expect("begun").gate;
        assert!(matches!(waits.gate, LaneGate::Waiting { .. }), "{waits:?}");
        let pooled: Vec<u64> = world.chain.pooled().iter().map(|one| one.number).collect();
        assert_eq!(pooled, [1], "only what a restore lost");
        world.next_block_at = Some(world.clock.now_ms());
        world.pass(600_000);
        assert!(world.has_halted());
        assert_eq!(got(&world, ["rosa", "rosb"][second]), amount);
        assert_eq!(world.parcel(&ids[second]).state, ParcelState::Assigned, "people find out first");
    }
}

/// As above, where the lane waits for something at the first number before a node says that its place is taken: for people
/// who blocked it, as after each restore, or for funds.
#[test]
fn what_a_pool_has_and_no_row_remembers_is_overtaken_by_no_no_op() {
    for (reason, providers) in [(WaitReason::Blocked, 2), (WaitReason::TreasuryShort, 2), (WaitReason::Blocked, 1)] {
        let mut world = begun(Setup { providers, ..Setup::default() });
        let lane = world.lane("acme");
        world.held.insert(queues::TRANSACTIONS);
        let ids = [("2", "rosa"), ("1", "rosb")].map(|(amount, who)| {
            let id = world.withdraw("ETH", amount, recipient(who));
            world.pass(2_000);
            id
        });
        assert_eq!(ids.each_ref().map(|id| world.parcel(id).number), [Some(1), Some(2)]);
        world.next_block_at = None;
        let amount = value(&world, &ids[1]);
        lost(&mut world, 1, recipient("rosb"), amount);
        let path = format!("/withdrawal/cancel/{}", ids[1]);
        let answer = world.clock.run(world.call("acme", Method::POST, &path, None, None));
        assert_eq!(answer.status, StatusCode::ACCEPTED);
        world.pass(2_000);
        assert_eq!(world.parcel(&ids[1]).replaced.len(), 1, "its no-op is signed");
        let had = world.on_chain(lane.address, Address::ZERO);
        if reason == WaitReason::Blocked {
            throw(&mut world, &Scope::Lane(lane.clone()), true);
        } else {
            world.chain.set_balance(lane.address, amount * U256::from(3) / U256::from(2));
        }
        world.held.clear();
        world.pass(40_000);
        let waits = world.lane_view("acme").expect("begun").gate;
        assert!(matches!(waits.gate, LaneGate::Waiting { reason: now, .. } if now == reason), "{waits:?}");
        let pooled: Vec<u64> = world.chain.pooled().iter().map(|one| one.number).collect();
        assert_eq!(pooled, [1], "only what a restore lost: {reason:?}");
        if reason == WaitReason::Blocked {
            throw(&mut world, &Scope::Lane(lane.clone()), false);
        } else {
            world.chain.set_balance(lane.address, had);
        }
        world.next_block_at = Some(world.clock.now_ms());
        world.pass(600_000);
        assert!(world.has_halted());
        assert_eq!(got(&world, "rosb"), amount);
        assert_eq!(world.parcel(&ids[1]).state, ParcelState::Assigned, "people find out first");
    }
}
