//! What becomes of signed bytes.

use alloy_primitives::{Bytes, keccak256};
use serde_json::{Value, json};

use super::node::{Answer, Node, healthy, nobody, pool, pool_of};
use crate::{
    pool::transport::BROADCAST_TIMEOUT,
    port::{Broadcast, BroadcastOutcome, Chain},
};

static RAW: Bytes = Bytes::from_static(b"signed bytes");

async fn node(answer: impl Fn() -> Answer + Send + Sync + 'static) -> Node {
    Node::start(move |method, _| if method == "eth_sendRawTransaction" { answer() } else { healthy(method, 100) }).await
}

fn taken() -> Answer {
    Answer::Result(json!(keccak256(&RAW)))
}

fn refused(message: &'static str) -> Answer {
    Answer::Error(-32000, message, Value::Null)
}

fn said(outcome: BroadcastOutcome, provider: &str) -> Broadcast {
    Broadcast { outcome, provider: provider.to_owned() }
}

#[tokio::test]
async fn accepted_is_said_by_the_first_and_nobody_else_is_asked() {
    let (first, second) = (node(taken).await, node(taken).await);
    let (pool, _) = pool(&[&first, &second]);
    assert_eq!(pool.broadcast(&RAW).await, said(BroadcastOutcome::Accepted, "local-1"));
    assert_eq!(first.calls("eth_sendRawTransaction"), [json!([&RAW])]);
    assert_eq!(second.count(), 0);
}

#[tokio::test]
async fn a_lost_answer_sends_the_same_bytes_to_the_next() {
    let (first, second) = (node(|| Answer::Drop).await, node(|| refused("already known")).await);
    let (pool, _) = pool(&[&first, &second]);
    assert_eq!(pool.broadcast(&RAW).await, said(BroadcastOutcome::AlreadyKnown, "local-2"));
    assert_eq!(first.calls("eth_sendRawTransaction"), [json!([&RAW])]);
    assert_eq!(second.calls("eth_sendRawTransaction"), [json!([&RAW])]);
}

#[tokio::test]
async fn a_node_that_never_answers_is_given_up_for_the_next() {
    let (first, second) = (node(|| Answer::Hang).await, node(taken).await);
    let (pool, _) = pool(&[&first, &second]);
    let time_passes = async {
        first.hangs().await;
        tokio::time::pause();
        tokio::time::advance(BROADCAST_TIMEOUT).await;
        tokio::time::resume();
    };
    let (broadcast, ()) = tokio::join!(pool.broadcast(&RAW), time_passes);
    assert_eq!(broadcast, said(BroadcastOutcome::Accepted, "local-2"));
}

#[tokio::test]
async fn when_nobody_surely_answered_it_is_unknown() {
    let html = "<html><body>502 Bad Gateway: transaction rejected, nonce too low</body></html>";
    let dropping = node(|| Answer::Drop).await;
    let gateway =
        node(move || Answer::Http(502, vec![("content-type", "text/html".to_owned())], html.to_owned())).await;
    let puzzling = node(|| refused("a text that nobody has listed")).await;
    for urls in [vec![&dropping], vec![&gateway], vec![&puzzling], vec![&dropping, &gateway, &puzzling]] {
        let (pool, _) = pool(&urls);
        let broadcast = pool.broadcast(&RAW).await;
        assert!(matches!(broadcast.outcome, BroadcastOutcome::Unknown { .. }), "{broadcast:?}");
        assert_eq!(broadcast.provider, "local-1");
    }
    let (pool, _) = pool_of(&[&nobody().await]);
    assert!(matches!(pool.broadcast(&RAW).await.outcome, BroadcastOutcome::Unknown { .. }));
}

#[tokio::test]
async fn a_definite_answer_after_an_unknown_one_stays_as_it_was_said() {
    let (first, second) = (node(|| Answer::Drop).await, node(|| refused("nonce too low")).await);
    let third = node(taken).await;
    let (pool, _) = pool(&[&first, &second, &third]);
    assert_eq!(pool.broadcast(&RAW).await, said(BroadcastOutcome::NumberTooLow, "local-2"));
    assert_eq!(third.count(), 0);
}

