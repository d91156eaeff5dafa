//! Estimates and replays: how many providers a conclusion takes.

use alloy_primitives::{Address, Bytes, U256};
use serde_json::{Value, json};

use super::node::{Answer, Node, healthy, nobody, pool, pool_of};
use crate::{
    pool::provider::FAILURES_MAX,
    port::{Call, Chain, ChainError, Estimate},
};

fn call() -> Call {
    Call {
        from: Address::repeat_byte(1),
        to: Address::repeat_byte(2),
        value: U256::from(3),
        data: Bytes::from_static(&[4]),
        gas: None,
        gas_max: None,
        gas_price_wei: None,
    }
}

async fn node(height: u64, answer: fn() -> Answer) -> Node {
    Node::start(move |method, _| if method == "eth_estimateGas" { answer() } else { healthy(method, height) }).await
}

fn gas() -> Answer {
    Answer::Result(json!("0x5208"))
}

fn revert() -> Answer {
    Answer::Error(3, "execution reverted", json!("0x"))
}

fn poor() -> Answer {
    Answer::Error(-32000, "insufficient funds for transfer", Value::Null)
}

fn reverted() -> Estimate {
    Estimate::Reverted { reason: "reverted without a reason".to_owned() }
}

#[tokio::test]
async fn gas_needs_one_word() {
    let (first, second) = (node(100, gas).await, node(100, gas).await);
    let (pool, _) = pool(&[&first, &second]);
    assert_eq!(pool.estimate(&call()).await.expect("answered").value, Estimate::Gas(21_000));
    let sent = json!({ "from": call().from, "to": call().to, "value": "0x3", "data": "0x04" });
    assert_eq!(first.calls("eth_estimateGas"), [json!([sent, "latest"])]);
    assert_eq!(second.count(), 0);
}

#[tokio::test]
async fn more_gas_than_a_transfer_may_take_needs_two_words_and_the_lower_one_counts() {
    let limited = |most| Call { gas_max: Some(most), ..call() };
    let much = || Answer::Result(json!("0x1c9c380"));
    let (first, second) = (node(101, much).await, node(100, gas).await);
    let (pool, _) = pool(&[&first, &second]);
    assert_eq!(pool.estimate(&limited(30_000_000)).await.expect("answered").value, Estimate::Gas(30_000_000));
    assert_eq!(second.calls("eth_estimateGas").len(), 0, "within what it may take");
    let reply = pool.estimate(&limited(29_999_999)).await.expect("answered");
    assert_eq!((reply.provider.as_str(), reply.value), ("local-2", Estimate::Gas(21_000)));
    assert_eq!(pool.estimate(&limited(20_000)).await.expect("answered").value, Estimate::Gas(21_000));
}

#[tokio::test]
async fn a_refusal_needs_two_or_there_is_only_one() {
    for (answer, estimate) in [(revert as fn() -> Answer, reverted()), (poor, Estimate::InsufficientFunds)] {
        let (first, second) = (node(100, answer).await, node(100, answer).await);
        let (both, _) = pool(&[&first, &second]);
        assert_eq!(both.estimate(&call()).await.expect("answered").value, estimate);
        assert_eq!(second.calls("eth_estimateGas").len(), 1);
        let (alone, _) = pool(&[&first]);
        assert_eq!(alone.estimate(&call()).await.expect("answered").value, estimate);
    }
}

#[tokio::test]
async fn where_two_differ_the_higher_head_wins_and_gas_when_level() {
    for (heights, provider, estimate) in [
        ((100, 101), "local-2", Estimate::Gas(21_000)),
        ((101, 100), "local-1", reverted()),
        ((100, 100), "local-2", Estimate::Gas(21_000)),
    ] {
        let (first, second) = (node(heights.0, revert).await, node(heights.1, gas).await);
        let (pool, _) = pool(&[&first, &second]);
        let reply = pool.estimate(&call()).await.expect("answered");
        assert_eq!((reply.provider.as_str(), reply.value), (provider, estimate), "{heights:?}");
    }
    let (first, second) = (node(100, revert).await, node(100, poor).await);
    let (pool, _) = pool(&[&first, &second]);
    assert_eq!(pool.estimate(&call()).await.expect("answered").value, reverted(), "two refusals: the first one's");
}

