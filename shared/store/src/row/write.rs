//! Values as serde writes them, without a JSON copy of the row in between.

use std::borrow::Cow;

use serde::{
    Serialize, Serializer,
    ser::{
        Error as _, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
        SerializeTupleStruct, SerializeTupleVariant,
    },
};

use super::{Fields, Value};

type Error = serde_json::Error;

/// Makes a value of whatever is serialized.
#[derive(Debug, Clone, Copy)]
pub(super) struct Writer;

/// Values in order, of a variant if it has a name.
#[derive(Debug)]
pub(super) struct Listed {
    variant: Option<&'static str>,
    values: Vec<Value>,
}

/// Named values, of a variant if it has a name.
#[derive(Debug)]
pub(super) struct Named {
    variant: Option<&'static str>,
    fields: Fields,
    /// The name of the value that comes next, where names are values themselves.
    name: Option<Cow<'static, str>>,
}

impl Listed {
    fn new(variant: Option<&'static str>, length: usize) -> Self {
        Self { variant, values: Vec::with_capacity(length) }
    }

    fn add<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.values.push(value.serialize(Writer)?);
        Ok(())
    }
}

impl Named {
    const fn new(variant: Option<&'static str>) -> Self {
        Self { variant, fields: Fields::new(), name: None }
    }

    fn add<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), Error> {
        self.fields.insert(Cow::Borrowed(name), value.serialize(Writer)?);
        Ok(())
    }
}

/// As JSON spells a variant that carries something: a map of its name alone.
fn of_variant(variant: Option<&'static str>, value: Value) -> Value {
    match variant {
        Some(name) => Value::Map(Fields::from([(Cow::Borrowed(name), value)])),
        None => value,
    }
}

/// What cannot be a whole number of 64 bits is refused: there is no other in a row.
fn whole<T: TryInto<i128>>(number: T) -> Result<Value, Error> {
    let fits = |number: &i128| u64::try_from(*number).is_ok() || i64::try_from(*number).is_ok();
    let number = number.try_into().ok().filter(fits);
    number.map(Value::Num).ok_or_else(|| Error::custom("a number of more than 64 bits"))
}

fn fraction() -> Error {
    Error::custom("a number that may not be whole")
}

/// Whole numbers differ in nothing but their type.
macro_rules! whole_numbers {
    ($($method:ident: $kind:ty),*) => {$(
        fn $method(self, number: $kind) -> Result<Value, Error> {
            whole(number)
        }
    )*};
}

impl Serializer for Writer {
    type Ok = Value;
    type Error = Error;
    type SerializeSeq = Listed;
    type SerializeTuple = Listed;
    type SerializeTupleStruct = Listed;
    type SerializeTupleVariant = Listed;
    type SerializeMap = Named;
    type SerializeStruct = Named;
    type SerializeStructVariant = Named;

    fn serialize_bool(self, flag: bool) -> Result<Value, Error> {
        Ok(Value::Bool(flag))
    }

    whole_numbers! {
        serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64, serialize_i128: i128,
        serialize_u8: u8, serialize_u16: u16, serialize_u32: u32, serialize_u64: u64, serialize_u128: u128
    }

    fn serialize_f32(self, _: f32) -> Result<Value, Error> {
        Err(fraction())
    }

    fn serialize_f64(self, _: f64) -> Result<Value, Error> {
        Err(fraction())
    }

    fn serialize_char(self, letter: char) -> Result<Value, Error> {
        Ok(Value::Str(letter.to_string()))
    }

    fn serialize_str(self, text: &str) -> Result<Value, Error> {
        Ok(Value::Str(text.to_owned()))
    }

    fn serialize_bytes(self, bytes: &[u8]) -> Result<Value, Error> {
        // As JSON has them: rows that were written before are read the same way.
        Ok(Value::List(bytes.iter().map(|byte| Value::Num(i128::from(*byte))).collect()))
    }

