//! What the API refuses, and how that is told: the exit code, the reason, the next step.

use serde_json::json;
use wiremock::{MockServer, ResponseTemplate};

use crate::mock::{TOKEN, causeway, finish, header, on, on_with, received, run};

async fn refused(status: u16, code: &str) -> crate::mock::Run {
    let server = MockServer::start().await;
    on(&server, "GET", "/admin/v1/queues", status, json!({"status": "error", "code": code, "message": "the reason"}))
        .await;
    run(&server, &["queues"]).await
}

#[tokio::test]
async fn the_exit_code_tells_a_script_what_happened() {
    for (status, code, exit) in [
        (400, "VALIDATION_ERROR", 1),
        (401, "UNAUTHENTICATED", 4),
        (402, "INSUFFICIENT_FUNDS", 1),
        (403, "FORBIDDEN", 4),
        (403, "BLOCKED", 4),
        (404, "NOT_FOUND", 3),
        (409, "CONFLICT", 1),
        (422, "IDEMPOTENCY_KEY_REUSED", 1),
        (500, "INTERNAL", 1),
    ] {
        let run = refused(status, code).await;
        assert_eq!(run.code, exit, "{code}: {}", run.err);
        assert!(run.err.starts_with(&format!("error: {code}: the reason (HTTP {status})\n")), "{}", run.err);
        assert!(run.out.is_empty(), "{code}: data only on success");
    }
}

#[tokio::test]
async fn a_refusal_says_what_to_do_next() {
    let run = refused(403, "BLOCKED").await;
    assert_eq!(
        run.err,
        "error: BLOCKED: the reason (HTTP 403)\n  next: see 'switches list' for what is blocked and why\n"
    );
}

#[tokio::test]
async fn an_answer_that_is_none_of_ours_is_a_failure_with_its_cause() {
    let server = MockServer::start().await;
    on_with(&server, "GET", "/admin/v1/queues", ResponseTemplate::new(200).set_body_string("<html>")).await;
    let run = run(&server, &["queues"]).await;
    assert_eq!(run.code, 1);
    assert!(run.err.contains("answered something that this route does not give"), "{}", run.err);
    assert!(run.err.contains("  because: expected value"), "{}", run.err);
}

#[tokio::test]
async fn an_address_that_is_none_is_wrong_usage() {
    let mut command = causeway(&["--api", "localhost", "queues"]);
    command.env("CAUSEWAY_TOKEN", TOKEN);
    let run = finish(command).await;
    assert_eq!(run.code, 2);
    assert!(run.err.starts_with("error: 'localhost' is not an http or https address\n"), "{}", run.err);
}

#[tokio::test]
async fn an_id_cannot_lead_to_another_route() {
    let server = MockServer::start().await;
    on(&server, "GET", "/admin/v1/accounts/..", 404, json!({})).await;
    let run = run(&server, &["accounts", "show", "../queues"]).await;
    assert_eq!(run.code, 2, "a slash is no part of a tenant's name");
    assert!(received(&server).await.is_empty());
}

#[tokio::test]
async fn the_token_travels_in_its_header_only() {
    let server = MockServer::start().await;
    on(&server, "GET", "/admin/v1/queues", 500, json!({"code": "INTERNAL", "message": "m"})).await;
    let run = run(&server, &["queues"]).await;
    let requests = received(&server).await;
    assert_eq!(header(&requests[0], "authorization"), Some(format!("Bearer {TOKEN}")));
    assert!(!requests[0].url.as_str().contains(TOKEN) && !run.err.contains(TOKEN));
}
