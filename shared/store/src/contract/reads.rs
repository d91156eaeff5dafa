//! Reads by key, and structs that become rows and come back.

use serde::{Deserialize, Serialize};

use super::{Subject, key};
use crate::port::{Expect, Update, Write};
use crate::row::{Item, Key, RowError, Value};

/// `get`, `get_many`, and `from_fields` with `parse`.
pub async fn reads(subject: &Subject) {
    many_come_in_the_order_asked_for(subject).await;
    a_hundred_large_rows_come_whole(subject).await;
    structs_come_back_as_they_went(subject).await;
}

async fn many_come_in_the_order_asked_for(subject: &Subject) {
    let at = |n: usize| key("reads/many", &format!("{n:03}"));
    let seeds: Vec<Write> = (0..60).map(|n| Write::create(at(n), Item::new().with("n", n as u64))).collect();
    subject.seed(&seeds).await;
    // Neither in order nor in reverse; every third is not there, and some come twice.
    let asked: Vec<usize> = (0..100).map(|n| (n * 37) % 90).collect();
    let keys: Vec<Key> = asked.iter().map(|n| at(*n)).collect();
    let rows = subject.store.get_many(&keys).await.expect("a hundred keys");
    let numbers: Vec<Option<i128>> = rows.iter().map(|row| row.as_ref().and_then(|row| row.number("n"))).collect();
    let expected: Vec<Option<i128>> = asked.iter().map(|n| (*n < 60).then_some(*n as i128)).collect();
    assert_eq!(numbers, expected);

    assert_eq!(subject.store.get_many(&[]).await.expect("no keys"), vec![]);
    let three_times = [at(1), at(1), at(1)];
    let rows = subject.store.get_many(&three_times).await.expect("one key three times");
    assert_eq!(rows, vec![subject.row(&at(1)).await; 3]);
}

/// More than one reply of DynamoDB holds (16 MB): what it leaves over must be asked for again.
async fn a_hundred_large_rows_come_whole(subject: &Subject) {
    let at = |n: usize| key("reads/large", &format!("{n:03}"));
    for n in 0..60 {
        subject.seed(&[Write::create(at(n), Item::new().with("filling", "x".repeat(300 * 1024)))]).await;
    }
    let keys: Vec<Key> = (0..60).map(at).collect();
    let rows = subject.store.get_many(&keys).await.expect("all rows");
    for (key, row) in keys.iter().zip(rows) {
        let row = row.unwrap_or_else(|| panic!("{key:?} was left over"));
        assert_eq!(row.text("sk"), Some(key.sk.as_str()));
        assert_eq!(row.text("filling").map(str::len), Some(300 * 1024));
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum State {
    Open,
    Waiting { reason: String, wake_at: u64 },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Inner {
    name: String,
    none: Option<u64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Fields {
    text: String,
    empty: String,
    largest: u64,
    smallest: i64,
    flag: bool,
    some: Option<String>,
    none: Option<String>,
    list: Vec<Inner>,
    state: State,
    idle: State,
}

async fn structs_come_back_as_they_went(subject: &Subject) {
    let key = key("reads/struct", "row");
    let fields = Fields {
        text: "£ and 漢字".to_owned(),
        empty: String::new(),
        largest: u64::MAX,
        smallest: i64::MIN,
        flag: true,
        some: Some("there".to_owned()),
        none: None,
        list: vec![Inner { name: "a".to_owned(), none: None }, Inner { name: "b".to_owned(), none: Some(0) }],
        state: State::Waiting { reason: "gas".to_owned(), wake_at: 1 },
        idle: State::Open,
    };
    let item = Item::from_fields(&fields).expect("a row");
    assert_eq!(item.get("none"), None, "absent options are left out");
    subject.seed(&[Write::create(key.clone(), item)]).await;
    let row = subject.there(&key).await;
    assert_eq!(row.parse::<Fields>().expect("the same struct"), fields, "the store's own fields are ignored");
    assert_eq!(row.version(), 1);

    let update = Update { set: vec![("flag", Value::from("not a flag"))], ..Update::default() };
    subject.seed(&[Write::Update { key: key.clone(), update, expect: vec![Expect::Exists] }]).await;
    match subject.there(&key).await.parse::<Fields>() {
        Err(RowError::Shape { pk, sk, .. }) => {
            assert_eq!((pk, sk), (key.pk, key.sk), "the error names the row")
        }
        other @ (Ok(_) | Err(RowError::Unstorable { .. })) => panic!("{other:?}"),
    }
}
