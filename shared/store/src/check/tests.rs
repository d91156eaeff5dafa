//! What is refused and why, and what is let through. The contract tries the same from outside.

use super::*;
use crate::row::{Index, Table};

const TABLE: Table = Table("t");

fn key(sk: &str) -> Key {
    Key::new(TABLE, "p", sk)
}

fn token() -> CommitToken {
    CommitToken::new("token")
}

fn fault(write: Write) -> Option<Fault> {
    match commit(&token(), &[write]) {
        Err(Refusal::Write { index: 0, fault, .. }) => Some(fault),
        Ok(()) => None,
        Err(other) => panic!("{other}"),
    }
}

fn put(item: Item) -> Write {
    Write::Put { key: key("s"), item, expect: vec![] }
}

fn update(update: Update, expect: Vec<Expect>) -> Write {
    Write::Update { key: key("s"), update, expect }
}

fn add(expect: Vec<Expect>) -> Write {
    update(Update { add: vec![("n", 1)], ..Update::default() }, expect)
}

fn open() -> Expect {
    Expect::Equals("state", "open".into())
}

/// Bytes that the port itself adds to the row `p / s` under the token `token`: names and values.
const OWN: usize = (2 + 1) + (2 + 1) + (7 + 11) + (11 + 5);

#[test]
fn a_row_may_be_exactly_as_large_as_the_limit() {
    let filled = |bytes: usize| Item::new().with("f", "x".repeat(bytes));
    let largest = limits::ITEM_BYTES - OWN - 1;
    assert_eq!(fault(put(filled(largest))), None);
    assert_eq!(fault(put(filled(largest + 1))), Some(Fault::ItemBytes { bytes: limits::ITEM_BYTES + 1 }));
    let set = |bytes: usize| Update { set: vec![("f", "x".repeat(bytes).into())], ..Update::default() };
    assert_eq!(fault(update(set(largest), vec![])), None);
    assert_eq!(fault(update(set(largest + 1), vec![])), Some(Fault::ItemBytes { bytes: limits::ITEM_BYTES + 1 }));
}

#[test]
fn a_commit_may_be_exactly_as_large_as_the_limit() {
    // Sixteen rows of a quarter megabyte each.
    let one = limits::COMMIT_BYTES / 16;
    let row = |n: usize, bytes: usize| Write::Put {
        key: Key::new(TABLE, "p", char::from(b'a' + u8::try_from(n).unwrap_or(0)).to_string()),
        item: Item::new().with("f", "x".repeat(bytes - OWN - 1)),
        expect: vec![],
    };
    let mut writes: Vec<Write> = (0..16).map(|n| row(n, one)).collect();
    assert_eq!(commit(&token(), &writes), Ok(()));
    writes[15] = row(15, one + 1);
    assert_eq!(commit(&token(), &writes), Err(Refusal::CommitBytes { bytes: limits::COMMIT_BYTES + 1 }));
}

#[test]
fn sizes_are_counted_as_dynamodb_counts_them() {
    let list = Value::List(vec![Value::Null, "ab".into()]);
    let map = Value::Map([("key".into(), Value::Bool(true))].into());
    let cases = [
        (Value::Null, 1),
        (Value::Bool(false), 1),
        ("".into(), 0),
        ("é".into(), 2),
        (Value::Bytes(vec![0; 7]), 7),
        (Value::Num(0), 2),
        (Value::Num(99), 2),
        (Value::Num(100), 3),
        (Value::Num(-100), 4),
        (Value::Num(limits::NUMBER_BOUND - 1), 20),
        (list, 3 + (1 + 1) + (1 + 2)),
        (map, 3 + 1 + 3 + 1),
    ];
    for (value, bytes) in cases {
        assert_eq!(size::of_value(&value), bytes, "{value:?}");
    }
}

#[test]
fn the_stores_own_fields_are_not_for_callers() {
    for field in [PK, SK, VERSION, LAST_COMMIT] {
        let reserved = Some(Fault::Reserved(field.to_owned()));
        assert_eq!(fault(put(Item::new().with(field, "x"))), reserved);
        assert_eq!(fault(update(Update { set: vec![(field, "x".into())], ..Update::default() }, vec![])), reserved);
        assert_eq!(fault(update(Update { add: vec![(field, 1)], ..Update::default() }, vec![])), reserved);
        assert_eq!(fault(update(Update { remove: vec![field], ..Update::default() }, vec![])), reserved);
        let check = Write::Check { key: key("s"), expect: vec![Expect::Equals(field, 1_u64.into())] };
        assert_eq!(fault(check), None, "but they may be expected");
    }
}

