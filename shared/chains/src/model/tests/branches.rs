use proptest::prelude::*;

use super::*;

fn turn(depth: u64, again: Vec<(Bytes, u64)>, orphans: Orphans) -> Reorg {
    Reorg { depth, blocks: depth, again, orphans }
}

#[test]
fn a_removed_transaction_waits_again_or_is_gone() {
    for (orphans, waits) in [(Orphans::Waiting, true), (Orphans::Forgotten, false)] {
        let chain = usual();
        let sealed = accepted(&chain, 1, &coin(0));
        let old = chain.mine();
        chain.mine();
        assert!(chain.reorg(&turn(2, vec![], orphans)).is_empty());
        assert_eq!(chain.height(), 2);
        assert_eq!(receipt(&chain, sealed.hash), None);
        assert_eq!(now(chain.knows(sealed.hash)).expect("up").value, waits);
        assert_eq!(next(&chain, 1, NumberAt::Latest), 0);
        assert_eq!(balance(&chain, address(9), None), U256::ZERO);
        let there = now(chain.block(BlockAt::Number(1))).expect("up").value.expect("there");
        assert_ne!(there.header.hash, old.hash);
        assert_eq!(there.header.parent, old.parent);
        let orphan = now(chain.block(BlockAt::Hash(old.hash))).expect("up").value.expect("still known by its hash");
        assert_eq!(orphan.transactions, [sealed.hash]);
        if !waits {
            assert_eq!(send(&chain, &sealed), BroadcastOutcome::Accepted);
        }
        chain.mine();
        assert_eq!(receipt(&chain, sealed.hash).expect("included again").block_number, 3);
    }
}

#[test]
fn a_moved_transaction_has_its_new_block() {
    let chain = usual();
    let first = accepted(&chain, 1, &coin(0));
    chain.mine();
    let second = accepted(&chain, 1, &coin(1));
    chain.mine();
    assert_eq!(chain.newest(2), [(first.raw.clone(), 0), (second.raw.clone(), 1)]);
    let again = vec![(first.raw.clone(), 1), (second.raw.clone(), 1)];
    assert!(chain.reorg(&turn(2, again, Orphans::Forgotten)).is_empty());
    for sealed in [&first, &second] {
        let found = receipt(&chain, sealed.hash).expect("included");
        assert_eq!(found.block_number, 2);
        assert_eq!(Some(found.block_hash), chain.header(2).map(|header| header.hash));
    }
    let places = &chain.inclusions(address(1))[&0];
    assert_eq!(places.iter().map(|place| place.canonical).collect::<Vec<_>>(), [false, true]);
    assert_eq!(places[1].receipt.block_number, 2);
}

#[test]
fn what_cannot_be_on_the_new_branch_is_named() {
    let chain = usual();
    let first = accepted(&chain, 1, &coin(0));
    let second = accepted(&chain, 1, &coin(1));
    chain.mine();
    let again = vec![(second.raw.clone(), 0), (first.raw.clone(), 0)];
    assert_eq!(chain.reorg(&turn(1, again, Orphans::Waiting)), [second.hash], "its number comes later");
    chain.mine();
    assert!(receipt(&chain, second.hash).is_some(), "it waited");
}

#[test]
fn the_other_attempt_can_win_on_the_other_branch() {
    let chain = usual();
    let first = accepted(&chain, 1, &coin(0));
    chain.mine();
    let bump = sign(1, &priced(0, 4 * GWEI, GWEI));
    assert!(chain.reorg(&turn(1, vec![(bump.raw.clone(), 0)], Orphans::Waiting)).is_empty());
    assert_eq!(receipt(&chain, first.hash), None);
    assert!(receipt(&chain, bump.hash).is_some());
    assert!(chain.pooled().is_empty(), "its number is taken");
    assert_eq!(send(&chain, &first), BroadcastOutcome::NumberTooLow);
}

#[test]
fn the_first_block_stays_and_a_branch_can_be_longer_or_shorter() {
    let chain = usual();
    let genesis = chain.header(0);
    chain.mine_empty(3);
    chain.reorg(&Reorg { depth: 99, blocks: 5, again: vec![], orphans: Orphans::Waiting });
    assert_eq!((chain.height(), chain.header(0)), (5, genesis));
    chain.reorg(&Reorg { depth: 2, blocks: 1, again: vec![], orphans: Orphans::Waiting });
    assert_eq!(chain.height(), 4);
}

