use super::*;

fn two(rotate: bool) -> ModelChain {
    network(ModelConfig { providers: 2, rotate, ..ModelConfig::default() })
}

fn lagging(lag: u64) -> Provider {
    Provider { lag, ..Provider::default() }
}

#[test]
fn a_lagging_provider_answers_of_the_past() {
    let chain = two(false);
    let sealed = accepted(&chain, 1, &coin(0));
    let header = chain.mine();
    chain.set_provider(1, lagging(1));
    let late = chain.through(1);
    let head = now(late.head()).expect("up");
    assert_eq!((head.value.number, head.height, head.provider.as_str()), (0, Some(0), "1"));
    assert_eq!(receipt(&late, sealed.hash), None);
    assert!(now(late.knows(sealed.hash)).expect("up").value, "it waits there still");
    assert_eq!((next(&late, 1, NumberAt::Latest), next(&late, 1, NumberAt::Pending)), (0, 1));
    assert_eq!(now(late.block(BlockAt::Hash(header.hash))).expect("up").value, None);
    assert_eq!(now(late.block(BlockAt::Number(1))).expect("up").value, None);
    assert_eq!(now(late.receipts(header.hash, &[sealed.hash])).expect("up").value, None);
    assert_eq!(balance(&late, address(9), None), U256::ZERO);
    assert_eq!(now(late.finalized()).expect("up").value, Some(0));
    assert_eq!(send(&late, &sealed), BroadcastOutcome::AlreadyKnown);
    assert_eq!(send(&chain, &sealed), BroadcastOutcome::NumberTooLow);
    chain.mine();
    assert!(receipt(&late, sealed.hash).is_some());
}

#[test]
fn a_stuck_provider_stays_on_its_branch() {
    let chain = two(false);
    let sealed = accepted(&chain, 1, &coin(0));
    let old = chain.mine();
    chain.set_provider(1, Provider { stuck_at: Some(old.hash), ..Provider::default() });
    let stuck = chain.through(1);
    chain.reorg(&Reorg { depth: 1, blocks: 2, again: vec![], orphans: Orphans::Forgotten });
    assert_eq!(now(stuck.head()).expect("up").value, old);
    assert_eq!(receipt(&stuck, sealed.hash).expect("on its branch").block_hash, old.hash);
    assert_eq!(receipt(&chain.through(0), sealed.hash), None);
    assert_eq!(next(&stuck, 1, NumberAt::Latest), 1);
    assert_eq!(send(&stuck, &sealed), BroadcastOutcome::NumberTooLow);
    let below = now(stuck.block(BlockAt::Number(0))).expect("up").value.expect("common");
    assert_eq!(below.header.hash, old.parent);
    assert_eq!(now(stuck.block(BlockAt::Number(1))).expect("up").value.map(|block| block.header), Some(old));
}

#[test]
fn a_provider_misses_what_never_reached_it() {
    let chain = two(false);
    let first = accepted(&chain, 1, &coin(0));
    let second = accepted(&chain, 1, &coin(1));
    let misses = [first.hash].into();
    chain.set_provider(1, Provider { misses, ..Provider::default() });
    let other = chain.through(1);
    assert!(!now(other.knows(first.hash)).expect("up").value);
    assert!(now(other.knows(second.hash)).expect("up").value);
    assert_eq!(next(&other, 1, NumberAt::Pending), 0);
    chain.set_provider(1, Provider { blind: true, ..Provider::default() });
    assert!(!now(other.knows(second.hash)).expect("up").value);
    // It takes a cheaper one; the others, who know better, do not.
    let cheaper = sign(1, &priced(0, GWEI, GWEI / 10));
    assert_eq!(send(&other, &cheaper), BroadcastOutcome::Accepted);
    assert!(!now(chain.knows(cheaper.hash)).expect("up").value);
    chain.mine();
    assert!(receipt(&other, first.hash).is_some(), "blocks reach it");
}

#[test]
fn receipts_come_late_and_never_in_part() {
    let chain = two(false);
    let sealed: Vec<_> = (0..3).map(|number| accepted(&chain, 1, &coin(number))).collect();
    let all: Vec<_> = sealed.iter().map(|sealed| sealed.hash).collect();
    let header = chain.mine();
    let other = chain.through(1);
    let found = |receipts| {
        chain.set_provider(1, Provider { receipts, ..Provider::default() });
        let single: Vec<_> = sealed.iter().map(|sealed| receipt(&other, sealed.hash).is_some()).collect();
        (now(other.receipts(header.hash, &all)).expect("up").value.map(|all| all.len()), single)
    };
    assert_eq!(found(Receipts::All), (Some(3), vec![true, true, true]));
    assert_eq!(found(Receipts::Late), (None, vec![false, false, false]));
    assert_eq!(found(Receipts::First(1)), (None, vec![true, false, false]));
    assert_eq!(found(Receipts::First(0)), (None, vec![false, false, false]));
}

