//! JSON as a value, and the codec that turns it into text and back.
//!
//! The codec is an argument: in a function it is the host's own `JSON` (V8's is faster than any we
//! could ship, and costs no bytes), in native tests it is `serde_json`.

use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};

/// How deeply a document may be nested. No contract needs more than four levels; the limit keeps a
/// hostile document from exhausting the stack, which would cost the whole instance.
pub const MAX_DEPTH: usize = 16;

/// The largest whole number that a JSON number holds exactly everywhere (2^53 − 1).
pub const MAX_SAFE_INTEGER: f64 = 9_007_199_254_740_991.0;

/// A JSON document. Numbers are doubles, as they are for the JavaScript clients that send them.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number.
    Number(f64),
    /// A string.
    Text(String),
    /// An array.
    List(Vec<Value>),
    /// An object, in the order of its keys. Where a key stands twice the last one counts, as in
    /// JavaScript; looking that up late keeps reading linear.
    Object(Vec<(String, Value)>),
}

/// Why a text is not a [`Value`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// The text is not JSON.
    NotJson,
    /// The document is nested more deeply than [`MAX_DEPTH`].
    TooDeep,
}

/// Turns JSON text into a [`Value`] and back.
pub trait Codec {
    /// Reads a document.
    fn parse(&self, text: &str) -> Result<Value, Malformed>;
    /// Writes a document.
    fn write(&self, value: &Value) -> String;
    /// Whether the text is a JSON object, without building a [`Value`] of it.
    fn is_object(&self, text: &str) -> bool;
}

/// An object with these members.
pub fn object<const N: usize>(members: [(&str, Value); N]) -> Value {
    // One copy of the loop in the module rather than one for each length.
    fn collect(members: &mut dyn Iterator<Item = (&str, Value)>) -> Value {
        Value::Object(
            members
                .map(|(key, value)| (key.to_owned(), value))
                .collect(),
        )
    }
    collect(&mut members.into_iter())
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Value::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Value::Text(text)
    }
}

impl From<bool> for Value {
    fn from(truth: bool) -> Self {
        Value::Bool(truth)
    }
}

impl From<u32> for Value {
    fn from(number: u32) -> Self {
        Value::Number(f64::from(number))
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Value::Number(number)
    }
}

impl From<Option<String>> for Value {
    fn from(text: Option<String>) -> Self {
        text.map_or(Value::Null, Value::from)
    }
}

impl Value {
    /// The member of that name, if this is an object that has one.
    pub fn get(&self, key: &str) -> Option<&Value> {
        match self {
            Value::Object(members) => members
                .iter()
                .rfind(|(name, _)| name == key)
                .map(|(_, value)| value),
            _ => None,
        }
    }

    /// The text, if this is a string.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The number, if this is one.
    pub fn as_number(&self) -> Option<f64> {
        match self {
            Value::Number(number) => Some(*number),
            _ => None,
        }
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Value::Null => serializer.serialize_unit(),
            Value::Bool(truth) => serializer.serialize_bool(*truth),
            Value::Number(number) => serializer.serialize_f64(*number),
            Value::Text(text) => serializer.serialize_str(text),
            Value::List(items) => {
                let mut list = serializer.serialize_seq(Some(items.len()))?;
                for item in items {
                    list.serialize_element(item)?;
                }
                list.end()
            }
            Value::Object(members) => {
                let mut map = serializer.serialize_map(Some(members.len()))?;
                for (key, value) in members {
                    map.serialize_entry(key, value)?;
                }
                map.end()
            }
        }
    }
}

#[cfg(feature = "serde_json")]
pub use crate::native_json::SerdeJson;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_are_written_without_a_fraction() {
        let text = SerdeJson.write(&object([
            ("n", Value::Number(2.0)),
            ("f", Value::Number(2.5)),
        ]));
        assert_eq!(text, r#"{"n":2,"f":2.5}"#);
        let largest = Value::Number(MAX_SAFE_INTEGER);
        assert_eq!(SerdeJson.write(&largest), "9007199254740991");
        assert_eq!(SerdeJson.write(&Value::Number(1e300)), "1e+300");
    }

    #[test]
    fn nesting_is_read_up_to_the_limit_and_refused_beyond_it() {
        let nested = |depth: usize| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
        assert!(SerdeJson.parse(&nested(MAX_DEPTH)).is_ok());
        assert_eq!(
            SerdeJson.parse(&nested(MAX_DEPTH + 1)),
            Err(Malformed::TooDeep)
        );
        assert_eq!(SerdeJson.parse(&nested(30_000)), Err(Malformed::TooDeep));
    }

    #[test]
    fn the_last_of_two_equal_keys_counts() {
        let value = SerdeJson.parse(r#"{"a":1,"a":2}"#).expect("JSON");
        assert_eq!(value.get("a"), Some(&Value::Number(2.0)));
    }

    #[test]
    fn a_number_is_read_as_exactly_the_one_that_was_written() {
        let number = Value::Number(2.900874778191e300);
        assert_eq!(SerdeJson.parse(&SerdeJson.write(&number)), Ok(number));
    }

    #[test]
    fn trailing_text_is_not_json() {
        assert_eq!(SerdeJson.parse("{} x"), Err(Malformed::NotJson));
        assert_eq!(SerdeJson.parse(""), Err(Malformed::NotJson));
    }
}
