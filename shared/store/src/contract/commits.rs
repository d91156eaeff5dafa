//! What each write does, alone and together.

use super::{OTHER, Subject, key, put, stored};
use crate::port::{Commit, Conflict, Expect, Update, Write};
use crate::row::{Item, Key, Value};

/// Puts, updates, deletes and checks, and that a commit is all or nothing.
pub async fn commits(subject: &Subject) {
    a_put_writes_the_whole_row(subject).await;
    an_update_changes_fields(subject).await;
    a_delete_removes_the_row(subject).await;
    a_check_writes_nothing(subject).await;
    numbers_keep_all_their_digits(subject).await;
    only_numbers_are_added_to(subject).await;
    all_or_nothing(subject).await;
    a_commit_crosses_tables(subject).await;
    a_hundred_writes_go_together(subject).await;
}

async fn a_put_writes_the_whole_row(subject: &Subject) {
    let key = key("commits/put", "row");
    let item = Item::new()
        .with("text", "with \"quotes\", ünïcode and \u{1F980}")
        .with("empty", "")
        .with("flag", true)
        .with("none", Value::Null)
        .with("bytes", Value::Bytes(vec![0, 255, 10]))
        .with("list", Value::List(vec![Value::Num(1), Value::Str("two".into()), Value::List(vec![])]))
        .with("map", Value::Map([("inner".into(), Value::Num(-3))].into()));
    let first = subject.token();
    assert_eq!(subject.send(&first, &[put(&key, item.clone())]).await, Commit::Committed);
    assert_eq!(subject.there(&key).await, stored(&key, item, 1, &first));

    let second = subject.token();
    let smaller = Item::new().with("flag", false);
    assert_eq!(subject.send(&second, &[put(&key, smaller.clone())]).await, Commit::Committed);
    assert_eq!(subject.there(&key).await, stored(&key, smaller.clone(), 1, &second), "a put starts anew");

    for version in 1..4 {
        let token = subject.token();
        let write = Write::Put { key: key.clone(), item: smaller.clone(), expect: vec![Expect::Version(version)] };
        assert_eq!(subject.send(&token, &[write]).await, Commit::Committed);
        assert_eq!(subject.there(&key).await, stored(&key, smaller.clone(), version + 1, &token));
    }
}

async fn an_update_changes_fields(subject: &Subject) {
    let key = key("commits/update", "row");
    let make = Update { set: vec![("a", 1_u64.into()), ("b", "x".into())], add: vec![], remove: vec!["never"] };
    let first = subject.token();
    let write = Write::Update { key: key.clone(), update: make, expect: vec![] };
    assert_eq!(subject.send(&first, &[write]).await, Commit::Committed);
    let row = Item::new().with("a", 1_u64).with("b", "x");
    assert_eq!(subject.there(&key).await, stored(&key, row, 1, &first), "an update makes an absent row");

    let change = Update { set: vec![("c", true.into())], add: vec![("a", -5), ("new", 7)], remove: vec!["b"] };
    let second = subject.token();
    let write = Write::Update { key: key.clone(), update: change, expect: vec![Expect::Version(1)] };
    assert_eq!(subject.send(&second, &[write]).await, Commit::Committed);
    let row = Item::new().with("a", Value::Num(-4)).with("new", 7_u64).with("c", true);
    assert_eq!(subject.there(&key).await, stored(&key, row.clone(), 2, &second));

    let third = subject.token();
    let write = Write::Update { key: key.clone(), update: Update::default(), expect: vec![] };
    assert_eq!(subject.send(&third, &[write]).await, Commit::Committed);
    assert_eq!(subject.there(&key).await, stored(&key, row, 3, &third), "no change is still a version");
}

async fn a_delete_removes_the_row(subject: &Subject) {
    let key = key("commits/delete", "row");
    let delete = Write::Delete { key: key.clone(), expect: vec![] };
    assert_eq!(subject.commit(std::slice::from_ref(&delete)).await, Commit::Committed, "absent already");
    subject.seed(&[Write::create(key.clone(), Item::new())]).await;
    assert_eq!(subject.commit(&[delete]).await, Commit::Committed);
    assert_eq!(subject.row(&key).await, None);
    subject.seed(&[Write::create(key, Item::new())]).await;
}

async fn a_check_writes_nothing(subject: &Subject) {
    let (row, absent) = (key("commits/check", "row"), key("commits/check", "absent"));
    let token = subject.token();
    let create = Write::create(row.clone(), Item::new().with("n", 1_u64));
    assert_eq!(subject.send(&token, &[create]).await, Commit::Committed);
    let before = subject.there(&row).await;

    let there = Write::Check { key: row.clone(), expect: vec![Expect::Exists] };
    let not_there = Write::Check { key: absent.clone(), expect: vec![Expect::Absent] };
    assert_eq!(subject.commit(std::slice::from_ref(&there)).await, Commit::Committed);
    assert_eq!(subject.commit(&[not_there, there]).await, Commit::Committed);
    assert_eq!(subject.there(&row).await, before);
    assert_eq!(subject.row(&absent).await, None);
}

