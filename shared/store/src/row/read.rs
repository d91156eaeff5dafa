//! Values as serde reads them, without a copy of the row in between.

use std::borrow::Cow;

use serde::{
    Deserializer,
    de::{
        IntoDeserializer, Visitor,
        value::{BorrowedStrDeserializer, MapAccessDeserializer, MapDeserializer, SeqDeserializer, StrDeserializer},
    },
    forward_to_deserialize_any,
};

use super::Value;

type Error = serde_json::Error;

/// A value that is read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader<'de>(pub(super) &'de Value);

impl<'de> IntoDeserializer<'de, Error> for Reader<'de> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

/// The named values of a map.
pub(super) fn named<'de>(
    map: impl Iterator<Item = (&'de Cow<'static, str>, &'de Value)>,
) -> MapDeserializer<'de, impl Iterator<Item = (StrDeserializer<'de, Error>, Reader<'de>)>, Error> {
    MapDeserializer::new(map.map(|(name, value)| (StrDeserializer::new(name), Reader(value))))
}

impl<'de> Deserializer<'de> for Reader<'de> {
    type Error = Error;

    /// Numbers beyond 64 bits become text: only ledger counters are that large, and they are read with `number`.
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0 {
            Value::Null => visitor.visit_unit(),
            Value::Bool(flag) => visitor.visit_bool(*flag),
            Value::Num(number) => match (u64::try_from(*number), i64::try_from(*number)) {
                (Ok(small), _) => visitor.visit_u64(small),
                (Err(_), Ok(small)) => visitor.visit_i64(small),
                (Err(_), Err(_)) => visitor.visit_string(number.to_string()),
            },
            Value::Str(text) => visitor.visit_borrowed_str(text),
            Value::Bytes(bytes) => visitor.visit_seq(SeqDeserializer::new(bytes.iter().copied())),
            Value::List(values) => visitor.visit_seq(SeqDeserializer::new(values.iter().map(Reader))),
            Value::Map(map) => visitor.visit_map(named(map.iter())),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if *self.0 == Value::Null { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match self.0 {
            Value::Str(text) => BorrowedStrDeserializer::<Error>::new(text).deserialize_enum(name, variants, visitor),
            Value::Map(map) => visitor.visit_enum(MapAccessDeserializer::new(named(map.iter()))),
            Value::Null | Value::Bool(_) | Value::Num(_) | Value::Bytes(_) | Value::List(_) => {
                self.deserialize_any(visitor)
            }
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map struct identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Serialize};

    use super::super::{Fields, Item};
    use super::Value;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Kind {
        Plain,
        Named { depth: u32 },
        One(String),
        Two(u8, i64),
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(tag = "kind", rename_all = "snake_case")]
    enum Tagged {
        Empty,
        Full { reason: String, limit: Option<u64> },
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Inner(u64);

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
    #[serde(from = "String", into = "String")]
    struct Text(String);

    impl From<String> for Text {
        fn from(text: String) -> Self {
            Self(text)
        }
    }

    impl From<Text> for String {
        fn from(text: Text) -> Self {
            text.0
        }
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Whole {
        flag: bool,
        small: i64,
        large: u64,
        text: String,
        owned: Text,
        inner: Inner,
        none: Option<u64>,
        some: Option<Inner>,
        kinds: Vec<Kind>,
        tagged: Vec<Tagged>,
        bytes: Vec<u8>,
        pair: (u8, String),
        named: BTreeMap<String, Tagged>,
        #[serde(default)]
        left_out: u32,
    }

    fn whole() -> Whole {
        let full = || Tagged::Full { reason: "why".to_owned(), limit: None };
        Whole {
            flag: true,
            small: i64::MIN,
            large: u64::MAX,
            text: "a \"text\"".to_owned(),
            owned: Text("owned".to_owned()),
            inner: Inner(7),
            none: None,
            some: Some(Inner(0)),
            kinds: vec![Kind::Plain, Kind::Named { depth: 3 }, Kind::One("x".to_owned()), Kind::Two(1, -1)],
            tagged: vec![Tagged::Empty, full(), Tagged::Full { reason: String::new(), limit: Some(u64::MAX) }],
            bytes: vec![0, 255],
            pair: (1, "two".to_owned()),
            named: BTreeMap::from([("a".to_owned(), full())]),
            left_out: 0,
        }
    }

    #[test]
    fn what_was_made_a_row_is_read_back() {
        let mut row = Item::from_fields(&whole()).expect("a row").with("unknown", "ignored");
        row.remove("left_out");
        assert_eq!(row.parse::<Whole>().expect("read"), whole());
    }

    #[test]
    fn what_does_not_fit_is_named_and_never_guessed() {
        let row = Item::from_fields(&whole()).expect("a row");
        for (field, value) in [
            ("flag", Value::Str("true".to_owned())),
            ("large", Value::Num(-1)),
            ("small", Value::Num(i128::from(u64::MAX))),
            ("text", Value::Null),
            ("kinds", Value::List(vec![Value::Str("other".to_owned())])),
            ("tagged", Value::List(vec![Value::Map(Fields::new())])),
            ("bytes", Value::List(vec![Value::Num(256)])),
        ] {
            let broken = row.clone().with(field, value.clone());
            assert!(broken.parse::<Whole>().is_err(), "{field} is {value:?}");
        }
    }

    #[test]
    fn numbers_beyond_64_bits_are_read_as_text_and_bytes_as_numbers() {
        #[derive(Debug, PartialEq, Deserialize)]
        struct Odd {
            huge: String,
            bytes: Vec<u8>,
        }
        let row = Item::new().with("huge", i128::from(u64::MAX) + 1).with("bytes", Value::Bytes(vec![1, 2]));
        assert_eq!(
            row.parse::<Odd>().expect("read"),
            Odd { huge: "18446744073709551616".to_owned(), bytes: vec![1, 2] }
        );
    }
}
