//! Queries of tables and of indexes.

use super::{BY_OWNER, DUE, ROWS, Subject, key};
use crate::port::{Expect, Page, Query, Range, Update, Write};
use crate::row::{Item, Value};

/// Ranges, order and pages of a table's partition.
pub async fn queries(subject: &Subject) {
    ranges_take_what_they_say(subject).await;
    keys_are_ordered_by_their_bytes(subject).await;
    pages_follow_each_other(subject).await;
    a_page_ends_at_a_megabyte(subject).await;
}

/// Indexes with text and number sort keys. An index may lag, so each look is repeated for a while.
pub async fn indexes(subject: &Subject) {
    an_index_holds_the_keys_of_its_rows(subject).await;
    number_sort_keys_are_ordered_as_numbers(subject).await;
    an_index_is_paged(subject).await;
}

async fn seed(subject: &Subject, pk: &str, sks: &[&str]) {
    for sks in sks.chunks(100) {
        let writes: Vec<Write> =
            sks.iter().map(|sk| Write::create(key(pk, sk), Item::new().with("name", *sk))).collect();
        subject.seed(&writes).await;
    }
}

async fn page(subject: &Subject, query: &Query) -> Page {
    subject.store.query(query).await.unwrap_or_else(|error| panic!("{error}: {query:?}"))
}

async fn sks(subject: &Subject, query: &Query) -> Vec<String> {
    page(subject, query).await.items.iter().filter_map(|row| row.text("sk").map(str::to_owned)).collect()
}

/// All pages of a query and how many rows each had.
async fn all(subject: &Subject, mut query: Query) -> (Vec<Item>, Vec<usize>) {
    let (mut rows, mut sizes) = (Vec::new(), Vec::new());
    loop {
        let page = page(subject, &query).await;
        assert!(page.items.len() <= query.limit);
        sizes.push(page.items.len());
        rows.extend(page.items);
        match page.next {
            Some(next) => query.after = Some(next),
            None => return (rows, sizes),
        }
    }
}

async fn ranges_take_what_they_say(subject: &Subject) {
    let pk = "queries/ranges";
    seed(subject, pk, &["a#1", "a#2", "a#3", "b", "b#1", "c"]).await;
    seed(subject, "queries/ranges-beside", &["a#2", "b"]).await;
    let text = |text: &str| Value::from(text);
    let prefix = |text: &str| Range::Prefix(text.to_owned());
    let cases: [(Range, &[&str]); 12] = [
        (Range::All, &["a#1", "a#2", "a#3", "b", "b#1", "c"]),
        (prefix("a#"), &["a#1", "a#2", "a#3"]),
        (prefix("b"), &["b", "b#1"]),
        (prefix("b#1"), &["b#1"]),
        (prefix("d"), &[]),
        (Range::Between(text("a#2"), text("b")), &["a#2", "a#3", "b"]),
        (Range::Between(text("a#20"), text("a#29")), &[]),
        (Range::Between(text("c"), text("c")), &["c"]),
        (Range::Between(text("b#"), text("z")), &["b#1", "c"]),
        (Range::UpTo(text("a#2")), &["a#1", "a#2"]),
        (Range::UpTo(text("a")), &[]),
        (Range::UpTo(text("z")), &["a#1", "a#2", "a#3", "b", "b#1", "c"]),
    ];
    for (range, expected) in cases {
        let query = Query::table(ROWS, pk, range);
        assert_eq!(sks(subject, &query).await, expected, "{query:?}");
        let backwards = Query { descending: true, ..query };
        let reversed: Vec<&str> = expected.iter().rev().copied().collect();
        assert_eq!(sks(subject, &backwards).await, reversed, "{backwards:?}");
    }
    let row = page(subject, &Query::table(ROWS, pk, prefix("b#"))).await.items.remove(0);
    assert_eq!(row, subject.there(&key(pk, "b#1")).await, "a table's rows come whole");
    let nothing = page(subject, &Query::table(ROWS, "queries/nothing", Range::All)).await;
    assert_eq!(nothing, Page::default());
}