    fn serialize_none(self) -> Result<Value, Error> {
        Ok(Value::Null)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<Value, Error> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<Value, Error> {
        Ok(Value::Null)
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<Value, Error> {
        Ok(Value::Null)
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result<Value, Error> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result<Value, Error> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<Value, Error> {
        Ok(of_variant(Some(variant), value.serialize(self)?))
    }

    fn serialize_seq(self, length: Option<usize>) -> Result<Listed, Error> {
        Ok(Listed::new(None, length.unwrap_or(0)))
    }

    fn serialize_tuple(self, length: usize) -> Result<Listed, Error> {
        Ok(Listed::new(None, length))
    }

    fn serialize_tuple_struct(self, _: &'static str, length: usize) -> Result<Listed, Error> {
        Ok(Listed::new(None, length))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        length: usize,
    ) -> Result<Listed, Error> {
        Ok(Listed::new(Some(variant), length))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Named, Error> {
        Ok(Named::new(None))
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Named, Error> {
        Ok(Named::new(None))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Named, Error> {
        Ok(Named::new(Some(variant)))
    }
}

/// The traits of what has its values in order differ in nothing but the method's name.
macro_rules! in_order {
    ($($kind:ident::$method:ident),*) => {$(
        impl $kind for Listed {
            type Ok = Value;
            type Error = Error;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
                self.add(value)
            }

            fn end(self) -> Result<Value, Error> {
                Ok(of_variant(self.variant, Value::List(self.values)))
            }
        }
    )*};
}

in_order!(
    SerializeSeq::serialize_element,
    SerializeTuple::serialize_element,
    SerializeTupleStruct::serialize_field,
    SerializeTupleVariant::serialize_field
);

/// The two traits of what has named fields do not differ at all.
macro_rules! by_name {
    ($($kind:ident),*) => {$(
        impl $kind for Named {
            type Ok = Value;
            type Error = Error;

            fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), Error> {
                self.add(name, value)
            }

            fn end(self) -> Result<Value, Error> {
                Ok(of_variant(self.variant, Value::Map(self.fields)))
            }
        }
    )*};
}

by_name!(SerializeStruct, SerializeStructVariant);

impl SerializeMap for Named {
    type Ok = Value;
    type Error = Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, name: &T) -> Result<(), Error> {
        self.name = Some(match name.serialize(Writer)? {
            Value::Str(text) => Cow::Owned(text),
            Value::Num(number) => Cow::Owned(number.to_string()),
            Value::Null | Value::Bool(_) | Value::Bytes(_) | Value::List(_) | Value::Map(_) => {
                return Err(Error::custom("a map whose keys are neither text nor numbers"));
            }
        });
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        let name = self.name.take().ok_or_else(|| Error::custom("a value without its key"))?;
        self.fields.insert(name, value.serialize(Writer)?);
        Ok(())
    }

    fn end(self) -> Result<Value, Error> {
        SerializeStruct::end(self)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Serialize;
    use serde_json::{Value as Json, json};

    use super::*;

    #[derive(Serialize)]
    struct Unit;

    #[derive(Serialize)]
    struct Wrapped(u8);

    #[derive(Serialize)]
    struct Pair(i16, char);

    #[derive(Serialize)]
    #[serde(rename_all = "snake_case")]
    enum Kind {
        Plain,
        One(i8),
        Two(u16, bool),
        Named { depth: i32, left: Option<u32>, unit: Unit },
    }

    #[derive(Serialize)]
    #[serde(tag = "kind")]
    enum Tagged {
        Empty,
        Full { reason: &'static str },
    }

    #[derive(Serialize)]
    struct Flat {
        own: u128,
        #[serde(flatten)]
        other: BTreeMap<u64, (i64, i128)>,
    }

    fn as_json(value: Value) -> Json {
        match value {
            Value::Null => Json::Null,
            Value::Bool(flag) => json!(flag),
            Value::Num(number) => {
                u64::try_from(number).map_or_else(|_| json!(i64::try_from(number).expect("64 bits")), |it| json!(it))
            }
            Value::Str(text) => json!(text),
            Value::Bytes(bytes) => panic!("{bytes:?} are no JSON"),
            Value::List(values) => values.into_iter().map(as_json).collect(),
            Value::Map(map) => map.into_iter().map(|(name, value)| (name.into_owned(), as_json(value))).collect(),
        }
    }

    /// Rows that were written by way of JSON must be written the same.
    #[test]
    fn what_is_written_is_what_json_has() {
        fn same<T: Serialize>(written: &T) {
            let value = written.serialize(Writer).expect("a value");
            assert_eq!(as_json(value), serde_json::to_value(written).expect("JSON"));
        }
        same(&(Unit, Wrapped(7), Pair(-3, 'ü'), (), [1_u32; 3]));
        same(&[Kind::Plain, Kind::One(-1), Kind::Two(9, true), Kind::Named { depth: 0, left: None, unit: Unit }]);
        same(&vec![Tagged::Empty, Tagged::Full { reason: "why" }]);
        same(&Flat { own: u128::from(u64::MAX), other: BTreeMap::from([(7, (i64::MIN, i128::from(u64::MAX)))]) });
        same(&BTreeMap::from([("a", Some(BTreeMap::<String, ()>::new())), ("b", None)]));
    }

    #[test]
    fn what_no_row_can_hold_is_refused() {
        fn refused<T: Serialize>(written: &T) {
            assert!(written.serialize(Writer).is_err());
        }
        refused(&0.5_f64);
        refused(&1.0_f32);
        refused(&(u128::from(u64::MAX) + 1));
        refused(&(i128::from(i64::MIN) - 1));
        refused(&u128::MAX);
        refused(&BTreeMap::from([((), 1)]));
        refused(&BTreeMap::from([(vec![1], 1)]));
    }
}
