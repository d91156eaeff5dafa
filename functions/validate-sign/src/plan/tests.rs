//! Every reason against every state of a number.

use causeway_domain::{
    Address, Amount, B256, Bytes, Networks, U256,
    fees::Priority,
    id::{ParcelId, TraceId},
    lane::LaneId,
    network::AssetId,
};
use causeway_state::{
    displace,
    lane::{Intent, Outcome, Transaction},
    parcel::{CancelAsked, HoldPart, Line, Surface},
};

use super::*;

const GWEI: u128 = 1_000_000_000;

fn network() -> Network {
    let file = include_str!("../../../../infra/networks.toml");
    Networks::parse(file, &["ethereum"]).expect("valid").get("ethereum").expect("there").clone()
}

fn lane() -> LaneId {
    LaneId { network: "ethereum".parse().expect("a name"), address: Address::repeat_byte(3) }
}

fn parcel() -> Parcel {
    let amount = Amount::new(5).expect("small");
    Parcel {
        id: ParcelId::derived(&["p"]),
        tenant: "acme".parse().expect("a name"),
        user: "u".parse().expect("a name"),
        surface: Surface::Transfer,
        request_id: None,
        body_hash: B256::ZERO,
        wallet: lane(),
        asset: AssetId { network: lane().network, address: Address::ZERO },
        decimals: 18,
        symbol: "ETH".to_owned(),
        transfers: vec![Line { to: Address::repeat_byte(7), amount }],
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
        hold: vec![HoldPart { shard: 0, amount }],
        reopened: 0,
        created_at: 0,
        updated_at: 0,
        trace: TraceId::derived(&["t"]),
        due_at: None,
    }
}

fn attempt(index: u32, kind: AttemptKind, gwei: u128) -> Attempt {
    let fees = Fees { max_fee_wei: gwei * GWEI, max_priority_wei: GWEI };
    Attempt { number: 4, index, kind, hash: B256::ZERO, raw: Bytes::new(), fees, signed_at: 0 }
}

fn signed(attempts: Vec<Attempt>) -> Signed {
    let transaction = Transaction {
        number: 4,
        parcels: vec![parcel().id],
        intent: Intent { to: Address::ZERO, value: U256::ZERO, data: Bytes::new(), gas_limit: 21_000 },
        attempts: u32::try_from(attempts.len()).expect("few"),
        send: None,
        priority: Priority::Normal,
        since: 1,
        created_at: 0,
        trace: TraceId::derived(&["t"]),
        outcome: None,
        reopened: 0,
    };
    Signed { transaction, version: 1, attempts }
}

fn wished() -> Parcel {
    let cancel = Some(CancelAsked { by: "u".to_owned(), at: 0, reason: None });
    Parcel { cancel, ..parcel() }
}

/// What a number gets at a base fee, some time after it was signed; its lane is open and it is the lowest.
fn plan(reason: SignReason, signed: &Signed, parcel: Parcel, base_gwei: u128, now: Millis) -> Plan {
    plan_at(&Gate { seen: 5, ..Gate::new(4, 0) }, reason, signed, parcel, base_gwei, now)
}

fn plan_at(gate: &Gate, reason: SignReason, signed: &Signed, parcel: Parcel, base_gwei: u128, now: Millis) -> Plan {
    let (network, parcels) = (network(), [(parcel, 1)]);
    let history = FeeHistory { next_base_fee_wei: base_gwei * GWEI, tips_wei: vec![[GWEI; 3]] };
    Case { reason, gate, signed, parcels: &parcels, history: Some(&history), network: &network, now }.plan()
}

#[test]
fn what_pays_too_little_is_raised_to_the_market_and_at_least_by_the_step() {
    let one = signed(vec![attempt(0, AttemptKind::Payment, 20)]);
    let raised = plan(SignReason::Stuck, &one, parcel(), 100, 1);
    let fees = Fees { max_fee_wei: 201 * GWEI, max_priority_wei: GWEI * 9 / 8 };
    assert_eq!(raised, Plan::Sign { kind: AttemptKind::Payment, fees });
    let raised = plan(SignReason::Stuck, &one, parcel(), 20, 1);
    let fees = Fees { max_fee_wei: 41 * GWEI, max_priority_wei: GWEI * 9 / 8 };
    assert_eq!(raised, Plan::Sign { kind: AttemptKind::Payment, fees });
}

#[test]
fn what_pays_enough_goes_again_as_it_is_unless_that_did_not_help_for_long() {
    let one = signed(vec![attempt(0, AttemptKind::Payment, 20)]);
    let long = PATIENCE * network().stuck_after_ms(Priority::Normal);
    assert_eq!(plan(SignReason::Stuck, &one, parcel(), 5, long - 1), Plan::Again);
    let fees = Fees { max_fee_wei: 20 * GWEI * 9 / 8, max_priority_wei: GWEI * 9 / 8 };
    assert_eq!(
        plan(SignReason::Stuck, &one, parcel(), 5, long),
        Plan::Sign { kind: AttemptKind::Payment, fees },
        "a step above the attempt before, though the market fell"
    );
}

