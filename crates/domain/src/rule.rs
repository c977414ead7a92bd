//! What a field of a request must be. Reading, the message of a problem and docs/openapi.json all go by
//! this one rule.

/// The rule of one field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// A UUID.
    Uuid,
    /// One of these words.
    Word(&'static [&'static str]),
    /// True or false.
    Flag,
    /// A whole number from the first to the second.
    Integer(u32, u32),
    /// Money in minor units.
    Amount,
    /// A text of one line with at most so many characters, outer blanks not counted.
    Line(usize),
    /// An object with any members.
    Object,
    /// A list of at least one and at most so many objects.
    List(usize),
}

impl Rule {
    /// What is said of a value that breaks the rule.
    pub fn message(self) -> String {
        match self {
            Rule::Uuid => "must be a UUID such as 123e4567-e89b-12d3-a456-426614174000".to_owned(),
            // `join` would be a kilobyte.
            Rule::Word(words) => words
                .iter()
                .enumerate()
                .fold("must be one of".to_owned(), |text, (index, word)| {
                    text + if index == 0 { ": " } else { ", " } + word
                }),
            Rule::Flag => "must be true or false".to_owned(),
            Rule::Integer(start, end) => format!("must be a whole number from {start} to {end}"),
            Rule::Amount => "must be a whole number of minor units, 0 or more".to_owned(),
            Rule::Line(max) => {
                format!("must be a text of 1 to {max} characters without control characters")
            }
            Rule::Object => "must be a JSON object without NUL characters".to_owned(),
            Rule::List(max) => format!("must be a list of 1 to {max} objects"),
        }
    }
}
