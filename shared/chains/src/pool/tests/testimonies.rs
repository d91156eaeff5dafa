//! What is said of a height: by each provider on its own, and what an address has there.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use alloy_primitives::{Address, B256};
use serde_json::{Value, json};

use super::node::{Answer, NOW_MS, Node, block, hash, healthy, nobody, pool, pool_of, receipt};
use crate::port::{Chain, ChainError, Reply, Testimony};

const INCLUDED: B256 = B256::repeat_byte(1);
const WAITING: B256 = B256::repeat_byte(2);
const NOWHERE: B256 = B256::repeat_byte(3);
/// Its transaction is not found, but its receipt is.
const LATE: B256 = B256::repeat_byte(4);

/// What a node at height 100 answers that has block 90, where the address's next number is 7.
fn witness(method: &str, params: &Value) -> Answer {
    let one = |hashes: &[B256]| hashes.iter().find(|hash| params[0] == json!(hash)).copied();
    match method {
        "eth_getBlockByNumber" if params[0] == json!("0x5a") => Answer::Result(block(90, NOW_MS / 1000, &[])),
        "eth_getBlockByNumber" => Answer::Result(Value::Null),
        "eth_getTransactionCount" if params[1] != json!("0x5a") => Answer::Result(json!("0x9")),
        "eth_getTransactionByHash" => {
            Answer::Result(one(&[INCLUDED, WAITING]).map_or(Value::Null, |hash| json!({ "hash": hash })))
        }
        "eth_getTransactionReceipt" => {
            Answer::Result(one(&[INCLUDED, LATE]).map_or(Value::Null, |found| receipt(found, hash(90))))
        }
        _ => healthy(method, 100),
    }
}

fn names(given: &[Reply<Testimony>]) -> Vec<&str> {
    given.iter().map(|reply| reply.provider.as_str()).collect()
}

const ALL: [B256; 4] = [NOWHERE, LATE, WAITING, INCLUDED];

#[tokio::test]
async fn each_provider_testifies_for_itself() {
    let first = Node::start(witness).await;
    let second = Node::start(|method, params| match method {
        "eth_getTransactionCount" => Answer::Result(json!("0x8")),
        "eth_getTransactionByHash" | "eth_getTransactionReceipt" => Answer::Result(Value::Null),
        _ => witness(method, params),
    })
    .await;
    let (pool, _) = pool(&[&first, &second]);
    let given = pool.testify(90, Some(Address::ZERO), &ALL).await;
    assert_eq!(names(&given), ["local-1", "local-2"]);
    assert!(given.iter().all(|reply| reply.value.header.hash == hash(90) && reply.height == Some(100)));
    let said: Vec<_> = given.iter().map(|reply| (reply.value.number_at, reply.value.known.as_slice())).collect();
    assert_eq!(said, [(Some(7), [LATE, WAITING, INCLUDED].as_slice()), (Some(8), &[])]);
    assert_eq!(pool.testify(91, None, &[]).await, [], "nobody has that block");
}

#[tokio::test]
async fn who_does_not_answer_all_of_it_is_absent() {
    let whole = Node::start(witness).await;
    for failing in
        ["eth_getBlockByNumber", "eth_getTransactionCount", "eth_getTransactionByHash", "eth_getTransactionReceipt"]
    {
        let error = || Answer::Error(-32603, "Internal error", Value::Null);
        let text = || Answer::Result(json!("nonsense"));
        let limit = || Answer::Http(429, vec![("retry-after", "7".to_owned())], String::new());
        for odd in [error, text, limit, || Answer::Drop] {
            let node =
                Node::start(move |method, params| if method == failing { odd() } else { witness(method, params) });
            let (both, _) = pool(&[&node.await, &whole]);
            assert_eq!(names(&both.testify(90, Some(Address::ZERO), &ALL).await), ["local-2"], "{failing}");
        }
    }
    let (both, _) = pool_of(&[&nobody().await, &whole.url]);
    assert_eq!(names(&both.testify(90, None, &[]).await), ["local-2"]);
}

#[tokio::test]
async fn who_changes_the_block_meanwhile_is_absent() {
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = asked.clone();
    let turning = Node::start(move |method, params| match method {
        "eth_getBlockByNumber" if counter.fetch_add(1, Ordering::Relaxed) > 0 => {
            let mut other = block(90, NOW_MS / 1000, &[]);
            other["hash"] = json!(B256::repeat_byte(0xBB));
            Answer::Result(other)
        }
        _ => witness(method, params),
    })
    .await;
    let whole = Node::start(witness).await;
    let (pool, _) = pool(&[&turning, &whole]);
    assert_eq!(names(&pool.testify(90, Some(Address::ZERO), &[]).await), ["local-2"]);
    assert_eq!(asked.load(Ordering::Relaxed), 2, "before the questions and after them");
}

