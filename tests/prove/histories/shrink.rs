//! A failure, made small enough to read.
//!
//! A history that fits no order is cut to what matters, in steps that keep it a proof: it ends with the
//! first answer that cannot be; it begins at the last moment before at which nothing was under way, with
//! the state of that moment; and what only looked (reads, refusals, replays) is left out wherever the rest
//! does not fit either. A call that changed something is left out only if it has to do with nothing that
//! the last answer has to do with, however remotely.

use super::checker::{Verdict, search};
use crate::prove::model::{Event, Model, Seen};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::time::{Duration, Instant};
use uuid::Uuid;

/// How long a failure is made smaller: each step is a search of its own, and a crowded shop has thousands.
const PATIENCE: Duration = Duration::from_secs(90);

/// What is left of a history that does not fit.
pub(crate) struct Shrunk<M: Model> {
    /// The state at which it begins.
    start: M,
    events: Vec<Event<M::Call>>,
    /// Which of them cannot be.
    culprit: usize,
    /// Whether the search had an end.
    gave_up: bool,
    /// When it is small enough as it is.
    until: Instant,
}

/// Shrinks a history that does not fit; none if it does.
pub(crate) fn shrink<M: Model>(start: &M, events: &[Event<M::Call>]) -> Option<Shrunk<M>> {
    let Verdict::Fails(stuck) = search(start, events, u64::MAX) else {
        return None;
    };
    let by = events[stuck.event].answered;
    let mut shrunk = Shrunk {
        start: start.clone(),
        events: events
            .iter()
            .filter(|event| event.called < by)
            .cloned()
            .collect(),
        culprit: stuck.event,
        gave_up: stuck.gave_up,
        until: Instant::now() + PATIENCE,
    };
    shrunk.begin_late();
    if !shrunk.gave_up {
        shrunk.leave_out();
    }
    Some(shrunk)
}

impl<M: Model> Shrunk<M> {
    fn by(&self) -> u64 {
        self.events[self.culprit].answered
    }

    /// Whether this proves something: with the culprit it does not fit, without it it does.
    fn proves(start: &M, events: &[Event<M::Call>], culprit: usize) -> bool {
        let by = events[culprit].answered;
        let mut without = events.to_vec();
        without.remove(culprit);
        matches!(search(start, events, by), Verdict::Fails(stuck) if !stuck.gave_up)
            && matches!(search(start, &without, by), Verdict::Fits(_))
    }

    /// Begins at the last moment at which nothing was under way.
    fn begin_late(&mut self) {
        let mut quiet = Vec::new();
        let mut answered = 0;
        for (index, event) in self.events.iter().enumerate().take(self.culprit + 1) {
            if event.called > answered && index > 0 {
                quiet.push(index);
            }
            answered = answered.max(event.answered);
        }
        while let Some(index) = quiet.pop()
            && Instant::now() < self.until
        {
            let (before, after) = self.events.split_at(index);
            let until = before.iter().map(|event| event.answered).max().unwrap_or(0);
            if let Verdict::Fits(state) = search(&self.start, before, until)
                && (self.gave_up || Self::proves(&state, after, self.culprit - index))
            {
                self.events = after.to_vec();
                self.culprit -= index;
                self.start = state;
                return;
            }
        }
    }

    fn leave_out(&mut self) {
        let related = self.related();
        let mut index = self.events.len();
        while index > 0 && Instant::now() < self.until {
            index -= 1;
            let only_looked = match &self.events[index].seen {
                Seen::Success { body, replayed } => *replayed || self.is_read(index, body),
                Seen::Refused { code, .. } => !M::refusal_is_counted(code),
                Seen::Transient => true,
            };
            if index == self.culprit || (!only_looked && related[index]) {
                continue;
            }
            let mut fewer = self.events.clone();
            fewer.remove(index);
            let culprit = self.culprit - usize::from(index < self.culprit);
            if Self::proves(&self.start, &fewer, culprit) {
                self.events = fewer;
                self.culprit = culprit;
            }
        }
    }

