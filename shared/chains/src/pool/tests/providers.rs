//! Which provider is asked, and which one is left alone.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use alloy_primitives::{Address, Bytes};
use serde_json::{Value, json};

use super::node::{Answer, NOW_MS, Node, block, healthy, network, nobody, pool, pool_of};
use crate::{
    pool::{
        PoolError, RpcChain,
        provider::{FAILURES_MAX, REST_MS},
    },
    port::{Chain, ChainError, NumberAt},
};

async fn number(pool: &RpcChain) -> Result<String, ChainError> {
    pool.next_number(Address::ZERO, NumberAt::Latest).await.map(|reply| reply.provider)
}

#[tokio::test]
async fn the_listed_order_is_the_order_of_preference() {
    let (first, second) = (Node::start(|m, _| healthy(m, 100)).await, Node::start(|m, _| healthy(m, 100)).await);
    let (pool, _) = pool(&[&first, &second]);
    assert_eq!(number(&pool).await, Ok("local-1".to_owned()));
    let reply = pool.head().await.expect("answered");
    assert_eq!((reply.provider.as_str(), reply.height, reply.value.number), ("local-1", Some(100), 100));
    assert_eq!(second.count(), 0);
}

#[tokio::test]
async fn with_the_first_down_the_second_answers() {
    let second = Node::start(|method, _| healthy(method, 100)).await;
    let (pool, _) = pool_of(&[&nobody().await, &second.url]);
    assert_eq!(number(&pool).await, Ok("local-2".to_owned()));
}

