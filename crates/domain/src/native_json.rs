//! The codec of native tests and tools, on `serde_json`.

use crate::json::{Codec, MAX_DEPTH, MAX_SAFE_INTEGER, Malformed, Value};
use serde::Serialize;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::Serializer;
use serde_json::ser::{CompactFormatter, Formatter};
use std::{fmt, io};

/// Reads and writes with `serde_json`.
#[derive(Clone, Copy, Debug, Default)]
pub struct SerdeJson;

impl Codec for SerdeJson {
    fn parse(&self, text: &str) -> Result<Value, Malformed> {
        let mut deserializer = serde_json::Deserializer::from_str(text);
        // Ours ends sooner, and says so.
        deserializer.disable_recursion_limit();
        let value =
            Nested(MAX_DEPTH)
                .deserialize(&mut deserializer)
                .map_err(|error| match error.classify() {
                    serde_json::error::Category::Data => Malformed::TooDeep,
                    _ => Malformed::NotJson,
                })?;
        deserializer.end().map_err(|_| Malformed::NotJson)?;
        Ok(value)
    }

    fn write(&self, value: &Value) -> String {
        let mut text = Vec::new();
        let written = value.serialize(&mut Serializer::with_formatter(&mut text, AsInJavaScript));
        // Writing to memory fails only for a map key that is no string, and ours always are.
        written
            .ok()
            .and_then(|()| String::from_utf8(text).ok())
            .unwrap_or_default()
    }

    fn is_object(&self, text: &str) -> bool {
        matches!(self.parse(text), Ok(Value::Object(_)))
    }
}

/// Writes whole numbers without a fraction: `2`, never `2.0`.
struct AsInJavaScript;

impl Formatter for AsInJavaScript {
    fn write_f64<W: io::Write + ?Sized>(&mut self, writer: &mut W, number: f64) -> io::Result<()> {
        if number.fract() == 0.0 && number.abs() <= MAX_SAFE_INTEGER {
            self.write_i64(writer, number as i64)
        } else {
            CompactFormatter.write_f64(writer, number)
        }
    }
}

/// Reads a [`Value`] that is nested at most this many levels deeper.
struct Nested(usize);

impl<'de> DeserializeSeed<'de> for Nested {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Nested {
    fn inner<E: Error>(&self) -> Result<Nested, E> {
        self.0
            .checked_sub(1)
            .map(Nested)
            .ok_or_else(|| E::custom("nested too deeply"))
    }
}

impl<'de> Visitor<'de> for Nested {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, truth: bool) -> Result<Value, E> {
        Ok(Value::Bool(truth))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(Value::Number(number as f64))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(Value::Number(number as f64))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
        Ok(Value::Number(number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element_seed(self.inner()?)? {
            items.push(item);
        }
        Ok(Value::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut members = Vec::new();
        while let Some(key) = access.next_key()? {
            members.push((key, access.next_value_seed(self.inner()?)?));
        }
        Ok(Value::Object(members))
    }
}