#[tokio::test]
async fn a_silent_second_is_waited_for_until_it_is_out_of_service() {
    let first = node(100, revert).await;
    let (pool, _) = pool_of(&[&first.url, &nobody().await]);
    for _ in 0..FAILURES_MAX {
        let error = pool.estimate(&call()).await.expect_err("the second may know better");
        assert!(matches!(error, ChainError::Unavailable { .. }), "{error:?}");
    }
    assert_eq!(pool.estimate(&call()).await.expect("answered").value, reverted());
}

#[tokio::test]
async fn the_nodes_own_trouble_is_no_estimate() {
    let broken = node(100, || Answer::Error(-32000, "missing trie node 0xabcd", Value::Null)).await;
    let (alone, _) = pool(&[&broken]);
    assert!(matches!(alone.estimate(&call()).await, Err(ChainError::Unavailable { .. })));
    let good = node(100, gas).await;
    let (both, _) = pool(&[&broken, &good]);
    assert_eq!(both.estimate(&call()).await.expect("answered").provider, "local-2");
}

#[tokio::test]
async fn what_a_contract_says_of_limits_is_no_limit_of_the_provider_s() {
    let nodes_words = [
        (3, "execution reverted: Rate limit exceeded"),
        (3, "Rate limit exceeded"),
        (-32603, "VM Exception while processing transaction: reverted with reason string 'too many requests'"),
    ];
    for (code, words) in nodes_words {
        let node = Node::start(move |method, _| match method {
            "eth_estimateGas" | "eth_call" => Answer::Error(code, words, Value::Null),
            _ => healthy(method, 100),
        })
        .await;
        let (pool, _) = pool(&[&node]);
        let said = pool.estimate(&call()).await.expect("answered").value;
        assert!(matches!(said, Estimate::Reverted { .. }), "{said:?}");
        assert!(pool.head().await.is_ok(), "the provider is in service");
        let replayed = Call { gas: Some(50_000), gas_price_wei: Some(7), ..call() };
        assert!(pool.revert_reason(&replayed, 0x50).await.expect("answered").value.is_some());
    }
    let limits = node(100, || Answer::Error(-32005, "rate limit exceeded", Value::Null)).await;
    let (pool, _) = pool(&[&limits]);
    assert!(pool.estimate(&call()).await.is_err(), "this one is the provider's");
}

#[tokio::test]
async fn a_replay_looks_at_the_block_and_then_before_it() {
    let replaying = |reverts_at: &'static str| {
        Node::start(move |method, params| match method {
            "eth_call" if params[1] == json!(reverts_at) => {
                Answer::Error(-32000, "execution reverted: paused", Value::Null)
            }
            "eth_call" => Answer::Result(json!("0x")),
            _ => healthy(method, 100),
        })
    };
    let replayed = Call { gas: Some(50_000), gas_price_wei: Some(7), ..call() };
    for (reverts_at, calls) in [("0x50", 1), ("0x4f", 2)] {
        let node = replaying(reverts_at).await;
        let (pool, _) = pool(&[&node]);
        let reason = pool.revert_reason(&replayed, 0x50).await.expect("answered").value;
        assert_eq!(reason.as_deref(), Some("paused"));
        assert_eq!(node.calls("eth_call").len(), calls);
        assert_eq!(node.calls("eth_call")[0][0]["gas"], json!("0xc350"));
        assert_eq!(node.calls("eth_call")[0][0]["gasPrice"], json!("0x7"));
    }
    let never = replaying("0x1").await;
    let (pool, _) = pool(&[&never]);
    assert_eq!(pool.revert_reason(&replayed, 0x50).await.expect("answered").value, None);
}
