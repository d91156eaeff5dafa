//! Blocks, receipts and fees: what is believed of an answer.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use alloy_primitives::{Address, B256, U256};
use serde_json::{Value, json};

use super::node::{Answer, NOW_MS, Node, block, hash, healthy, pool, receipt};
use crate::port::{BlockAt, Chain, ChainError, Form, Receipt, Reply};

const ONE: B256 = B256::repeat_byte(1);
const TWO: B256 = B256::repeat_byte(2);

/// A node whose block 100 holds two transactions, with these receipts.
async fn node(receipts: impl Fn() -> Answer + Send + Sync + 'static) -> Node {
    Node::start(move |method, params| match method {
        "eth_getBlockByHash" if params[0] == json!(hash(100)) => Answer::Result(block(100, NOW_MS / 1000, &[ONE, TWO])),
        "eth_getBlockByHash" => Answer::Result(Value::Null),
        "eth_getBlockReceipts" => receipts(),
        "eth_getTransactionReceipt" => Answer::Result(Value::Null),
        _ => healthy(method, 100),
    })
    .await
}

fn hashes(reply: Reply<Option<Vec<Receipt>>>) -> Option<Vec<B256>> {
    reply.value.map(|receipts| receipts.iter().map(|receipt| receipt.hash).collect())
}

#[tokio::test]
async fn receipts_come_in_the_order_asked_for_and_only_those() {
    let node = node(|| Answer::Result(json!([receipt(TWO, hash(100)), receipt(ONE, hash(100))]))).await;
    let (pool, _) = pool(&[&node]);
    assert_eq!(hashes(pool.receipts(hash(100), &[ONE, TWO]).await.expect("answered")), Some(vec![ONE, TWO]));
    assert_eq!(hashes(pool.receipts(hash(100), &[TWO]).await.expect("answered")), Some(vec![TWO]));
    assert_eq!(node.calls("eth_getTransactionReceipt").len(), 0, "one call for a block");
    assert_eq!(hashes(pool.receipts(hash(100), &[]).await.expect("answered")), Some(vec![]));
    assert_eq!(node.calls("eth_getBlockReceipts").len(), 2, "none for nothing");
}

#[tokio::test]
async fn missing_or_foreign_receipts_are_no_answer() {
    let partial = || json!([receipt(ONE, hash(100))]);
    let branch = || json!([receipt(ONE, hash(100)), receipt(TWO, hash(99))]);
    let twice = || json!([receipt(ONE, hash(100)), receipt(ONE, hash(100))]);
    let none = || Value::Null;
    for receipts in [partial, branch, twice, none] {
        let lacking = node(move || Answer::Result(receipts())).await;
        let (alone, _) = pool(&[&lacking]);
        assert_eq!(hashes(alone.receipts(hash(100), &[ONE, TWO]).await.expect("answered")), None);
        let whole = node(|| Answer::Result(json!([receipt(ONE, hash(100)), receipt(TWO, hash(100))]))).await;
        let (both, _) = pool(&[&lacking, &whole]);
        let reply = both.receipts(hash(100), &[ONE, TWO]).await.expect("answered");
        assert_eq!((reply.provider.as_str(), hashes(reply.clone())), ("local-2", Some(vec![ONE, TWO])));
    }
}

