//! Every stage against every outcome.

use super::*;
use crate::{
    lane::Intent,
    parcel::{CancelAsked, HoldPart, Line, Surface},
    tracker::Moved,
};
use causeway_domain::{
    Amount, Bytes,
    fees::Priority,
    id::{ParcelId, TraceId},
    lane::LaneId,
    network::AssetId,
};

const BLOCK: B256 = B256::repeat_byte(1);
const OTHER: B256 = B256::repeat_byte(2);
const TOKEN: Address = Address::repeat_byte(9);
const TO: Address = Address::repeat_byte(7);

fn amount(units: u128) -> Amount {
    Amount::new(units).expect("small")
}

fn lane() -> LaneId {
    LaneId { network: "local".parse().expect("a name"), address: Address::repeat_byte(3) }
}

fn parcel(token: Address) -> Parcel {
    Parcel {
        id: ParcelId::derived(&["p"]),
        tenant: "acme".parse().expect("a name"),
        user: "u".parse().expect("a name"),
        surface: Surface::Transfer,
        request_id: None,
        body_hash: B256::ZERO,
        wallet: lane(),
        asset: AssetId { network: lane().network, address: token },
        decimals: 6,
        symbol: "T".to_owned(),
        transfers: vec![Line { to: TO, amount: amount(5) }],
        priority: Priority::Normal,
        state: ParcelState::Assigned,
        wait: None,
        tries: 0,
        number: Some(4),
        hash: Some(B256::ZERO),
        replaced: Vec::new(),
        cancel: None,
        displaced: 0,
        settled: None,
        failure: None,
        hold: vec![HoldPart { shard: 0, amount: amount(5) }],
        reopened: 0,
        created_at: 0,
        updated_at: 0,
        trace: TraceId::derived(&["t"]),
        due_at: None,
    }
}

fn transaction(outcome: Option<Outcome>) -> Transaction {
    let intent = Intent { to: TO, value: U256::ZERO, data: Bytes::new(), gas_limit: 21_000 };
    let parcels = vec![ParcelId::derived(&["p"])];
    let trace = TraceId::derived(&["t"]);
    Transaction {
        number: 4,
        parcels,
        intent,
        attempts: 1,
        send: None,
        priority: Priority::Normal,
        since: 0,
        created_at: 0,
        trace,
        outcome,
        reopened: 0,
    }
}

fn inclusion(success: bool, moved: &[(Address, u128)]) -> Inclusion {
    let moved = moved.iter().map(|(to, units)| Moved { token: TOKEN, to: *to, amount: amount(*units) }).collect();
    Inclusion {
        hash: B256::ZERO,
        lane: lane(),
        number: 4,
        attempt: 0,
        cancel: false,
        success,
        gas_used: 21_000,
        gas_price_wei: 2,
        moved,
        unreadable: false,
        disputed: false,
        revert_reason: None,
    }
}

fn decided(stage: Stage, inclusion: &Inclusion, outcome: Option<Outcome>, token: Address) -> Decision {
    let told = Told { stage, height: 1, block_hash: BLOCK, inclusion };
    decide(told, &transaction(outcome), &[parcel(token)])
}

fn paid_in(block_hash: B256) -> Option<Outcome> {
    Some(Outcome::Paid { hash: B256::ZERO, block_hash, height: 1, gas_cost_wei: U256::from(42_000) })
}

fn reverted_in(block_hash: B256) -> Option<Outcome> {
    let (hash, reason) = (B256::ZERO, String::new());
    Some(Outcome::Reverted { hash, block_hash, height: 1, gas_cost_wei: U256::from(42_000), reason })
}

const COST: U256 = U256::from_limbs([42_000, 0, 0, 0]);

#[test]
fn success_is_paid_when_it_is_confirmed_and_again_only_by_nobody() {
    let coin = inclusion(true, &[]);
    assert_eq!(decided(Stage::Confirmed, &coin, None, Address::ZERO), Decision::Pay { gas_cost_wei: COST });
    assert_eq!(decided(Stage::Final, &coin, None, Address::ZERO), Decision::Pay { gas_cost_wei: COST });
    assert_eq!(decided(Stage::Confirmed, &coin, paid_in(BLOCK), Address::ZERO), Decision::Nothing);
    assert_eq!(decided(Stage::Final, &coin, paid_in(BLOCK), Address::ZERO), Decision::Nothing);
}

