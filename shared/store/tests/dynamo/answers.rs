//! Answers as the service would write them, and commits to be answered. Nothing listens behind the wire.

use std::sync::{Arc, Mutex};

use causeway_store::contract::ROWS;
use causeway_store::dynamo::DynamoStore;
use causeway_store::{CommitToken, Expect, Item, Key, Update, Write};
use serde_json::{Value as Json, json};
use tracing::instrument::WithSubscriber as _;

use crate::wire::{Fate, Wire};

pub(crate) const READ: &str = "BatchGetItem";

pub(crate) fn start() -> (DynamoStore, Wire) {
    let wire = Wire::new();
    (DynamoStore::new(wire.client("http://127.0.0.1:1"), "test".to_owned()), wire)
}

pub(crate) fn token() -> CommitToken {
    CommitToken::new("ours")
}

pub(crate) fn key(sk: &str) -> Key {
    Key::new(ROWS, "p", sk)
}

pub(crate) fn create(sk: &str) -> Write {
    Write::create(key(sk), Item::new())
}

pub(crate) fn update(sk: &str) -> Write {
    Write::Update { key: key(sk), update: Update::default(), expect: vec![Expect::Exists] }
}

pub(crate) fn delete(sk: &str) -> Write {
    Write::Delete { key: key(sk), expect: vec![Expect::Exists] }
}

/// Each way a commit is sent, with the operation that carries it.
pub(crate) fn shapes() -> [(&'static str, Vec<Write>); 4] {
    [
        ("PutItem", vec![create("a")]),
        ("UpdateItem", vec![update("a")]),
        ("DeleteItem", vec![delete("a")]),
        ("TransactWriteItems", vec![create("a"), update("b")]),
    ]
}

pub(crate) fn error(code: &str) -> Fate {
    let body = json!({"__type": format!("com.amazonaws.dynamodb.v20120810#{code}"), "message": "said so"});
    Fate::Answer(if code.starts_with("Internal") { 500 } else { 400 }, body.to_string())
}

pub(crate) fn row(sk: &str, token: &str) -> Json {
    json!({"pk": {"S": "p"}, "sk": {"S": sk}, "version": {"N": "3"}, "last_commit": {"S": token}})
}

pub(crate) fn item(sk: &str, token: &str) -> Item {
    Item::new().with("pk", "p").with("sk", sk).with("version", 3_u64).with("last_commit", token)
}

pub(crate) fn rows(rows: &[Json]) -> Fate {
    Fate::Answer(200, json!({"Responses": {"test-contract": rows}, "UnprocessedKeys": {}}).to_string())
}

/// A cancelled transaction: for each write its code, and the row that comes along.
pub(crate) fn cancelled(reasons: &[(&str, Option<Json>)]) -> Fate {
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

pub(crate) fn failed(row: Option<Json>) -> Fate {
    let mut body = json!({"__type": "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException"});
    if let Some(row) = row {
        body["Item"] = row;
    }
    Fate::Answer(400, body.to_string())
}

/// A batch's reply that holds these rows and leaves these keys over.
pub(crate) fn batch(rows: &[Json], left_over: &[&str]) -> Fate {
    let keys: Vec<Json> = left_over.iter().map(|sk| json!({"pk": {"S": "p"}, "sk": {"S": sk}})).collect();
    let rest =
        if keys.is_empty() { json!({}) } else { json!({"test-contract": {"Keys": keys, "ConsistentRead": true}}) };
    Fate::Answer(200, json!({"Responses": {"test-contract": rows}, "UnprocessedKeys": rest}).to_string())
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