#[tokio::test]
async fn what_no_node_would_say_is_left_to_the_next() {
    let html = || Answer::Http(502, vec![], "<html>Bad Gateway</html>".to_owned());
    let page = || Answer::Http(200, vec![], "<html>Welcome</html>".to_owned());
    // A good answer but for its size: spaces after it are valid JSON.
    let large = || {
        let spaces = " ".repeat(4 << 20);
        Answer::Http(200, vec![], format!(r#"{{"jsonrpc":"2.0","id":1,"result":"0x7"}}{spaces}"#))
    };
    let error = || Answer::Error(-32603, "Internal error", Value::Null);
    let text = || Answer::Result(json!("seven"));
    for odd in [html, page, large, error, text] {
        let first = Node::start(
            move |method, _| if method == "eth_getTransactionCount" { odd() } else { healthy(method, 100) },
        );
        let (first, second) = (first.await, Node::start(|method, _| healthy(method, 100)).await);
        let (both, _) = pool(&[&first, &second]);
        assert_eq!(number(&both).await, Ok("local-2".to_owned()));
        let (alone, _) = pool(&[&first]);
        let error = number(&alone).await.expect_err("no other provider");
        assert!(matches!(error, ChainError::Unavailable { .. } | ChainError::Nonsense { .. }), "{error:?}");
    }
}

#[tokio::test]
async fn a_provider_that_limits_us_is_left_alone_as_long_as_it_asks() {
    let first = Node::start(|method, _| match method {
        "eth_getTransactionCount" => Answer::Http(429, vec![("retry-after", "7".to_owned())], String::new()),
        _ => healthy(method, 100),
    })
    .await;
    let second = Node::start(|method, _| healthy(method, 100)).await;
    let (both, clock) = pool(&[&first, &second]);
    assert_eq!(number(&both).await, Ok("local-2".to_owned()));
    clock.advance(6_999);
    assert_eq!(both.head().await.expect("answered").provider, "local-2");
    clock.advance(1);
    assert_eq!(both.head().await.expect("answered").provider, "local-1");

    let (alone, clock) = pool(&[&first]);
    let limited = |after_ms| Err(ChainError::Limited { network: "local".to_owned(), after_ms: Some(after_ms) });
    assert_eq!(number(&alone).await, limited(7_000));
    clock.advance(2_000);
    assert_eq!(number(&alone).await, limited(5_000));
    assert_eq!(first.calls("eth_getTransactionCount").len(), 2, "once by each pool");
}

#[tokio::test]
async fn limits_are_understood_as_a_date_and_in_words() {
    let date = httpdate::fmt_http_date(std::time::UNIX_EPOCH + std::time::Duration::from_millis(NOW_MS + 3_000));
    let dated = Node::start(move |_, _| Answer::Http(503, vec![("retry-after", date.clone())], String::new())).await;
    let (pool_dated, _) = pool(&[&dated]);
    assert_eq!(
        number(&pool_dated).await,
        Err(ChainError::Limited { network: "local".to_owned(), after_ms: Some(3_000) })
    );
    let worded =
        Node::start(|_, _| Answer::Error(-32005, "daily request count exceeded, request rate limited", Value::Null));
    let worded = worded.await;
    let (pool_worded, _) = pool(&[&worded]);
    assert_eq!(number(&pool_worded).await, Err(ChainError::Limited { network: "local".to_owned(), after_ms: None }));
}

#[tokio::test]
async fn a_provider_of_another_network_is_never_used() {
    let stranger = Node::start(|method, _| match method {
        "eth_chainId" => Answer::Result(json!("0x1")),
        _ => healthy(method, 900),
    })
    .await;
    let right = Node::start(|method, _| healthy(method, 100)).await;
    let (both, _) = pool(&[&stranger, &right]);
    assert_eq!(number(&both).await, Ok("local-2".to_owned()));
    assert_eq!(number(&both).await, Ok("local-2".to_owned()));
    assert_eq!(stranger.count(), 1, "asked for its chain id and nothing else");
    let (alone, _) = pool(&[&stranger]);
    assert!(matches!(number(&alone).await, Err(ChainError::Nonsense { .. })));
}

#[tokio::test]
async fn after_failures_in_a_row_a_provider_rests_and_one_call_tries_it_again() {
    let down = Arc::new(AtomicBool::new(true));
    let is_down = down.clone();
    let first =
        Node::start(move |method, _| if is_down.load(Ordering::Relaxed) { Answer::Drop } else { healthy(method, 100) })
            .await;
    let second = Node::start(|method, _| healthy(method, 100)).await;
    let (pool, clock) = pool(&[&first, &second]);
    let failures = usize::try_from(FAILURES_MAX).expect("small");
    for _ in 0..failures + 2 {
        assert_eq!(number(&pool).await, Ok("local-2".to_owned()));
    }
    assert_eq!(first.count(), failures, "left alone after that many");

    clock.advance(REST_MS);
    let at_once = futures::future::join_all((0..3).map(|_| number(&pool))).await;
    assert_eq!(at_once, vec![Ok("local-2".to_owned()); 3]);
    assert_eq!(number(&pool).await, Ok("local-2".to_owned()));
    assert_eq!(first.count(), failures + 1, "one call tried it, and it rests again");

    down.store(false, Ordering::Relaxed);
    assert_eq!(number(&pool).await, Ok("local-2".to_owned()), "it still rests");
    clock.advance(REST_MS);
    for _ in 0..3 {
        assert_eq!(number(&pool).await, Ok("local-1".to_owned()));
    }
}

#[tokio::test]
async fn a_provider_that_stopped_following_the_chain_is_asked_last_until_it_caught_up() {
    let height = Arc::new(AtomicU64::new(100));
    let own = height.clone();
    let first = Node::start(move |method, _| {
        let height = own.load(Ordering::Relaxed);
        match method {
            // A second a block, and the clock stands at block 120.
            "eth_getBlockByNumber" => Answer::Result(block(height, NOW_MS / 1000 + height - 120, &[])),
            _ => healthy(method, height),
        }
    })
    .await;
    let second = Node::start(|method, _| healthy(method, 120)).await;
    let (pool, clock) = pool(&[&first, &second]);
    assert_eq!(number(&pool).await, Ok("local-1".to_owned()), "nothing is known against it yet");
    let head = pool.head().await.expect("answered");
    assert_eq!((head.provider.as_str(), head.value.number, head.height), ("local-2", 120, Some(120)));
    assert_eq!(number(&pool).await, Ok("local-2".to_owned()));

    height.store(120, Ordering::Relaxed);
    pool.head().await.expect("answered");
    assert_eq!(number(&pool).await, Ok("local-2".to_owned()), "not asked again so soon");
    clock.advance(30_000);
    pool.head().await.expect("answered");
    assert_eq!(number(&pool).await, Ok("local-1".to_owned()));
}

#[tokio::test]
async fn nobody_is_followed_to_another_host() {
    let elsewhere = Node::start(|method, _| healthy(method, 100)).await;
    let location = elsewhere.url.clone();
    let first = Node::start(move |_, _| Answer::Http(307, vec![("location", location.clone())], String::new())).await;
    let (pool, _) = pool(&[&first]);
    assert!(matches!(number(&pool).await, Err(ChainError::Unavailable { .. })));
    assert_eq!(elsewhere.count(), 0);
}

#[tokio::test]
async fn keys_in_addresses_stay_secret() {
    const KEY: &str = "k3yk3yk3yk3yk3yk3y";
    let node = Node::start(|method, _| match method {
        "eth_chainId" | "eth_blockNumber" => healthy(method, 100),
        _ => Answer::Error(-32000, "project k3yk3yk3yk3yk3yk3y is not allowed", Value::Null),
    })
    .await;
    let dead = format!("{}/v3/{KEY}", nobody().await);
    let (pool, _) = pool_of(&[&format!("{}/v3/{KEY}", node.url), &dead]);
    let mut texts = vec![format!("{pool:?}")];
    for error in [number(&pool).await.expect_err("refused"), pool.head().await.expect_err("refused")] {
        texts.extend([format!("{error:?}"), format!("{error}")]);
    }
    texts.push(format!("{:?}", pool.broadcast(&Bytes::from_static(b"raw")).await));
    let wrong = RpcChain::new(&network(), vec![format!("ftp://host/{KEY}")], Arc::new(NoClock));
    texts.push(format!("{wrong:?} {}", wrong.as_ref().expect_err("ftp")));
    for text in texts {
        assert!(!text.contains(KEY) && !text.contains("127.0.0.1"), "{text}");
    }
}

#[derive(Debug)]
struct NoClock;

impl causeway_domain::Clock for NoClock {
    fn now_ms(&self) -> u64 {
        0
    }

    fn random(&self) -> u128 {
        0
    }

    fn sleep_ms(&self, _: u64) -> std::pin::Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(std::future::ready(()))
    }
}

#[test]
fn endpoints_that_are_no_addresses_are_refused_by_position() {
    let pool = |urls: &[&str]| {
        let urls = urls.iter().map(|url| (*url).to_owned()).collect();
        RpcChain::new(&network(), urls, Arc::new(NoClock)).map(|_| ())
    };
    assert_eq!(pool(&[]), Err(PoolError::Empty { network: "local".to_owned() }));
    for wrong in ["", "localhost:8545", "wss://host/key", "http://"] {
        let error = pool(&["http://127.0.0.1:1", wrong]).expect_err("refused");
        assert_eq!(error, PoolError::Endpoint { network: "local".to_owned(), position: 2 });
    }
}

#[test]
fn a_second_opinion_needs_two_hosts() {
    let mut network = network();
    network.second_opinion = true;
    let pool = |urls: &[&str]| {
        let urls = urls.iter().map(|url| (*url).to_owned()).collect();
        RpcChain::new(&network, urls, Arc::new(NoClock)).map(|_| ())
    };
    let error = PoolError::NoSecond { network: "local".to_owned() };
    let alone = Err(error.clone());
    assert_eq!(pool(&["http://127.0.0.1:1"]), alone);
    assert_eq!(pool(&["http://127.0.0.1:1/v3/one", "http://127.0.0.1:1/v3/two"]), alone, "two keys at one host");
    assert_eq!(pool(&["http://127.0.0.1:1", "http://127.0.0.1:2"]), Ok(()));
    assert!(error.to_string().contains("local"));
}