async fn keys_are_ordered_by_their_bytes(subject: &Subject) {
    let pk = "queries/order";
    let ordered = ["#", "0", "10", "9", "A", "Z", "a", "aa", "z", "é", "漢", "\u{1F980}"];
    let mut shuffled = ordered;
    shuffled.reverse();
    shuffled.swap(2, 7);
    seed(subject, pk, &shuffled).await;
    assert_eq!(sks(subject, &Query::table(ROWS, pk, Range::All)).await, ordered);
}

async fn pages_follow_each_other(subject: &Subject) {
    let pk = "queries/pages";
    let names: Vec<String> = (0..250).map(|n| format!("{n:04}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    seed(subject, pk, &names).await;
    for (limit, descending) in [(100, false), (100, true), (250, false), (1000, false), (33, true)] {
        let query = Query { limit, descending, ..Query::table(ROWS, pk, Range::All) };
        let (rows, sizes) = all(subject, query).await;
        let mut found: Vec<&str> = rows.iter().filter_map(|row| row.text("sk")).collect();
        if descending {
            found.reverse();
        }
        assert_eq!(found, names, "limit {limit}, descending {descending}");
        assert!(sizes.iter().rev().skip(1).all(|size| *size == limit), "{sizes:?} at limit {limit}");
    }
    let from = Query { limit: 7, ..Query::table(ROWS, pk, Range::Prefix("01".to_owned())) };
    let (rows, _) = all(subject, from).await;
    assert_eq!(rows.len(), 100, "a range is paged like the whole");

    // The row where a page ended may go before the next page is asked for.
    let first = page(subject, &Query { limit: 10, ..Query::table(ROWS, pk, Range::All) }).await;
    subject.seed(&[Write::Delete { key: key(pk, "0009"), expect: vec![Expect::Exists] }]).await;
    let second = Query { limit: 1, after: first.next, ..Query::table(ROWS, pk, Range::All) };
    assert_eq!(sks(subject, &second).await, ["0010"]);
}

async fn a_page_ends_at_a_megabyte(subject: &Subject) {
    let pk = "queries/megabyte";
    for n in 0..5 {
        let item = Item::new().with("filling", "x".repeat(390 * 1024));
        subject.seed(&[Write::create(key(pk, &n.to_string()), item)]).await;
    }
    let (rows, sizes) = all(subject, Query::table(ROWS, pk, Range::All)).await;
    assert_eq!(rows.len(), 5);
    assert!(sizes.len() > 1, "five rows of 390 KB are more than a page holds: {sizes:?}");
}

/// Looks until the index shows what it should; it has to in the end.
async fn eventually(subject: &Subject, query: &Query, expected: &[&str]) {
    let mut found = Vec::new();
    for _ in 0..100 {
        found = sks(subject, query).await;
        if found == expected {
            return;
        }
    }
    panic!("{query:?} shows {found:?} and not {expected:?}");
}

async fn an_index_holds_the_keys_of_its_rows(subject: &Subject) {
    let pk = "indexes/owner";
    let row = |created: &str| Item::new().with("owner", "ann").with("created", created).with("more", "not a key");
    subject
        .seed(&[
            Write::create(key(pk, "1"), row("2026-03")),
            Write::create(key(pk, "2"), row("2026-01")),
            Write::create(key(pk, "3"), row("2026-02")),
            Write::create(key(pk, "other"), row("2026-02").with("owner", "bob")),
            Write::create(key(pk, "sparse-1"), Item::new().with("owner", "ann")),
            Write::create(key(pk, "sparse-2"), Item::new().with("created", "2026-02")),
        ])
        .await;
    let of = |owner: &str, range| Query::index(ROWS, BY_OWNER, owner, range);
    eventually(subject, &of("ann", Range::All), &["2", "3", "1"]).await;
    eventually(subject, &of("bob", Range::All), &["other"]).await;
    eventually(subject, &of("ann", Range::Prefix("2026-0".to_owned())), &["2", "3", "1"]).await;
    eventually(subject, &of("ann", Range::UpTo("2026-02".into())), &["2", "3"]).await;
    let back = Query { descending: true, ..of("ann", Range::Between("2026-02".into(), "2026-03".into())) };
    eventually(subject, &back, &["1", "3"]).await;

    let entry = page(subject, &of("bob", Range::All)).await.items.remove(0);
    let keys = Item::new().with("pk", pk).with("sk", "other").with("owner", "bob").with("created", "2026-02");
    assert_eq!(entry, keys, "only keys");

    let leave = Update { remove: vec!["owner"], ..Update::default() };
    let change = Update { set: vec![("created", "2026-09".into())], ..Update::default() };
    subject
        .seed(&[
            Write::Update { key: key(pk, "1"), update: leave, expect: vec![] },
            Write::Update { key: key(pk, "2"), update: change, expect: vec![] },
            Write::Delete { key: key(pk, "other"), expect: vec![] },
        ])
        .await;
    eventually(subject, &of("ann", Range::All), &["3", "2"]).await;
    eventually(subject, &of("bob", Range::All), &[]).await;
}

async fn number_sort_keys_are_ordered_as_numbers(subject: &Subject) {
    let pk = "indexes/due";
    let largest = 10_i128.pow(38) - 1;
    let due = |at: i128| Item::new().with("due_pk", "shard-1").with("due_at", Value::Num(at));
    let rows = [("ten", 10), ("nine", 9), ("minus", -1), ("largest", largest), ("almost", largest - 1), ("none", 0)];
    let writes: Vec<Write> = rows.iter().map(|(sk, at)| Write::create(key(pk, sk), due(*at))).collect();
    subject.seed(&writes).await;
    let of = |range| Query::index(ROWS, DUE, "shard-1", range);
    eventually(subject, &of(Range::All), &["minus", "none", "nine", "ten", "almost", "largest"]).await;
    eventually(subject, &of(Range::UpTo(Value::Num(9))), &["minus", "none", "nine"]).await;
    eventually(subject, &of(Range::UpTo(Value::Num(-2))), &[]).await;
    let between = Range::Between(Value::Num(9), Value::Num(largest - 1));
    eventually(subject, &of(between.clone()), &["nine", "ten", "almost"]).await;
    let back = Query { descending: true, limit: 2, ..of(between) };
    eventually(subject, &back, &["almost", "ten"]).await;
    let entry = page(subject, &of(Range::UpTo(Value::Num(-1)))).await.items.remove(0);
    assert_eq!(entry.number("due_at"), Some(-1));
}

/// Many rows share a sort key here: a cursor must tell them apart by their own keys.
async fn an_index_is_paged(subject: &Subject) {
    let pk = "indexes/pages";
    let writes: Vec<Write> = (0..90)
        .map(|n| {
            let due = Item::new().with("due_pk", "shard-2").with("due_at", Value::Num(n / 30));
            Write::create(key(pk, &format!("{n:03}")), due)
        })
        .collect();
    subject.seed(&writes).await;
    for descending in [false, true] {
        let query = Query { limit: 7, descending, ..Query::index(ROWS, DUE, "shard-2", Range::All) };
        let mut found = Vec::new();
        for _ in 0..100 {
            found = all(subject, query.clone()).await.0;
            if found.len() == writes.len() {
                break;
            }
        }
        let times: Vec<i128> = found.iter().filter_map(|row| row.number("due_at")).collect();
        let mut ordered = times.clone();
        ordered.sort_unstable();
        if descending {
            ordered.reverse();
        }
        assert_eq!(times, ordered);
        let mut names: Vec<&str> = found.iter().filter_map(|row| row.text("sk")).collect();
        names.sort_unstable();
        let expected: Vec<String> = (0..90).map(|n| format!("{n:03}")).collect();
        assert_eq!(names, expected, "each row once");
    }
}
