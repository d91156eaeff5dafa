use super::*;

#[test]
fn gaps_wait_until_they_are_filled() {
    let chain = usual();
    accepted(&chain, 1, &coin(2));
    accepted(&chain, 1, &coin(1));
    assert_eq!(next(&chain, 1, NumberAt::Pending), 0);
    chain.mine();
    assert_eq!(chain.pooled().len(), 2);
    accepted(&chain, 1, &coin(0));
    assert_eq!(next(&chain, 1, NumberAt::Pending), 3);
    chain.mine();
    assert_eq!((next(&chain, 1, NumberAt::Latest), chain.pooled().len()), (3, 0));
}

#[test]
fn some_nodes_refuse_gaps() {
    let chain = network(ModelConfig { gaps: Gaps::Refused, ..ModelConfig::default() });
    assert_eq!(send(&chain, &sign(1, &coin(1))), BroadcastOutcome::NumberTooHigh);
    accepted(&chain, 1, &coin(0));
    accepted(&chain, 1, &coin(1));
}

#[test]
fn replacements_pay_a_tenth_more_on_both_fees() {
    let chain = usual();
    let old = accepted(&chain, 1, &priced(0, 10 * GWEI, 2 * GWEI));
    for (max_fee, tip) in [
        (10 * GWEI, 2 * GWEI),
        (11 * GWEI, 2 * GWEI),
        (10 * GWEI, 3 * GWEI),
        (11 * GWEI - 1, 3 * GWEI),
        (20 * GWEI, 22 * GWEI / 10 - 1),
    ] {
        let outcome = send(&chain, &sign(1, &Payment { value: U256::from(11), ..priced(0, max_fee, tip) }));
        assert_eq!(outcome, BroadcastOutcome::ReplacementUnderpriced, "{max_fee} {tip}");
    }
    let new = accepted(&chain, 1, &priced(0, 11 * GWEI, 22 * GWEI / 10));
    assert!(!now(chain.knows(old.hash)).expect("up").value);
    assert_eq!(send(&chain, &old), BroadcastOutcome::ReplacementUnderpriced);
    chain.mine();
    assert!(receipt(&chain, new.hash).is_some());
    assert_eq!(chain.inclusions(address(1))[&0].len(), 1);
}

#[test]
fn what_is_cheaper_than_nodes_ask_for_is_underpriced() {
    let chain = network(ModelConfig { min_tip_wei: 5, ..ModelConfig::default() });
    assert_eq!(send(&chain, &sign(1, &priced(0, GWEI, 4))), BroadcastOutcome::Underpriced);
    accepted(&chain, 1, &priced(0, GWEI, 5));
}

#[test]
fn value_and_gas_must_be_there_for_all_that_waits() {
    let chain = usual();
    assert_eq!(send(&chain, &sign(3, &coin(0))), BroadcastOutcome::InsufficientFunds);
    let cost = U256::from(21_000) * U256::from(2 * GWEI) + U256::from(10);
    chain.set_balance(address(1), cost + cost - U256::from(1));
    accepted(&chain, 1, &coin(0));
    assert_eq!(send(&chain, &sign(1, &coin(1))), BroadcastOutcome::InsufficientFunds);
    chain.credit(address(1), None, U256::from(1));
    accepted(&chain, 1, &coin(1));
    // A replacement counts once.
    chain.set_balance(address(2), U256::from(3) * cost);
    accepted(&chain, 2, &coin(0));
    accepted(&chain, 2, &Payment { value: cost, ..priced(0, 4 * GWEI, GWEI) });
    assert_eq!(send(&chain, &sign(2, &coin(1))), BroadcastOutcome::InsufficientFunds);
}

#[test]
fn what_no_node_takes_is_refused() {
    let chain = usual();
    let mut high = coin(0);
    high.gas_limit = 30_000_001;
    let mut low = coin(0);
    low.gas_limit = 20_999;
    let mut input = coin(0);
    input.data = Bytes::from_static(&[1; 100]);
    let mut elsewhere = coin(0);
    elsewhere.chain_id = 1;
    for payment in [high, low, input, elsewhere, priced(0, GWEI, GWEI + 1)] {
        let outcome = send(&chain, &sign(1, &payment));
        assert!(matches!(outcome, BroadcastOutcome::Refused { .. }), "{payment:?}: {outcome:?}");
    }
    let sealed = sign(1, &coin(0));
    for raw in [Bytes::new(), Bytes::from_static(b"no transaction"), sealed.raw.slice(..sealed.raw.len() - 1)] {
        let outcome = now(chain.broadcast(&raw)).outcome;
        assert!(matches!(outcome, BroadcastOutcome::Refused { .. }), "{outcome:?}");
    }
    assert!(chain.pooled().is_empty());
}

#[test]
fn a_full_pool_is_busy_and_takes_replacements_still() {
    let limits = ModelConfig { account_max: 2, pool_max: 3, ..ModelConfig::default() };
    let chain = network(limits);
    accepted(&chain, 1, &coin(0));
    accepted(&chain, 1, &coin(1));
    assert_eq!(send(&chain, &sign(1, &coin(2))), BroadcastOutcome::Busy { after_ms: None });
    accepted(&chain, 2, &coin(0));
    assert_eq!(send(&chain, &sign(2, &coin(1))), BroadcastOutcome::Busy { after_ms: None });
    accepted(&chain, 2, &priced(0, 4 * GWEI, GWEI));
}

#[test]
fn too_many_behind_a_gap_vanish_without_a_word() {
    let chain = network(ModelConfig { queued_max: 2, ..ModelConfig::default() });
    let gapped: Vec<_> = (1..=4).map(|number| accepted(&chain, 1, &coin(number))).collect();
    let known: Vec<_> = gapped.iter().map(|sealed| now(chain.knows(sealed.hash)).expect("up").value).collect();
    assert_eq!(known, [true, true, false, false]);
    accepted(&chain, 1, &coin(0));
    chain.mine();
    assert_eq!(next(&chain, 1, NumberAt::Latest), 3);
}

#[test]
fn a_dropped_transaction_is_forgotten_and_taken_again() {
    let chain = usual();
    let sealed = accepted(&chain, 1, &coin(0));
    assert!(chain.drop_from_pool(sealed.hash));
    assert!(!chain.drop_from_pool(sealed.hash));
    assert!(!now(chain.knows(sealed.hash)).expect("up").value);
    assert_eq!(next(&chain, 1, NumberAt::Pending), 0);
    assert_eq!(send(&chain, &sealed), BroadcastOutcome::Accepted);
}
