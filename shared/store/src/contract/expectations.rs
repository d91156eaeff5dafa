//! Every expectation, held and not held, on every write, alone and in a transaction.

use super::{Subject, key};
use crate::port::{Commit, Conflict, Expect, Update, Write};
use crate::row::{Item, Key, Value};

/// What holds of a row and what does not.
pub async fn expectations(subject: &Subject) {
    let mut case = 0;
    for (expect, holds) in on_a_row() {
        for kind in Kind::ALL {
            for beside in [false, true] {
                case += 1;
                one(subject, case, Some(row()), vec![expect.clone()], holds, kind, beside).await;
            }
        }
    }
    for (expect, holds) in on_no_row() {
        for kind in Kind::ALL {
            for beside in [false, true] {
                case += 1;
                one(subject, case, None, vec![expect.clone()], holds, kind, beside).await;
            }
        }
    }
    for (several, holds) in together() {
        for kind in Kind::ALL {
            case += 1;
            one(subject, case, Some(row()), several.clone(), holds, kind, false).await;
        }
    }
}

/// The kinds of write that carry an expectation.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Put,
    Update,
    Delete,
    Check,
}

impl Kind {
    const ALL: [Self; 4] = [Self::Put, Self::Update, Self::Delete, Self::Check];

    fn write(self, key: Key, expect: Vec<Expect>) -> Write {
        match self {
            Self::Put => Write::Put { key, item: Item::new().with("put", true), expect },
            Self::Update => {
                let update = Update { set: vec![("updated", true.into())], ..Update::default() };
                Write::Update { key, update, expect }
            }
            Self::Delete => Write::Delete { key, expect },
            Self::Check => Write::Check { key, expect },
        }
    }

    /// Whether the row shows that the write has happened.
    fn shows(self, before: Option<&Item>, after: Option<&Item>) -> bool {
        match self {
            Self::Put => after.is_some_and(|row| row.get("put") == Some(&Value::Bool(true))),
            Self::Update => after.is_some_and(|row| row.get("updated") == Some(&Value::Bool(true))),
            Self::Delete => after.is_none(),
            Self::Check => after == before,
        }
    }
}

const BIG: i128 = 10_i128.pow(38) - 1;

fn row() -> Item {
    Item::new()
        .with("text", "abc")
        .with("number", 10_u64)
        .with("big", Value::Num(BIG))
        .with("minus", Value::Num(-10))
        .with("digits", "10")
        .with("flag", true)
        .with("none", Value::Null)
        .with("bytes", Value::Bytes(vec![1, 2]))
        .with("list", list([1, 2]))
        .with("map", Value::Map([("a".into(), Value::Num(1))].into()))
        .with("status", "a reserved word")
}

fn list(numbers: [i128; 2]) -> Value {
    Value::List(numbers.map(Value::Num).to_vec())
}

fn on_a_row() -> Vec<(Expect, bool)> {
    use Expect::{Absent, AtLeast, Equals, Exists, Version};
    let equal = |field| Equals(field, row().get(field).cloned().unwrap_or(Value::Null));
    vec![
        (Absent, false),
        (Exists, true),
        (Version(1), true),
        (Version(0), false),
        (Version(2), false),
        (Version(u64::MAX), false),
        (equal("text"), true),
        (equal("number"), true),
        (equal("big"), true),
        (equal("minus"), true),
        (equal("flag"), true),
        (equal("none"), true),
        (equal("bytes"), true),
        (equal("list"), true),
        (equal("map"), true),
        (equal("status"), true),
        (Equals("text", "abd".into()), false),
        (Equals("text", "".into()), false),
        (Equals("number", 11_u64.into()), false),
        (Equals("big", Value::Num(BIG - 1)), false),
        (Equals("digits", 10_u64.into()), false),
        (Equals("number", "10".into()), false),
        (Equals("flag", false.into()), false),
        (Equals("none", "".into()), false),
        (Equals("bytes", Value::Bytes(vec![1, 3])), false),
        (Equals("list", list([2, 1])), false),
        (Equals("map", Value::Map([("a".into(), Value::Num(2))].into())), false),
        (Equals("missing", Value::Null), false),
        (Equals("missing", "".into()), false),
        (Equals("version", 1_u64.into()), true),
        (Equals("sk", "row".into()), true),
        (Equals("sk", "another".into()), false),
        (AtLeast("number", 10), true),
        (AtLeast("number", 9), true),
        (AtLeast("number", -11), true),
        (AtLeast("number", 11), false),
        (AtLeast("minus", -10), true),
        (AtLeast("minus", -9), false),
        (AtLeast("big", BIG), true),
        (AtLeast("big", BIG - 1), true),
        (AtLeast("number", BIG), false),
        (AtLeast("digits", 1), false),
        (AtLeast("none", 0), false),
        (AtLeast("missing", 0), false),
        (AtLeast("missing", -1), false),
        (AtLeast("version", 1), true),
    ]
}

fn on_no_row() -> Vec<(Expect, bool)> {
    vec![
        (Expect::Absent, true),
        (Expect::Exists, false),
        (Expect::Version(0), false),
        (Expect::Version(1), false),
        (Expect::Equals("text", "abc".into()), false),
        (Expect::Equals("text", Value::Null), false),
        (Expect::AtLeast("number", 0), false),
    ]
}

fn together() -> Vec<(Vec<Expect>, bool)> {
    let enough = Expect::AtLeast("number", 5);
    let is_abc = Expect::Equals("text", "abc".into());
    let stale = Expect::Version(9);
    vec![
        (vec![Expect::Exists, Expect::Version(1), enough.clone(), is_abc.clone()], true),
        (vec![enough.clone(), is_abc.clone(), stale.clone()], false),
        (vec![stale, enough, is_abc], false),
        (vec![Expect::AtLeast("number", 5), Expect::AtLeast("number", 6)], true),
        (vec![Expect::Absent, Expect::Exists], false),
    ]
}

async fn one(
    subject: &Subject,
    case: usize,
    row: Option<Item>,
    expect: Vec<Expect>,
    holds: bool,
    kind: Kind,
    beside: bool,
) {
    let pk = format!("expectations/{case}");
    let told = format!("{kind:?} expecting {expect:?}, row {row:?}, in a transaction: {beside}");
    let (key, other) = (key(&pk, "row"), key(&pk, "beside"));
    if let Some(row) = row {
        subject.seed(&[Write::create(key.clone(), row)]).await;
    }
    let before = subject.row(&key).await;
    let mut writes = vec![kind.write(key.clone(), expect)];
    if beside {
        writes.insert(0, Write::create(other.clone(), Item::new()));
    }
    let outcome = subject.commit(&writes).await;
    let after = subject.row(&key).await;
    if holds {
        assert_eq!(outcome, Commit::Committed, "{told}");
        assert!(kind.shows(before.as_ref(), after.as_ref()), "{told}: {after:?}");
    } else {
        let conflict = Conflict { index: usize::from(beside), current: before.clone() };
        assert_eq!(outcome, Commit::Conflict(vec![conflict]), "{told}");
        assert_eq!(after, before, "{told}");
    }
    assert_eq!(subject.row(&other).await.is_some(), beside && holds, "{told}");
}
