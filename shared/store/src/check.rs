//! What both sides of the port refuse, before anything is tried.

pub mod limits;
pub(crate) mod size;
#[cfg(test)]
mod tests;

use std::collections::HashSet;

use crate::port::{CommitToken, Expect, Query, Range, StoreError, Update, Write};
use crate::row::{Item, Key, Value};

/// Attribute with a row's partition key.
pub(crate) const PK: &str = "pk";
/// Attribute with a row's sort key.
pub(crate) const SK: &str = "sk";
/// Attribute with a row's version.
pub(crate) const VERSION: &str = "version";
/// Attribute with the token of the commit that wrote the row last.
pub(crate) const LAST_COMMIT: &str = "last_commit";

/// Why the store refuses a call: always a fault of its caller.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("write {index} ({pk} / {sk}): {fault}")]
    Write { index: usize, pk: String, sk: String, fault: Fault },
    #[error("a commit needs 1 to {max} writes, this has {count}", max = limits::WRITES_PER_COMMIT)]
    WriteCount { count: usize },
    #[error("a commit holds at most {max} bytes, this has {bytes}", max = limits::COMMIT_BYTES)]
    CommitBytes { bytes: usize },
    #[error("a token has 1 to {max} characters, this has {chars}", max = limits::TOKEN_CHARS)]
    Token { chars: usize },
    #[error("this token stands for another list of writes")]
    TokenReused,
    #[error(
        "an add could be applied twice: no write of this commit fails when it is repeated \
         (expect Absent, Version, or Equals on a field that the same write changes)"
    )]
    Repeatable,
    #[error("at most {max} keys a call, this has {count}", max = limits::KEYS_PER_GET)]
    KeyCount { count: usize },
    #[error("key {pk} / {sk}: {fault}")]
    Key { pk: String, sk: String, fault: Fault },
    #[error("query of {pk}: {fault}")]
    Query { pk: String, fault: Fault },
}

/// What is wrong with one write, key or query.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Fault {
    #[error("{field} has 1 to {max} bytes, this has {bytes}")]
    KeyBytes { field: &'static str, max: usize, bytes: usize },
    #[error("this row was already touched in this commit; merge the two writes")]
    Twice,
    #[error("field {0} belongs to the store")]
    Reserved(String),
    #[error("field {0} is changed more than once")]
    FieldTwice(String),
    #[error("a field's name has 1 to {max} bytes, {0:?} has not", max = limits::NAME_BYTES)]
    Name(String),
    #[error("field {0}: a number has at most 38 digits")]
    Number(String),
    #[error("field {0}: values nest at most {max} levels", max = limits::NESTING)]
    Nesting(String),
    #[error("field {0}: only a number can be added to")]
    NotANumber(String),
    #[error("a row holds at most {max} bytes, this has {bytes}", max = limits::ITEM_BYTES)]
    ItemBytes { bytes: usize },
    #[error("a check without expectations checks nothing")]
    EmptyCheck,
    #[error("at most {max} expectations a write, this has {count}", max = limits::EXPECTATIONS_PER_WRITE)]
    Expectations { count: usize },
    #[error("an update changes at most {max} fields, this has {count}", max = limits::FIELDS_PER_UPDATE)]
    Fields { count: usize },
    #[error("a query asks for 1 to {max} rows, this for {limit}", max = limits::QUERY_ROWS)]
    Limit { limit: usize },
    #[error("the range's bounds must be text, or numbers on an index")]
    RangeType,
    #[error("the range's upper bound lies below its lower")]
    RangeOrder,
    #[error("the cursor is not one of this query")]
    Cursor,
}

impl From<Refusal> for StoreError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal.to_string())
    }
}

/// Refuses a commit that breaks a limit or a rule.
pub(crate) fn commit(token: &CommitToken, writes: &[Write]) -> Result<(), Refusal> {
    let chars = token.as_str().chars().count();
    if !(1..=limits::TOKEN_CHARS).contains(&chars) {
        return Err(Refusal::Token { chars });
    }
    if !(1..=limits::WRITES_PER_COMMIT).contains(&writes.len()) {
        return Err(Refusal::WriteCount { count: writes.len() });
    }
    let mut bytes = 0;
    for (index, write) in writes.iter().enumerate() {
        let at = |fault| refusal_of(index, write, fault);
        if writes[..index].iter().any(|earlier| earlier.key() == write.key()) {
            return Err(at(Fault::Twice));
        }
        bytes += one_write(token, write).map_err(at)?;
    }
    if bytes > limits::COMMIT_BYTES {
        return Err(Refusal::CommitBytes { bytes });
    }
    let adds = writes.iter().any(|write| matches!(write, Write::Update { update, .. } if !update.add.is_empty()));
    if adds && !writes.iter().any(fails_when_repeated) {
        return Err(Refusal::Repeatable);
    }
    Ok(())
}

