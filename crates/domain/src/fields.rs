//! Reading the fields of a request body: every problem of a request is reported, each with the JSON
//! pointer (RFC 6901) of its field, and a field that nobody asked for is refused by name.

use crate::json::{MAX_SAFE_INTEGER, Value, object};
use std::ops::RangeInclusive;

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
        Fields::at(String::new(), body)
    }

    fn at(pointer: String, value: Value) -> Self {
        let mut fields = Fields {
            pointer,
            members: Vec::new(),
            problems: Vec::new(),
        };
        match value {
            Value::Object(members) => fields.members = members,
            _ => fields.complain(fields.pointer.clone(), "must be a JSON object"),
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

    /// Notes that a field is missing.
    pub fn require(&mut self, name: &str) {
        if !self.has(name) {
            self.problem(name, "is required");
        }
    }

    /// An optional true or false.
    pub fn flag(&mut self, name: &str) -> Option<bool> {
        let value = self.take(name)?;
        if let Value::Bool(flag) = value {
            return Some(flag);
        }
        self.problem(name, "must be true or false");
        None
    }

    /// An optional whole number in a range; `2.0` is one, `"2"` is not.
    pub fn integer(&mut self, name: &str, range: RangeInclusive<u32>) -> Option<u32> {
        let value = self.take(name)?;
        let number = value.as_number().filter(|number| {
            number.fract() == 0.0
                && (f64::from(*range.start())..=f64::from(*range.end())).contains(number)
        });
        if number.is_none() {
            let (start, end) = range.into_inner();
            self.problem(
                name,
                &format!("must be a whole number from {start} to {end}"),
            );
        }
        number.map(|number| number as u32)
    }

    /// An optional amount of money in minor units, from 0 to what a JSON number holds exactly.
    pub fn amount(&mut self, name: &str) -> Option<f64> {
        let value = self.take(name)?;
        let number = value
            .as_number()
            .filter(|number| number.fract() == 0.0 && (0.0..=MAX_SAFE_INTEGER).contains(number));
        if number.is_none() {
            self.problem(name, "must be a whole number of minor units, 0 or more");
        }
        number
    }

    /// An optional text of one line, of 1 to `max` characters after its outer blanks are cut.
    pub fn line(&mut self, name: &str, max: usize) -> Option<String> {
        let value = self.take(name)?;
        let text = value.as_text().map(str::trim).filter(|text| {
            !text.is_empty() && text.chars().count() <= max && !text.chars().any(char::is_control)
        });
        if text.is_none() {
            self.problem(
                name,
                &format!("must be a text of 1 to {max} characters without control characters"),
            );
        }
        text.map(str::to_owned)
    }

    /// An optional list of objects; `read` takes the fields of each.
    pub fn list<T>(
        &mut self,
        name: &str,
        max: usize,
        mut read: impl FnMut(&mut Fields) -> T,
    ) -> Option<Vec<T>> {
        let items = match self.take(name)? {
            Value::List(items) if (1..=max).contains(&items.len()) => items,
            _ => {
                self.problem(name, &format!("must be a list of 1 to {max} objects"));
                return None;
            }
        };
        let mut list = Vec::new();
        for (index, item) in items.into_iter().enumerate() {
            let mut fields = Fields::at(format!("{}/{name}/{index}", self.pointer), item);
            list.push(read(&mut fields));
            self.problems
                .extend(fields.finish().err().unwrap_or_default());
        }
        Some(list)
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