#[test]
fn what_is_no_attempt_on_record_of_its_number_is_peoples_to_judge_once_it_is_final() {
    let known = B256::repeat_byte(4);
    let replaced = Parcel { hash: Some(known), replaced: vec![B256::ZERO], ..parcel(Address::ZERO) };
    let lost = Parcel { hash: Some(known), ..parcel(Address::ZERO) };
    for found in [inclusion(true, &[]), inclusion(false, &[]), Inclusion { cancel: true, ..inclusion(true, &[]) }] {
        let of = |stage, parcel: &Parcel| {
            let told = Told { stage, height: 1, block_hash: BLOCK, inclusion: &found };
            decide(told, &transaction(None), std::slice::from_ref(parcel))
        };
        assert_eq!(of(Stage::Confirmed, &lost), Decision::Nothing);
        let last = of(Stage::Final, &lost);
        assert!(
            matches!(&last, Decision::AskPeople { reason } if reason.contains("no attempt of number 4")),
            "{last:?}"
        );
        let wished = Parcel { cancel: Some(CancelAsked { by: "u".to_owned(), at: 0, reason: None }), ..lost.clone() };
        assert_eq!(matches!(of(Stage::Final, &wished), Decision::Cancel { .. }), found.cancel, "as somebody wished");
        assert_eq!(may_have_paid(&found), found.success && !found.cancel);
        assert!(!matches!(of(Stage::Final, &replaced), Decision::AskPeople { .. }), "one that was replaced may win");
    }
}

#[test]
fn a_revert_releases_nothing_before_it_is_final() {
    let reverted = inclusion(false, &[]);
    assert_eq!(decided(Stage::Confirmed, &reverted, None, Address::ZERO), Decision::Nothing);
    let last = decided(Stage::Final, &reverted, None, Address::ZERO);
    assert!(matches!(last, Decision::Fail { code: "REVERTED", .. }), "{last:?}");
}

#[test]
fn a_no_op_cancels_when_it_is_final_and_however_it_ended() {
    for success in [true, false] {
        let no_op = Inclusion { cancel: true, ..inclusion(success, &[(TO, 5)]) };
        assert_eq!(
            decided(Stage::Confirmed, &no_op, None, TOKEN),
            Decision::Nothing,
            "a branch can still take the payment"
        );
        assert_eq!(decided(Stage::Final, &no_op, None, TOKEN), Decision::Cancel { gas_cost_wei: COST });
        let cancelled =
            |block_hash| Some(Outcome::Cancelled { hash: B256::ZERO, block_hash, height: 1, gas_cost_wei: COST });
        assert_eq!(decided(Stage::Final, &no_op, cancelled(BLOCK), TOKEN), Decision::Nothing);
        let left = decided(Stage::Reorged, &no_op, cancelled(BLOCK), TOKEN);
        assert!(matches!(left, Decision::HaltOnly { .. }), "its money was released: {left:?}");
    }
}

#[test]
fn a_number_that_was_given_up_and_is_ours_after_all_is_for_people() {
    let given_up = || Some(Outcome::Displaced { height: 1, by: Vec::new() });
    let coin = inclusion(true, &[]);
    for stage in [Stage::Confirmed, Stage::Final] {
        let decision = decided(stage, &coin, given_up(), Address::ZERO);
        assert!(matches!(decision, Decision::HaltOnly { .. }), "{decision:?}");
    }
    assert_eq!(decided(Stage::Reorged, &coin, given_up(), Address::ZERO), Decision::Nothing);
}

#[test]
fn a_tokens_log_must_prove_the_payment() {
    let right = inclusion(true, &[(TO, 5)]);
    assert_eq!(decided(Stage::Confirmed, &right, None, TOKEN), Decision::Pay { gas_cost_wei: COST });
    let nothing = inclusion(true, &[]);
    assert_eq!(decided(Stage::Confirmed, &nothing, None, TOKEN), Decision::Nothing);
    let last = decided(Stage::Final, &nothing, None, TOKEN);
    assert!(matches!(last, Decision::Fail { code: "NOT_MOVED", .. }), "{last:?}");
    for wrong in [inclusion(true, &[(TO, 4)]), inclusion(true, &[(Address::repeat_byte(8), 5)])] {
        let last = decided(Stage::Final, &wrong, None, TOKEN);
        assert!(matches!(last, Decision::AskPeople { .. }), "{last:?}");
    }
}

#[test]
fn a_block_that_leaves_takes_back_only_what_it_settled() {
    let coin = inclusion(true, &[]);
    assert_eq!(decided(Stage::Reorged, &coin, None, Address::ZERO), Decision::Nothing);
    assert_eq!(decided(Stage::Reorged, &coin, paid_in(OTHER), Address::ZERO), Decision::Nothing);
    assert_eq!(decided(Stage::Reorged, &coin, paid_in(BLOCK), Address::ZERO), Decision::Reopen { gas_cost_wei: COST });
    let released = decided(Stage::Reorged, &coin, reverted_in(BLOCK), Address::ZERO);
    assert!(matches!(released, Decision::HaltOnly { .. }), "{released:?}");
}

#[test]
fn a_new_block_waits_until_the_old_one_is_taken_back() {
    let coin = inclusion(true, &[]);
    for outcome in [paid_in(OTHER), reverted_in(OTHER)] {
        let later = decided(Stage::Confirmed, &coin, outcome, Address::ZERO);
        assert!(matches!(later, Decision::Later { .. }), "{later:?}");
    }
}
