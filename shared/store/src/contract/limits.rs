//! Limits: what lies on the bound is accepted, what lies beyond is refused with a reason, and
//! nothing of it is written.

use super::{BY_OWNER, ROWS, Subject, key, put};
use crate::check::limits as bounds;
use crate::port::{Commit, CommitToken, Cursor, Expect, Query, Range, Store, StoreError, Update, Write};
use crate::row::{Item, Key, Value};

/// Both sides accept and refuse the same.
pub async fn limits(subject: &Subject) {
    bounds_are_accepted(subject).await;
    writes_beyond_are_refused(subject).await;
    commits_beyond_are_refused(subject).await;
    adds_that_could_happen_twice_are_refused(subject).await;
    tokens_beyond_are_refused(subject).await;
    reads_beyond_are_refused(subject).await;
}

async fn bounds_are_accepted(subject: &Subject) {
    let widest = key(&"p".repeat(bounds::PK_BYTES), &"s".repeat(bounds::SK_BYTES));
    subject.seed(&[Write::create(widest.clone(), Item::new())]).await;
    assert!(subject.row(&widest).await.is_some());

    let long = "n".repeat(bounds::NAME_BYTES);
    let deep = Item::new().with(long.clone(), nested(bounds::NESTING));
    let key_of_deep = key("limits/deep", "row");
    subject.seed(&[Write::create(key_of_deep.clone(), deep)]).await;
    assert_eq!(subject.there(&key_of_deep).await.get(&long), Some(&nested(bounds::NESTING)));

    let large: Vec<Write> = (0..10).map(|n| put(&key("limits/large", &n.to_string()), of_bytes(390 * 1024))).collect();
    subject.seed(&large).await;
    for write in &large {
        let row = subject.there(write.key()).await;
        assert_eq!(row.text("filling").map(str::len), Some(390 * 1024));
    }
}

/// A value of so many levels, its text being the innermost.
fn nested(levels: usize) -> Value {
    (1..levels).fold(Value::from("core"), |inner, _| Value::List(vec![inner]))
}

fn of_bytes(bytes: usize) -> Item {
    Item::new().with("filling", "x".repeat(bytes))
}