async fn numbers_keep_all_their_digits(subject: &Subject) {
    let key = key("commits/numbers", "row");
    let most = 10_i128.pow(38) - 1;
    let odd = 12_345_678_901_234_567_890_123_456_789_012_345_678_i128;
    let item = Item::new()
        .with("most", Value::Num(most))
        .with("least", Value::Num(-most))
        .with("round", Value::Num(10_i128.pow(37)))
        .with("sum", Value::Num(most - odd))
        .with("list", Value::List(vec![Value::Num(odd), Value::Num(0), Value::Num(-10)]));
    subject.seed(&[Write::create(key.clone(), item.clone())]).await;
    let row = subject.there(&key).await;
    for (field, value) in item.fields() {
        assert_eq!(row.get(field), Some(value), "{field}");
    }
    let update = Update { add: vec![("sum", odd), ("most", -odd)], ..Update::default() };
    let write = Write::Update { key: key.clone(), update, expect: vec![Expect::Version(1)] };
    subject.seed(&[write]).await;
    let row = subject.there(&key).await;
    assert_eq!(row.number("sum"), Some(most), "an add is exact to the last digit");
    assert_eq!(row.number("most"), Some(most - odd));
}

async fn only_numbers_are_added_to(subject: &Subject) {
    let (row, beside) = (key("commits/add", "row"), key("commits/add", "beside"));
    subject.seed(&[Write::create(row.clone(), Item::new().with("text", "1").with("none", Value::Null))]).await;
    let before = subject.there(&row).await;
    for field in ["text", "none"] {
        let update = Update { add: vec![(field, 1)], ..Update::default() };
        let add = Write::Update { key: row.clone(), update, expect: vec![Expect::Version(1)] };
        subject.refusal(std::slice::from_ref(&add)).await;
        subject.refusal(&[Write::create(beside.clone(), Item::new()), add]).await;
    }
    assert_eq!(subject.there(&row).await, before);
    assert_eq!(subject.row(&beside).await, None, "nothing of a refused commit is written");
}

async fn all_or_nothing(subject: &Subject) {
    let at = |sk| key("commits/all", sk);
    let rows = ["put", "updated", "deleted"];
    let seeds: Vec<Write> = rows.iter().map(|sk| Write::create(at(sk), Item::new().with("n", 1_u64))).collect();
    subject.seed(&seeds).await;
    let mut before = Vec::new();
    for sk in rows {
        before.push(subject.there(&at(sk)).await);
    }
    let good = [
        Write::create(at("created"), Item::new()),
        Write::Put { key: at("put"), item: Item::new(), expect: vec![Expect::Exists] },
        Write::Update {
            key: at("updated"),
            update: Update { add: vec![("n", 1)], ..Update::default() },
            expect: vec![Expect::Version(1)],
        },
        Write::Delete { key: at("deleted"), expect: vec![] },
    ];
    let bad =
        [Write::Check { key: at("absent"), expect: vec![Expect::Exists] }, Write::create(at("taken"), Item::new())];
    subject.seed(&[Write::create(at("taken"), Item::new().with("who", "another"))]).await;
    let taken = subject.there(&at("taken")).await;

    // The two that fail stand at every position among those that hold.
    for position in 0..=good.len() {
        let mut writes = good.to_vec();
        writes.splice(position..position, bad.to_vec());
        let expected = vec![
            Conflict { index: position, current: None },
            Conflict { index: position + 1, current: Some(taken.clone()) },
        ];
        assert_eq!(subject.commit(&writes).await, Commit::Conflict(expected), "position {position}");
        assert_eq!(subject.row(&at("created")).await, None);
        for (sk, row) in rows.iter().zip(&before) {
            assert_eq!(subject.row(&at(sk)).await.as_ref(), Some(row), "{sk} at position {position}");
        }
    }

    let token = subject.token();
    assert_eq!(subject.send(&token, &good).await, Commit::Committed);
    assert_eq!(subject.there(&at("created")).await, stored(&at("created"), Item::new(), 1, &token));
    assert_eq!(subject.there(&at("put")).await, stored(&at("put"), Item::new(), 1, &token));
    let updated = Item::new().with("n", 2_u64);
    assert_eq!(subject.there(&at("updated")).await, stored(&at("updated"), updated, 2, &token));
    assert_eq!(subject.row(&at("deleted")).await, None);
}

async fn a_commit_crosses_tables(subject: &Subject) {
    let here = key("commits/tables", "row");
    let there = Key::new(OTHER, "commits/tables", "row");
    let token = subject.token();
    let writes = [
        Write::create(here.clone(), Item::new().with("table", "first")),
        Write::create(there.clone(), Item::new().with("table", "second")),
    ];
    assert_eq!(subject.send(&token, &writes).await, Commit::Committed);
    let rows = subject.store.get_many(&[there.clone(), here.clone()]).await.expect("both tables can be read");
    let expected = [
        stored(&there, Item::new().with("table", "second"), 1, &token),
        stored(&here, Item::new().with("table", "first"), 1, &token),
    ];
    assert_eq!(rows, expected.map(Some));
}

async fn a_hundred_writes_go_together(subject: &Subject) {
    let writes: Vec<Write> =
        (0..100).map(|n| Write::create(key("commits/hundred", &format!("{n:03}")), Item::new())).collect();
    let token = subject.token();
    assert_eq!(subject.send(&token, &writes).await, Commit::Committed);
    for write in &writes {
        assert_eq!(subject.there(write.key()).await, stored(write.key(), Item::new(), 1, &token));
    }
}