#[tokio::test]
async fn what_strangers_do_to_a_blocks_receipts_hides_none_of_ours() {
    let unreadable = || Answer::Result(json!([receipt(ONE, hash(100)), { "transactionHash": TWO }]));
    let without_ours = || Answer::Result(json!([receipt(TWO, hash(100))]));
    let refused = || Answer::Error(-32008, "Response is too big", Value::Null);
    let too_large = || Answer::Result(json!("x".repeat(33 << 20)));
    let all: [fn() -> Answer; 4] = [unreadable, without_ours, refused, too_large];
    for at_once in all {
        let node = Node::start(move |method, params| match method {
            "eth_getBlockReceipts" => at_once(),
            "eth_getTransactionReceipt" if params[0] == json!(ONE) => Answer::Result(receipt(ONE, hash(100))),
            "eth_getTransactionReceipt" => Answer::Result(Value::Null),
            _ => healthy(method, 100),
        })
        .await;
        let (pool, _) = pool(&[&node]);
        for _ in 0..2 * crate::pool::provider::FAILURES_MAX {
            let reply = pool.receipts(hash(100), &[ONE]).await.expect("answered");
            assert_eq!(hashes(reply), Some(vec![ONE]), "and the provider stays in service");
        }
        assert_eq!(hashes(pool.receipts(hash(99), &[ONE]).await.expect("answered")), None, "of another block");
    }
}

#[tokio::test]
async fn without_a_call_for_a_block_receipts_are_asked_for_one_by_one() {
    let ready = Arc::new(AtomicBool::new(false));
    let is_ready = ready.clone();
    let node = Node::start(move |method, params| match method {
        "eth_getTransactionReceipt" if params[0] == json!(ONE) || is_ready.load(Ordering::Relaxed) => {
            Answer::Result(receipt(params[0].as_str().expect("a hash").parse().expect("a hash"), hash(100)))
        }
        "eth_getTransactionReceipt" => Answer::Result(Value::Null),
        _ => healthy(method, 100),
    })
    .await;
    let (pool, _) = pool(&[&node]);
    let asked = || pool.receipts(hash(100), &[ONE, TWO]);
    assert_eq!(hashes(asked().await.expect("answered")), None, "one is missing");
    ready.store(true, Ordering::Relaxed);
    assert_eq!(hashes(asked().await.expect("answered")), Some(vec![ONE, TWO]));
    assert_eq!(node.calls("eth_getBlockReceipts").len(), 1, "not asked for again");
}

#[tokio::test]
async fn of_each_provider_receipts_are_asked_for_one_by_one_and_who_lacks_one_is_absent() {
    let node = |lacks: Option<B256>| {
        Node::start(move |method, params| match method {
            "eth_getTransactionReceipt" if Some(&params[0]) == lacks.map(|hash| json!(hash)).as_ref() => {
                Answer::Result(Value::Null)
            }
            "eth_getTransactionReceipt" => {
                Answer::Result(receipt(params[0].as_str().expect("a hash").parse().expect("a hash"), hash(100)))
            }
            _ => healthy(method, 100),
        })
    };
    let (whole, lacking) = (node(None).await, node(Some(TWO)).await);
    let (pool, _) = pool(&[&lacking, &whole]);
    let given = pool.receipts_by_each(hash(100), &[TWO, ONE], 100).await;
    let told: Vec<(&str, Vec<B256>)> = given
        .iter()
        .map(|reply| (reply.provider.as_str(), reply.value.receipts.iter().map(|receipt| receipt.hash).collect()))
        .collect();
    assert_eq!(told, [("local-2", vec![TWO, ONE])]);
    assert_eq!(pool.receipts_by_each(hash(99), &[ONE], 100).await, [], "of another block");
    assert_eq!(whole.calls("eth_getBlockReceipts"), [json!(null); 0], "a whole block's would cost each of them more");
}

#[tokio::test]
async fn other_blocks_and_transactions_than_asked_for_are_nonsense() {
    let node = Node::start(|method, _| match method {
        "eth_getBlockByHash" | "eth_getBlockByNumber" => Answer::Result(block(100, NOW_MS / 1000, &[])),
        "eth_getTransactionReceipt" => Answer::Result(receipt(ONE, hash(100))),
        "eth_getTransactionByHash" => Answer::Result(json!({ "hash": ONE })),
        _ => healthy(method, 100),
    })
    .await;
    let (pool, clock) = pool(&[&node]);
    let nonsense = |error: ChainError| assert!(matches!(error, ChainError::Nonsense { .. }), "{error:?}");
    nonsense(pool.block(BlockAt::Hash(hash(99))).await.expect_err("another hash"));
    nonsense(pool.block(BlockAt::Number(99)).await.expect_err("another height"));
    assert!(pool.block(BlockAt::Hash(hash(100))).await.expect("this one").value.is_some());
    nonsense(pool.receipt(TWO).await.expect_err("another receipt"));
    nonsense(pool.knows(TWO).await.expect_err("another transaction"));
    clock.advance(60_000);
    assert!(pool.receipt(ONE).await.expect("this one").value.is_some());
    assert!(pool.knows(ONE).await.expect("this one").value);
}