#[test]
fn an_add_goes_only_where_a_repeat_would_fail() {
    let beside = |expect| Write::Put { key: key("beside"), item: Item::new().with("state", "open"), expect };
    let closing = Update { set: vec![("state", "closed".into())], ..Update::default() };
    let close = Write::Update { key: key("beside"), update: closing, expect: vec![open()] };
    let clearing = Update { remove: vec!["state"], ..Update::default() };
    let clear = Write::Update { key: key("beside"), update: clearing, expect: vec![open()] };
    let staying = Update { set: vec![("state", "open".into())], ..Update::default() };
    let stay = Write::Update { key: key("beside"), update: staying, expect: vec![open()] };
    let delete = |expect| Write::Delete { key: key("beside"), expect };
    let check = |expect| Write::Check { key: key("beside"), expect };
    let counted = Expect::Equals("n", 0_u64.into());
    let zero = Update { add: vec![("n", 0)], ..Update::default() };
    let cases = [
        (vec![add(vec![Expect::Version(3)])], true),
        (vec![add(vec![Expect::Absent])], true),
        (vec![add(vec![counted.clone()])], true),
        (vec![add(vec![]), beside(vec![Expect::Absent])], true),
        (vec![add(vec![]), beside(vec![Expect::Version(1)])], true),
        (vec![add(vec![]), beside(vec![Expect::Equals("state", "closed".into())])], true),
        (vec![add(vec![]), close], true),
        (vec![add(vec![]), clear], true),
        (vec![add(vec![]), delete(vec![Expect::Exists])], true),
        (vec![add(vec![]), delete(vec![Expect::Version(1)])], true),
        (vec![add(vec![])], false),
        (vec![add(vec![Expect::Exists])], false),
        (vec![add(vec![Expect::AtLeast("n", 1)])], false),
        (vec![add(vec![open()])], false),
        (vec![update(zero, vec![counted])], false),
        (vec![add(vec![]), beside(vec![])], false),
        (vec![add(vec![]), beside(vec![open()])], false),
        (vec![add(vec![]), beside(vec![Expect::Equals("version", 1_u64.into())])], false),
        (vec![add(vec![]), stay], false),
        (vec![add(vec![]), delete(vec![])], false),
        (vec![add(vec![]), delete(vec![Expect::Absent])], false),
        (vec![add(vec![]), check(vec![Expect::Absent])], false),
        (vec![add(vec![]), check(vec![Expect::Version(1)])], false),
        (vec![add(vec![]), check(vec![open()])], false),
    ];
    for (writes, safe) in cases {
        let expected = if safe { Ok(()) } else { Err(Refusal::Repeatable) };
        assert_eq!(commit(&token(), &writes), expected, "{writes:?}");
    }
    let set = Update { set: vec![("n", 1_u64.into())], ..Update::default() };
    assert_eq!(commit(&token(), &[update(set, vec![])]), Ok(()), "without an add nothing can add up");
}

#[test]
fn a_refusal_names_the_write_and_its_fault() {
    let writes = [put(Item::new()), Write::Check { key: key("other"), expect: vec![] }];
    let told = commit(&token(), &writes).map_err(|refusal| refusal.to_string());
    assert_eq!(told, Err("write 1 (p / other): a check without expectations checks nothing".to_owned()));
}

#[test]
fn a_put_is_one_version_beyond_what_it_expects() {
    assert_eq!(version_of_put(&[]), 1);
    assert_eq!(version_of_put(&[Expect::Exists, open()]), 1);
    assert_eq!(version_of_put(&[Expect::Exists, Expect::Version(7)]), 8);
    assert_eq!(version_of_put(&[Expect::Version(u64::MAX)]), i128::from(u64::MAX) + 1);
}

#[test]
fn numbers_are_bounds_on_indexes_only() {
    let index = Index { name: "due", pk: "due_pk", sk: "due_at" };
    let range = Range::Between(Value::Num(1), Value::Num(2));
    assert_eq!(query(&Query::index(TABLE, index, "p", range.clone())), Ok(()));
    let refused = Refusal::Query { pk: "p".to_owned(), fault: Fault::RangeType };
    assert_eq!(query(&Query::table(TABLE, "p", range)), Err(refused));
}