#[test]
fn gifts_and_settings_outlive_a_branch() {
    let chain = usual();
    chain.mine();
    chain.credit(address(3), None, U256::from(7));
    chain.set_balance(address(4), U256::from(8));
    chain.reorg(&turn(1, vec![], Orphans::Waiting));
    assert_eq!(balance(&chain, address(3), None), U256::from(7));
    assert_eq!(balance(&chain, address(4), None), U256::from(8));
}

/// One step of a random history.
#[derive(Debug, Clone)]
enum Step {
    Send { account: u8, number: u64, tenths: u128 },
    Foreign { account: u8, number: u64 },
    Mine,
    Jump(u128),
    Drop(prop::sample::Index),
    Reorg { depth: u64, keep: Vec<bool>, wait: bool },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (1..3_u8, 0..6_u64, 10..30_u128)
            .prop_map(|(account, number, tenths)| Step::Send { account, number, tenths }),
        1 => (1..3_u8, 0..6_u64).prop_map(|(account, number)| Step::Foreign { account, number }),
        4 => Just(Step::Mine),
        1 => (1..3_u128).prop_map(Step::Jump),
        1 => any::<prop::sample::Index>().prop_map(Step::Drop),
        2 => (0..4_u64, prop::collection::vec(any::<bool>(), 8), any::<bool>())
            .prop_map(|(depth, keep, wait)| Step::Reorg { depth, keep, wait }),
    ]
}

fn take(chain: &ModelChain, step: Step) {
    match step {
        Step::Send { account, number, tenths } => {
            let fee = GWEI * tenths / 10;
            send(chain, &sign(account, &priced(number, fee, fee / 4)));
        }
        Step::Foreign { account, number } => {
            chain.foreign(address(account), number);
        }
        Step::Mine => drop(chain.mine()),
        Step::Jump(gwei) => chain.set_base_fee(gwei * GWEI),
        Step::Drop(index) => {
            let pooled = chain.pooled();
            if !pooled.is_empty() {
                assert!(chain.drop_from_pool(index.get(&pooled).hash));
            }
        }
        Step::Reorg { depth, keep, wait } => {
            let kept = chain.newest(depth).into_iter().zip(keep).filter(|(_, keep)| *keep).map(|(tx, _)| tx).collect();
            chain.reorg(&turn(depth, kept, if wait { Orphans::Waiting } else { Orphans::Forgotten }));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn no_history_breaks_the_chain(steps in prop::collection::vec(step(), 1..40)) {
        let chain = usual();
        let credited = U256::from(2 * 10_u128.pow(18));
        for step in steps {
            take(&chain, step);
            let held: U256 = chain.holders(None).values().copied().sum();
            prop_assert_eq!(held + chain.burnt(), credited);
            for height in 1..=chain.height() {
                let parent = chain.header(height - 1).expect("below the head").hash;
                prop_assert_eq!(chain.header(height).expect("there").parent, parent);
            }
            for account in [1, 2] {
                let used = next(&chain, account, NumberAt::Latest);
                let inclusions = chain.inclusions(address(account));
                let canonical = |number| {
                    inclusions.get(&number).map_or(0, |all| all.iter().filter(|one| one.canonical).count())
                };
                prop_assert!((0..used).all(|number| canonical(number) == 1));
                prop_assert!((used..10).all(|number| canonical(number) == 0));
                prop_assert!(chain.pooled().iter().all(|one| one.from != address(account) || one.number >= used));
            }
        }
    }

    /// The same history makes the same blocks: a failing run of the simulation can be run again.
    #[test]
    fn histories_repeat_exactly(steps in prop::collection::vec(step(), 1..20)) {
        let [one, other] = [usual(), usual()];
        for step in steps {
            take(&one, step.clone());
            take(&other, step);
            prop_assert_eq!(now(one.head()), now(other.head()));
            prop_assert_eq!(one.pooled(), other.pooled());
        }
    }
}