#[tokio::test]
async fn busy_is_only_the_answer_when_nothing_may_have_been_taken() {
    let limit = |seconds: u64| move || Answer::Http(429, vec![("retry-after", seconds.to_string())], String::new());
    let (slow, quick, lossy) = (node(limit(9)).await, node(limit(4)).await, node(|| Answer::Drop).await);
    let (both, _) = pool(&[&slow, &quick]);
    assert_eq!(both.broadcast(&RAW).await, said(BroadcastOutcome::Busy { after_ms: Some(4000) }, "local-1"));
    let (mixed, _) = pool(&[&slow, &lossy]);
    let broadcast = mixed.broadcast(&RAW).await;
    assert!(matches!(broadcast.outcome, BroadcastOutcome::Unknown { .. }), "{broadcast:?}");
    assert_eq!(broadcast.provider, "local-2");
}

#[tokio::test]
async fn a_limit_for_hours_is_believed_for_a_minute() {
    for seconds in ["3600", "86400", "18446744073709551615"] {
        let limit = move || Answer::Http(429, vec![("retry-after", seconds.to_owned())], String::new());
        let node = node(limit).await;
        let (pool, _) = pool(&[&node]);
        assert_eq!(pool.broadcast(&RAW).await.outcome, BroadcastOutcome::Busy { after_ms: Some(60_000) });
    }
}

#[tokio::test]
async fn a_full_node_is_passed_over_but_still_asked_other_things() {
    let (full, roomy) = (node(|| refused("txpool is full")).await, node(taken).await);
    let (pool, _) = pool(&[&full, &roomy]);
    assert_eq!(pool.broadcast(&RAW).await, said(BroadcastOutcome::Accepted, "local-2"));
    assert_eq!(pool.head().await.expect("answered").provider, "local-1");
}

#[tokio::test]
async fn a_node_that_names_another_hash_has_said_nothing() {
    let odd = node(|| Answer::Result(json!(keccak256(b"other bytes")))).await;
    let (pool, _) = pool(&[&odd]);
    let broadcast = pool.broadcast(&RAW).await;
    assert!(matches!(broadcast.outcome, BroadcastOutcome::Unknown { .. }), "{broadcast:?}");
}

#[tokio::test]
async fn a_node_of_another_network_never_sees_the_bytes() {
    let stranger = Node::start(|method, _| match method {
        "eth_chainId" => Answer::Result(json!("0x1")),
        _ => taken(),
    })
    .await;
    let (pool, _) = pool(&[&stranger]);
    let broadcast = pool.broadcast(&RAW).await;
    assert!(matches!(broadcast.outcome, BroadcastOutcome::Unknown { .. }), "{broadcast:?}");
    assert!(stranger.calls("eth_sendRawTransaction").is_empty());
}

#[tokio::test]
async fn what_one_refuses_another_may_take() {
    let (picky, open) = (node(|| refused("exceeds block gas limit")).await, node(taken).await);
    let (pool_of_both, _) = pool(&[&picky, &open]);
    assert_eq!(pool_of_both.broadcast(&RAW).await, said(BroadcastOutcome::Accepted, "local-2"));
    let lost = node(|| Answer::Drop).await;
    let (unsure, _) = pool(&[&picky, &lost]);
    let broadcast = unsure.broadcast(&RAW).await;
    assert!(matches!(broadcast.outcome, BroadcastOutcome::Unknown { .. }), "one may have taken it: {broadcast:?}");
    let (alone, _) = pool(&[&picky]);
    let broadcast = alone.broadcast(&RAW).await;
    assert!(matches!(broadcast.outcome, BroadcastOutcome::Refused { .. }), "{broadcast:?}");
}

#[tokio::test]
async fn handed_to_all_every_provider_gets_it_and_who_took_it_is_believed() {
    let (low, lost, good) = (node(|| refused("nonce too low")).await, node(|| Answer::Drop).await, node(taken).await);
    let (pool, _) = pool(&[&low, &lost, &good]);
    assert_eq!(pool.broadcast_to_all(&RAW).await, said(BroadcastOutcome::Accepted, "local-3"));
    for node in [&low, &lost, &good] {
        assert_eq!(node.calls("eth_sendRawTransaction"), [json!([&RAW])]);
    }
}

#[tokio::test]
async fn who_knows_that_a_number_is_used_is_believed_rather_than_who_is_behind() {
    let texts = [
        ("nonce too low", BroadcastOutcome::NumberTooLow),
        ("replacement transaction underpriced", BroadcastOutcome::ReplacementUnderpriced),
    ];
    for (text, outcome) in texts {
        let short = node(|| refused("insufficient funds for gas * price + value")).await;
        let used = node(move || refused(text)).await;
        let (pool, _) = pool(&[&short, &used]);
        assert_eq!(pool.broadcast_to_all(&RAW).await, said(outcome, "local-2"));
    }
}
