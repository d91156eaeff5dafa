//! What is repeated and what is not: reads and keyed requests are, everything else never.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};
use wiremock::{MockServer, Request, ResponseTemplate};

use crate::mock::{TOKEN, body, causeway, finish, header, on, on_with, received, run};

/// Says that it is busy a few times, then gives its answer.
fn busy_then(times: usize, status: u16, answer: Value) -> impl Fn(&Request) -> ResponseTemplate + Send + Sync {
    let seen = AtomicUsize::new(0);
    move |_: &Request| {
        if seen.fetch_add(1, Ordering::SeqCst) < times {
            let busy = json!({"status": "error", "code": "BUSY", "message": "try again"});
            ResponseTemplate::new(503).insert_header("retry-after", "0").set_body_json(busy)
        } else {
            ResponseTemplate::new(status).set_body_json(&answer)
        }
    }
}

#[tokio::test]
async fn a_read_is_repeated_until_it_is_answered() {
    let server = MockServer::start().await;
    on_with(&server, "GET", "/admin/v1/queues", busy_then(2, 200, json!({"items": []}))).await;
    let run = run(&server, &["queues"]).await;
    assert_eq!(run.code, 0, "{}", run.err);
    assert_eq!(received(&server).await.len(), 3);
    assert!(run.err.contains("BUSY: try again (HTTP 503); once more in"), "{}", run.err);
}

#[tokio::test]
async fn a_read_is_not_repeated_for_ever() {
    let server = MockServer::start().await;
    on_with(&server, "GET", "/admin/v1/queues", busy_then(usize::MAX, 200, json!({}))).await;
    let run = run(&server, &["queues"]).await;
    assert_eq!(run.code, 1);
    assert_eq!(received(&server).await.len(), 6);
}

#[tokio::test]
async fn a_keyed_request_is_repeated_with_its_key() {
    let server = MockServer::start().await;
    let taken = json!({"requestId": "tx-1766000000000-a1b2c3d4e", "status": "PENDING"});
    on_with(&server, "POST", "/withdrawal/request", busy_then(1, 201, taken)).await;
    let arguments = [
        "transfers",
        "create",
        "--network",
        "local",
        "--token",
        "TUSD",
        "--to",
        "0x1",
        "--amount",
        "1",
        "--output",
        "json",
    ];
    let run = run(&server, &arguments).await;
    assert_eq!(run.code, 0, "{}", run.err);
    assert_eq!(run.json()["requestId"], "tx-1766000000000-a1b2c3d4e");
    let requests = received(&server).await;
    let keys: Vec<_> = requests.iter().map(|request| header(request, "idempotency-key").expect("a key")).collect();
    assert_eq!(keys.len(), 2);
    assert_eq!(keys[0], keys[1]);
    assert!(run.err.contains(&format!("key: {}", keys[0])), "the key is told, so that a person can repeat it");
    assert_eq!(body(&requests[0]), body(&requests[1]));
}

#[tokio::test]
async fn a_credit_is_repeated_with_its_key() {
    let server = MockServer::start().await;
    let answer = json!({"operationId": "op_1", "available": "5"});
    on_with(&server, "POST", "/admin/v1/accounts/credit", busy_then(1, 200, answer)).await;
    let arguments = [
        "--yes",
        "accounts",
        "credit",
        "acme",
        "--network",
        "local",
        "--token",
        "TUSD",
        "--amount",
        "5",
        "--reason",
        "deposit",
    ];
    let run = run(&server, &arguments).await;
    assert_eq!(run.code, 0, "{}", run.err);
    let requests = received(&server).await;
    assert_eq!(requests.len(), 2);
    assert!(body(&requests[0])["idempotencyKey"].is_string());
    assert_eq!(body(&requests[0]), body(&requests[1]));
}

#[tokio::test]
async fn a_movement_of_which_nobody_heard_can_be_repeated_with_its_key() {
    for verb in ["credit", "debit"] {
        let server = MockServer::start().await;
        let path = format!("/admin/v1/accounts/{verb}");
        on_with(&server, "POST", &path, busy_then(usize::MAX, 200, json!({}))).await;
        let arguments = ["--yes", "accounts", verb, "acme", "--network", "local", "--token", "TUSD", "--amount", "5"];
        let first = run(&server, &[&arguments[..], &["--reason", "deposit"]].concat()).await;
        assert_eq!(first.code, 1);
        let sent = body(&received(&server).await[0])["idempotencyKey"].as_str().expect("a key").to_owned();
        let told = format!("key: {sent}\n");
        assert!(first.err.starts_with(&told), "told before anything is sent: {}", first.err);
        assert!(first.err.contains(&format!("--key {sent}")), "and how to repeat it: {}", first.err);
        let second = run(&server, &[&arguments[..], &["--reason", "deposit", "--key", &sent]].concat()).await;
        assert!(!second.err.contains("key: "), "whoever gave the key knows it: {}", second.err);
        let requests = received(&server).await;
        assert!(requests.iter().all(|request| body(request) == body(&requests[0])), "one movement");
    }
}

#[tokio::test]
async fn a_change_without_a_key_is_never_repeated() {
    let dead_letter = "dl_01k5c3j8000000000000000000";
    let lane = "local/0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed";
    let changes: [(&str, &[&str]); 5] = [
        (
            "/admin/v1/dead-letters/dl_01k5c3j8000000000000000000/replay",
            &["dead-letters", "replay", dead_letter, "--reason", "r"],
        ),
        (
            "/admin/v1/dead-letters/dl_01k5c3j8000000000000000000/refund",
            &["dead-letters", "refund", dead_letter, "--reason", "r"],
        ),
        (
            "/admin/v1/dead-letters/dl_01k5c3j8000000000000000000/settle",
            &["dead-letters", "settle", dead_letter, "--paid", "--reason", "r"],
        ),
        (
            "/admin/v1/lanes/local/0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed/release",
            &["lanes", "release", lane, "--reason", "r"],
        ),
        ("/admin/v1/switches", &["switches", "block", "tenant:acme", "--reason", "r"]),
    ];
    for (path, arguments) in changes {
        let server = MockServer::start().await;
        on_with(&server, "POST", path, busy_then(1, 200, json!({}))).await;
        let run = run(&server, &[&["--yes"], arguments].concat()).await;
        assert_eq!(run.code, 1, "{path}");
        assert_eq!(received(&server).await.len(), 1, "{path}");
    }
}

#[tokio::test]
async fn a_refusal_is_not_repeated() {
    let server = MockServer::start().await;
    on(&server, "GET", "/admin/v1/queues", 400, json!({"code": "VALIDATION_ERROR", "message": "m"})).await;
    run(&server, &["queues"]).await;
    assert_eq!(received(&server).await.len(), 1);
}

#[tokio::test]
async fn nobody_at_the_address_is_a_failure_that_names_it() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("its address");
    drop(listener);
    let mut command = causeway(&["queues"]);
    command.env("CAUSEWAY_API", format!("http://{address}")).env("CAUSEWAY_TOKEN", TOKEN);
    let run = finish(command).await;
    assert_eq!(run.code, 1);
    assert!(run.err.contains(&format!("error: no answer from http://{address}/admin/v1/queues")), "{}", run.err);
    assert!(run.err.contains("  because: "), "{}", run.err);
}
