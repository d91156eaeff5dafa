//! What the service's answers to reads mean, and what is told of each call.
//!
//! Time is paused, so pauses and timeouts pass at once.

use causeway_store::contract::{BY_OWNER, OTHER, ROWS};
use causeway_store::{Commit, Key, Query, Range, Store, StoreError};
use serde_json::json;

use crate::answers::{READ, batch, create, error, events, item, key, row, rows, start, token};
use crate::wire::{Calls, Fate};

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

/// Only an index is read weakly, since it cannot be read otherwise.
#[tokio::test(start_paused = true)]
async fn reads_are_strong_but_for_indexes() {
    let (store, wire) = start();
    for _ in 0..4 {
        wire.next(Calls::Reads, Fate::Answer(200, "{}".to_owned()));
    }
    store.get(&key("a")).await.unwrap();
    store.get_many(&[key("a")]).await.unwrap();
    let table = Query::table(ROWS, "p", Range::All);
    store.query(&table).await.unwrap();
    let index = Query::index(ROWS, BY_OWNER, "p", Range::All);
    store.query(&index).await.unwrap();
    let strong: Vec<bool> = wire.sent().iter().map(|(_, body)| body.contains(r#""ConsistentRead":true"#)).collect();
    assert_eq!(strong, [true, true, true, false]);
}
