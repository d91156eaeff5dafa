//! Rows as both sides of the port see them.

mod read;
mod write;

use std::{borrow::Cow, collections::BTreeMap, sync::Arc};

use serde::{Serialize, de::DeserializeOwned};

/// A table's logical name; its physical name carries the environment's prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Table(pub &'static str);

/// A secondary index: its name and the attributes that are its keys. An index is a hint, never the truth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Index {
    /// Name of the index on its table.
    pub name: &'static str,
    /// Attribute that is the partition key; a row without it is not in the index.
    pub pk: &'static str,
    /// Attribute that is the sort key.
    pub sk: &'static str,
}

/// A row's full address.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// The table.
    pub table: Table,
    /// Partition key.
    pub pk: String,
    /// Sort key.
    pub sk: String,
}

impl Key {
    /// The address of a row.
    pub fn new(table: Table, pk: impl Into<String>, sk: impl Into<String>) -> Self {
        Self { table, pk: pk.into(), sk: sk.into() }
    }
}

/// Named values in the order of their names, most of which the program knows.
pub type Fields = BTreeMap<Cow<'static, str>, Value>;

/// One attribute's value. Numbers are whole and fit DynamoDB's 38 digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Value {
    /// Present, without a value.
    Null,
    /// True or false.
    Bool(bool),
    /// A whole number, |n| < 10^38.
    Num(i128),
    /// Text.
    Str(String),
    /// Raw bytes.
    Bytes(Vec<u8>),
    /// Values in order.
    List(Vec<Value>),
    /// Named values.
    Map(Fields),
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Str(text.to_owned())
    }
}
impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Str(text)
    }
}
impl From<u64> for Value {
    fn from(number: u64) -> Self {
        Self::Num(i128::from(number))
    }
}
impl From<i128> for Value {
    fn from(number: i128) -> Self {
        Self::Num(number)
    }
}
impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Self::Bool(flag)
    }
}

/// A row that does not have the shape its reader expects.
#[derive(Debug, thiserror::Error)]
pub enum RowError {
    /// The row's fields do not parse as the type asked for.
    #[error("row {pk} / {sk} does not parse")]
    Shape {
        /// Partition key of the row.
        pk: String,
        /// Sort key of the row.
        sk: String,
        /// What did not fit.
        #[source]
        source: serde_json::Error,
    },
    /// A type that cannot be a row (not a map of fields, or numbers beyond 64 bits).
    #[error("this type cannot be stored as a row: {reason}")]
    Unstorable {
        /// Why not.
        reason: String,
    },
}

/// A row's attributes, its own keys `pk` and `sk` among them once it is stored.
///
/// Two attributes belong to the port: `version` (1 when put, one more at each update) and
/// `last_commit` (the token of the commit that wrote the row last).
///
/// A copy shares the attributes until it is changed: rows are read far more often than changed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Item(Arc<Fields>);

impl From<Fields> for Item {
    fn from(fields: Fields) -> Self {
        Self(Arc::new(fields))
    }
}

impl Item {
    /// A row without attributes.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same row with one attribute more.
    pub fn with(mut self, field: impl Into<Cow<'static, str>>, value: impl Into<Value>) -> Self {
        self.set(field, value.into());
        self
    }

    /// Gives an attribute a value.
    pub fn set(&mut self, field: impl Into<Cow<'static, str>>, value: Value) {
        Arc::make_mut(&mut self.0).insert(field.into(), value);
    }

    /// Takes an attribute away.
    pub fn remove(&mut self, field: &str) {
        if self.0.contains_key(field) {
            Arc::make_mut(&mut self.0).remove(field);
        }
    }

    /// Its attributes in the order of their names.
    pub fn fields(&self) -> &Fields {
        &self.0
    }

    /// An attribute, if present.
    pub fn get(&self, field: &str) -> Option<&Value> {
        self.0.get(field)
    }

    /// A text attribute, if present and text.
    pub fn text(&self, field: &str) -> Option<&str> {
        match self.0.get(field) {
            Some(Value::Str(text)) => Some(text),
            Some(Value::Null | Value::Bool(_) | Value::Num(_) | Value::Bytes(_) | Value::List(_) | Value::Map(_))
            | None => None,
        }
    }

    /// A number attribute, if present and a number.
    pub fn number(&self, field: &str) -> Option<i128> {
        match self.0.get(field) {
            Some(Value::Num(number)) => Some(*number),
            Some(Value::Null | Value::Bool(_) | Value::Str(_) | Value::Bytes(_) | Value::List(_) | Value::Map(_))
            | None => None,
        }
    }

    /// The row's version as the port keeps it; 0 for a row that was never stored.
    pub fn version(&self) -> u64 {
        self.number("version").and_then(|n| u64::try_from(n).ok()).unwrap_or(0)
    }

    /// Makes a row of a serializable struct; absent options are left out.
    pub fn from_fields<T: Serialize>(fields: &T) -> Result<Self, RowError> {
        let unstorable = |error: serde_json::Error| RowError::Unstorable { reason: error.to_string() };
        match fields.serialize(write::Writer).map_err(unstorable)? {
            Value::Map(mut map) => {
                map.retain(|_, value| *value != Value::Null);
                Ok(Self::from(map))
            }
            Value::Null | Value::Bool(_) | Value::Num(_) | Value::Str(_) | Value::Bytes(_) | Value::List(_) => {
                Err(RowError::Unstorable { reason: "not a map of fields".to_owned() })
            }
        }
    }

    /// Reads the row as a struct; attributes the struct does not know are ignored.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, RowError> {
        T::deserialize(read::named(self.0.iter())).map_err(|source| RowError::Shape {
            pk: self.text("pk").unwrap_or_default().to_owned(),
            sk: self.text("sk").unwrap_or_default().to_owned(),
            source,
        })
    }
}
