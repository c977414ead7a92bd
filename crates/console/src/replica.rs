//! A replica of the project's database, whose API lists are read from, and whether it has what was done here (docs/growing.md).

use std::cell::Cell;

use serde_json::Value;

/// So long, in milliseconds, its answer is waited for before the primary is asked.
pub const PATIENCE_MS: u32 = 3_000;

/// So long, in seconds, it is left alone that has not answered.
const AWAY_S: f64 = 30.0;

/// Where a server's log is: its end at the primary, what was replayed at a replica.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Place {
    timeline: i64,
    position: i64,
}

impl Place {
    /// Reads the answer of `log_position`.
    pub fn read(answer: &Value) -> Option<Self> {
        Some(Self {
            timeline: answer["timeline"].as_i64()?,
            position: answer["position"].as_i64()?,
        })
    }

    /// Whether a replica that is there has all that the primary had at `written`: positions of two timelines cannot be compared.
    pub fn has(self, written: Self) -> bool {
        self.timeline == written.timeline && self.position >= written.position
    }
}

/// What is known of a replica.
#[derive(Debug)]
pub struct Replica {
    /// Where its API is.
    pub rest: String,
    /// What this tab has done, and how much of it the replica is known to have.
    done: Cell<u32>,
    found: Cell<u32>,
    /// Until when it is left alone, in seconds since 1970.
    away_until: Cell<f64>,
}

impl Replica {
    /// The replica whose API is there.
    pub fn new(rest: &str) -> Self {
        Self {
            rest: rest.trim_end_matches('/').to_owned(),
            done: Cell::new(0),
            found: Cell::new(0),
            away_until: Cell::new(0.0),
        }
    }

    /// Something may have been written.
    pub fn note_deed(&self) {
        self.done.set(self.done.get() + 1);
    }

    /// What this tab has done until now, if the replica is not known to have all of it.
    pub fn missing(&self) -> Option<u32> {
        (self.found.get() < self.done.get()).then(|| self.done.get())
    }

    /// It has so much of it.
    pub fn note_found(&self, done: u32) {
        self.found.set(self.found.get().max(done));
    }

    /// It has not answered. `now` is in seconds since 1970.
    pub fn note_away(&self, now: f64) {
        self.away_until.set(now + AWAY_S);
    }

    /// Whether it is worth to be asked.
    pub fn is_there(&self, now: f64) -> bool {
        now >= self.away_until.get()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn place(timeline: i64, position: i64) -> Place {
        let answer = json!({ "timeline": timeline, "position": position, "lsn": "0/1" });
        Place::read(&answer).expect("a place")
    }

    #[test]
    fn a_replica_has_what_it_has_replayed_of_the_same_timeline() {
        assert!(place(1, 5).has(place(1, 5)) && place(1, 6).has(place(1, 5)));
        for behind in [place(1, 4), place(2, 9)] {
            assert!(!behind.has(place(1, 5)), "{behind:?}");
        }
        assert_eq!(Place::read(&json!({ "timeline": 1 })), None);
    }

    #[test]
    fn what_is_done_meanwhile_is_missing_still() {
        let replica = Replica::new("http://x/rest/v1/");
        assert_eq!(
            (replica.rest.as_str(), replica.missing()),
            ("http://x/rest/v1", None)
        );
        replica.note_deed();
        let asked = replica.missing().expect("one");
        replica.note_deed();
        replica.note_found(asked);
        assert_eq!(replica.missing(), Some(2));
        replica.note_found(2);
        replica.note_found(1);
        assert_eq!(replica.missing(), None);
    }

    #[test]
    fn who_does_not_answer_is_left_alone_for_a_while() {
        let replica = Replica::new("http://x");
        assert!(replica.is_there(100.0));
        replica.note_away(100.0);
        assert!(!replica.is_there(129.0) && replica.is_there(130.0));
    }
}
