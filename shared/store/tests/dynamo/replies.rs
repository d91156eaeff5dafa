//! What each of the service's answers means, those included that an emulator never gives.
//!
//! The answers come over the wire as the service would write them; nothing listens behind it.
//! Time is paused, so pauses and timeouts pass at once.

use std::sync::{Arc, Mutex};

use causeway_store::contract::{OTHER, ROWS};
use causeway_store::dynamo::DynamoStore;
use causeway_store::{Commit, CommitToken, Conflict, Expect, Item, Key, Store, StoreError, Update, Write};
use serde_json::{Value as Json, json};
use tracing::instrument::WithSubscriber as _;

use crate::wire::{Calls, Fate, Wire};

const READ: &str = "BatchGetItem";

fn start() -> (DynamoStore, Wire) {
    let wire = Wire::new();
    (DynamoStore::new(wire.client("http://127.0.0.1:1"), "test".to_owned()), wire)
}

fn token() -> CommitToken {
    CommitToken::new("ours")
}

fn key(sk: &str) -> Key {
    Key::new(ROWS, "p", sk)
}

fn create(sk: &str) -> Write {
    Write::create(key(sk), Item::new())
}

fn update(sk: &str) -> Write {
    Write::Update { key: key(sk), update: Update::default(), expect: vec![Expect::Exists] }
}

fn delete(sk: &str) -> Write {
    Write::Delete { key: key(sk), expect: vec![Expect::Exists] }
}