#[test]
fn the_next_provider_answers_when_one_is_down() {
    let chain = two(false);
    let down = Provider { down: true, ..Provider::default() };
    let limits = Provider { limits: true, ..Provider::default() };
    let who = || now(chain.head()).map(|reply| reply.provider);
    assert_eq!(who(), Ok("0".to_owned()));
    chain.set_provider(0, down.clone());
    assert_eq!(who(), Ok("1".to_owned()));
    assert_eq!(now(chain.broadcast(&sign(1, &coin(0)).raw)).provider, "1");
    chain.set_provider(1, limits.clone());
    assert!(matches!(who(), Err(ChainError::Limited { .. })));
    assert_eq!(send(&chain, &sign(1, &coin(1))), BroadcastOutcome::Busy { after_ms: None });
    chain.set_provider(1, down);
    assert!(matches!(who(), Err(ChainError::Unavailable { .. })));
    assert!(matches!(send(&chain, &sign(1, &coin(1))), BroadcastOutcome::Unknown { .. }));
    assert_eq!(chain.pooled().len(), 1);
}

#[test]
fn what_a_provider_loses_is_nowhere() {
    let chain = two(false);
    chain.set_provider(0, Provider { loses: true, ..Provider::default() });
    let sealed = accepted(&chain, 1, &coin(0));
    assert!(!now(chain.knows(sealed.hash)).expect("up").value);
    assert_eq!(send(&chain, &sealed), BroadcastOutcome::Accepted);
    chain.mine();
    assert_eq!(receipt(&chain, sealed.hash), None);
    assert_eq!(send(&chain.through(1), &sealed), BroadcastOutcome::Accepted);
    chain.mine();
    assert!(receipt(&chain, sealed.hash).is_some());
}

#[test]
fn a_provider_that_cannot_judge_is_passed_over() {
    let chain = two(false);
    let old = chain.mine();
    for _ in 0..600 {
        chain.mine();
    }
    chain.set_provider(0, Provider { stuck_at: Some(old.hash), ..Provider::default() });
    assert!(matches!(now(chain.through(0).balance(address(1), None)), Err(ChainError::Unavailable { .. })));
    let broadcast = now(chain.broadcast(&sign(1, &coin(0)).raw));
    assert_eq!((broadcast.outcome, broadcast.provider.as_str()), (BroadcastOutcome::Accepted, "1"));
}

#[test]
fn providers_take_turns_where_asked_to() {
    let chain = two(true);
    let asked: Vec<_> = (0..4).map(|_| now(chain.head()).expect("up").provider).collect();
    assert_eq!(asked, ["0", "1", "0", "1"]);
}

#[test]
fn bad_news_of_a_call_needs_a_second_provider() {
    let chain = two(false);
    let call = |from| Call {
        from: address(from),
        to: address(9),
        value: U256::from(10),
        data: Bytes::new(),
        gas: None,
        gas_max: None,
        gas_price_wei: None,
    };
    let estimate = |from| now(chain.estimate(&call(from))).expect("up");
    chain.set_provider(0, lagging(1));
    accepted(&chain, 1, &Payment { to: address(5), value: U256::from(GWEI), ..coin(0) });
    chain.mine();
    let good = estimate(5);
    assert_eq!((good.value, good.provider.as_str()), (Estimate::Gas(21_000), "1"));
    assert_eq!(estimate(6).value, Estimate::InsufficientFunds);
    chain.set_provider(1, Provider { down: true, ..Provider::default() });
    assert_eq!(estimate(5).value, Estimate::InsufficientFunds, "nobody else to ask");
}

#[test]
fn each_provider_testifies_as_it_sees_things() {
    let chain = network(ModelConfig { providers: 4, ..ModelConfig::default() });
    let sealed = accepted(&chain, 1, &coin(0));
    let old = chain.mine();
    chain.mine();
    chain.set_provider(1, Provider { stuck_at: Some(old.hash), ..Provider::default() });
    chain.reorg(&Reorg { depth: 2, blocks: 3, again: vec![], orphans: Orphans::Waiting });
    chain.set_provider(2, Provider { blind: true, ..Provider::default() });
    chain.set_provider(3, lagging(3));
    let given = |height| {
        let said = now(chain.testify(height, Some(address(1)), &[sealed.hash]));
        let row = |reply: Reply<Testimony>| {
            (reply.provider, reply.value.header.hash == old.hash, reply.value.number_at, reply.value.known.len())
        };
        said.into_iter().map(row).collect::<Vec<_>>()
    };
    let named = |name: &str, old, number, known| (name.to_owned(), old, Some(number), known);
    let expected = [named("0", false, 0, 1), named("1", true, 1, 1), named("2", false, 0, 0)];
    assert_eq!(given(1), expected, "provider 3 has no such block");

    chain.set_provider(0, Provider { down: true, ..Provider::default() });
    chain.set_provider(1, Provider { limits: true, ..Provider::default() });
    assert_eq!(given(1), expected[2..]);
    assert_eq!(now(chain.through(2).testify(1, None, &[])).len(), 1);
    assert_eq!(now(chain.through(1).testify(1, None, &[])).len(), 0);
}

#[test]
fn a_testimony_is_lost_as_a_whole() {
    let chain = two(false);
    chain.set_faults(Arc::new(Fates("testify", Mutex::new(vec![Fault::LoseReply]))));
    let who: Vec<_> = now(chain.testify(0, None, &[])).into_iter().map(|reply| reply.provider).collect();
    assert_eq!(who, ["1"]);
}