async fn writes_beyond_are_refused(subject: &Subject) {
    let row = || key("limits/beyond", "row");
    let holding = |item: Item| Write::create(row(), item);
    let changing = |update: Update| Write::Update { key: row(), update, expect: vec![Expect::Version(1)] };
    let expecting = |expect: Vec<Expect>| Write::Check { key: row(), expect };
    let too_many: Vec<(&'static str, Value)> = vec![("a", Value::Null); bounds::FIELDS_PER_UPDATE + 1];
    let setting = |set: Vec<(&'static str, Value)>| changing(Update { set, ..Update::default() });
    let adding = |add: Vec<(&'static str, i128)>| changing(Update { add, ..Update::default() });
    let cases = [
        ("pk", Write::create(key(&"p".repeat(bounds::PK_BYTES + 1), "row"), Item::new())),
        ("pk", Write::create(key("", "row"), Item::new())),
        ("sk", Write::create(key("limits/beyond", &"s".repeat(bounds::SK_BYTES + 1)), Item::new())),
        ("sk", Write::create(key("limits/beyond", ""), Item::new())),
        ("bytes", holding(of_bytes(bounds::ITEM_BYTES))),
        ("bytes", setting(vec![("filling", "x".repeat(bounds::ITEM_BYTES).into())])),
        ("38 digits", holding(Item::new().with("n", Value::Num(bounds::NUMBER_BOUND)))),
        ("38 digits", holding(Item::new().with("n", Value::List(vec![Value::Num(-bounds::NUMBER_BOUND)])))),
        ("38 digits", setting(vec![("n", Value::Num(i128::MIN))])),
        ("38 digits", adding(vec![("n", bounds::NUMBER_BOUND)])),
        ("38 digits", expecting(vec![Expect::AtLeast("n", bounds::NUMBER_BOUND)])),
        ("38 digits", expecting(vec![Expect::Equals("n", Value::Num(i128::MAX))])),
        ("nest", holding(Item::new().with("deep", nested(bounds::NESTING + 1)))),
        ("name", holding(Item::new().with("", Value::Null))),
        ("name", holding(Item::new().with("n".repeat(bounds::NAME_BYTES + 1), Value::Null))),
        ("name", expecting(vec![Expect::Equals("", Value::Null)])),
        ("version", holding(Item::new().with("version", 7_u64))),
        ("last_commit", holding(Item::new().with("last_commit", "forged"))),
        ("pk", holding(Item::new().with("pk", "another"))),
        ("sk", holding(Item::new().with("sk", "another"))),
        ("version", setting(vec![("version", 7_u64.into())])),
        ("version", adding(vec![("version", 1)])),
        ("last_commit", changing(Update { remove: vec!["last_commit"], ..Update::default() })),
        ("more than once", setting(vec![("n", Value::Null), ("n", Value::Null)])),
        ("more than once", changing(Update { add: vec![("n", 1)], remove: vec!["n"], ..Update::default() })),
        ("more than once", changing(Update { set: vec![("n", Value::Null)], add: vec![("n", 1)], remove: vec![] })),
        ("fields", setting(too_many)),
        ("expectations", expecting(vec![])),
        ("expectations", expecting(vec![Expect::Exists; bounds::EXPECTATIONS_PER_WRITE + 1])),
    ];
    let beside = key("limits/beyond", "beside");
    for (word, write) in cases {
        let reason = subject.refusal(std::slice::from_ref(&write)).await;
        assert!(reason.contains(word), "{reason:?} does not name {word:?}");
        let reason = subject.refusal(&[Write::create(beside.clone(), Item::new()), write]).await;
        assert!(reason.contains(word) && reason.contains("write 1"), "{reason:?} does not name {word:?} and its place");
    }
    assert_eq!(subject.row(&row()).await, None);
    assert_eq!(subject.row(&beside).await, None);
}

async fn commits_beyond_are_refused(subject: &Subject) {
    let many = |count: usize| -> Vec<Write> {
        (0..count).map(|n| Write::create(key("limits/many", &n.to_string()), Item::new())).collect()
    };
    let large = |n: usize| put(&key("limits/many", &n.to_string()), of_bytes(390 * 1024));
    let twice = Write::Check { key: key("limits/many", "0"), expect: vec![Expect::Absent] };
    let cases = [
        ("writes", vec![]),
        ("writes", many(bounds::WRITES_PER_COMMIT + 1)),
        ("bytes", (0..11).map(large).collect()),
        ("already touched", vec![many(1).remove(0), twice]),
    ];
    for (word, writes) in cases {
        let reason = subject.refusal(&writes).await;
        assert!(reason.contains(word), "{reason:?} does not name {word:?}");
    }
    assert_eq!(subject.row(&key("limits/many", "0")).await, None);
}

async fn adds_that_could_happen_twice_are_refused(subject: &Subject) {
    let at = |sk| key("limits/adds", sk);
    subject.seed(&[Write::create(at("row"), Item::new().with("n", 1_u64).with("state", "open"))]).await;
    let before = subject.there(&at("row")).await;
    let add = |expect: Vec<Expect>| Write::Update {
        key: at("row"),
        update: Update { add: vec![("n", 1)], ..Update::default() },
        expect,
    };
    let open = || Expect::Equals("state", "open".into());
    let stays_open = Update { set: vec![("state", "open".into())], add: vec![("n", 1)], remove: vec![] };
    let cases = [
        vec![add(vec![])],
        vec![add(vec![Expect::Exists])],
        vec![add(vec![Expect::AtLeast("n", 1)])],
        vec![add(vec![open()])],
        vec![Write::Update { key: at("row"), update: stays_open, expect: vec![open()] }],
        vec![add(vec![]), put(&at("beside"), Item::new())],
        vec![add(vec![]), Write::Check { key: at("beside"), expect: vec![Expect::Absent] }],
        vec![add(vec![]), Write::Delete { key: at("beside"), expect: vec![] }],
    ];
    for writes in cases {
        let reason = subject.refusal(&writes).await;
        assert!(reason.contains("twice"), "{reason}");
    }
    assert_eq!(subject.there(&at("row")).await, before);
    assert_eq!(subject.row(&at("beside")).await, None);
}

async fn tokens_beyond_are_refused(subject: &Subject) {
    let row = key("limits/tokens", "row");
    for text in [String::new(), "t".repeat(bounds::TOKEN_CHARS + 1)] {
        let refused = subject.store.commit(&CommitToken::new(text), &[put(&row, Item::new())]).await;
        assert!(matches!(refused, Err(StoreError::Refused(_))), "{refused:?}");
    }
    assert_eq!(subject.row(&row).await, None);
    let unique = subject.token().as_str().to_owned();
    let longest = CommitToken::new(format!("{unique}{}", "t".repeat(bounds::TOKEN_CHARS - unique.len())));
    assert_eq!(subject.send(&longest, &[put(&row, Item::new())]).await, Commit::Committed);
}

async fn reads_beyond_are_refused(subject: &Subject) {
    let store = &subject.store;
    let row = key("limits/reads", "row");
    assert_eq!(store.get_many(&vec![row.clone(); bounds::KEYS_PER_GET]).await.expect("a hundred keys").len(), 100);
    refused(store.get_many(&vec![row; bounds::KEYS_PER_GET + 1]).await, "keys");
    refused(store.get(&key("", "row")).await, "pk");
    refused(store.get(&key("limits/reads", "")).await, "sk");
    refused(store.get_many(&[Key::new(ROWS, "p".repeat(bounds::PK_BYTES + 1), "row")]).await, "pk");

    let all = || Query::table(ROWS, "limits/reads", Range::All);
    let ranged = |range| Query { range, ..all() };
    let text = |text: &str| Value::from(text);
    let cases = [
        ("rows", Query { limit: 0, ..all() }),
        ("rows", Query { limit: bounds::QUERY_ROWS + 1, ..all() }),
        ("pk", Query { pk: String::new(), ..all() }),
        ("sk", ranged(Range::Prefix(String::new()))),
        ("sk", ranged(Range::UpTo(text(&"s".repeat(bounds::SK_BYTES + 1))))),
        ("bounds", ranged(Range::UpTo(Value::Num(1)))),
        ("bounds", ranged(Range::Between(text("a"), Value::Bool(true)))),
        ("bounds", Query { range: Range::Between(text("a"), Value::Num(1)), ..by_owner() }),
        ("38 digits", Query { range: Range::UpTo(Value::Num(i128::MAX)), ..by_owner() }),
        ("below", ranged(Range::Between(text("b"), text("a")))),
        ("cursor", Query { after: Some(Cursor(String::new())), ..all() }),
        ("cursor", Query { after: Some(Cursor("not a cursor".to_owned())), ..all() }),
        ("cursor", Query { after: Some(cursor_of_another_partition(store.as_ref()).await), ..all() }),
    ];
    for (word, query) in cases {
        refused(store.query(&query).await, word);
    }
}

fn by_owner() -> Query {
    Query::index(ROWS, BY_OWNER, "limits/reads", Range::All)
}

async fn cursor_of_another_partition(store: &dyn Store) -> Cursor {
    for sk in ["a", "b"] {
        let token = CommitToken::new(format!("cursor-{sk}"));
        let write = Write::Put { key: key("limits/cursor", sk), item: Item::new(), expect: vec![] };
        assert_eq!(store.commit(&token, &[write]).await.expect("a put"), Commit::Committed);
    }
    let query = Query { limit: 1, ..Query::table(ROWS, "limits/cursor", Range::All) };
    store.query(&query).await.expect("a page").next.expect("more rows")
}

fn refused<T: std::fmt::Debug>(answer: Result<T, StoreError>, word: &str) {
    match answer {
        Err(StoreError::Refused(reason)) => {
            assert!(reason.contains(word), "{reason:?} does not name {word:?}")
        }
        other @ (Ok(_) | Err(StoreError::Unavailable(_) | StoreError::Denied(_))) => {
            panic!("not refused for its {word} but {other:?}")
        }
    }
}
