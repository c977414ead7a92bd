//! Reading the fields of a request body: every problem of a request is reported, each with the JSON
//! pointer (RFC 6901) of its field, and a field that nobody asked for is refused by name.

use crate::json::{Value, object};

/// One problem of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// JSON pointer of the field; empty for the body as a whole.
    pub pointer: String,
    /// What is wrong, for a person.
    pub message: String,
}

/// Every problem of a request; never empty when it is an error.
pub type Problems = Vec<Problem>;

/// The problems as the `details` of `VALIDATION_FAILED`.
pub fn details(problems: Problems) -> Value {
    let list = problems.into_iter().map(|problem| {
        object([
            ("pointer", problem.pointer.into()),
            ("message", problem.message.into()),
        ])
    });
    object([("problems", Value::List(list.collect()))])
}

/// The members of one JSON object, taken one by one; what is left in the end is refused.
#[derive(Debug)]
pub struct Fields {
    pointer: String,
    members: Vec<(String, Value)>,
    problems: Problems,
}

/// At most this many unknown fields are named; a longer list helps nobody.
const MAX_UNKNOWN: usize = 20;

impl Fields {
    /// The fields of a request body. A body that is no object has no fields and one problem.
    pub fn of_body(body: Value) -> Self {
        let mut fields = Fields {
            pointer: String::new(),
            members: Vec::new(),
            problems: Vec::new(),
        };
        match body {
            Value::Object(members) => fields.members = members,
            _ => fields.complain(String::new(), "must be a JSON object"),
        }
        fields
    }

    /// Takes a field out; `None` when it is absent. An explicit `null` is a value, not an absence:
    /// a client that sends `null` for an id has lost the id and must not get the meaning of leaving
    /// it out.
    fn take(&mut self, name: &str) -> Option<Value> {
        let position = self.members.iter().rposition(|(key, _)| key == name)?;
        let value = self.members.swap_remove(position).1;
        self.members.retain(|(key, _)| key != name);
        Some(value)
    }

    /// Whether the field is there, whatever its value.
    pub fn has(&self, name: &str) -> bool {
        self.members.iter().any(|(key, _)| key == name)
    }

    /// Notes a problem of a field.
    pub fn problem(&mut self, name: &str, message: &str) {
        let pointer = format!("{}/{}", self.pointer, escape(name));
        self.complain(pointer, message);
    }

    fn complain(&mut self, pointer: String, message: &str) {
        self.problems.push(Problem {
            pointer,
            message: message.to_owned(),
        });
    }

    /// An optional UUID, in lower case.
    pub fn uuid(&mut self, name: &str) -> Option<String> {
        let value = self.take(name)?;
        let uuid = value
            .as_text()
            .filter(|text| is_uuid(text))
            .map(str::to_ascii_lowercase);
        if uuid.is_none() {
            self.problem(
                name,
                "must be a UUID such as 123e4567-e89b-12d3-a456-426614174000",
            );
        }
        uuid
    }

    /// An optional word out of a list.
    pub fn word(&mut self, name: &str, words: &[&'static str]) -> Option<&'static str> {
        let value = self.take(name)?;
        let word = value
            .as_text()
            .and_then(|text| words.iter().copied().find(|word| *word == text));
        if word.is_none() {
            self.problem(name, &format!("must be one of: {}", words.join(", ")));
        }
        word
    }

    /// Refuses what was not taken; the problems, if there are any.
    pub fn finish(mut self) -> Result<(), Problems> {
        let unknown = std::mem::take(&mut self.members);
        for (name, _) in unknown.iter().take(MAX_UNKNOWN) {
            self.problem(name, "is not a field of this request");
        }
        if self.problems.is_empty() {
            Ok(())
        } else {
            Err(self.problems)
        }
    }
}

/// A name as one token of a JSON pointer; cut to a length that suits an error body.
fn escape(name: &str) -> String {
    let short: String = name.chars().take(64).collect();
    short.replace('~', "~0").replace('/', "~1")
}

/// Whether the text is a UUID in its usual form (RFC 9562 §4), of any version, in either case.
pub fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(index, byte)| match index {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uuids_are_recognised_and_nothing_else_is() {
        assert!(is_uuid("ba7c4000-0000-4000-8000-000000000001"));
        assert!(is_uuid("BA7C4000-0000-4000-8000-00000000000F"));
        for text in [
            "",
            "test-batch-id",
            "ba7c400000004000800000000000000001",
            "ba7c4000-0000-4000-8000-00000000000g",
            "{ba7c4000-0000-4000-8000-000000000001}",
            "ba7c4000-0000-4000-8000-000000000001 ",
            "ba7c4000_0000_4000_8000_000000000001",
            "ba7c4000-0000-4000-8000-0000000000é",
        ] {
            assert!(!is_uuid(text), "{text}");
        }
    }

    #[test]
    fn unknown_fields_are_named_by_an_escaped_pointer() {
        let fields = Fields::of_body(object([("a/b~c", Value::Null)]));
        let problems = fields.finish().expect_err("an unknown field is a problem");
        assert_eq!(problems[0].pointer, "/a~1b~0c");
    }

    #[test]
    fn a_flood_of_unknown_fields_is_named_in_part() {
        let members = (0..5_000)
            .map(|index| (format!("f{index}"), Value::Null))
            .collect();
        let problems = Fields::of_body(Value::Object(members))
            .finish()
            .expect_err("unknown fields");
        assert_eq!(problems.len(), MAX_UNKNOWN);
    }
}
