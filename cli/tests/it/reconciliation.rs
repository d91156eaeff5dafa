//! What does not agree, as operators see it.

use serde_json::{Value, json};
use wiremock::MockServer;

use crate::mock::{on, run};

fn network(name: &str, clean: bool, differences: Value) -> Value {
    json!({
        "network": name, "clean": clean, "treasuries": 3, "lookedAt": "2026-01-01T00:00:00.000Z", "suspected": 1,
        "differences": differences, "more": 0,
    })
}

fn difference(kind: &str, alarm: bool, detail: &str) -> Value {
    json!({
        "kind": kind, "alarm": alarm, "subject": "treasury:local/0x00#local:0x00", "detail": detail, "tenant": "acme",
        "lane": "local/0x00", "at": "2026-01-01T00:00:00.000Z",
    })
}

#[tokio::test]
async fn what_agrees_is_success_and_so_is_what_is_only_listed() {
    let server = MockServer::start().await;
    let items = json!([
        network("local", true, json!([difference("uncredited", false, "the chain has 5 ETH more")])),
        network("sepolia", true, json!([])),
    ]);
    on(&server, "GET", "/admin/v1/reconciliation", 200, json!({"items": items})).await;
    let clean = run(&server, &["reconciliation"]).await;
    assert_eq!(clean.code, 0, "{}", clean.err);
    insta::assert_snapshot!("reconciliation-clean", clean.out);
    assert_eq!(run(&server, &["reconciliation", "--output", "json"]).await.json(), items);
}

#[tokio::test]
async fn what_does_not_agree_is_not() {
    let server = MockServer::start().await;
    let items = json!([network("local", false, json!([difference("short", true, "the chain has 5 ETH less")]))]);
    on(&server, "GET", "/admin/v1/reconciliation", 200, json!({"items": items})).await;
    let dirty = run(&server, &["reconciliation"]).await;
    assert_eq!((dirty.code, dirty.err.as_str()), (5, "error: not everything agrees\n"));
    insta::assert_snapshot!("reconciliation-differs", dirty.out);
    let dirty = run(&server, &["reconciliation", "--output", "json"]).await;
    assert_eq!((dirty.code, dirty.json()), (5, items));
}

#[tokio::test]
async fn a_network_that_does_not_say_clean_is_not_clean() {
    let server = MockServer::start().await;
    on(&server, "GET", "/admin/v1/reconciliation", 200, json!({"items": [{"network": "local"}]})).await;
    assert_eq!(run(&server, &["reconciliation"]).await.code, 5);
}
