//! Request bodies: bounded, flat JSON objects, read field by field so that every fault names its field.

use std::fmt;

use alloy_primitives::{Address, B256};
use causeway_domain::limits;
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::Value;

use crate::error::{ApiError, Code};

/// A body's fields in the order they came.
#[derive(Debug)]
pub struct Fields(Vec<(String, Value)>);

impl Fields {
    /// Reads a body that may have these fields and no others, each at most once.
    pub fn read(body: &[u8], allowed: &[&str]) -> Result<Self, ApiError> {
        if body.len() > limits::BODY_BYTES_MAX {
            let message = format!("the body has more than {} bytes", limits::BODY_BYTES_MAX);
            return Err(ApiError::new(Code::BodyTooLarge, message));
        }
        let malformed = |error: serde_json::Error| {
            ApiError::field("body", format!("is not a JSON object: line {}, column {}", error.line(), error.column()))
        };
        let fields: Self = serde_json::from_slice(body).map_err(malformed)?;
        for (position, (name, value)) in fields.0.iter().enumerate() {
            if !allowed.contains(&name.as_str()) {
                return Err(ApiError::field(&shown(name), "is not a field of this request"));
            }
            if fields.0[..position].iter().any(|(earlier, _)| earlier == name) {
                return Err(ApiError::field(name, "is there twice"));
            }
            if depth(value) + 1 > limits::JSON_DEPTH_MAX {
                return Err(ApiError::field(name, "is nested too deeply"));
            }
        }
        Ok(fields)
    }

    /// A field, unless it is missing or null.
    pub fn value(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value).filter(|value| !value.is_null())
    }

    /// A text field that may be left out.
    pub fn optional_text(&self, name: &str) -> Result<Option<&str>, ApiError> {
        match self.value(name) {
            None => Ok(None),
            Some(Value::String(text)) if text.chars().count() > limits::TEXT_CHARS_MAX => {
                Err(ApiError::field(name, format!("has more than {} characters", limits::TEXT_CHARS_MAX)))
            }
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(ApiError::field(name, "must be a string")),
        }
    }

    /// A text field.
    pub fn text(&self, name: &str) -> Result<&str, ApiError> {
        self.optional_text(name)?.ok_or_else(|| ApiError::field(name, "is missing"))
    }

    /// A whole number from 0 to 2^53, beyond which JSON's readers differ.
    pub fn number(&self, name: &str) -> Result<u64, ApiError> {
        const MOST: u64 = 1 << 53;
        match self.value(name) {
            None => Err(ApiError::field(name, "is missing")),
            Some(value) => value
                .as_u64()
                .filter(|number| *number <= MOST)
                .ok_or_else(|| ApiError::field(name, "must be a whole number")),
        }
    }

    /// A flag.
    pub fn flag(&self, name: &str) -> Result<bool, ApiError> {
        match self.value(name) {
            None => Err(ApiError::field(name, "is missing")),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(_) => Err(ApiError::field(name, "must be true or false")),
        }
    }

    /// As [`Self::flag`], false where it is left out.
    pub fn optional_flag(&self, name: &str) -> Result<bool, ApiError> {
        self.value(name).map_or(Ok(false), |_| self.flag(name))
    }

    /// A field that is an object, which may have these fields and no others.
    pub fn object(&self, name: &str, allowed: &[&str]) -> Result<Self, ApiError> {
        match self.value(name) {
            None => Err(ApiError::field(name, "is missing")),
            Some(value @ Value::Object(_)) => {
                Self::read(value.to_string().as_bytes(), allowed).map_err(|error| error.within(name))
            }
            Some(_) => Err(ApiError::field(name, "must be an object")),
        }
    }

    /// An operator's reason.
    pub fn reason(&self) -> Result<&str, ApiError> {
        let text = match self.value("reason") {
            None => return Err(ApiError::field("reason", "is missing")),
            Some(Value::String(text)) => text.trim(),
            Some(_) => return Err(ApiError::field("reason", "must be a string")),
        };
        match text.chars().count() {
            0 => Err(ApiError::field("reason", "is empty")),
            n if n > limits::REASON_CHARS_MAX => {
                Err(ApiError::field("reason", format!("has more than {} characters", limits::REASON_CHARS_MAX)))
            }
            _ => Ok(text),
        }
    }

    /// An EVM address: `0x` and 40 hex digits; in mixed case its EIP-55 checksum must hold.
    pub fn address(&self, name: &str) -> Result<Address, ApiError> {
        address(name, self.text(name)?)
    }

    /// A hash of 32 bytes that may be left out: `0x` and 64 hex digits.
    pub fn optional_hash(&self, name: &str) -> Result<Option<B256>, ApiError> {
        let Some(text) = self.optional_text(name)? else { return Ok(None) };
        let digits = text.strip_prefix("0x").filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let read = digits.and_then(|digits| digits.parse().ok());
        read.map(Some).ok_or_else(|| ApiError::field(name, "must be 0x and 64 hexadecimal digits"))
    }

    /// An idempotency key: 1 to 128 visible ASCII characters.
    pub fn key(&self, name: &str) -> Result<String, ApiError> {
        idempotency_key(name, self.text(name)?)
    }
}

