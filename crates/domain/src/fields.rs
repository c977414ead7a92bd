//! Reading the fields of a request body: every problem of a request is reported, each with the JSON
//! pointer (RFC 6901) of its field, and a field that nobody asked for is refused by name.

#[cfg(feature = "describe")]
use crate::describe::Notes;
use crate::function::Route;
use crate::http;
use crate::json::{MAX_SAFE_INTEGER, Value, object};
use crate::rule::{Bound, Rule, Special};
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
    /// What `If-Match` says, if it counts here.
    if_match: Option<String>,
    /// Where the questions are noted that are asked of these fields; nowhere for a real request.
    #[cfg(feature = "describe")]
    notes: Option<Notes>,
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
            if_match: None,
            #[cfg(feature = "describe")]
            notes: None,
        };
        match value {
            Value::Object(members) => fields.members = members,
            _ => fields.complain(fields.pointer.clone(), "must be a JSON object"),
        }
        fields
    }

    /// Takes what `If-Match` says.
    pub(crate) fn take_if_match(&mut self, header: Option<&str>) {
        self.if_match = header.map(str::to_owned);
    }

    /// Takes what a path says, and gives the fields of such a request their own names. What stands in the path cannot
    /// stand in the body, too.
    pub(crate) fn take_route(&mut self, route: &Route, value: &str) {
        for (name, meant) in route.names {
            if self.has(meant) {
                continue;
            }
            for (member, _) in &mut self.members {
                if member == name {
                    (*meant).clone_into(member);
                }
            }
        }
        if self.has(route.field) {
            self.problem(route.field, "stands in the path already");
            self.take(route.field);
        }
        self.members.push((route.field.to_owned(), value.into()));
    }

    /// The version that `If-Match` names, if it is there: one in quotes, as an `ETag` tells it. What means any version,
    /// or one of several, would guard nothing that is changed by what it was.
    pub fn if_match(&mut self) -> Option<f64> {
        let version = http::version_of(self.if_match.as_ref()?);
        if version.is_none() {
            self.refuse_if_match("must be one version in quotes, as ETag tells it: \"5\"");
        }
        version
    }

    /// Whether `If-Match` is there, whatever it says.
    pub fn has_if_match(&self) -> bool {
        self.if_match.is_some()
    }

    /// Notes a problem of `If-Match`.
    pub fn refuse_if_match(&mut self, message: &str) {
        self.complain("/headers/if-match".to_owned(), message);
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

    /// How many items the list of that name has.
    pub fn count(&self, name: &str) -> Option<usize> {
        match self.members.iter().rfind(|(key, _)| key == name) {
            Some((_, Value::List(items))) => Some(items.len()),
            _ => None,
        }
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

    /// Takes a field out if it is there, and notes a problem if it is not what the rule says.
    fn read<T>(
        &mut self,
        name: &str,
        rule: Rule,
        parse: impl FnOnce(&Value) -> Option<T>,
    ) -> Option<T> {
        #[cfg(feature = "describe")]
        self.note(name, rule);
        let parsed = parse(&self.take(name)?);
        if parsed.is_none() {
            self.problem(name, &rule.message());
        }
        parsed
    }

    /// An optional UUID, in lower case.
    pub fn uuid(&mut self, name: &str) -> Option<String> {
        self.read(name, Rule::Uuid, |value| {
            let text = value.as_text().filter(|text| is_uuid(text));
            text.map(str::to_ascii_lowercase)
        })
    }

    /// An optional word out of a list.
    pub fn word(&mut self, name: &str, words: &'static [&'static str]) -> Option<&'static str> {
        self.read(name, Rule::Word(words), |value| {
            let text = value.as_text()?;
            words.iter().copied().find(|word| *word == text)
        })
    }

    /// Notes that a field is missing.
    pub fn require(&mut self, name: &str) {
        #[cfg(feature = "describe")]
        self.note_required(name);
        if !self.has(name) {
            self.problem(name, "is required");
        }
    }

    /// An optional true or false.
    pub fn flag(&mut self, name: &str) -> Option<bool> {
        self.read(name, Rule::Flag, |value| match value {
            Value::Bool(flag) => Some(*flag),
            _ => None,
        })
    }

    /// An optional whole number in a range; `2.0` is one, `"2"` is not.
    pub fn integer(&mut self, name: &str, range: RangeInclusive<u32>) -> Option<u32> {
        let (start, end) = range.into_inner();
        let number = self.read(name, Rule::Integer(start, end), |value| {
            whole_number(value, f64::from(start)..=f64::from(end))
        });
        number.map(|number| number as u32)
    }

    /// An optional amount of money in minor units, from 0 to what a JSON number holds exactly.
    pub fn amount(&mut self, name: &str) -> Option<f64> {
        self.read(name, Rule::Amount, |value| {
            whole_number(value, 0.0..=MAX_SAFE_INTEGER)
        })
    }

    /// An optional amount of money in minor units that may also be below 0, for what is paid out.
    pub fn balance(&mut self, name: &str) -> Option<f64> {
        let message = "must be a whole number of minor units";
        self.read(name, Rule::Special(Special::Balance, message), |value| {
            whole_number(value, -MAX_SAFE_INTEGER..=MAX_SAFE_INTEGER)
        })
    }

    /// An optional quantity.
    pub fn quantity(&mut self, name: &str, bound: Bound) -> Option<f64> {
        self.read(
            name,
            Rule::Special(Special::Quantity(bound), bound.message()),
            |value| value.as_number().filter(|number| bound.admits(*number)),
        )
    }

    /// An optional version of a row.
    pub fn version(&mut self, name: &str) -> Option<f64> {
        let message = "must be a whole number, 0 or more";
        self.read(name, Rule::Special(Special::Version, message), |value| {
            whole_number(value, 0.0..=MAX_SAFE_INTEGER)
        })
    }

    /// An optional time, as it is written.
    pub fn time(&mut self, name: &str) -> Option<String> {
        let message = "must be a date and time such as 2026-11-28T09:30:00Z";
        self.read(name, Rule::Special(Special::Time, message), |value| {
            value
                .as_text()
                .filter(|text| is_time(text))
                .map(str::to_owned)
        })
    }

    /// An optional name of what is done, of the shop's own making.
    pub fn reference(&mut self, name: &str) -> Option<String> {
        let message = "must be 1 to 255 printable ASCII characters";
        self.read(name, Rule::Special(Special::Reference, message), |value| {
            let text = value
                .as_text()
                .filter(|text| http::is_idempotency_key(text));
            text.map(str::to_owned)
        })
    }

    /// A required word by which the rest is read: each of the words has fields of its own, and what is only another
    /// one's is refused by name. `None` if it is none of them: nobody can say then what the rest should be.
    pub fn by_word<T>(
        &mut self,
        name: &str,
        words: &'static [&'static str],
        read: impl Fn(&mut Fields, &'static str) -> T,
    ) -> Option<T> {
        self.require(name);
        let word = self.word(name, words);
        #[cfg(feature = "describe")]
        self.note_each(words, &read);
        if word.is_none() {
            self.members.clear();
        }
        Some(read(self, word?))
    }

    /// An optional text that a scanner read; `interlock.is_barcode` asks the same.
    pub fn barcode(&mut self, name: &str) -> Option<String> {
        let message = "must be 1 to 64 printable ASCII characters without blanks";
        self.read(name, Rule::Special(Special::Barcode, message), |value| {
            let text = value.as_text().filter(|text| {
                (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
            });
            text.map(str::to_owned)
        })
    }

    /// An optional text of one line, of 1 to `max` characters after its outer blanks are cut.
    pub fn line(&mut self, name: &str, max: usize) -> Option<String> {
        self.read(name, Rule::Line(max), |value| {
            let text = value.as_text().map(str::trim).filter(|text| {
                !text.is_empty()
                    && text.chars().count() <= max
                    && !text.chars().any(char::is_control)
            });
            text.map(str::to_owned)
        })
    }

    /// An optional object with any members. A NUL, which the database cannot keep, is in none of its texts.
    pub fn object(&mut self, name: &str) -> Option<Value> {
        self.read(name, Rule::Object, |value| match value {
            Value::Object(_) if !has_nul(value) => Some(value.clone()),
            _ => None,
        })
    }

    /// An optional list of objects; `read` takes the fields of each.
    pub fn list<T>(
        &mut self,
        name: &str,
        sizes: RangeInclusive<usize>,
        mut read: impl FnMut(&mut Fields) -> T,
    ) -> Option<Vec<T>> {
        let rule = Rule::List(*sizes.start(), *sizes.end());
        #[cfg(feature = "describe")]
        if let Some(mut item) = self.note_list(name, rule) {
            read(&mut item);
        }
        let items = match self.take(name)? {
            Value::List(items) if sizes.contains(&items.len()) => items,
            _ => {
                self.problem(name, &rule.message());
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

/// What only the description of a request needs: see [`crate::describe`].
#[cfg(feature = "describe")]
impl Fields {
    /// The fields of an empty request, whose reader's questions are noted.
    pub(crate) fn noted(notes: Notes) -> Self {
        Fields {
            notes: Some(notes),
            ..Fields::of_body(Value::Object(Vec::new()))
        }
    }

    fn note(&self, name: &str, rule: Rule) {
        if let Some(notes) = &self.notes {
            notes.add(&self.pointer, name, rule);
        }
    }

    /// Notes what is read by each of the words.
    fn note_each<T>(
        &self,
        words: &'static [&'static str],
        read: &impl Fn(&mut Fields, &'static str) -> T,
    ) {
        let Some(notes) = &self.notes else { return };
        for word in words {
            notes.begin(word);
            read(&mut Fields::noted(notes.clone()), word);
        }
    }

    fn note_required(&self, name: &str) {
        if let Some(notes) = &self.notes {
            notes.require(&self.pointer, name);
        }
    }

    /// Notes the list; the fields of an item of it, to be asked about in their turn.
    fn note_list(&self, name: &str, rule: Rule) -> Option<Fields> {
        self.note(name, rule);
        let mut item = Fields::noted(self.notes.clone()?);
        item.pointer = format!("{}/{name}", self.pointer);
        Some(item)
    }
}

/// The number, if it is a whole one of that range.
fn whole_number(value: &Value, range: RangeInclusive<f64>) -> Option<f64> {
    value
        .as_number()
        .filter(|number| number.fract() == 0.0 && range.contains(number))
}

/// Whether a text anywhere in the value, a name of a member too, has a NUL.
fn has_nul(value: &Value) -> bool {
    match value {
        Value::Text(text) => text.contains('\0'),
        Value::List(items) => items.iter().any(has_nul),
        Value::Object(members) => members
            .iter()
            .any(|(name, member)| name.contains('\0') || has_nul(member)),
        _ => false,
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

/// Whether a text is a time of RFC 3339 that there is, in upper case, with microseconds at most, and from the years
/// that need no more than four digits.
fn is_time(text: &str) -> bool {
    let number = |from: usize, to: usize| {
        let digits = text.get(from..to)?;
        let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| {
            digits
                .bytes()
                .fold(0_u32, |number, digit| number * 10 + u32::from(digit - b'0'))
        })
    };
    let bytes = text.as_bytes();
    let marks = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
    let has_marks = marks.iter().all(|(at, mark)| bytes.get(*at) == Some(mark));
    let [
        Some(year),
        Some(month),
        Some(day),
        Some(hour),
        Some(minute),
        Some(second),
    ] = [
        number(0, 4),
        number(5, 7),
        number(8, 10),
        number(11, 13),
        number(14, 16),
        number(17, 19),
    ]
    else {
        return false;
    };
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 if is_leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => 0,
    };
    let is_there = has_marks
        && year >= 1_000
        && (1..=days).contains(&day)
        && hour < 24
        && minute < 60
        && second < 60;
    if !is_there {
        return false;
    }
    let rest = &bytes[19..];
    let zone = match rest.strip_prefix(b".") {
        None => rest,
        Some(fraction) => {
            let digits = fraction.iter().take_while(|byte| byte.is_ascii_digit());
            let digits = digits.count();
            if !(1..=6).contains(&digits) {
                return false;
            }
            &fraction[digits..]
        }
    };
    match zone {
        b"Z" => true,
        [b'+' | b'-', hours @ .., b':', tens, ones] => {
            let is_digit = |byte: &u8| byte.is_ascii_digit();
            let digits = hours.iter().chain([tens, ones]);
            hours.len() == 2 && digits.into_iter().all(is_digit) && hours <= b"14" && *tens < b'6'
        }
        _ => false,
    }
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
    fn a_time_is_one_that_there_is() {
        for time in [
            "2026-11-28T09:30:00Z",
            "2026-11-28T09:30:00.1+14:59",
            "2024-02-29T23:59:59.123456-00:00",
            "2000-02-29T00:00:00Z",
        ] {
            assert!(is_time(time), "{time}");
        }
        for text in [
            "",
            "now",
            "infinity",
            "2026-11-28",
            "2026-11-28T09:30Z",
            "2026-11-28T09:30:00",
            "2026-11-28 09:30:00Z",
            "2026-11-28t09:30:00z",
            "2026-11-31T09:30:00Z",
            "2026-13-01T09:30:00Z",
            "2026-00-01T09:30:00Z",
            "2026-01-00T09:30:00Z",
            "2026-02-29T09:30:00Z",
            "1900-02-29T09:30:00Z",
            "0999-01-01T09:30:00Z",
            "2026-11-28T24:00:00Z",
            "2026-11-28T09:60:00Z",
            "2026-11-28T09:30:60Z",
            "2026-11-28T09:30:00.Z",
            "2026-11-28T09:30:00.1234567Z",
            "2026-11-28T09:30:00+15:00",
            "2026-11-28T09:30:00+1400",
            "2026-11-28T09:30:00+14:60",
            "2026-11-28T09:30:00Z ",
            "2026-11-28T09:30:0éZ",
            "٢٠٢٦-11-28T09:30:00Z",
        ] {
            assert!(!is_time(text), "{text}");
        }
    }

    #[test]
    fn a_guard_names_one_version_in_quotes() {
        let read = |header: Option<&str>| {
            let mut fields = Fields::of_body(object([]));
            fields.take_if_match(header);
            let version = fields.if_match();
            (
                version,
                fields
                    .finish()
                    .err()
                    .map(|problems| problems[0].pointer.clone()),
            )
        };
        assert_eq!(read(None), (None, None));
        assert_eq!(read(Some("\"5\"")), (Some(5.0), None));
        assert_eq!(read(Some("\"0\"")), (Some(0.0), None));
        for other in [
            "",
            "5",
            "*",
            "\"\"",
            "W/\"5\"",
            "\"05\"",
            "\"5\", \"6\"",
            "\"-1\"",
            "\"1234567890123456\"",
            "\"é\"",
        ] {
            let pointer = Some("/headers/if-match".to_owned());
            assert_eq!(read(Some(other)), (None, pointer), "{other:?}");
        }
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
