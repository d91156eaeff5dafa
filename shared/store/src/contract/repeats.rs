//! The same commit again, and commits whose call or reply is lost.

use super::{Loss, Subject, key};
use crate::port::{Commit, Expect, StoreError, Update, Write};
use crate::row::{Item, Key, Value};

/// A token names one commit: sent again, it tells the same and does nothing more.
pub async fn repeats(subject: &Subject) {
    for commit in commits("repeats") {
        subject.seed(&commit.seed).await;
        let token = subject.token();
        assert_eq!(subject.send(&token, &commit.writes).await, Commit::Committed, "{}", commit.name);
        let after = rows(subject, &commit.writes).await;
        for again in 1..=3 {
            let outcome = subject.send(&token, &commit.writes).await;
            assert_eq!(outcome, Commit::Committed, "{}, repeat {again}", commit.name);
            assert_eq!(rows(subject, &commit.writes).await, after, "{}, repeat {again}", commit.name);
        }
    }
    a_transaction_is_known_though_others_went_on(subject).await;
    a_lone_write_is_known_until_others_go_on(subject).await;
    a_token_stands_for_one_list_of_writes(subject).await;
    a_conflict_leaves_the_token_free(subject).await;
}

/// Commits whose call or reply is lost can be sent again, and then have happened once.
pub async fn lost_replies(subject: &Subject) {
    for commit in commits("lost-call") {
        subject.seed(&commit.seed).await;
        let before = rows(subject, &commit.writes).await;
        let token = subject.token();
        (subject.lose)(Loss::Call);
        assert_eq!(subject.send(&token, &commit.writes).await, Commit::Unknown, "{}", commit.name);
        assert_eq!(rows(subject, &commit.writes).await, before, "{}", commit.name);
        settles(subject, &token, &commit).await;
    }
    for commit in commits("lost-reply") {
        subject.seed(&commit.seed).await;
        let token = subject.token();
        (subject.lose)(Loss::Reply);
        match subject.send(&token, &commit.writes).await {
            Commit::Committed | Commit::Unknown => {}
            other @ (Commit::Conflict(_) | Commit::Contended) => {
                panic!("{}: it has happened, yet it tells {other:?}", commit.name)
            }
        }
        settles(subject, &token, &commit).await;
    }
    a_lost_conflict_is_unknown_and_then_a_conflict(subject).await;
}

/// One commit that can be repeated, with the rows it begins from.
struct Repeatable {
    name: &'static str,
    seed: Vec<Write>,
    writes: Vec<Write>,
}

fn commits(part: &str) -> Vec<Repeatable> {
    let at = |case: &str, sk: &str| key(&format!("{part}/{case}"), sk);
    let count = |key: Key, expect: Vec<Expect>, update: Update| Write::Update { key, update, expect };
    let add = || Update { add: vec![("n", 5)], ..Update::default() };
    let start = || Item::new().with("n", 1_u64).with("state", "open");
    let close = || Update { set: vec![("state", "closed".into())], add: vec![("n", 5)], remove: vec![] };
    vec![
        Repeatable { name: "a put", seed: vec![], writes: vec![put_at(at("put", "row"), vec![])] },
        Repeatable { name: "a create", seed: vec![], writes: vec![put_at(at("create", "row"), vec![Expect::Absent])] },
        Repeatable {
            name: "a put at a version",
            seed: vec![put_at(at("versioned", "row"), vec![])],
            writes: vec![put_at(at("versioned", "row"), vec![Expect::Version(1)])],
        },
        Repeatable {
            name: "an update without expectations",
            seed: vec![],
            writes: vec![count(at("bare", "row"), vec![], Update { add: vec![], ..close() })],
        },
        Repeatable {
            name: "an add at a version",
            seed: vec![Write::create(at("add", "row"), start())],
            writes: vec![count(at("add", "row"), vec![Expect::Version(1)], add())],
        },
        Repeatable {
            name: "an add that changes what it expects",
            seed: vec![Write::create(at("state", "row"), start())],
            writes: vec![count(at("state", "row"), vec![Expect::Equals("state", "open".into())], close())],
        },
        Repeatable {
            name: "bare adds beside a create",
            seed: vec![Write::create(at("beside", "a"), start()), Write::create(at("beside", "b"), start())],
            writes: vec![
                count(at("beside", "a"), vec![], add()),
                count(at("beside", "b"), vec![Expect::AtLeast("n", 1)], add()),
                Write::create(at("beside", "entry"), start()),
            ],
        },
        Repeatable {
            name: "a delete and a check beside an update",
            seed: vec![Write::create(at("mixed", "gone"), start()), Write::create(at("mixed", "row"), start())],
            writes: vec![
                Write::Delete { key: at("mixed", "gone"), expect: vec![Expect::Exists] },
                Write::Check { key: at("mixed", "none"), expect: vec![Expect::Absent] },
                count(at("mixed", "row"), vec![Expect::Version(1)], add()),
            ],
        },
    ]
}

fn put_at(key: Key, expect: Vec<Expect>) -> Write {
    Write::Put { key, item: Item::new().with("n", 1_u64), expect }
}

async fn rows(subject: &Subject, writes: &[Write]) -> Vec<Option<Item>> {
    let keys: Vec<Key> = writes.iter().map(|write| write.key().clone()).collect();
    subject.store.get_many(&keys).await.expect("rows can be read")
}