/// Reads an address; see [`Fields::address`].
pub fn address(name: &str, text: &str) -> Result<Address, ApiError> {
    let digits = text.strip_prefix("0x").unwrap_or_default();
    if digits.len() != 40 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(ApiError::field(name, "must be 0x and 40 hexadecimal digits"));
    }
    let address: Address = text.parse().map_err(|_| ApiError::field(name, "is not an address"))?;
    let upper = digits.bytes().any(|byte| byte.is_ascii_uppercase());
    let lower = digits.bytes().any(|byte| byte.is_ascii_lowercase());
    if upper && lower && address.to_checksum(None) != text {
        return Err(ApiError::field(name, "has a wrong EIP-55 checksum; a digit may be mistyped"));
    }
    Ok(address)
}

/// Reads an idempotency key; see [`Fields::key`].
pub fn idempotency_key(name: &str, text: &str) -> Result<String, ApiError> {
    let visible = text.bytes().all(|byte| byte.is_ascii_graphic());
    if (1..=limits::IDEMPOTENCY_KEY_CHARS_MAX).contains(&text.len()) && visible {
        Ok(text.to_owned())
    } else {
        let most = limits::IDEMPOTENCY_KEY_CHARS_MAX;
        Err(ApiError::field(name, format!("must have 1 to {most} visible ASCII characters")))
    }
}

/// A stranger's field name, short enough to show.
fn shown(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(40).collect()
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(values) => 1 + values.iter().map(depth).max().unwrap_or(0),
        Value::Object(map) => 1 + map.values().map(depth).max().unwrap_or(0),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
    }
}

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Fields;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry::<String, Value>()? {
                    fields.push(field);
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(body: &str) -> ApiError {
        Fields::read(body.as_bytes(), &["amount", "to"]).expect_err("must be refused")
    }

    #[test]
    fn every_fault_names_its_field() {
        assert_eq!(refusal("[]").field.as_deref(), Some("body"));
        assert_eq!(refusal("{").field.as_deref(), Some("body"));
        assert_eq!(refusal(r#"{"amont":"1"}"#).field.as_deref(), Some("amont"));
        assert_eq!(refusal(r#"{"amount":"1","amount":"2"}"#).message, "amount is there twice");
        assert_eq!(refusal(r#"{"to":[[[["x"]]]]}"#).field.as_deref(), Some("to"));
        let large = format!(r#"{{"amount":"{}"}}"#, "1".repeat(limits::BODY_BYTES_MAX));
        assert_eq!(refusal(&large).code, Code::BodyTooLarge);
    }

    #[test]
    fn a_number_is_not_an_amount() {
        let fields = Fields::read(br#"{"amount": 1.5}"#, &["amount"]).expect("an object");
        assert_eq!(fields.text("amount").expect_err("a number").message, "amount must be a string");
        assert_eq!(fields.text("to").expect_err("absent").message, "to is missing");
    }

    #[test]
    fn a_field_within_a_field_is_named_in_full() {
        let fields =
            Fields::read(br#"{"key": {"kind": "kms", "id": "x"}, "to": 1}"#, &["key", "to"]).expect("an object");
        let refused = fields.object("key", &["kind"]).expect_err("id is unknown");
        assert_eq!(
            (refused.field.as_deref(), refused.message.as_str()),
            (Some("key.id"), "key.id is not a field of this request")
        );
        let key = fields.object("key", &["kind", "id"]).expect("an object");
        assert_eq!(key.text("kind").as_deref(), Ok("kms"));
        assert_eq!(fields.object("to", &[]).expect_err("a number").message, "to must be an object");
    }

    #[test]
    fn addresses_are_checked_against_their_checksum() {
        // Vectors of EIP-55.
        assert!(address("to", "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed").is_ok());
        assert!(address("to", "0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed").is_ok());
        assert!(address("to", "0x5AAEB6053F3E94C9B9A09F33669435E7EF1BEAED").is_ok());
        assert!(address("to", "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeD").is_err());
        for text in [
            "",
            "0x",
            "5aaeb6053f3e94c9b9a09f33669435e7ef1beaed",
            "0x5aaeb6053f3e94c9b9a09f33669435e7ef1beae",
            "0xzaaeb6053f3e94c9b9a09f33669435e7ef1beaed",
        ] {
            assert!(address("to", text).is_err(), "{text}");
        }
    }
}