#[test]
fn what_a_cap_does_not_allow_goes_again_as_it_is() {
    let high = signed(vec![attempt(0, AttemptKind::Payment, 290)]);
    assert_eq!(plan(SignReason::Stuck, &high, parcel(), 295, 1), Plan::Again);
    assert_eq!(plan(SignReason::Stuck, &high, parcel(), 900, 1), Plan::Again, "the network itself is above the cap");
    let dear = signed(vec![attempt(0, AttemptKind::Payment, 290), attempt(1, AttemptKind::Cancel, 327)]);
    assert_eq!(plan(SignReason::Stuck, &dear, wished(), 295, 1), Plan::Again, "a no-op ends a step above the cap");
}

#[test]
fn what_a_cap_keeps_from_offering_more_can_still_be_cancelled() {
    let high = signed(vec![attempt(0, AttemptKind::Payment, 300)]);
    let fees = Fees { max_fee_wei: 300 * GWEI * 9 / 8, max_priority_wei: GWEI * 9 / 8 };
    for (reason, base) in [(SignReason::Cancel, 1), (SignReason::Stuck, 295), (SignReason::Cancel, 900)] {
        let no_op = plan(reason, &high, wished(), base, 1);
        assert_eq!(no_op, Plan::Sign { kind: AttemptKind::Cancel, fees }, "{reason:?} at {base}");
    }
}

#[test]
fn what_is_to_be_cancelled_gets_its_no_op_where_no_node_tells_what_to_pay() {
    let (gate, network, one) = (Gate::new(4, 0), network(), signed(vec![attempt(0, AttemptKind::Payment, 20)]));
    let parcels = [(wished(), 1)];
    for reason in [SignReason::Cancel, SignReason::Stuck] {
        let (gate, signed, parcels, network) = (&gate, &one, parcels.as_slice(), &network);
        let unpriced = Case { reason, gate, signed, parcels, history: None, network, now: 1 };
        let fees = Fees { max_fee_wei: 20 * GWEI * 9 / 8, max_priority_wei: GWEI * 9 / 8 };
        assert_eq!(unpriced.plan(), Plan::Sign { kind: AttemptKind::Cancel, fees }, "a step above the payment");
    }
}

#[test]
fn what_was_signed_under_a_higher_cap_is_not_raised_and_can_be_cancelled() {
    let dear = signed(vec![attempt(0, AttemptKind::Payment, 400)]);
    assert_eq!(plan(SignReason::Stuck, &dear, parcel(), 100, u64::MAX / 2), Plan::Again);
    let fees = Fees { max_fee_wei: 450 * GWEI, max_priority_wei: GWEI * 9 / 8 };
    assert_eq!(plan(SignReason::Cancel, &dear, wished(), 100, 1), Plan::Sign { kind: AttemptKind::Cancel, fees });
}

#[test]
fn what_is_to_be_cancelled_gets_one_no_op_which_is_raised_like_a_payment() {
    let one = signed(vec![attempt(0, AttemptKind::Payment, 20)]);
    for reason in [SignReason::Cancel, SignReason::Stuck] {
        let cancels = plan(reason, &one, wished(), 5, 1);
        assert!(matches!(cancels, Plan::Sign { kind: AttemptKind::Cancel, .. }), "{reason:?}: {cancels:?}");
    }
    let both = signed(vec![attempt(0, AttemptKind::Payment, 20), attempt(1, AttemptKind::Cancel, 23)]);
    assert_eq!(plan(SignReason::Cancel, &both, wished(), 5, 1), Plan::Nothing, "it has its no-op");
    assert!(matches!(plan(SignReason::Stuck, &both, wished(), 100, 1), Plan::Sign { kind: AttemptKind::Cancel, .. }));
    assert_eq!(plan(SignReason::Cancel, &one, parcel(), 5, 1), Plan::Nothing, "nobody wants that any more");
}

#[test]
fn what_has_ended_or_is_in_a_block_gets_nothing() {
    let mut ended = signed(vec![attempt(0, AttemptKind::Payment, 1)]);
    ended.transaction.outcome = Some(Outcome::Displaced { height: 1, by: Vec::new() });
    let included = signed(vec![attempt(0, AttemptKind::Payment, 1)]);
    let behind = Gate::new(5, 0);
    for reason in [SignReason::Stuck, SignReason::Cancel] {
        assert_eq!(plan(reason, &ended, wished(), 100, 1), Plan::Nothing);
        assert_eq!(plan_at(&behind, reason, &included, wished(), 100, 1), Plan::Nothing);
    }
}