/// A refusal that names the write it is about.
pub(crate) fn refusal_of(index: usize, write: &Write, fault: Fault) -> Refusal {
    let Key { pk, sk, .. } = write.key();
    Refusal::Write { index, pk: pk.clone(), sk: sk.clone(), fault }
}

/// Refuses a read of many keys that breaks a limit.
pub(crate) fn get_many(keys: &[Key]) -> Result<(), Refusal> {
    if keys.len() > limits::KEYS_PER_GET {
        return Err(Refusal::KeyCount { count: keys.len() });
    }
    keys.iter().try_for_each(get)
}

/// Refuses a key that no row can have.
pub(crate) fn get(key: &Key) -> Result<(), Refusal> {
    one_key(key).map_err(|fault| Refusal::Key { pk: key.pk.clone(), sk: key.sk.clone(), fault })
}

/// Refuses a query that breaks a limit. Its cursor is checked where it is read (`cursor`).
pub(crate) fn query(query: &Query) -> Result<(), Refusal> {
    let at = |fault| Refusal::Query { pk: query.pk.clone(), fault };
    key_bytes(PK, limits::PK_BYTES, &query.pk).map_err(at)?;
    if !(1..=limits::QUERY_ROWS).contains(&query.limit) {
        return Err(at(Fault::Limit { limit: query.limit }));
    }
    match &query.range {
        Range::All => Ok(()),
        Range::Prefix(prefix) => key_bytes(SK, limits::SK_BYTES, prefix).map_err(at),
        Range::UpTo(upper) => bound(query, upper).map_err(at),
        Range::Between(lower, upper) => {
            bound(query, lower).and_then(|()| bound(query, upper)).map_err(at)?;
            if std::mem::discriminant(lower) != std::mem::discriminant(upper) {
                return Err(at(Fault::RangeType));
            }
            if lower > upper { Err(at(Fault::RangeOrder)) } else { Ok(()) }
        }
    }
}

/// A bound is text, or on an index a number.
fn bound(query: &Query, value: &Value) -> Result<(), Fault> {
    match value {
        Value::Str(text) => key_bytes(SK, limits::SK_BYTES, text),
        Value::Num(_) if query.index.is_some() => one_value(SK, value),
        Value::Num(_) | Value::Null | Value::Bool(_) | Value::Bytes(_) | Value::List(_) | Value::Map(_) => {
            Err(Fault::RangeType)
        }
    }
}

/// Checks one write and tells how many bytes it brings.
fn one_write(token: &CommitToken, write: &Write) -> Result<usize, Fault> {
    one_key(write.key())?;
    expectations(write.expect())?;
    let bytes = own_bytes(token, write.key());
    match write {
        Write::Put { item, .. } => Ok(bytes + put_fields(item, bytes)?),
        Write::Update { update, .. } => Ok(bytes + update_fields(update, bytes)?),
        Write::Delete { .. } => Ok(bytes),
        Write::Check { expect, .. } if expect.is_empty() => Err(Fault::EmptyCheck),
        Write::Check { .. } => Ok(bytes),
    }
}

fn one_key(key: &Key) -> Result<(), Fault> {
    key_bytes(PK, limits::PK_BYTES, &key.pk)?;
    key_bytes(SK, limits::SK_BYTES, &key.sk)
}

fn key_bytes(field: &'static str, max: usize, text: &str) -> Result<(), Fault> {
    match text.len() {
        bytes if (1..=max).contains(&bytes) => Ok(()),
        bytes => Err(Fault::KeyBytes { field, max, bytes }),
    }
}

/// Bytes of the attributes that the port itself writes into a row.
fn own_bytes(token: &CommitToken, key: &Key) -> usize {
    let version = size::of_attribute(VERSION, &Value::Num(i128::from(u64::MAX)));
    PK.len() + key.pk.len() + SK.len() + key.sk.len() + LAST_COMMIT.len() + token.as_str().len() + version
}

fn put_fields(item: &Item, own: usize) -> Result<usize, Fault> {
    for (name, value) in item.fields() {
        field_name(name)?;
        one_value(name, value)?;
    }
    within_item(size::of_item(item), own)
}

fn update_fields(update: &Update, own: usize) -> Result<usize, Fault> {
    let Update { set, add, remove } = update;
    let count = set.len() + add.len() + remove.len();
    if count > limits::FIELDS_PER_UPDATE {
        return Err(Fault::Fields { count });
    }
    let mut seen = HashSet::new();
    let names =
        set.iter().map(|(name, _)| *name).chain(add.iter().map(|(name, _)| *name)).chain(remove.iter().copied());
    for name in names {
        field_name(name)?;
        if !seen.insert(name) {
            return Err(Fault::FieldTwice(name.to_owned()));
        }
    }
    let mut bytes = 0;
    for (name, value) in set {
        one_value(name, value)?;
        bytes += size::of_attribute(name, value);
    }
    for (name, number) in add {
        let value = Value::Num(*number);
        one_value(name, &value)?;
        bytes += size::of_attribute(name, &value);
    }
    within_item(bytes, own)
}