#[tokio::test]
async fn a_block_that_one_provider_lacks_is_asked_of_another_that_may_have_it() {
    let behind = Node::start(|method, _| match method {
        "eth_getBlockByHash" => Answer::Result(Value::Null),
        _ => healthy(method, 100),
    })
    .await;
    let ahead = node(|| Answer::Drop).await;
    let (pool, _) = pool(&[&behind, &ahead]);
    assert_eq!(pool.block(BlockAt::Hash(hash(100))).await.expect("answered").provider, "local-2");
    let nowhere = pool.block(BlockAt::Hash(hash(55))).await.expect("answered");
    assert_eq!((nowhere.value, nowhere.provider.as_str()), (None, "local-1"));
}

#[tokio::test]
async fn a_network_without_a_finality_tag_says_so_in_its_own_way() {
    for answer in [
        || Answer::Result(Value::Null),
        || Answer::Error(-32602, "invalid argument 0: hex string without 0x prefix", Value::Null),
        || Answer::Error(-39001, "Unknown block", Value::Null),
        || Answer::Error(-32000, "finalized block not found", Value::Null),
    ] {
        let node = Node::start(
            move |method, params| {
                if *params == json!(["finalized", false]) { answer() } else { healthy(method, 100) }
            },
        );
        let node = node.await;
        let (pool, _) = pool(&[&node]);
        assert_eq!(pool.finalized().await.expect("answered").value, None);
    }
    let down = Node::start(|method, params| match method {
        "eth_getBlockByNumber" if params[0] == json!("finalized") => {
            Answer::Error(-32603, "Internal error", Value::Null)
        }
        _ => healthy(method, 100),
    })
    .await;
    let (pool, _) = pool(&[&down]);
    assert!(matches!(pool.finalized().await, Err(ChainError::Unavailable { .. })), "trouble is not absence");
}

#[tokio::test]
async fn fees_are_the_next_blocks_and_the_tips_that_were_asked_for() {
    let node = Node::start(|method, params| match method {
        "eth_feeHistory" if *params == json!(["0xa", "latest", [25, 50, 75]]) => Answer::Result(json!({
            "oldestBlock": "0x62", "gasUsedRatio": [0.5, 0.1],
            "baseFeePerGas": ["0x7", "0x8", "0x9"], "reward": [["0x1", "0x2", "0x3"], ["0x0", "0x0", "0x0"]],
        })),
        _ => healthy(method, 100),
    })
    .await;
    let (pool_good, _) = pool(&[&node]);
    let fees = pool_good.fee_history().await.expect("answered").value;
    assert_eq!((fees.next_base_fee_wei, fees.tips_wei), (9, vec![[1, 2, 3], [0, 0, 0]]));
    for odd in [json!({ "baseFeePerGas": [] }), json!({ "baseFeePerGas": ["0x1"], "reward": [["0x1"]] })] {
        let node = Node::start(move |method, _| match method {
            "eth_feeHistory" => Answer::Result(odd.clone()),
            _ => healthy(method, 100),
        });
        let node = node.await;
        let (pool, _) = pool(&[&node]);
        assert!(matches!(pool.fee_history().await, Err(ChainError::Nonsense { .. })));
    }
}

