//! What each of the service's answers to a commit means, those included that an emulator never gives.
//!
//! Time is paused, so pauses and timeouts pass at once.

use causeway_store::{Commit, Conflict, Expect, Store, StoreError, Update, Write};
use serde_json::Value as Json;

use crate::answers::{
    READ, cancelled, create, delete, error, failed, item, key, row, rows, shapes, start, token, update,
};
use crate::wire::{Calls, Fate};

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
        let ours = || {
            if marks { Commit::Committed } else { conflict(Some(item("a", "ours"))) }
        };
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
