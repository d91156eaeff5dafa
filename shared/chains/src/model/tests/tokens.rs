use super::*;
use crate::token::{moved_at_all, transferred};

const TOKEN: Address = Address::repeat_byte(0x70);

fn with_token(kind: TokenKind) -> ModelChain {
    let chain = usual();
    chain.add_token(TOKEN, kind);
    chain.credit(address(1), Some(TOKEN), U256::from(1_000));
    chain
}

fn units(number: u64, units: u64) -> Payment {
    let data = transfer_input(address(9), U256::from(units));
    Payment { to: TOKEN, value: U256::ZERO, data, gas_limit: 100_000, ..coin(number) }
}

fn call(payment: &Payment, gas_price_wei: Option<u128>) -> Call {
    let (to, value, data) = (payment.to, payment.value, payment.data.clone());
    Call { from: address(1), to, value, data, gas: Some(payment.gas_limit), gas_max: None, gas_price_wei }
}

fn estimate(chain: &ModelChain, payment: &Payment, gas_price_wei: Option<u128>) -> Estimate {
    now(chain.estimate(&call(payment, gas_price_wei))).expect("up").value
}

#[test]
fn units_move_and_are_logged_and_the_estimate_suffices() {
    for kind in [TokenKind::Standard, TokenKind::NoReturn] {
        let chain = with_token(kind);
        for (number, held) in [(0, 300), (1, 600)] {
            let Estimate::Gas(gas) = estimate(&chain, &units(number, 300), None) else { panic!("it would work") };
            let exact = Payment { gas_limit: gas, ..units(number, 300) };
            let sealed = accepted(&chain, 1, &exact);
            chain.mine();
            let found = receipt(&chain, sealed.hash).expect("included");
            assert_eq!((found.success, found.gas_used), (true, gas));
            assert_eq!(transferred(&found.logs, TOKEN, address(1), address(9)), U256::from(300));
            assert_eq!(balance(&chain, address(9), Some(TOKEN)), U256::from(held));
        }
        let held: U256 = chain.holders(Some(TOKEN)).values().copied().sum();
        assert_eq!(held, U256::from(1_000), "{kind:?}");
    }
}

#[test]
fn a_false_token_succeeds_and_moves_nothing() {
    let chain = with_token(TokenKind::False);
    assert!(matches!(estimate(&chain, &units(0, 300), None), Estimate::Gas(_)));
    let sealed = accepted(&chain, 1, &units(0, 300));
    chain.mine();
    let found = receipt(&chain, sealed.hash).expect("included");
    assert!(found.success && !moved_at_all(&found.logs, TOKEN, address(1)));
    assert_eq!(balance(&chain, address(9), Some(TOKEN)), U256::ZERO);
}

#[test]
fn what_a_token_keeps_for_itself_is_logged_beside_what_arrives() {
    let chain = with_token(TokenKind::Fee(3));
    let sealed = accepted(&chain, 1, &units(0, 300));
    chain.mine();
    let found = receipt(&chain, sealed.hash).expect("included");
    assert!(found.success && found.logs.len() == 2);
    assert_eq!(transferred(&found.logs, TOKEN, address(1), address(9)), U256::from(291));
    assert_eq!(transferred(&found.logs, TOKEN, address(1), TOKEN), U256::from(9));
    let held = [address(1), address(9), TOKEN].map(|holder| balance(&chain, holder, Some(TOKEN)));
    assert_eq!(held, [700, 291, 9].map(U256::from));
}

#[test]
fn too_few_units_revert_in_the_estimate_and_in_the_block() {
    let chain = with_token(TokenKind::Standard);
    let Estimate::Reverted { reason } = estimate(&chain, &units(0, 1_001), None) else { panic!("too much") };
    assert!(reason.starts_with("ERC20InsufficientBalance(") && reason.contains("needed: 1001"), "{reason}");
    let sealed = accepted(&chain, 1, &units(0, 1_001));
    let before = balance(&chain, address(1), None);
    chain.mine();
    let found = receipt(&chain, sealed.hash).expect("included");
    assert!(!found.success && found.logs.is_empty());
    let fee = U256::from(found.gas_used) * U256::from(found.effective_gas_price_wei);
    assert_eq!(balance(&chain, address(1), None), before - fee, "gas is paid all the same");
    let asked = call(&units(0, 1_001), Some(found.effective_gas_price_wei));
    assert_eq!(now(chain.revert_reason(&asked, 1)).expect("up").value, Some(reason));
}

