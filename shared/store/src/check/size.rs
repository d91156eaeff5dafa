//! Sizes as DynamoDB counts them.
//!
//! Source: <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html>.
//! It gives the size of numbers as approximate; we round up, so a row that passes here passes there.

use crate::row::{Item, Value};

/// Bytes of a value without its name.
pub(crate) fn of_value(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) => 1,
        Value::Num(number) => of_number(*number),
        Value::Str(text) => text.len(),
        Value::Bytes(bytes) => bytes.len(),
        Value::List(values) => 3 + values.iter().map(|value| 1 + of_value(value)).sum::<usize>(),
        Value::Map(map) => 3 + map.iter().map(|(name, value)| 1 + name.len() + of_value(value)).sum::<usize>(),
    }
}

/// One byte for two digits, one for the exponent and one for a sign.
fn of_number(number: i128) -> usize {
    let digits = number.unsigned_abs().checked_ilog10().map_or(1, |log| log as usize + 1);
    digits.div_ceil(2) + 1 + usize::from(number < 0)
}

/// Bytes of an attribute: its name and its value.
pub(crate) fn of_attribute(name: &str, value: &Value) -> usize {
    name.len() + of_value(value)
}

/// Bytes of a row as it is given, keys and port fields counted only if they are in it.
pub(crate) fn of_item(item: &Item) -> usize {
    item.fields().iter().map(|(name, value)| of_attribute(name, value)).sum()
}
