//! The contract, and what a broken wire does to calls that the emulator really carries out.

use causeway_store::contract::{self, ROWS};
use causeway_store::{Commit, CommitToken, Expect, Item, Key, Store, Update, Write};

use crate::emulator::Emulated;
use crate::wire::{Calls, Fate};

#[tokio::test]
async fn commits() {
    contract::commits(&Emulated::subject().await).await;
}

#[tokio::test]
async fn expectations() {
    contract::expectations(&Emulated::subject().await).await;
}

#[tokio::test]
async fn repeats() {
    contract::repeats(&Emulated::subject().await).await;
}

#[tokio::test]
async fn lost_replies() {
    contract::lost_replies(&Emulated::subject().await).await;
}

#[tokio::test]
async fn contention() {
    contract::contention(&Emulated::subject().await).await;
}

#[tokio::test]
async fn limits() {
    contract::limits(&Emulated::subject().await).await;
}

#[tokio::test]
async fn reads() {
    contract::reads(&Emulated::subject().await).await;
}

#[tokio::test]
async fn queries() {
    contract::queries(&Emulated::subject().await).await;
}

#[tokio::test]
async fn indexes() {
    contract::indexes(&Emulated::subject().await).await;
}

fn key(sk: &str) -> Key {
    Key::new(ROWS, "wire", sk)
}

/// Each shape of commit: alone and in a transaction.
fn shapes() -> [Vec<Write>; 3] {
    let add = Update { add: vec![("n", 1)], ..Update::default() };
    let count = |sk| Write::Update { key: key(sk), update: add.clone(), expect: vec![Expect::Absent] };
    [
        vec![Write::create(key("put"), Item::new().with("n", 1_u64))],
        vec![count("update")],
        vec![count("together"), Write::create(key("beside"), Item::new().with("n", 1_u64))],
    ]
}

/// However a reply is lost after the effect, one strong read finds that the commit has happened.
#[tokio::test]
async fn a_lost_reply_is_settled_by_reading() {
    let replies = [
        Fate::LoseReply,
        Fate::Replace(500, r#"{"__type":"com.amazonaws.dynamodb.v20120810#InternalServerError"}"#.to_owned()),
        Fate::Replace(503, "<html>no capacity</html>".to_owned()),
        Fate::Replace(200, "{\"torn".to_owned()),
        Fate::Replace(
            400,
            r#"{"__type":"com.amazonaws.dynamodb.v20120810#TransactionInProgressException"}"#.to_owned(),
        ),
        Fate::Replace(400, r#"{"__type":"com.amazonaws.dynamodb.v20120810#NobodyKnowsThisException"}"#.to_owned()),
    ];
    for (number, fate) in replies.into_iter().enumerate() {
        let Emulated { store, wire, run } = Emulated::new().await;
        for (shape, writes) in shapes().iter().enumerate() {
            let token = CommitToken::new(format!("{run}-{number}-{shape}"));
            wire.next(Calls::Writes, fate.clone());
            let before = wire.operations().len();
            assert_eq!(store.commit(&token, writes).await.unwrap(), Commit::Committed, "{fate:?}, {writes:?}");
            let operations = wire.operations().split_off(before);
            assert_eq!(operations.len(), 2, "one write that is not repeated, one read: {operations:?}");
            assert_eq!(operations[1], "BatchGetItem");
            for write in writes {
                let row = store.get(write.key()).await.unwrap().unwrap();
                assert_eq!((row.number("n"), row.version()), (Some(1), 1), "{fate:?}");
            }
        }
    }
}

/// When the rows cannot be read either, nothing is concluded; sent again, it has happened once.
#[tokio::test]
async fn a_lost_reply_and_no_reads_are_unknown() {
    let Emulated { store, wire, run } = Emulated::new().await;
    for (shape, writes) in shapes().iter().enumerate() {
        let token = CommitToken::new(format!("{run}-{shape}"));
        wire.next(Calls::Writes, Fate::LoseReply);
        for _attempt in 0..3 {
            wire.next(Calls::Reads, Fate::LoseCall);
        }
        assert_eq!(store.commit(&token, writes).await.unwrap(), Commit::Unknown);
        assert_eq!(store.commit(&token, writes).await.unwrap(), Commit::Committed);
        for write in writes {
            let row = store.get(write.key()).await.unwrap().unwrap();
            assert_eq!((row.number("n"), row.version()), (Some(1), 1));
        }
    }
}

/// A conflict costs no read: the reply brings the rows along.
#[tokio::test]
async fn a_conflict_is_told_from_the_reply() {
    let Emulated { store, wire, run } = Emulated::new().await;
    for (shape, writes) in shapes().iter().enumerate() {
        let token = |who| CommitToken::new(format!("{run}-{shape}-{who}"));
        assert_eq!(store.commit(&token("first"), writes).await.unwrap(), Commit::Committed);
        let before = wire.operations().len();
        assert!(matches!(store.commit(&token("second"), writes).await.unwrap(), Commit::Conflict(_)));
        assert_eq!(wire.operations().len(), before + 1, "one call");
    }
}

/// The capacity that calls used is asked for and told only by a store that counts it.
#[tokio::test]
async fn capacity_is_counted_when_asked_for() {
    let Emulated { store, wire, run } = Emulated::new().await;
    let write = [Write::create(key("counted"), Item::new())];
    assert_eq!(store.commit(&CommitToken::new(format!("{run}-a")), &write).await.unwrap(), Commit::Committed);
    store.get(&key("counted")).await.unwrap();
    assert!(wire.sent().iter().all(|(_, body)| !body.contains("ReturnConsumedCapacity")));

    let counting = store.counting_capacity();
    let before = wire.sent().len();
    let events = crate::answers::events(async {
        let writes = [Write::create(key("counted-1"), Item::new()), Write::create(key("counted-2"), Item::new())];
        let token = CommitToken::new(format!("{run}-b"));
        assert_eq!(counting.commit(&token, &writes).await.unwrap(), Commit::Committed);
        counting.get(&key("counted-1")).await.unwrap();
    })
    .await;
    assert!(wire.sent()[before..].iter().all(|(_, body)| body.contains("\"ReturnConsumedCapacity\":\"TOTAL\"")));
    assert_eq!(
        events,
        [r#"service="dynamodb" op="TransactWriteItems" units=4.0"#, r#"service="dynamodb" op="GetItem" units=1.0"#,]
    );
}