    /// Whether the call is a look at the books or the shelf.
    fn is_read(&self, index: usize, body: &Value) -> bool {
        body.is_object() && format!("{:?}", self.events[index].call).starts_with("Look")
    }

    /// Which events have to do with the culprit: by an id that both name, or that one names which names
    /// an id of the other, and so on. Who looks at everything relates nothing.
    fn related(&self) -> Vec<bool> {
        let ids: Vec<BTreeSet<Uuid>> = self.events.iter().map(ids_of).collect();
        let mut related = vec![false; ids.len()];
        related[self.culprit] = true;
        let mut known = ids[self.culprit].clone();
        loop {
            let mut more = false;
            for (index, ids) in ids.iter().enumerate() {
                if !related[index] && (!ids.is_disjoint(&known)) {
                    related[index] = true;
                    known.extend(ids);
                    more = true;
                }
            }
            if !more {
                return related;
            }
        }
    }

    /// A timeline for people, with names for ids.
    pub(crate) fn print(&self, names: &BTreeMap<Uuid, String>) -> String {
        let mut text = String::new();
        let culprit = &self.events[self.culprit];
        let _ = writeln!(text, "    at first: {:?}", self.start);
        let origin = self
            .events
            .iter()
            .map(|event| event.called)
            .min()
            .unwrap_or(0);
        for (index, event) in self.events.iter().enumerate() {
            let mark = if index == self.culprit { "✗" } else { " " };
            let answered = if event.answered > self.by() {
                "later".to_owned()
            } else {
                (event.answered - origin).to_string()
            };
            let _ = writeln!(
                text,
                "  {mark} session {:>2} by {:<8} {:>4} … {answered:<5} {}",
                event.session,
                event.via,
                event.called - origin,
                told(event),
            );
        }
        let others: Vec<_> = self
            .events
            .iter()
            .filter(|e| e.called != culprit.called)
            .cloned()
            .collect();
        if let Verdict::Fits(state) = search(&self.start, &others, self.by()) {
            let _ = writeln!(text, "    without ✗ this fits, and leads to: {state:?}");
            let _ = writeln!(
                text,
                "    there ✗ is {:?}; what could be refused: {:?}",
                reason(&state, culprit),
                state.refusals(&culprit.call)
            );
            // Again, at the end: of a long log that may be all that is kept.
            let _ = writeln!(text, "    ✗ {}", told(culprit));
        }
        if self.gave_up {
            text.push_str("    (the search gave up before it had tried everything)\n");
        }
        named(text, names)
    }
}

/// The ids that an event names; none if it looked at everything.
fn ids_of<C: std::fmt::Debug>(event: &Event<C>) -> BTreeSet<Uuid> {
    let text = format!("{:?}", (&event.call, &event.seen));
    if text.contains("Look") {
        return BTreeSet::new();
    }
    text.split(|c: char| !(c.is_ascii_hexdigit() || c == '-'))
        .filter_map(|word| word.parse().ok())
        .collect()
}

fn reason<M: Model>(state: &M, event: &Event<M::Call>) -> &'static str {
    match state.apply(event) {
        crate::prove::model::Steps::Impossible(why) => why,
        _ => "possible, but not in time",
    }
}

/// What was called and what was seen.
fn told<C: std::fmt::Debug>(event: &Event<C>) -> String {
    format!("{:?}\n        saw {}", event.call, seen(event))
}

fn seen<C>(event: &Event<C>) -> String {
    match &event.seen {
        Seen::Success { body, replayed } => {
            let replay = if *replayed { " (replay)" } else { "" };
            format!("OK{replay} {}", brief(body))
        }
        Seen::Refused { code, details } => format!("{code} {}", brief(details)),
        Seen::Transient => "a transient error".to_owned(),
    }
}

fn brief(value: &Value) -> String {
    if value.is_null() {
        String::new()
    } else {
        value.to_string()
    }
}

/// Puts names for ids.
pub(crate) fn named(mut text: String, names: &BTreeMap<Uuid, String>) -> String {
    for (id, name) in names {
        text = text.replace(&id.to_string(), name);
    }
    text
}
