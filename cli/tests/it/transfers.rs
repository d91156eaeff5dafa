//! Asking for transfers, listing them page by page, following them to their end.

use serde_json::{Value, json};
use wiremock::{MockServer, Request, ResponseTemplate};

use crate::mock::{body, header, on, on_with, one_by_one, received, run};

const TRANSFER: &str = "tr_01k5c3j8000000000000000000-0";
const WITHDRAWAL: &str = "tx-1766000000000-a1b2c3d4e";

fn row(number: u32, state: &str) -> Value {
    json!({
        "transferId": format!("tr_01k5c3j80000000000000{number:05}-0"), "status": "pending", "state": state,
        "from": "0xF0", "to": "0x70", "amount": format!("{number}.5"), "token": "TUSD", "network": "local",
        "priority": "normal", "createdAt": "2026-01-02T03:04:05Z", "updatedAt": "2026-01-02T03:04:06Z",
    })
}

#[tokio::test]
async fn a_withdrawal_is_asked_for_with_the_symbols_contract() {
    let server = MockServer::start().await;
    on(&server, "POST", "/withdrawal/request", 201, json!({"requestId": WITHDRAWAL, "status": "PENDING"})).await;
    let arguments = [
        "transfers",
        "create",
        "--network",
        "local",
        "--token",
        "tusd",
        "--to",
        "0x70",
        "--amount",
        "12.5",
        "--key",
        "k1",
    ];
    let run = run(&server, &arguments).await;
    assert_eq!(run.code, 0, "{}", run.err);
    assert_eq!(run.out, format!("requestId  {WITHDRAWAL}\nstatus     PENDING\n"));
    let request = &received(&server).await[0];
    assert_eq!(header(request, "idempotency-key").as_deref(), Some("k1"));
    let token = "0x700b6A60ce7EaaEA56F065753d8dcB9653dbAD35";
    assert_eq!(
        body(request),
        json!({"amount": "12.5", "toAddress": "0x70", "tokenAddress": token, "network": "local"})
    );
}

#[tokio::test]
async fn a_transfer_carries_only_what_was_given() {
    let server = MockServer::start().await;
    on(&server, "POST", "/api/v1/transfers", 202, json!({"status": "accepted", "transferId": TRANSFER})).await;
    let arguments = [
        "transfers",
        "create",
        "--via",
        "transfer",
        "--from",
        "0xF0",
        "--token",
        "USDC",
        "--to",
        "0x70",
        "--amount",
        "1",
        "--priority",
        "high",
        "--key",
        "k2",
    ];
    let run = run(&server, &arguments).await;
    assert_eq!(run.code, 0, "{}", run.err);
    let expected = json!({
        "from": "0xF0", "to": "0x70", "amount": "1", "token": "USDC", "priority": "high", "idempotencyKey": "k2",
    });
    assert_eq!(body(&received(&server).await[0]), expected);
}

#[tokio::test]
async fn a_list_is_followed_from_page_to_page() {
    let server = MockServer::start().await;
    let page = |request: &Request| {
        let second = request.url.query_pairs().any(|(name, value)| name == "cursor" && value == "a/b=");
        let answer = if second {
            json!({"transfers": [row(3, "confirmed"), row(4, "failed")]})
        } else {
            json!({"transfers": [row(1, "accepted"), row(2, "included")], "nextCursor": "a/b="})
        };
        ResponseTemplate::new(200).set_body_json(answer)
    };
    on_with(&server, "GET", "/api/v1/transfers", page).await;
    let all = run(&server, &["transfers", "list", "--limit", "150"]).await;
    assert_eq!(all.code, 0, "{}", all.err);
    insta::assert_snapshot!("transfers-list", all.out);
    let sizes: Vec<_> =
        received(&server).await.iter().map(|request| request.url.query().unwrap_or_default().to_owned()).collect();
    assert_eq!(sizes, ["limit=100", "limit=100&cursor=a%2Fb%3D"]);
    let three = run(&server, &["transfers", "list", "--limit", "3", "--output", "json"]).await;
    assert_eq!(three.json().as_array().map(Vec::len), Some(3));
}

#[tokio::test]
async fn both_kinds_of_id_are_shown() {
    let server = MockServer::start().await;
    on(
        &server,
        "GET",
        &format!("/withdrawal/status/{WITHDRAWAL}"),
        200,
        json!({"id": WITHDRAWAL, "status": "SIGNING"}),
    )
    .await;
    on(&server, "GET", &format!("/api/v1/transfers/{TRANSFER}"), 200, row(1, "assigned")).await;
    let withdrawal = run(&server, &["transfers", "get", WITHDRAWAL, "--output", "json"]).await;
    assert_eq!(withdrawal.json()["status"], "SIGNING");
    let transfer = run(&server, &["transfers", "get", TRANSFER, "--output", "json"]).await;
    assert_eq!(transfer.json()["state"], "assigned");
}