/// Each way a commit is sent, with the operation that carries it.
fn shapes() -> [(&'static str, Vec<Write>); 4] {
    [
        ("PutItem", vec![create("a")]),
        ("UpdateItem", vec![update("a")]),
        ("DeleteItem", vec![delete("a")]),
        ("TransactWriteItems", vec![create("a"), update("b")]),
    ]
}

fn error(code: &str) -> Fate {
    let body = json!({"__type": format!("com.amazonaws.dynamodb.v20120810#{code}"), "message": "said so"});
    Fate::Answer(if code.starts_with("Internal") { 500 } else { 400 }, body.to_string())
}

fn row(sk: &str, token: &str) -> Json {
    json!({"pk": {"S": "p"}, "sk": {"S": sk}, "version": {"N": "3"}, "last_commit": {"S": token}})
}

fn item(sk: &str, token: &str) -> Item {
    Item::new().with("pk", "p").with("sk", sk).with("version", 3_u64).with("last_commit", token)
}

fn rows(rows: &[Json]) -> Fate {
    Fate::Answer(200, json!({"Responses": {"test-contract": rows}, "UnprocessedKeys": {}}).to_string())
}

/// A cancelled transaction: for each write its code, and the row that comes along.
fn cancelled(reasons: &[(&str, Option<Json>)]) -> Fate {
    let reasons: Vec<Json> = reasons
        .iter()
        .map(|(code, item)| match item {
            Some(item) => json!({"Code": code, "Message": "said so", "Item": item}),
            None => json!({"Code": code}),
        })
        .collect();
    let body = json!({
        "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
        "message": "Transaction cancelled",
        "CancellationReasons": reasons,
    });
    Fate::Answer(400, body.to_string())
}

fn failed(row: Option<Json>) -> Fate {
    let mut body = json!({"__type": "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException"});
    if let Some(row) = row {
        body["Item"] = row;
    }
    Fate::Answer(400, body.to_string())
}

#[tokio::test(start_paused = true)]
async fn busy_rows_and_short_capacity_are_contended() {
    for code in [
        "ProvisionedThroughputExceededException",
        "ThrottlingException",
        "RequestLimitExceeded",
        "TransactionConflictException",
        "ReplicatedWriteConflictException",
    ] {
        for (operation, writes) in shapes() {
            let (store, wire) = start();
            wire.next(Calls::Writes, error(code));
            assert_eq!(store.commit(&token(), &writes).await.unwrap(), Commit::Contended, "{code}");
            assert_eq!(wire.operations(), [operation], "sent once: pauses are the caller's");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn our_faults_are_refused_and_missing_rights_denied() {
    for (code, denied) in [
        ("ValidationException", false),
        ("IdempotentParameterMismatchException", false),
        ("ResourceNotFoundException", false),
        ("ItemCollectionSizeLimitExceededException", false),
        ("SerializationException", false),
        ("AccessDeniedException", true),
        ("UnrecognizedClientException", true),
        ("ExpiredTokenException", true),
        ("InvalidSignatureException", true),
        ("MissingAuthenticationTokenException", true),
    ] {
        for (operation, writes) in shapes() {
            let (store, wire) = start();
            wire.next(Calls::Writes, error(code));
            match (store.commit(&token(), &writes).await, denied) {
                (Err(StoreError::Refused(reason)), false) => {
                    assert_eq!(reason, format!("{operation}: {code}: said so"));
                }
                (Err(StoreError::Denied(_)), true) => {}
                (other, _) => panic!("{code}: {other:?}"),
            }
            assert_eq!(wire.operations(), [operation]);
        }
    }
}

/// Every way to be left without a reply, and what reading finds then.
#[tokio::test(start_paused = true)]
async fn a_lost_reply_means_what_the_rows_say() {
    let lost = [
        error("InternalServerError"),
        error("TransactionInProgressException"),
        error("SomethingNewException"),
        Fate::Answer(503, "no capacity".to_owned()),
        Fate::Answer(200, "{torn".to_owned()),
        Fate::LoseCall,
        Fate::Silence,
    ];
    let found = [
        (rows(&[row("a", "ours")]), Commit::Committed),
        (rows(&[row("a", "theirs")]), Commit::Unknown),
        (rows(&[]), Commit::Unknown),
        (error("AccessDeniedException"), Commit::Unknown),
        (error("ValidationException"), Commit::Unknown),
    ];
    for fate in lost {
        for (operation, writes) in shapes() {
            for (rows, outcome) in &found {
                let (store, wire) = start();
                wire.next(Calls::Writes, fate.clone());
                wire.next(Calls::Reads, rows.clone());
                let told = store.commit(&token(), &writes).await.unwrap();
                if operation == "DeleteItem" {
                    assert_eq!(told, Commit::Unknown, "a row that is gone carries no token: {fate:?}");
                    assert_eq!(wire.operations(), [operation]);
                } else {
                    assert_eq!(told, *outcome, "{operation}: {fate:?}, then {rows:?}");
                    assert_eq!(wire.operations(), [operation, READ]);
                }
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn any_row_with_our_token_settles_a_transaction() {
    for mine in ["a", "b"] {
        let (store, wire) = start();
        wire.next(Calls::Writes, Fate::LoseReply);
        let other = if mine == "a" { "b" } else { "a" };
        wire.next(Calls::Reads, rows(&[row(other, "theirs"), row(mine, "ours")]));
        let writes = [create("a"), update("b"), delete("c")];
        assert_eq!(store.commit(&token(), &writes).await.unwrap(), Commit::Committed);
        let (_, body) = wire.sent().pop().unwrap();
        assert!(!body.contains(r#""S":"c""#), "a deleted row tells nothing: {body}");
        assert!(body.contains(r#""ConsistentRead":true"#), "{body}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_failed_condition_is_ours_or_a_conflict() {
    for (operation, writes) in shapes().into_iter().take(3) {
        let conflict = |current| Commit::Conflict(vec![Conflict { index: 0, current }]);
        let marks = operation != "DeleteItem";
        let ours = || if marks { Commit::Committed } else { conflict(Some(item("a", "ours"))) };
        let cases = [
            (failed(Some(row("a", "theirs"))), None, conflict(Some(item("a", "theirs")))),
            (failed(Some(row("a", "ours"))), None, ours()),
            (failed(None), Some(rows(&[])), conflict(None)),
            (failed(None), Some(rows(&[row("a", "theirs")])), conflict(Some(item("a", "theirs")))),
            (failed(None), Some(rows(&[row("a", "ours")])), ours()),
            (failed(None), Some(error("AccessDeniedException")), Commit::Unknown),
        ];
        for (answer, read, outcome) in cases {
            let (store, wire) = start();
            wire.next(Calls::Writes, answer.clone());
            let expected: Vec<&str> = if read.is_some() { vec![operation, READ] } else { vec![operation] };
            if let Some(read) = read {
                wire.next(Calls::Reads, read);
            }
            assert_eq!(store.commit(&token(), &writes).await.unwrap(), outcome, "{operation}: {answer:?}");
            assert_eq!(wire.operations(), expected, "{operation}: {answer:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_transaction_is_read_reason_by_reason() {
    const HELD: (&str, Option<Json>) = ("None", None);
    const FAILED: &str = "ConditionalCheckFailed";
    let conflict = |index, current| Commit::Conflict(vec![Conflict { index, current }]);
    let theirs = |sk| Some(row(sk, "theirs"));
    let both = Commit::Conflict(vec![
        Conflict { index: 0, current: Some(item("a", "theirs")) },
        Conflict { index: 2, current: None },
    ]);
    let cases = [
        (vec![HELD, (FAILED, theirs("b")), HELD], None, conflict(1, Some(item("b", "theirs")))),
        (vec![HELD, (FAILED, Some(row("b", "ours"))), HELD], None, Commit::Committed),
        (vec![(FAILED, theirs("a")), (FAILED, Some(row("b", "ours"))), HELD], None, Commit::Committed),
        // The deleted row's token was left by another commit of ours; it proves nothing.
        (vec![HELD, HELD, (FAILED, Some(row("c", "ours")))], None, conflict(2, Some(item("c", "ours")))),
        (vec![(FAILED, theirs("a")), HELD, (FAILED, None)], Some(rows(&[])), both),
        // What the transaction did not look at may carry our token.
        (
            vec![(FAILED, theirs("a")), ("TransactionConflict", None), HELD],
            Some(rows(&[row("b", "ours")])),
            Commit::Committed,
        ),
        (
            vec![(FAILED, theirs("a")), ("TransactionConflict", None), HELD],
            Some(rows(&[row("b", "theirs")])),
            conflict(0, Some(item("a", "theirs"))),
        ),
        (vec![("TransactionConflict", None), HELD, HELD], None, Commit::Contended),
        (vec![HELD, ("ThrottlingError", None), HELD], None, Commit::Contended),
        (vec![HELD, ("ProvisionedThroughputExceeded", None), HELD], None, Commit::Contended),
        (vec![HELD, ("SomethingNew", None), HELD], None, Commit::Contended),
    ];
    let writes = [create("a"), update("b"), delete("c")];
    for (reasons, read, outcome) in cases {
        let (store, wire) = start();
        wire.next(Calls::Writes, cancelled(&reasons));
        let calls = 1 + usize::from(read.is_some());
        if let Some(read) = read {
            wire.next(Calls::Reads, read);
        }
        assert_eq!(store.commit(&token(), &writes).await.unwrap(), outcome, "{reasons:?}");
        assert_eq!(wire.operations().len(), calls, "{reasons:?}");
    }
    for code in ["ValidationError", "ItemCollectionSizeLimitExceeded"] {
        let (store, wire) = start();
        let reasons = [("TransactionConflict", None), (code, None), HELD];
        wire.next(Calls::Writes, cancelled(&reasons));
        let told = store.commit(&token(), &writes).await;
        assert!(matches!(told, Err(StoreError::Refused(_))), "{code}: {told:?}");
    }
}

/// The token is the transaction's own, and a lone check goes through a transaction.
#[tokio::test(start_paused = true)]
async fn a_transaction_carries_the_commits_token() {
    for writes in [vec![create("a"), update("b")], vec![Write::Check { key: key("a"), expect: vec![Expect::Absent] }]] {
        let (store, wire) = start();
        wire.next(Calls::Writes, Fate::Answer(200, "{}".to_owned()));
        assert_eq!(store.commit(&token(), &writes).await.unwrap(), Commit::Committed);
        let (operation, body) = wire.sent().pop().unwrap();
        assert_eq!(operation, "TransactWriteItems");
        let body: Json = serde_json::from_str(&body).unwrap();
        assert_eq!(body["ClientRequestToken"], "ours");
        for item in body["TransactItems"].as_array().unwrap() {
            let write = item.as_object().unwrap().values().next().unwrap();
            assert_eq!(write["ReturnValuesOnConditionCheckFailure"], "ALL_OLD");
        }
    }
}

/// The same commit is the same bytes: another spelling would be refused under the same token.
#[tokio::test(start_paused = true)]
async fn a_repeat_is_the_same_request() {
    let (store, wire) = start();
    let set = ["a", "b", "c", "d", "e", "f"].map(|field| (field, field.into())).to_vec();
    let update = Update { set, add: vec![("n", 1)], remove: vec!["x", "y", "z"] };
    let writes = [Write::Update { key: key("a"), update, expect: vec![Expect::Version(1)] }, create("b")];
    for _ in 0..5 {
        wire.next(Calls::Writes, Fate::Answer(200, "{}".to_owned()));
        assert_eq!(store.commit(&token(), &writes).await.unwrap(), Commit::Committed);
    }
    let bodies: Vec<Json> = wire.sent().iter().map(|(_, body)| serde_json::from_str(body).unwrap()).collect();
    assert!(bodies.windows(2).all(|pair| pair[0] == pair[1]));
}

#[tokio::test(start_paused = true)]
async fn reads_are_tried_three_times() {
    let (store, wire) = start();
    wire.next(Calls::Reads, error("InternalServerError"));
    wire.next(Calls::Reads, error("ProvisionedThroughputExceededException"));
    wire.next(Calls::Reads, Fate::Answer(200, json!({"Item": row("a", "theirs")}).to_string()));
    assert_eq!(store.get(&key("a")).await.unwrap(), Some(item("a", "theirs")));
    assert_eq!(wire.operations(), ["GetItem"; 3]);

    let (store, wire) = start();
    for _ in 0..3 {
        wire.next(Calls::Reads, Fate::Silence);
    }
    assert!(matches!(store.get(&key("a")).await, Err(StoreError::Unavailable(_))));
    assert_eq!(wire.operations(), ["GetItem"; 3]);

    let (store, wire) = start();
    wire.next(Calls::Reads, error("AccessDeniedException"));
    assert!(matches!(store.get(&key("a")).await, Err(StoreError::Denied(_))));
    wire.next(Calls::Reads, error("ResourceNotFoundException"));
    assert!(matches!(store.get(&key("a")).await, Err(StoreError::Refused(_))));
    let foreign = json!({"Item": {"tags": {"SS": ["not ours"]}}});
    wire.next(Calls::Reads, Fate::Answer(200, foreign.to_string()));
    assert!(matches!(store.get(&key("a")).await, Err(StoreError::Refused(_))));
}

/// A batch's reply that holds these rows and leaves these keys over.
fn batch(rows: &[Json], left_over: &[&str]) -> Fate {
    let keys: Vec<Json> = left_over.iter().map(|sk| json!({"pk": {"S": "p"}, "sk": {"S": sk}})).collect();
    let rest = if keys.is_empty() { json!({}) } else { json!({"test-contract": {"Keys": keys, "ConsistentRead": true}}) };
    Fate::Answer(200, json!({"Responses": {"test-contract": rows}, "UnprocessedKeys": rest}).to_string())
}

#[tokio::test(start_paused = true)]
async fn left_over_keys_are_asked_for_again() {
    let (store, wire) = start();
    wire.next(Calls::Reads, batch(&[row("c", "theirs")], &["b", "a"]));
    wire.next(Calls::Reads, batch(&[], &["b", "a"]));
    wire.next(Calls::Reads, batch(&[row("a", "theirs")], &["b"]));
    wire.next(Calls::Reads, batch(&[], &[]));
    let found = store.get_many(&[key("a"), key("b"), key("c"), key("a")]).await.unwrap();
    let there = |sk| Some(item(sk, "theirs"));
    assert_eq!(found, [there("a"), None, there("c"), there("a")]);
    let asked: Vec<usize> = wire.sent().iter().map(|(_, body)| body.matches("\"sk\"").count()).collect();
    assert_eq!(asked, [3, 2, 2, 1], "only what was left over, and no key twice");

    let (store, wire) = start();
    for _ in 0..7 {
        wire.next(Calls::Reads, batch(&[], &["a"]));
    }
    assert!(matches!(store.get_many(&[key("a")]).await, Err(StoreError::Unavailable(_))), "never absent for that");
    assert_eq!(wire.operations().len(), 7);
}

#[tokio::test(start_paused = true)]
async fn rows_of_two_tables_are_not_mixed_up() {
    let (store, wire) = start();
    let reply = json!({
        "Responses": {"test-contract-other": [row("a", "other")], "test-contract": [row("a", "first")]},
        "UnprocessedKeys": {},
    });
    wire.next(Calls::Reads, Fate::Answer(200, reply.to_string()));
    let found = store.get_many(&[Key::new(OTHER, "p", "a"), key("a")]).await.unwrap();
    assert_eq!(found, [Some(item("a", "other")), Some(item("a", "first"))]);
}

#[tokio::test(start_paused = true)]
async fn every_call_is_told() {
    let (store, wire) = start();
    wire.next(Calls::Writes, error("ThrottlingException"));
    wire.next(Calls::Writes, Fate::LoseCall);
    wire.next(Calls::Reads, rows(&[]));
    let told = events(async {
        assert_eq!(store.commit(&token(), &[create("a")]).await.unwrap(), Commit::Contended);
        assert_eq!(store.commit(&token(), &[create("a"), create("b")]).await.unwrap(), Commit::Unknown);
    })
    .await;
    let expected = ["PutItem", "TransactWriteItems", READ].map(|op| format!(r#"service="dynamodb" op="{op}""#));
    assert_eq!(told, expected);
}

/// The units of a batch or a transaction are those of all its tables.
#[tokio::test(start_paused = true)]
async fn units_are_summed_over_tables() {
    let (store, wire) = start();
    let capacity = json!([
        {"TableName": "test-contract", "CapacityUnits": 2.0},
        {"TableName": "test-contract-other", "CapacityUnits": 0.5},
    ]);
    wire.next(Calls::Reads, Fate::Answer(200, json!({"ConsumedCapacity": capacity}).to_string()));
    wire.next(Calls::Writes, Fate::Answer(200, json!({"ConsumedCapacity": capacity}).to_string()));
    let counting = store.counting_capacity();
    let told = events(async {
        counting.get_many(&[key("a")]).await.unwrap();
        assert_eq!(counting.commit(&token(), &[create("a"), create("b")]).await.unwrap(), Commit::Committed);
    })
    .await;
    let expected = [READ, "TransactWriteItems"].map(|op| format!(r#"service="dynamodb" op="{op}" units=2.5"#));
    assert_eq!(told, expected);
}

/// The events of target `calls` while this runs.
pub(crate) async fn events(run: impl Future<Output = ()>) -> Vec<String> {
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::DEBUG)
        .without_time()
        .with_level(false)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    run.with_subscriber(subscriber).await;
    let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    text.lines().filter_map(|line| line.strip_prefix("calls: ")).map(|line| line.trim().to_owned()).collect()
}

#[derive(Debug, Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