/// Sends it until it is known to have happened, and holds it against what it does when nothing is lost.
async fn settles(subject: &Subject, token: &crate::port::CommitToken, commit: &Repeatable) {
    assert_eq!(subject.send(token, &commit.writes).await, Commit::Committed, "{}", commit.name);
    let after = rows(subject, &commit.writes).await;
    for (write, row) in commit.writes.iter().zip(&after) {
        let before = commit.seed.iter().find(|seed| seed.key() == write.key());
        once(commit.name, before, write, row.as_ref());
    }
    assert_eq!(subject.send(token, &commit.writes).await, Commit::Committed, "{}", commit.name);
    assert_eq!(rows(subject, &commit.writes).await, after, "{}", commit.name);
}

/// The row after its write was applied exactly once.
fn once(name: &str, before: Option<&Write>, write: &Write, row: Option<&Item>) {
    let versions = u64::from(before.is_some()) + 1;
    match write {
        Write::Put { item, expect, .. } => {
            let row = row.unwrap_or_else(|| panic!("{name}: no row"));
            assert_eq!(row.number("n"), item.number("n"), "{name}");
            let expected = if expect.contains(&Expect::Version(1)) { 2 } else { 1 };
            assert_eq!(row.version(), expected, "{name}");
        }
        Write::Update { update, .. } => {
            let row = row.unwrap_or_else(|| panic!("{name}: no row"));
            let added: i128 = update.add.iter().map(|(_, number)| number).sum();
            let expected = before.map_or(added, |_| added + 1);
            assert_eq!(row.number("n").unwrap_or(0), expected, "{name}");
            assert_eq!(row.version(), versions, "{name}");
        }
        Write::Delete { .. } | Write::Check { .. } => assert_eq!(row, None, "{name}"),
    }
}

async fn a_transaction_is_known_though_others_went_on(subject: &Subject) {
    let at = |sk| key("repeats/went-on", sk);
    let token = subject.token();
    let writes = [Write::create(at("a"), Item::new()), Write::create(at("b"), Item::new())];
    assert_eq!(subject.send(&token, &writes).await, Commit::Committed);
    subject.seed(&[put_at(at("a"), vec![Expect::Version(1)])]).await;
    let after = rows(subject, &writes).await;
    assert_eq!(subject.send(&token, &writes).await, Commit::Committed);
    assert_eq!(rows(subject, &writes).await, after, "the later write stays");
}

async fn a_lone_write_is_known_until_others_go_on(subject: &Subject) {
    let key = key("repeats/alone", "row");
    let (first, second) = (subject.token(), subject.token());
    let create = Write::create(key.clone(), Item::new().with("n", 1_u64));
    let update = Update { set: vec![("n", 2_u64.into())], ..Update::default() };
    let change = Write::Update { key: key.clone(), update, expect: vec![Expect::Version(1)] };
    assert_eq!(subject.send(&first, std::slice::from_ref(&create)).await, Commit::Committed);
    assert_eq!(subject.send(&second, &[change]).await, Commit::Committed);
    let after = subject.there(&key).await;
    match subject.send(&first, &[create]).await {
        Commit::Conflict(conflicts) => {
            assert_eq!(conflicts.len(), 1);
            assert_eq!(conflicts[0].current.as_ref(), Some(&after), "the caller sees who went on");
        }
        other @ (Commit::Committed | Commit::Contended | Commit::Unknown) => panic!("{other:?}"),
    }
    assert_eq!(subject.there(&key).await, after);
}

async fn a_token_stands_for_one_list_of_writes(subject: &Subject) {
    let at = |sk| key("repeats/reused", sk);
    let token = subject.token();
    let create = |sk| Write::create(at(sk), Item::new());
    assert_eq!(subject.send(&token, &[create("a"), create("b")]).await, Commit::Committed);
    let refused = subject.store.commit(&token, &[create("a"), create("c")]).await;
    assert!(matches!(refused, Err(StoreError::Refused(_))), "{refused:?}");
    assert_eq!(subject.row(&at("c")).await, None);
}

async fn a_conflict_leaves_the_token_free(subject: &Subject) {
    let at = |sk| key("repeats/conflict", sk);
    let token = subject.token();
    let open = Expect::Equals("state", "open".into());
    let writes = [Write::create(at("new"), Item::new()), Write::Check { key: at("door"), expect: vec![open] }];
    assert!(matches!(subject.send(&token, &writes).await, Commit::Conflict(_)));
    subject.seed(&[Write::create(at("door"), Item::new().with("state", Value::from("open")))]).await;
    assert_eq!(subject.send(&token, &writes).await, Commit::Committed, "it holds now");
}

async fn a_lost_conflict_is_unknown_and_then_a_conflict(subject: &Subject) {
    for beside in [false, true] {
        let at = |sk| key(&format!("lost-conflict/{beside}"), sk);
        subject.seed(&[Write::create(at("taken"), Item::new().with("who", "another"))]).await;
        let mut writes = vec![Write::create(at("taken"), Item::new())];
        if beside {
            writes.push(Write::create(at("beside"), Item::new()));
        }
        let before = rows(subject, &writes).await;
        let token = subject.token();
        (subject.lose)(Loss::Reply);
        assert_eq!(subject.send(&token, &writes).await, Commit::Unknown);
        assert!(matches!(subject.send(&token, &writes).await, Commit::Conflict(_)));
        assert_eq!(rows(subject, &writes).await, before);
    }
}
