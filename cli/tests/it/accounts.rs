//! What operators look at: accounts, queues, dead letters, treasuries.

use serde_json::{Value, json};
use wiremock::MockServer;

use crate::mock::{body, on, on_with, one_by_one, received, run};

#[tokio::test]
async fn queues_are_a_table_or_json() {
    let server = MockServer::start().await;
    let items = json!([
        {"queue": "transfers-high", "ready": 0, "inFlight": 12, "delayed": 0},
        {"queue": "transactions.fifo", "ready": 1234, "inFlight": 1, "delayed": 0},
    ]);
    on(&server, "GET", "/admin/v1/queues", 200, json!({"items": items})).await;
    let table = run(&server, &["queues"]).await;
    assert_eq!(table.code, 0, "{}", table.err);
    insta::assert_snapshot!("queues", table.out);
    assert_eq!(run(&server, &["queues", "--output", "json"]).await.json(), items);
}

#[tokio::test]
async fn a_ledger_that_adds_up_is_success_and_one_that_does_not_is_not() {
    let account = |faults: serde_json::Value| json!({"account": "tenant:acme#local:0x00", "balances": ["5", "2", "0"], "entries": 7, "unproven": 0, "faults": faults});
    let until = "2026-01-02T03:04:05.000Z";
    let server = MockServer::start().await;
    on(
        &server,
        "POST",
        "/admin/v1/accounts/check",
        200,
        json!({"clean": true, "accounts": [account(json!([]))], "unbalanced": [], "provenUntil": until}),
    )
    .await;
    let clean = run(&server, &["accounts", "check"]).await;
    assert_eq!(clean.code, 0, "{}", clean.err);
    insta::assert_snapshot!("check-clean", clean.out);

    let server = MockServer::start().await;
    let report =
        json!({"clean": false, "accounts": [account(json!(["available is 5, entries say 4"]))], "unbalanced": ["c_1"]});
    on(&server, "POST", "/admin/v1/accounts/check", 200, report.clone()).await;
    let dirty = run(&server, &["accounts", "check"]).await;
    assert_eq!(dirty.code, 5);
    assert_eq!(dirty.err, "error: the ledger does not add up\n");
    insta::assert_snapshot!("check-not-clean", dirty.out);
    let dirty = run(&server, &["accounts", "check", "--output", "json"]).await;
    assert_eq!((dirty.code, &dirty.json()["unbalanced"]), (5, &report["unbalanced"]));
}

#[tokio::test]
async fn a_check_goes_on_until_its_end_and_tells_all_parts_as_one() {
    let part = |name: &str, faults: Value, next: Option<&str>| {
        let account =
            json!({"account": name, "balances": ["5", "2", "0"], "entries": 7, "unproven": 0, "faults": faults});
        json!({"clean": faults == json!([]), "accounts": [account], "unbalanced": [], "nextCursor": next})
    };
    // What the first part found is not forgotten over the last one's.
    let parts = vec![part("a", json!(["a fault"]), Some("there")), part("b", json!([]), None)];
    let server = MockServer::start().await;
    on_with(&server, "POST", "/admin/v1/accounts/check", one_by_one(parts)).await;
    let run = run(&server, &["accounts", "check", "--output", "json"]).await;
    assert_eq!((run.code, run.err.as_str()), (5, "1 accounts so far\nerror: the ledger does not add up\n"));
    let names: Vec<_> =
        run.json()["accounts"].as_array().expect("a list").iter().map(|one| one["account"].clone()).collect();
    assert_eq!(names, ["a", "b"]);
    let asked = received(&server).await;
    assert_eq!([body(&asked[0]), body(&asked[1])], [json!({}), json!({"cursor": "there"})]);
}

#[tokio::test]
async fn what_could_not_be_proven_is_neither_clean_nor_a_fault() {
    let account = json!({"account": "a", "balances": ["5", "2", "0"], "entries": 7, "unproven": 2, "faults": []});
    let until = "2026-01-02T03:04:05.000Z";
    let report = json!({"clean": true, "accounts": [account], "unbalanced": [], "provenUntil": until});
    let server = MockServer::start().await;
    on(&server, "POST", "/admin/v1/accounts/check", 200, report).await;
    let run = run(&server, &["accounts", "check"]).await;
    assert_eq!(run.code, 5);
    insta::assert_snapshot!("check-unproven", format!("{}{}", run.out, run.err));
}

#[tokio::test]
async fn a_check_that_does_not_say_clean_is_not_clean() {
    let server = MockServer::start().await;
    on(&server, "POST", "/admin/v1/accounts/check", 200, json!({"accounts": []})).await;
    assert_eq!(run(&server, &["accounts", "check"]).await.code, 5);
}

#[tokio::test]
async fn a_dead_letter_is_shown_with_its_message() {
    let server = MockServer::start().await;
    let path = "/admin/v1/dead-letters/dl_01k5c3j8000000000000000000";
    let letter = json!({
        "id": "dl_01k5c3j8000000000000000000", "queue": "transfers-dead", "reason": "the token is not listed",
        "receives": 1, "status": "open", "body": "{\"parcel\":\"pcl_1\"}", "state": "rejected",
    });
    on(&server, "GET", path, 200, letter).await;
    let run = run(&server, &["dead-letters", "show", "dl_01k5c3j8000000000000000000"]).await;
    assert_eq!(run.code, 0, "{}", run.err);
    insta::assert_snapshot!("dead-letter", run.out);
}

#[tokio::test]
async fn dead_letters_are_listed_by_status() {
    let server = MockServer::start().await;
    on(&server, "GET", "/admin/v1/dead-letters", 200, json!({"items": []})).await;
    let run = run(&server, &["dead-letters", "list", "--status", "discarded"]).await;
    assert_eq!(run.code, 0, "{}", run.err);
    assert_eq!(run.out, "ID  QUEUE  REASON  PARCEL  RECEIVES  STATUS  CREATED\n");
    assert_eq!(received(&server).await[0].url.query(), Some("status=discarded&limit=100"));
}

#[tokio::test]
async fn both_kinds_of_treasury_are_registered() {
    let server = MockServer::start().await;
    on(&server, "POST", "/admin/v1/treasuries", 200, json!({"address": "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"}))
        .await;
    let common = ["treasuries", "register", "acme", "--network", "local", "--reason", "new"];
    let kms = run(&server, &[&common[..], &["--kms-key", "arn:aws:kms:k"]].concat()).await;
    assert_eq!(kms.code, 0, "{}", kms.err);
    let secret = run(&server, &[&common[..], &["--secret", "old", "--address", "0x1"]].concat()).await;
    assert_eq!(secret.code, 0, "{}", secret.err);
    let keys: Vec<_> = received(&server).await.iter().map(|request| body(request)["key"].clone()).collect();
    let expected =
        [json!({"kind": "kms", "keyId": "arn:aws:kms:k"}), json!({"kind": "secret", "name": "old", "address": "0x1"})];
    assert_eq!(keys, expected);
}
