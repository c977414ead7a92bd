//! The codec of native tests and tools, on `serde_json`.

use crate::json::{Claims, Codec, MAX_DEPTH, MAX_SAFE_INTEGER, Malformed, Value};
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, Serializer};
use std::fmt;

/// Reads and writes with `serde_json`.
#[derive(Clone, Copy, Debug, Default)]
pub struct SerdeJson;

impl SerdeJson {
    /// Reads a text that is nested that deeply at the most: the details of an error stand a level down in its answer.
    pub fn parse_within(&self, text: &str, depth: usize) -> Result<Value, Malformed> {
        let mut deserializer = serde_json::Deserializer::from_str(text);
        // Ours ends sooner, and says so.
        deserializer.disable_recursion_limit();
        let value = Nested(depth)
            .deserialize(&mut deserializer)
            .map_err(|error| match error.classify() {
                serde_json::error::Category::Data => Malformed::TooDeep,
                _ => Malformed::NotJson,
            })?;
        deserializer.end().map_err(|_| Malformed::NotJson)?;
        Ok(value)
    }
}

impl Codec for SerdeJson {
    type Text = String;

    fn parse(&self, text: &str) -> Result<Value, Malformed> {
        self.parse_within(text, MAX_DEPTH)
    }

    fn read(&self, text: &String) -> Result<Value, Malformed> {
        self.parse(text)
    }

    fn is_object(&self, text: &String) -> bool {
        matches!(self.parse(text), Ok(Value::Object(_)))
    }

    fn claims(&self, text: &str) -> Option<Claims> {
        let mut deserializer = serde_json::Deserializer::from_str(text);
        deserializer.disable_recursion_limit();
        let claims = deserializer.deserialize_map(OfToken).ok()?;
        deserializer.end().ok()?;
        Some(claims)
    }

    fn take(&self, text: &String) -> String {
        text.clone()
    }

    fn keep(&self, text: String) -> String {
        text
    }

    fn fraction(&self, number: f64) -> String {
        serde_json::to_string(&number).unwrap_or_default()
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Value::Null => serializer.serialize_unit(),
            Value::Bool(truth) => serializer.serialize_bool(*truth),
            Value::Number(number) if number.fract() == 0.0 && number.abs() <= MAX_SAFE_INTEGER => {
                serializer.serialize_i64(*number as i64)
            }
            Value::Number(number) => serializer.serialize_f64(*number),
            Value::Text(text) => serializer.serialize_str(text),
            Value::List(items) => serializer.collect_seq(items),
            Value::Object(members) => {
                serializer.collect_map(members.iter().map(|(name, member)| (name, member)))
            }
        }
    }
}

/// Reads [`Claims`]; however deep the others are nested, they are skipped.
struct OfToken;

impl<'de> Visitor<'de> for OfToken {
    type Value = Claims;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Claims, A::Error> {
        let mut claims = Claims::default();
        while let Some(name) = access.next_key::<String>()? {
            let claim = access.next_value_seed(Scalar)?;
            match name.as_str() {
                "sub" => claims.sub = claim.as_text().map(str::to_owned),
                "role" => claims.role = claim.as_text().map(str::to_owned),
                "exp" => claims.exp = claim.as_number(),
                _ => {}
            }
        }
        Ok(claims)
    }
}

/// Reads a text or a number, and anything else as `Null`.
struct Scalar;

impl<'de> DeserializeSeed<'de> for Scalar {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Scalar {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Value, E> {
        Ok(Value::Null)
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
        while access.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Value::Null)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        while access.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Value::Null)
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
