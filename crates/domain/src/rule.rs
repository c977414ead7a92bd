//! What a field of a request must be. Reading, the message of a problem and docs/openapi.json all go by
//! this one rule.

/// How fine a quantity is.
pub const DECIMALS: u32 = 3;

/// No quantity is as large.
pub const QUANTITY_END: f64 = 1e11;

/// What a quantity may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// Anything: what is there may be owed to buyers.
    Any,
    /// Anything but 0.
    NotZero,
    /// More than 0.
    Positive,
    /// 0 or more.
    NotNegative,
}

impl Bound {
    /// What is said of another number.
    pub(crate) const fn message(self) -> &'static str {
        match self {
            Bound::Any => "must be a number below 100000000000 in size and with at most 3 decimals",
            Bound::NotZero => {
                "must be a number other than 0, below 100000000000 in size and with at most 3 decimals"
            }
            Bound::Positive => {
                "must be a number more than 0, below 100000000000 and with at most 3 decimals"
            }
            Bound::NotNegative => {
                "must be a number from 0 on, below 100000000000 and with at most 3 decimals"
            }
        }
    }

    /// Whether a number is of that kind, within the limit and no finer than a quantity is. -0 is none: it
    /// means a mistake. A double holds each such number apart from all others, and is written as it was.
    pub fn admits(self, number: f64) -> bool {
        let scale = f64::from(10_u32.pow(DECIMALS));
        let is_sound = number.abs() < QUANTITY_END
            && (number * scale).round_ties_even() / scale == number
            && !(number == 0.0 && number.is_sign_negative());
        is_sound
            && match self {
                Bound::Any => true,
                Bound::NotZero => number != 0.0,
                Bound::Positive => number > 0.0,
                Bound::NotNegative => number >= 0.0,
            }
    }
}

/// A rule that only some functions have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Special {
    /// A number of things: whole or with at most [`DECIMALS`] decimals.
    Quantity(Bound),
    /// What a row's version can be.
    Version,
    /// Money in minor units, in either direction.
    Balance,
    /// A date with its time (RFC 3339).
    Time,
    /// A text of the shop's own that names what is done.
    Reference,
    /// What a scanner reads.
    Barcode,
}

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
    /// What only some functions ask for, and what is said of a value that breaks it: so that no other one's module has
    /// the words.
    Special(Special, &'static str),
    /// A text of one line with at most so many characters, outer blanks not counted.
    Line(usize),
    /// An object with any members.
    Object,
    /// A list of at least and at most so many objects.
    List(usize, usize),
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
            Rule::Special(_, message) => message.to_owned(),
            Rule::Line(max) => {
                format!("must be a text of 1 to {max} characters without control characters")
            }
            Rule::Object => "must be a JSON object without NUL characters".to_owned(),
            Rule::List(least, most) => format!("must be a list of {least} to {most} objects"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantity_is_a_number_of_at_most_three_decimals() {
        for sound in [
            0.001,
            0.1,
            1.005,
            11.52,
            6.0,
            1_234_567.891,
            99_999_999_999.999,
        ] {
            for bound in [Bound::NotZero, Bound::Positive, Bound::NotNegative] {
                assert!(bound.admits(sound), "{sound}");
            }
            assert!(Bound::NotZero.admits(-sound) && !Bound::Positive.admits(-sound));
            assert!(!Bound::NotNegative.admits(-sound));
        }
        assert!(Bound::NotNegative.admits(0.0));
        assert!(!Bound::Positive.admits(0.0) && !Bound::NotZero.admits(0.0));
        for unsound in [
            0.0004,
            1.0005,
            1e-9,
            -0.0,
            1e11,
            1e300,
            f64::INFINITY,
            f64::NEG_INFINITY,
            f64::NAN,
            5e-324,
        ] {
            for bound in [Bound::NotZero, Bound::Positive, Bound::NotNegative] {
                assert!(!bound.admits(unsound), "{unsound}");
            }
        }
    }

    #[test]
    fn every_quantity_of_three_decimals_is_one_and_is_written_as_it_was() {
        let mut thousandths: u64 = 1;
        while thousandths < 100_000_000_000_000 {
            let written = format!("{}.{:03}", thousandths / 1_000, thousandths % 1_000);
            let number: f64 = written.parse().expect("a number");
            assert!(Bound::Positive.admits(number), "{written}");
            let shortest = format!("{number}");
            let trimmed = written.trim_end_matches('0').trim_end_matches('.');
            assert_eq!(shortest, trimmed);
            thousandths += thousandths / 97 + 1;
        }
    }
}