#[tokio::test]
async fn two_addresses_at_one_host_are_one_provider() {
    let node = Node::start(witness).await;
    let (pool, _) = pool_of(&[&format!("{}/v3/one", node.url), &format!("{}/v3/two", node.url)]);
    assert_eq!(names(&pool.testify(90, None, &[]).await), ["local-1"]);
}

#[tokio::test]
async fn where_only_the_block_is_asked_for_there_is_one_call() {
    let node = Node::start(witness).await;
    let (pool, _) = pool(&[&node]);
    let given = pool.testify(90, None, &[]).await;
    assert_eq!((given[0].value.number_at, given[0].value.known.len()), (None, 0));
    assert_eq!(node.calls("eth_getBlockByNumber").len(), 1);
    assert_eq!(node.count(), 3, "chain id, height and the block");
}

#[tokio::test]
async fn each_provider_says_what_it_calls_final() {
    let at = |height: u64| {
        Node::start(move |method, params| match method {
            "eth_getBlockByNumber" if params[0] == json!("finalized") => Answer::Result(block(height, 0, &[])),
            _ => healthy(method, 100),
        })
    };
    let untagged = Node::start(|method, _| match method {
        "eth_getBlockByNumber" => Answer::Error(-32602, "invalid block tag", Value::Null),
        _ => healthy(method, 100),
    })
    .await;
    let (first, second) = (at(90).await, at(88).await);
    let (pool, _) = pool_of(&[&first.url, &untagged.url, &nobody().await, &second.url]);
    let said: Vec<_> = pool.finalities().await.into_iter().map(|reply| (reply.provider, reply.value)).collect();
    assert_eq!(said, [("local-1".to_owned(), 90), ("local-4".to_owned(), 88)]);
}

/// A node with block 90, where an address has 5 wei, and 6 units of the token `0x01…01` only.
fn holder(method: &str, params: &Value) -> Answer {
    match method {
        "eth_getBalance" if params[1] == json!("0x5a") => Answer::Result(json!("0x5")),
        "eth_call" if params[1] != json!("0x5a") => Answer::Result(json!("0x")),
        "eth_call" if params[0]["to"] == json!(Address::repeat_byte(1)) => Answer::Result(json!(hash(6))),
        "eth_call" if params[0]["to"] == json!(Address::repeat_byte(2)) => Answer::Result(json!("0x")),
        "eth_call" => Answer::Error(3, "execution reverted", Value::Null),
        _ => witness(method, params),
    }
}

#[tokio::test]
async fn holdings_are_of_one_block_and_from_who_has_it() {
    let without = Node::start(|method, params| match method {
        "eth_getBlockByNumber" => Answer::Result(Value::Null),
        _ => holder(method, params),
    })
    .await;
    let asked = Arc::new(AtomicUsize::new(0));
    let turning = Node::start(move |method, params| match method {
        "eth_getBlockByNumber" if asked.fetch_add(1, Ordering::Relaxed) % 2 == 1 => {
            let mut other = block(90, NOW_MS / 1000, &[]);
            other["hash"] = json!(B256::repeat_byte(0xBB));
            Answer::Result(other)
        }
        _ => holder(method, params),
    })
    .await;
    let pruned = Node::start(|method, params| match method {
        "eth_getBalance" => Answer::Error(-32000, "missing trie node 0x12 (path )", Value::Null),
        _ => holder(method, params),
    })
    .await;
    let whole = Node::start(holder).await;
    let tokens = [1, 2, 3].map(Address::repeat_byte);
    let (all, _) = pool(&[&without, &turning, &pruned, &whole]);
    let reply = all.holdings(90, Address::ZERO, &tokens).await.expect("answered");
    assert_eq!(reply.provider, "local-4");
    let holdings = reply.value.expect("it has the block");
    assert_eq!((holdings.header.hash, holdings.number, holdings.coin.to::<u64>()), (hash(90), 7, 5));
    assert_eq!(holdings.tokens, [Some(hash(6).into()), None, None], "empty and reverting contracts are no tokens");

    let (few, _) = pool(&[&without, &turning]);
    assert_eq!(few.holdings(90, Address::ZERO, &[]).await.expect("answered").value, None);
    let (alone, _) = pool(&[&pruned]);
    assert!(matches!(alone.holdings(90, Address::ZERO, &[]).await, Err(ChainError::Unavailable { .. })));
}