#[test]
fn nothing_is_signed_for_what_was_told_as_paid_or_while_people_look() {
    let mut reopened = signed(vec![attempt(0, AttemptKind::Payment, 1)]);
    reopened.transaction.reopened = 1;
    let one = signed(vec![attempt(0, AttemptKind::Payment, 1)]);
    let above = Gate { seen: 5, ..Gate::new(4, 0) }.halted("a branch", 9);
    let at = Gate { seen: 4, ..Gate::new(4, 0) }.halted("number 4 is refused", 4);
    for (reason, expected) in [(SignReason::Stuck, Plan::Again), (SignReason::Cancel, Plan::Nothing)] {
        let told = Parcel { state: ParcelState::Reopened, ..wished() };
        assert_eq!(plan_at(&above, reason, &reopened, told, 100, 1), expected);
        assert_eq!(plan_at(&above, reason, &one, wished(), 100, 1), expected);
    }
    assert_eq!(plan_at(&at, SignReason::Stuck, &one, wished(), 100, 1), Plan::Again);
    let no_op = plan_at(&at, SignReason::Cancel, &one, wished(), 100, 1);
    assert!(matches!(no_op, Plan::Sign { kind: AttemptKind::Cancel, .. }), "it is what halts the lane: {no_op:?}");
    let refused = signed(vec![attempt(0, AttemptKind::Payment, 20), attempt(1, AttemptKind::Cancel, 23)]);
    let another = plan_at(&at, SignReason::Cancel, &refused, wished(), 100, 1);
    assert!(matches!(another, Plan::Sign { kind: AttemptKind::Cancel, .. }), "its no-op is refused: {another:?}");
    let both = at.halted("number 2 was settled and its block left the chain", 6);
    assert_eq!(plan_at(&both, SignReason::Cancel, &one, wished(), 100, 1), Plan::Nothing, "people look at 2 as well");
}

#[test]
fn what_was_told_as_paid_is_raised_once_people_have_opened_its_lane_and_never_cancelled() {
    let mut both = signed(vec![attempt(0, AttemptKind::Payment, 20), attempt(1, AttemptKind::Cancel, 40)]);
    (both.transaction.reopened, both.transaction.send) = (1, Some(0));
    let told = |state| Parcel { state, ..wished() };
    let raised = plan(SignReason::Stuck, &both, told(ParcelState::Reopened), 100, 1);
    let fees = Fees { max_fee_wei: 201 * GWEI, max_priority_wei: GWEI * 9 / 8 };
    assert_eq!(raised, Plan::Sign { kind: AttemptKind::Payment, fees }, "above the no-op that nodes may have");
    assert_eq!(plan(SignReason::Stuck, &both, told(ParcelState::Reopened), 5, 1), Plan::Again, "it pays enough");
    let mut high = signed(vec![attempt(0, AttemptKind::Payment, 20), attempt(1, AttemptKind::Cancel, 240)]);
    (high.transaction.reopened, high.transaction.send) = (1, Some(0));
    let raised = plan(SignReason::Stuck, &high, told(ParcelState::Reopened), 100, 1);
    let fees = Fees { max_fee_wei: 270 * GWEI, max_priority_wei: GWEI * 9 / 8 };
    assert_eq!(raised, Plan::Sign { kind: AttemptKind::Payment, fees }, "what is sent pays too little, not the no-op");
    assert_eq!(plan(SignReason::Cancel, &both, told(ParcelState::Reopened), 100, 1), Plan::Nothing);
    for ended in [ParcelState::Failed, ParcelState::Cancelled, ParcelState::Confirmed] {
        assert_eq!(plan(SignReason::Stuck, &both, told(ended), 100, 1), Plan::Again, "{ended:?}");
    }
}

#[test]
fn without_a_word_on_fees_the_same_bytes_go_again() {
    let (gate, network, parcels) = (Gate { seen: 5, ..Gate::new(4, 0) }, network(), [(parcel(), 1)]);
    let signed = signed(vec![attempt(0, AttemptKind::Payment, 1)]);
    let (reason, now) = (SignReason::Stuck, u64::MAX / 2);
    let case = Case { reason, gate: &gate, signed: &signed, parcels: &parcels, history: None, network: &network, now };
    assert_eq!(case.plan(), Plan::Again);
}

#[test]
fn a_wish_opens_no_lane_that_halted_since_the_number_is_anothers() {
    let open = Gate { seen: 5, ..Gate::new(4, 0) };
    let (foreign, refused) = (open.halted(&displace::foreign(4), 4), open.halted("number 4 is refused: no", 4));
    for kinds in [vec![AttemptKind::Payment], vec![AttemptKind::Payment, AttemptKind::Cancel]] {
        let attempts = (0..).zip(kinds).map(|(index, kind)| attempt(index, kind, 20)).collect();
        let one = signed(attempts);
        assert_eq!(plan_at(&foreign, SignReason::Cancel, &one, wished(), 20, 1), Plan::Nothing);
        let plan = plan_at(&refused, SignReason::Cancel, &one, wished(), 20, 1);
        assert!(matches!(plan, Plan::Sign { kind: AttemptKind::Cancel, .. }), "{plan:?}");
    }
}