#[tokio::test]
async fn watching_ends_when_all_have_ended() {
    let server = MockServer::start().await;
    let withdrawal = |status: &str| {
        let updated = "2026-01-02T03:04:06Z";
        json!({"id": WITHDRAWAL, "status": status, "transactionHash": "0xab", "updatedAt": updated})
    };
    let steps = vec![withdrawal("PENDING"), withdrawal("PENDING"), withdrawal("BROADCASTING"), withdrawal("COMPLETED")];
    on_with(&server, "GET", &format!("/withdrawal/status/{WITHDRAWAL}"), one_by_one(steps)).await;
    let steps = vec![row(1, "accepted"), row(1, "confirmed")];
    on_with(&server, "GET", &format!("/api/v1/transfers/{TRANSFER}"), one_by_one(steps)).await;
    let run = run(&server, &["transfers", "watch", WITHDRAWAL, TRANSFER, "--interval-ms", "50"]).await;
    assert_eq!(run.code, 0, "{}", run.err);
    insta::assert_snapshot!("watch", run.out);
    let told: Vec<_> = run.err.lines().filter(|line| line.starts_with(WITHDRAWAL)).collect();
    let expected = ["PENDING", "BROADCASTING", "COMPLETED"].map(|word| format!("{WITHDRAWAL}: {word}"));
    assert_eq!(told, expected, "each change once");
    let looks = received(&server).await.iter().filter(|request| request.url.path().contains("/api/v1/")).count();
    assert_eq!(looks, 2, "what has ended is not looked at again");
}

#[tokio::test]
async fn watching_one_that_fails_is_not_success() {
    let server = MockServer::start().await;
    let mut failed = row(1, "rejected");
    failed["error"] = json!({"code": "SIMULATION_FAILED", "message": "the token refused it"});
    on(&server, "GET", &format!("/api/v1/transfers/{TRANSFER}"), 200, failed).await;
    let run = run(&server, &["transfers", "watch", TRANSFER]).await;
    assert_eq!(run.code, 5);
    assert!(run.out.contains("rejected") && run.out.contains("the token refused it"), "{}", run.out);
    assert!(run.err.ends_with("error: 1 of 1 did not go through\n"), "{}", run.err);
}

#[tokio::test]
async fn watching_gives_up_without_losing_anything() {
    let server = MockServer::start().await;
    on(&server, "GET", &format!("/api/v1/transfers/{TRANSFER}"), 200, row(1, "waiting")).await;
    let run = run(&server, &["transfers", "watch", TRANSFER, "--timeout-s", "0"]).await;
    assert_eq!(run.code, 1);
    assert!(run.err.contains("error: 1 of 1 are still under way"), "{}", run.err);
}

#[tokio::test]
async fn created_and_watched_in_one_go() {
    let server = MockServer::start().await;
    on(&server, "POST", "/withdrawal/request", 201, json!({"requestId": WITHDRAWAL, "status": "PENDING"})).await;
    on(
        &server,
        "GET",
        &format!("/withdrawal/status/{WITHDRAWAL}"),
        200,
        json!({"id": WITHDRAWAL, "status": "FAILED", "error": "reverted"}),
    )
    .await;
    let arguments =
        ["transfers", "create", "--network", "local", "--token", "ETH", "--to", "0x70", "--amount", "1", "--watch"];
    let run = run(&server, &arguments).await;
    assert_eq!(run.code, 5, "{}", run.err);
    assert!(run.out.contains("reverted"), "{}", run.out);
}

#[tokio::test]
async fn what_waits_is_listed_for_operators_the_oldest_first() {
    let server = MockServer::start().await;
    let waiting = |number: u32, second: u32, more: Value| {
        let mut row = json!({
            "transferId": format!("tr_01k5c3j80000000000000{number:05}-0"), "tenant": "acme", "lane": "local/0xF0",
            "amount": "12.5", "symbol": "TUSD", "state": "waiting", "cancelRequested": false,
            "createdAt": format!("2026-01-02T03:04:{second:02}.000Z"), "dueAt": "2026-01-02T04:00:00.000Z",
        });
        row.as_object_mut().expect("a row").extend(more.as_object().expect("fields").clone());
        row
    };
    let rows =
        json!([waiting(1, 9, json!({"waitingFor": "fee_above_cap"})), waiting(2, 5, json!({"state": "accepted"})),]);
    on(&server, "GET", "/admin/v1/transfers/waiting", 200, json!({"items": rows})).await;
    let table = run(&server, &["transfers", "waiting", "local"]).await;
    assert_eq!(table.code, 0, "{}", table.err);
    insta::assert_snapshot!("waiting", table.out);
    assert_eq!(received(&server).await[0].url.query(), Some("network=local&limit=100"));
    let all = run(&server, &["transfers", "waiting", "--output", "json"]).await;
    assert_eq!(all.json()[0]["state"], "accepted");
    assert_eq!(received(&server).await[1].url.query(), Some("limit=100"));
}