#[test]
fn the_list_holds_for_senders_and_recipients_and_lenience_only_without_a_price() {
    let chain = with_token(TokenKind::Standard);
    for listed in [1, 9] {
        chain.set_blacklisted(TOKEN, address(listed), true);
        chain.set_lenient(TOKEN, false);
        let refused = estimate(&chain, &units(0, 1), None);
        let reason = format!("Blacklisted(account: {})", address(listed));
        assert_eq!(refused, Estimate::Reverted { reason });
        chain.set_lenient(TOKEN, true);
        assert!(matches!(estimate(&chain, &units(0, 1), None), Estimate::Gas(_)));
        assert!(matches!(estimate(&chain, &units(0, 1), Some(1)), Estimate::Reverted { .. }));
        chain.set_blacklisted(TOKEN, address(listed), false);
    }
    chain.set_blacklisted(TOKEN, address(9), true);
    let sealed = accepted(&chain, 1, &units(0, 1));
    chain.mine();
    assert!(!receipt(&chain, sealed.hash).expect("included").success);
    assert_eq!(now(chain.revert_reason(&call(&units(0, 1), None), 1)).expect("up").value, None, "it asked for free");
}

#[test]
fn too_little_gas_fails_and_takes_all_of_it() {
    let chain = with_token(TokenKind::Standard);
    let tight = Payment { gas_limit: 30_000, ..units(0, 1) };
    let sealed = accepted(&chain, 1, &tight);
    chain.mine();
    let found = receipt(&chain, sealed.hash).expect("included");
    assert_eq!((found.success, found.gas_used), (false, 30_000));
    let replayed = now(chain.revert_reason(&call(&tight, Some(2 * GWEI)), 1)).expect("up").value;
    assert_eq!(replayed, Some("out of gas".to_owned()));
}

#[test]
fn other_calls_of_a_token_and_coins_sent_to_it_revert() {
    let chain = with_token(TokenKind::Standard);
    let unknown = Payment { data: Bytes::from_static(&[1, 2, 3, 4]), ..units(0, 1) };
    let coins = Payment { value: U256::from(1), ..units(0, 1) };
    for payment in [unknown, coins] {
        assert!(matches!(estimate(&chain, &payment, None), Estimate::Reverted { .. }), "{payment:?}");
    }
}

#[test]
fn a_call_without_the_coins_for_it_is_told_apart_from_a_revert() {
    let chain = usual();
    let rich = Payment { value: U256::from(10_u128.pow(18)), ..coin(0) };
    assert!(matches!(estimate(&chain, &rich, None), Estimate::Gas(21_000)));
    assert_eq!(estimate(&chain, &rich, Some(GWEI)), Estimate::InsufficientFunds);
    let richer = Payment { value: rich.value + U256::from(1), ..rich };
    assert_eq!(estimate(&chain, &richer, None), Estimate::InsufficientFunds);
}

#[test]
fn an_address_can_be_made_to_revert() {
    let chain = usual();
    let data = alloy::sol_types::SolError::abi_encode(&alloy::sol_types::Revert { reason: "closed".to_owned() });
    chain.make_revert(address(9), data.into());
    assert_eq!(estimate(&chain, &coin(0), None), Estimate::Reverted { reason: "closed".to_owned() });
    let sealed = accepted(&chain, 1, &Payment { gas_limit: 50_000, ..coin(0) });
    chain.mine();
    assert!(!receipt(&chain, sealed.hash).expect("included").success);
    assert_eq!(balance(&chain, address(9), None), U256::ZERO);
}
