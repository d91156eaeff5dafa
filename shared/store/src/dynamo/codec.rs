//! Rows as DynamoDB spells them, there and back.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use aws_smithy_types::Blob;

use crate::check::{self, LAST_COMMIT, PK, SK, VERSION};
use crate::port::{CommitToken, Expect, StoreError};
use crate::row::{Fields, Item, Key, Value};

/// A row as the SDK holds it.
pub(super) type Attributes = HashMap<String, AttributeValue>;

/// An attribute that the port could not have written: somebody else wrote into the table.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Foreign {
    #[error("field {0} is of a type that the store does not keep")]
    Type(String),
    #[error("field {field} is not a whole number of 38 digits: {text}")]
    Number { field: String, text: String },
}

impl From<Foreign> for StoreError {
    fn from(foreign: Foreign) -> Self {
        Self::Refused(foreign.to_string())
    }
}

/// The two key attributes of a row.
pub(super) fn key(key: &Key) -> Attributes {
    let part = |name: &str, text: &str| (name.to_owned(), AttributeValue::S(text.to_owned()));
    HashMap::from([part(PK, &key.pk), part(SK, &key.sk)])
}

/// The whole row that a `Put` writes.
pub(super) fn row(key: &Key, item: &Item, expect: &[Expect], token: &CommitToken) -> Attributes {
    let mut row = attributes(item.fields());
    row.extend(self::key(key));
    row.insert(VERSION.to_owned(), attribute(&Value::Num(check::version_of_put(expect))));
    row.insert(LAST_COMMIT.to_owned(), AttributeValue::S(token.as_str().to_owned()));
    row
}

/// All attributes of a row, or the key attributes of a cursor.
pub(super) fn attributes(values: &Fields) -> Attributes {
    values.iter().map(|(name, value)| (name.to_string(), attribute(value))).collect()
}

/// A value as DynamoDB spells it.
pub(super) fn attribute(value: &Value) -> AttributeValue {
    match value {
        Value::Null => AttributeValue::Null(true),
        Value::Bool(flag) => AttributeValue::Bool(*flag),
        Value::Num(number) => AttributeValue::N(number.to_string()),
        Value::Str(text) => AttributeValue::S(text.clone()),
        Value::Bytes(bytes) => AttributeValue::B(Blob::new(bytes.clone())),
        Value::List(values) => AttributeValue::L(values.iter().map(attribute).collect()),
        Value::Map(map) => AttributeValue::M(attributes(map)),
    }
}

/// A row as the port sees it.
pub(super) fn item(attributes: Attributes) -> Result<Item, Foreign> {
    attributes
        .into_iter()
        .map(|(name, attribute)| value(&name, attribute).map(|value| (name.into(), value)))
        .collect::<Result<Fields, _>>()
        .map(Item::from)
}

#[expect(clippy::wildcard_enum_match_arm, reason = "every type that we do not write is foreign")]
fn value(field: &str, attribute: AttributeValue) -> Result<Value, Foreign> {
    Ok(match attribute {
        AttributeValue::Null(_) => Value::Null,
        AttributeValue::Bool(flag) => Value::Bool(flag),
        AttributeValue::N(text) => match whole(&text) {
            Some(number) => Value::Num(number),
            None => {
                return Err(Foreign::Number { field: field.to_owned(), text });
            }
        },
        AttributeValue::S(text) => Value::Str(text),
        AttributeValue::B(blob) => Value::Bytes(blob.into_inner()),
        AttributeValue::L(values) => {
            Value::List(values.into_iter().map(|one| value(field, one)).collect::<Result<_, _>>()?)
        }
        AttributeValue::M(map) => Value::Map(
            map.into_iter().map(|(name, one)| Ok((name.into(), value(field, one)?))).collect::<Result<_, Foreign>>()?,
        ),
        // Sets, and whatever the SDK's enum grows.
        _ => return Err(Foreign::Type(field.to_owned())),
    })
}

/// A whole number in any spelling: DynamoDB promises the value, not that it avoids exponents.
fn whole(text: &str) -> Option<i128> {
    if let Ok(number) = text.parse() {
        return Some(number);
    }
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>().ok()?),
        None => (text, 0),
    };
    let (before, after) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits: i128 = format!("{before}{after}").parse().ok()?;
    let shift = exponent.checked_sub(i64::try_from(after.len()).ok()?)?;
    let scale = 10_i128.checked_pow(u32::try_from(shift.unsigned_abs()).ok()?)?;
    if shift >= 0 { digits.checked_mul(scale) } else { (digits % scale == 0).then(|| digits / scale) }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a panic is how a test fails")]
mod tests {
    use std::borrow::Cow;

    use proptest::prelude::*;

    use super::*;
    use crate::check::limits::NUMBER_BOUND;

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::Bool),
            (1 - NUMBER_BOUND..NUMBER_BOUND).prop_map(Value::Num),
            ".*".prop_map(Value::Str),
            any::<Vec<u8>>().prop_map(Value::Bytes),
        ];
        leaf.prop_recursive(4, 32, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::List),
                prop::collection::btree_map(".{0,8}".prop_map(Cow::Owned), inner, 0..6).prop_map(Value::Map),
            ]
        })
    }

    proptest! {
        #[test]
        fn every_row_comes_back_as_it_went(row in prop::collection::btree_map(".{1,12}".prop_map(Cow::Owned), any_value(), 0..8)) {
            let there = attributes(&row);
            prop_assert_eq!(item(there), Ok(Item::from(row)));
        }

        #[test]
        fn a_number_is_read_in_any_spelling(digits in -999_999_i128..=999_999, zeros in 0_u32..30) {
            let number = digits * 10_i128.pow(zeros);
            prop_assert_eq!(whole(&number.to_string()), Some(number));
            prop_assert_eq!(whole(&format!("{digits}E+{zeros}")), Some(number));
            prop_assert_eq!(whole(&format!("{digits}.000e{zeros}")), Some(number));
            prop_assert_eq!(whole(&format!("{number}0E-1")), Some(number));
        }
    }

    #[test]
    fn what_is_not_whole_is_foreign() {
        for text in ["1.5", "15E-1", "1E39", "", "E5", "one", "1E999999999999"] {
            assert_eq!(whole(text), None, "{text}");
        }
        let set = AttributeValue::Ss(vec!["a".to_owned()]);
        let foreign = item(HashMap::from([("tags".to_owned(), set)])).unwrap_err();
        assert_eq!(foreign, Foreign::Type("tags".to_owned()));
    }
}
