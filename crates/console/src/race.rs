//! What came of a race: each request, the books, and who has lost.

use std::collections::BTreeSet;

use serde_json::Value;

/// Against which code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// That of the incident report.
    Report,
    /// Interlock's.
    Interlock,
}

/// What a request was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It got what it wanted; what nobody else may have got with it: the number that it worked out and wrote, or its code.
    Yes(Option<String>),
    /// It was refused, with this code.
    No(String),
    /// It went wrong, in these words.
    Trouble(String),
}

/// One request of a race; times are milliseconds from its start.
#[derive(Clone, Debug)]
pub struct Request {
    /// When it set out.
    pub start: f64,
    /// When each of its calls was answered.
    pub answered: Vec<f64>,
    /// What was answered.
    pub answer: Answer,
}

impl Request {
    /// When it was over.
    pub fn end(&self) -> f64 {
        self.answered.last().copied().unwrap_or(self.start)
    }

    /// Whether it got what it wanted.
    pub fn is_yes(&self) -> bool {
        matches!(self.answer, Answer::Yes(_))
    }
}

/// What the database has written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Books {
    /// What there was to give.
    pub had: i64,
    /// What is left by its own account.
    pub left: i64,
    /// What was given away.
    pub given: i64,
}

impl Books {
    /// Reads `race_lab.books`. Where nothing stands written about it, given is what was promised in the answers.
    pub fn read(books: &Value, promised: usize) -> Option<Self> {
        let whole = |name: &str| {
            let value = books.get(name)?;
            value.as_i64().or_else(|| Some(value.as_f64()? as i64))
        };
        Some(Self {
            had: whole("had")?,
            left: whole("left")?,
            given: match books.get("given") {
                Some(_) => whole("given")?,
                None => i64::try_from(promised).ok()?,
            },
        })
    }

    /// How much was given that was not there, or that never left the books; 0 if they are exact.
    pub fn wrong(self) -> i64 {
        let beyond = self.given - self.had;
        let unnoticed = self.given - (self.had - self.left);
        beyond.max(unnoticed.abs())
    }
}

/// One side of a race that was run.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Its requests, in the order in which they set out.
    pub requests: Vec<Request>,
    /// Its books afterwards.
    pub books: Books,
}

impl Outcome {
    /// Which requests were told yes at the cost of another: those beyond what there was, in the order of their ends, and those
    /// that wrote the number that another one had written.
    pub fn wrongly(&self) -> BTreeSet<usize> {
        let mut yes: Vec<usize> = (0..self.requests.len())
            .filter(|index| self.requests[*index].is_yes())
            .collect();
        yes.sort_by(|one, other| {
            let [one, other] = [one, other].map(|index| self.requests[*index].end());
            one.total_cmp(&other)
        });
        let mut written = BTreeSet::new();
        let mut wrongly = BTreeSet::new();
        for (place, index) in yes.into_iter().enumerate() {
            let beyond = i64::try_from(place).is_ok_and(|place| place >= self.books.had);
            let again = match &self.requests[index].answer {
                Answer::Yes(Some(number)) => !written.insert(number.clone()),
                _ => false,
            };
            if beyond || again {
                wrongly.insert(index);
            }
        }
        wrongly
    }

    /// How many were told yes, no, and something else.
    pub fn counts(&self) -> (usize, usize, usize) {
        self.requests
            .iter()
            .fold((0, 0, 0), |(yes, no, trouble), request| {
                match request.answer {
                    Answer::Yes(_) => (yes + 1, no, trouble),
                    Answer::No(_) => (yes, no + 1, trouble),
                    Answer::Trouble(_) => (yes, no, trouble + 1),
                }
            })
    }

    /// When the last request was over.
    pub fn end(&self) -> f64 {
        self.requests.iter().map(Request::end).fold(0.0, f64::max)
    }
}

/// How many races of one kind were run, and how many a side has lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// How many were run.
    pub races: u32,
    /// After how many its books were wrong.
    pub lost: u32,
}

impl Tally {
    /// Counts one more.
    pub fn count(&mut self, books: Books) {
        self.races += 1;
        self.lost += u32::from(books.wrong() != 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn yes(end: f64, wrote: Option<&str>) -> Request {
        Request {
            start: 0.0,
            answered: vec![end],
            answer: Answer::Yes(wrote.map(str::to_owned)),
        }
    }

    fn books(had: i64, left: i64, given: i64) -> Books {
        Books { had, left, given }
    }

    #[test]
    fn books_are_exact_or_say_by_how_much_they_are_not() {
        assert_eq!(books(1, 0, 1).wrong(), 0);
        assert_eq!(books(1, 1, 0).wrong(), 0, "nobody came");
        assert_eq!(books(1, 0, 4).wrong(), 3, "oversold");
        assert_eq!(books(11, 10, 5).wrong(), 4, "five sales took one");
        assert_eq!(books(10, 8, 1).wrong(), 1, "one vanished");
    }

    #[test]
    fn what_stands_nowhere_is_what_was_promised() {
        let read = Books::read(&json!({ "had": 8, "left": 6.0 }), 3);
        assert_eq!(read, Some(books(8, 6, 3)));
        let read = Books::read(&json!({ "had": 1, "left": 0, "given": 2 }), 3);
        assert_eq!(read, Some(books(1, 0, 2)));
        assert_eq!(Books::read(&json!({ "had": 1 }), 3), None);
        assert_eq!(Books::read(&json!(null), 3), None);
    }

    #[test]
    fn whoever_comes_after_the_last_unit_has_it_wrongly() {
        let outcome = Outcome {
            requests: vec![yes(30.0, None), yes(10.0, None), yes(20.0, None)],
            books: books(1, 0, 3),
        };
        assert_eq!(outcome.wrongly(), BTreeSet::from([0, 2]));
    }

    #[test]
    fn whoever_writes_what_another_has_written_has_lost_it() {
        let outcome = Outcome {
            requests: vec![
                yes(1.0, Some("9")),
                yes(2.0, Some("8")),
                yes(3.0, Some("9")),
            ],
            books: books(10, 9, 3),
        };
        assert_eq!(outcome.wrongly(), BTreeSet::from([2]));
        assert_eq!(outcome.counts(), (3, 0, 0));
    }

    #[test]
    fn a_race_is_lost_where_the_books_are_wrong() {
        let mut tally = Tally::default();
        tally.count(books(1, 0, 1));
        tally.count(books(1, 0, 2));
        assert_eq!(tally, Tally { races: 2, lost: 1 });
    }
}
