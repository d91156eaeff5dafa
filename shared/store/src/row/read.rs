//! Values as serde reads them, without a copy of the row in between.

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
    map: impl Iterator<Item = (&'de String, &'de Value)>,
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