#[tokio::test]
async fn a_tokens_balance_is_one_number_or_nonsense() {
    let holder = Address::repeat_byte(3);
    let node = Node::start(|method, params| match method {
        "eth_getBalance" => Answer::Result(json!("0x5")),
        "eth_call" if params[0]["to"] == json!(Address::repeat_byte(1)) => {
            Answer::Result(json!(B256::from(U256::from(9))))
        }
        "eth_call" => Answer::Result(json!("0x")),
        _ => healthy(method, 100),
    })
    .await;
    let (pool, _) = pool(&[&node]);
    assert_eq!(pool.balance(holder, None).await.expect("answered").value, U256::from(5));
    assert_eq!(pool.balance(holder, Some(Address::repeat_byte(1))).await.expect("answered").value, U256::from(9));
    for _ in 0..5 {
        let error = pool.balance(holder, Some(Address::repeat_byte(2))).await.expect_err("no token there");
        assert!(matches!(error, ChainError::Nonsense { .. }), "and the provider is not blamed: {error:?}");
    }
}

#[tokio::test]
async fn a_provider_without_a_receipt_or_its_bytes_is_not_the_last_word() {
    let lacking = Node::start(|method, _| match method {
        "eth_getTransactionReceipt" | "eth_getTransactionByHash" => Answer::Result(Value::Null),
        _ => healthy(method, 100),
    })
    .await;
    let whole = Node::start(|method, _| match method {
        "eth_getTransactionReceipt" => Answer::Result(receipt(ONE, hash(100))),
        _ => healthy(method, 100),
    })
    .await;
    let (both, _) = pool(&[&lacking, &whole]);
    assert_eq!(both.receipt(ONE).await.expect("answered").provider, "local-2");
    let (alone, _) = pool(&[&lacking]);
    assert_eq!(alone.receipt(ONE).await.expect("answered").value, None);
    assert_eq!(alone.signed(ONE).await.expect("answered").value, None);
    assert_eq!(both.signed(ONE).await.expect("the other one has no such call here").value, None);
}

/// What it lacks may be what would show that it is ours.
#[tokio::test]
async fn a_transaction_of_another_kind_is_one_whose_node_says_so() {
    let lean =
        json!({"hash": ONE, "nonce": "0x5", "value": "0x1", "input": "0x", "gas": "0x5208", "to": Address::ZERO});
    let with = |field: &str, value: Value| {
        let mut told = lean.clone();
        told[field] = value;
        told
    };
    let cases = [
        (lean.clone(), None),
        (with("type", json!("0x2")), None),
        (with("type", json!("0x0")), Some(Form::Another)),
        (with("accessList", json!([{"address": Address::ZERO, "storageKeys": []}])), Some(Form::Another)),
        (with("accessList", json!([])), None),
    ];
    for (told, form) in cases {
        let answer = told.clone();
        let node = Node::start(move |method, _| match method {
            "eth_getTransactionByHash" => Answer::Result(answer.clone()),
            _ => healthy(method, 100),
        })
        .await;
        let (pool, _) = pool(&[&node]);
        assert_eq!(pool.signed(ONE).await.expect("answered").value, form, "{told}");
        assert_eq!(pool.signed(TWO).await.expect("answered").value, None, "another one's fields");
    }
}

#[tokio::test]
async fn a_whole_block_may_be_larger_than_its_hashes() {
    let from = Address::repeat_byte(7);
    let input = format!("0x{}", "00".repeat(3 << 20));
    let ours = json!({"hash": ONE, "from": from, "nonce": "0x5", "input": input});
    let whole = json!({"number": "0x64", "hash": hash(100), "transactions": [ours]});
    let node = Node::start(move |method, _| match method {
        "eth_getBlockByNumber" => Answer::Result(whole.clone()),
        _ => healthy(method, 100),
    })
    .await;
    let (pool, _) = pool(&[&node]);
    let sent = pool.sent_in(100, from).await.expect("answered").value.expect("there");
    assert_eq!((sent.block, sent.by_number), (hash(100), [(5, ONE)].into()));
}
