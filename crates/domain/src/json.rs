//! JSON as a value, and the codec that turns it into text and back.
//!
//! The codec is an argument: in a function it is the host's own `JSON` (V8's is faster than any we
//! could ship, and costs no bytes), in native tests it is `serde_json`.

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
    /// A text that the host keeps: a body comes and goes as one, and what is only passed on is never
    /// copied.
    type Text;

    /// Reads a document.
    fn parse(&self, text: &str) -> Result<Value, Malformed>;
    /// Reads a document that the host keeps.
    fn read(&self, text: &Self::Text) -> Result<Value, Malformed>;
    /// Whether the text is a JSON object, without building a [`Value`] of it.
    fn is_object(&self, text: &Self::Text) -> bool;
    /// Reads a token's claims and nothing else of them; `None` if the text is no JSON object.
    fn claims(&self, text: &str) -> Option<Claims>;
    /// Takes a text from the host.
    fn take(&self, text: &Self::Text) -> String;
    /// Gives a text to the host.
    fn keep(&self, text: String) -> Self::Text;
    /// Writes a number that is no whole one: the shortest form that reads as the same.
    fn fraction(&self, number: f64) -> String;

    /// Writes a document as `JSON.stringify` does. Writing is a few lines; building the document in the
    /// host first, value by value, would cost several times as much.
    fn write(&self, value: &Value) -> String {
        // Enough for most; a text that grows is copied.
        let mut text = String::with_capacity(512);
        write(&mut text, value, &|number| self.fraction(number));
        text
    }
}

/// The claims of an access token (RFC 7519) that say who calls; `None` for one that is absent or of another
/// type.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Claims {
    /// The user.
    pub sub: Option<String>,
    /// The role in the database.
    pub role: Option<String>,
    /// When the token's time is over, in seconds since 1970.
    pub exp: Option<f64>,
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

fn write(text: &mut String, value: &Value, fraction: &dyn Fn(f64) -> String) {
    match value {
        Value::Null => text.push_str("null"),
        Value::Bool(truth) => text.push_str(if *truth { "true" } else { "false" }),
        Value::Number(number) if number.fract() == 0.0 && number.abs() <= MAX_SAFE_INTEGER => {
            text.push_str(&(*number as i64).to_string());
        }
        Value::Number(number) => text.push_str(&fraction(*number)),
        Value::Text(string) => quote(text, string),
        Value::List(items) => {
            text.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                write(text, item, fraction);
            }
            text.push(']');
        }
        Value::Object(members) => {
            text.push('{');
            for (index, (key, member)) in members.iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                quote(text, key);
                text.push(':');
                write(text, member, fraction);
            }
            text.push('}');
        }
    }
}

/// An object of texts, written.
pub fn texts<'a>(members: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let mut text = String::with_capacity(512);
    text.push('{');
    for (name, member) in members {
        if text.len() > 1 {
            text.push(',');
        }
        quote(&mut text, name);
        text.push(':');
        quote(&mut text, member);
    }
    text.push('}');
    text
}

/// Writes a string (RFC 8259 §7): what must be escaped is, and nothing else.
fn quote(text: &mut String, string: &str) {
    text.push('"');
    let mut rest = 0;
    for (index, byte) in string.bytes().enumerate() {
        let short = match byte {
            b'"' | b'\\' => byte,
            8 => b'b',
            9 => b't',
            10 => b'n',
            12 => b'f',
            13 => b'r',
            0..32 => b'u',
            _ => continue,
        };
        text.push_str(&string[rest..index]);
        rest = index + 1;
        text.push('\\');
        text.push(short.into());
        if short == b'u' {
            text.push_str(if byte < 16 { "000" } else { "001" });
            text.push(char::from_digit(u32::from(byte % 16), 16).unwrap_or('0'));
        }
    }
    text.push_str(&string[rest..]);
    text.push('"');
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
    fn serde_writes_a_number_as_the_codec_does() {
        let beyond = MAX_SAFE_INTEGER * 2.0;
        for number in [0.0, 2.0, -2.0, 2.5, MAX_SAFE_INTEGER, beyond, -beyond] {
            let value = Value::Number(number);
            let by_serde = serde_json::to_string(&value).expect("a number");
            assert_eq!(by_serde, SerdeJson.write(&value));
        }
        assert_eq!(
            serde_json::to_string(&Value::from(2)).expect("a number"),
            "2"
        );
    }

    #[test]
    fn every_character_is_escaped_as_its_reference_does() {
        for first in (0..0x180).filter_map(char::from_u32) {
            let text = format!("{first}{first}a{first}");
            let expected = serde_json::to_string(&text).expect("a text");
            assert_eq!(SerdeJson.write(&Value::from(text)), expected);
        }
    }

    #[test]
    fn lists_objects_and_texts_are_written_without_blanks() {
        let list = Value::List(vec![true.into(), false.into(), Value::Null]);
        let document = object([("a", list.clone()), ("b\"", list)]);
        assert_eq!(
            SerdeJson.write(&document),
            r#"{"a":[true,false,null],"b\"":[true,false,null]}"#
        );
        assert_eq!(texts([]), "{}");
        assert_eq!(texts([("a", "1"), ("b", "\n")]), r#"{"a":"1","b":"\n"}"#);
    }

    #[test]
    fn of_a_token_only_its_claims_are_read() {
        let deep = "[".repeat(9_000) + &"]".repeat(9_000);
        let claims = |text: &str| SerdeJson.claims(text);
        let read = claims(&format!(
            r#"{{"sub":"a","x":{deep},"y":{{"sub":7}},"role":"r","exp":1.5,"sub":"b"}}"#
        ));
        let (sub, role) = (Some("b".to_owned()), Some("r".to_owned()));
        assert_eq!(
            read,
            Some(Claims {
                sub,
                role,
                exp: Some(1.5)
            })
        );
        for exp in ["7", "-7"] {
            let read = claims(&format!(r#"{{"exp":{exp}}}"#)).and_then(|claims| claims.exp);
            assert_eq!(read, exp.parse().ok());
        }
        for other in ["null", "true", "[1]", r#"{"a":[]}"#] {
            let read = claims(&format!(
                r#"{{"sub":{other},"role":{other},"exp":{other}}}"#
            ));
            assert_eq!(read, Some(Claims::default()), "{other}");
        }
        for text in ["", "[]", "7", r#""{}""#, "{} x", r#"{"sub""#] {
            assert_eq!(claims(text), None, "{text}");
        }
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