fn within_item(fields: usize, own: usize) -> Result<usize, Fault> {
    item_bytes(fields + own)?;
    Ok(fields)
}

/// Refuses a row that is too large.
pub(crate) fn item_bytes(bytes: usize) -> Result<(), Fault> {
    if bytes > limits::ITEM_BYTES { Err(Fault::ItemBytes { bytes }) } else { Ok(()) }
}

fn field_name(name: &str) -> Result<(), Fault> {
    match name {
        PK | SK | VERSION | LAST_COMMIT => Err(Fault::Reserved(name.to_owned())),
        _ => any_name(name),
    }
}

fn any_name(name: &str) -> Result<(), Fault> {
    if (1..=limits::NAME_BYTES).contains(&name.len()) { Ok(()) } else { Err(Fault::Name(name.to_owned())) }
}

/// Expectations may name any field, the port's own too.
fn expectations(expect: &[Expect]) -> Result<(), Fault> {
    if expect.len() > limits::EXPECTATIONS_PER_WRITE {
        return Err(Fault::Expectations { count: expect.len() });
    }
    expect.iter().try_for_each(|one| match one {
        Expect::Absent | Expect::Exists | Expect::Version(_) => Ok(()),
        Expect::Equals(field, value) => any_name(field).and_then(|()| one_value(field, value)),
        Expect::AtLeast(field, number) => any_name(field).and_then(|()| one_value(field, &Value::Num(*number))),
    })
}

fn one_value(field: &str, value: &Value) -> Result<(), Fault> {
    nested(field, value, 1)
}

fn nested(field: &str, value: &Value, depth: usize) -> Result<(), Fault> {
    if depth > limits::NESTING {
        return Err(Fault::Nesting(field.to_owned()));
    }
    match value {
        Value::Null | Value::Bool(_) | Value::Str(_) | Value::Bytes(_) => Ok(()),
        Value::Num(number) => in_range(field, *number),
        Value::List(values) => values.iter().try_for_each(|value| nested(field, value, depth + 1)),
        Value::Map(map) => map.values().try_for_each(|value| nested(field, value, depth + 1)),
    }
}

/// Refuses a number that DynamoDB could not keep exactly.
pub(crate) fn in_range(field: &str, number: i128) -> Result<(), Fault> {
    if -limits::NUMBER_BOUND < number && number < limits::NUMBER_BOUND {
        Ok(())
    } else {
        Err(Fault::Number(field.to_owned()))
    }
}

/// Whether this write's expectations cannot hold any more once it has been applied.
///
/// A `Check` changes nothing, so it holds again; so does an `Equals` whose field keeps its value.
fn fails_when_repeated(write: &Write) -> bool {
    write.expect().iter().any(|expect| match (write, expect) {
        (Write::Check { .. }, _) => false,
        (Write::Put { .. } | Write::Update { .. }, Expect::Absent) => true,
        (Write::Put { .. } | Write::Update { .. } | Write::Delete { .. }, Expect::Version(_)) => true,
        (Write::Delete { .. }, Expect::Exists | Expect::Equals(..) | Expect::AtLeast(..)) => true,
        (Write::Put { item, .. }, Expect::Equals(field, value)) => !is_own(field) && item.get(field) != Some(value),
        (Write::Update { update, .. }, Expect::Equals(field, value)) => changes(update, field, value),
        (Write::Put { .. } | Write::Update { .. }, Expect::Exists | Expect::AtLeast(..))
        | (Write::Delete { .. }, Expect::Absent) => false,
    })
}

fn is_own(field: &str) -> bool {
    matches!(field, PK | SK | VERSION | LAST_COMMIT)
}

fn changes(update: &Update, field: &str, before: &Value) -> bool {
    update.set.iter().any(|(name, value)| *name == field && value != before)
        || update.add.iter().any(|(name, number)| *name == field && *number != 0)
        || update.remove.contains(&field)
}

/// The version a `Put` gives its row: one more than the version it expects, else 1.
pub(crate) fn version_of_put(expect: &[Expect]) -> i128 {
    expect
        .iter()
        .find_map(|expect| match expect {
            Expect::Version(version) => Some(i128::from(*version) + 1),
            Expect::Absent | Expect::Exists | Expect::Equals(..) | Expect::AtLeast(..) => None,
        })
        .unwrap_or(1)
}
