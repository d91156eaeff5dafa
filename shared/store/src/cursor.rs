//! Cursors: where a page ended, as text that its holder need not understand.
//!
//! A cursor is the key attributes of a page's last row. It may have been through a client's
//! hands, so reading it back checks that it belongs to this query's partition.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};

use crate::check::{Fault, PK, Refusal, SK};
use crate::port::{Cursor, Query};
use crate::row::{Fields, Item, Value};

/// The key attributes of a row, by name: those of the table, and of the index if one is read.
pub(crate) type Position = Fields;

/// A key attribute as it is written into a cursor. Numbers are text, since JSON would bend them.
#[derive(Debug, Serialize, Deserialize)]
enum Part {
    S(String),
    N(String),
}

/// Names of the key attributes that a position of this query has.
pub(crate) fn names(query: &Query) -> Vec<&'static str> {
    let mut names = vec![PK, SK];
    names.extend(query.index.iter().flat_map(|index| [index.pk, index.sk]));
    names.sort_unstable();
    names.dedup();
    names
}

/// The position of a row in this query's order; nothing if the row lacks one of its key attributes.
pub(crate) fn position(query: &Query, item: &Item) -> Option<Position> {
    names(query).into_iter().map(|name| Some((name.into(), item.get(name)?.clone()))).collect()
}

/// Writes a position as a cursor.
pub(crate) fn encode(position: &Position) -> Cursor {
    let parts: BTreeMap<&str, Part> =
        position.iter().filter_map(|(name, value)| Some((&**name, part(value)?))).collect();
    let json = serde_json::json!(parts).to_string();
    Cursor(URL_SAFE_NO_PAD.encode(json))
}

/// Keys are text or numbers; nothing else can be one.
fn part(value: &Value) -> Option<Part> {
    match value {
        Value::Str(text) => Some(Part::S(text.clone())),
        Value::Num(number) => Some(Part::N(number.to_string())),
        Value::Null | Value::Bool(_) | Value::Bytes(_) | Value::List(_) | Value::Map(_) => None,
    }
}

/// Reads the query's cursor back, if it has one. Refuses text that no page of this query gave out.
pub(crate) fn decode(query: &Query) -> Result<Option<Position>, Refusal> {
    query.after.as_ref().map_or(Ok(None), |cursor| {
        read(query, cursor).map(Some).ok_or_else(|| Refusal::Query { pk: query.pk.clone(), fault: Fault::Cursor })
    })
}

fn read(query: &Query, cursor: &Cursor) -> Option<Position> {
    let json = URL_SAFE_NO_PAD.decode(&cursor.0).ok()?;
    let parts: BTreeMap<String, Part> = serde_json::from_slice(&json).ok()?;
    let position = parts
        .into_iter()
        .map(|(name, part)| {
            Some((
                name.into(),
                match part {
                    Part::S(text) => Value::Str(text),
                    Part::N(text) => Value::Num(text.parse().ok()?),
                },
            ))
        })
        .collect::<Option<Position>>()?;
    let partition = query.index.map_or(PK, |index| index.pk);
    let belongs = position.keys().eq(names(query))
        && position.get(partition) == Some(&Value::Str(query.pk.clone()))
        && [PK, SK].iter().all(|name| matches!(position.get(*name), Some(Value::Str(_))));
    belongs.then_some(position)
}
