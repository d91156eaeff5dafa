//! Verbs that move money ask first, and do nothing where there is nobody to ask.

use serde_json::json;
use wiremock::MockServer;

use crate::mock::{body, on, received, run};

const DEAD_LETTER: &str = "dl_01k5c3j8000000000000000000";
const LANE: &str = "local/0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed";

const TAKER: &str = "0x7777777777777777777777777777777777777777777777777777777777777777";

fn movement(verb: &str) -> Vec<&str> {
    vec!["accounts", verb, "acme", "--network", "local", "--token", "TUSD", "--amount", "12.5", "--reason", "why"]
}

fn money_verbs() -> Vec<Vec<&'static str>> {
    vec![
        movement("credit"),
        movement("debit"),
        vec!["dead-letters", "replay", DEAD_LETTER, "--reason", "why"],
        vec!["dead-letters", "refund", DEAD_LETTER, "--reason", "why"],
        vec!["dead-letters", "discard", DEAD_LETTER, "--reason", "why"],
        vec!["dead-letters", "settle", DEAD_LETTER, "--paid", "--reason", "why"],
        vec!["dead-letters", "settle", DEAD_LETTER, "--unpaid", "--reason", "why"],
        vec!["lanes", "release", LANE, "--reason", "why"],
        vec!["lanes", "displace", LANE, "--number", "6", "--reason", "why"],
        vec!["lanes", "displace", LANE, "--number", "6", "--taken-by", TAKER, "--reason", "why"],
        vec!["switches", "block", "tenant:acme", "--reason", "why"],
        vec!["load", "--count", "3"],
    ]
}

#[tokio::test]
async fn without_a_terminal_nothing_is_done() {
    for verb in money_verbs() {
        let server = MockServer::start().await;
        let run = run(&server, &verb).await;
        assert_eq!(run.code, 2, "{verb:?}: {}", run.err);
        assert!(run.err.contains("needs a confirmation, and there is no terminal to ask on"), "{}", run.err);
        assert!(run.err.contains("repeat it with --yes if it is meant"), "{}", run.err);
        assert!(received(&server).await.is_empty(), "{verb:?}");
    }
}

#[tokio::test]
async fn a_confirmed_credit_says_everything_the_audit_log_wants() {
    let server = MockServer::start().await;
    on(&server, "POST", "/admin/v1/accounts/credit", 200, json!({"operationId": "op_1", "available": "12.5"})).await;
    let mut arguments = movement("credit");
    arguments.extend(["--yes", "--account", "gas", "--key", "deposit-7"]);
    let run = run(&server, &arguments).await;
    assert_eq!(run.code, 0, "{}", run.err);
    assert_eq!(run.out, "available    12.5\noperationId  op_1\n");
    let expected = json!({
        "tenant": "acme", "account": "gas", "network": "local", "token": "TUSD", "amount": "12.5",
        "reason": "why", "idempotencyKey": "deposit-7",
    });
    assert_eq!(body(&received(&server).await[0]), expected);
}

#[tokio::test]
async fn a_debit_names_the_treasury_that_the_money_left() {
    let server = MockServer::start().await;
    on(&server, "POST", "/admin/v1/accounts/debit", 200, json!({"operationId": "op_1", "available": "1"})).await;
    let treasury = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed";
    let mut arguments = movement("debit");
    arguments.extend(["--yes", "--treasury", treasury]);
    let run = run(&server, &arguments).await;
    assert_eq!(run.code, 0, "{}", run.err);
    assert_eq!(body(&received(&server).await[0])["treasury"], treasury);
}

#[tokio::test]
async fn a_word_on_a_transaction_is_told_as_it_was_said() {
    let hash = format!("0x{}", "ab".repeat(32));
    let path = format!("/admin/v1/dead-letters/{DEAD_LETTER}/settle");
    for (word, paid) in [("--paid", true), ("--unpaid", false)] {
        let server = MockServer::start().await;
        let settled = json!([{"hash": hash, "paid": paid}]);
        on(&server, "POST", &path, 200, json!({"id": DEAD_LETTER, "status": "settled", "settled": settled})).await;
        let arguments = ["dead-letters", "settle", DEAD_LETTER, word, "--hash", &hash, "--reason", "why", "--yes"];
        let run = run(&server, &arguments).await;
        assert_eq!(run.code, 0, "{}", run.err);
        insta::assert_snapshot!(format!("dead-letter-settled{word}"), run.out);
        let said = json!({"paid": paid, "hash": hash, "reason": "why"});
        assert_eq!(body(&received(&server).await[0]), said);
    }
}

#[tokio::test]
async fn a_block_needs_a_word_and_an_unblock_does_not() {
    let server = MockServer::start().await;
    on(&server, "POST", "/admin/v1/switches", 200, json!({"scope": "tenant:acme", "blocked": false})).await;
    let run = run(&server, &["switches", "unblock", "tenant:acme", "--reason", "over"]).await;
    assert_eq!(run.code, 0, "{}", run.err);
    assert_eq!(body(&received(&server).await[0]), json!({"scope": "tenant:acme", "blocked": false, "reason": "over"}));
}

#[tokio::test]
async fn who_gives_a_number_up_may_name_what_took_it() {
    for (more, named) in [(vec![], None), (vec!["--taken-by", TAKER], Some(TAKER))] {
        let server = MockServer::start().await;
        let path = format!("/admin/v1/lanes/{LANE}/displace");
        on(&server, "POST", &path, 200, json!({"lane": LANE, "state": "halted"})).await;
        let mut arguments = vec!["lanes", "displace", LANE, "--number", "6", "--reason", "why", "--yes"];
        arguments.extend(more);
        let run = run(&server, &arguments).await;
        assert_eq!(run.code, 0, "{}", run.err);
        let sent = body(&received(&server).await[0]);
        let expected = match named {
            Some(hash) => json!({"number": 6, "takenBy": hash, "reason": "why"}),
            None => json!({"number": 6, "reason": "why"}),
        };
        assert_eq!(sent, expected);
    }
}
