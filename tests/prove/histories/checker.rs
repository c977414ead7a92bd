//! Whether what many sessions saw fits *some* order, one call after the other: linearizability.
//!
//! Every call takes effect at one moment between its request and its answer. So a call that was answered
//! before another was made comes first; calls that overlap may come in any order. The search (Wing and
//! Gong's, with Lowe's memory of where it has been) builds such an order call by call, asks the model at
//! each step whether the caller can have seen that, and goes back where it cannot go on.
//!
//! A call that changes nothing and fits now is taken at once: any order that takes it later can be
//! rearranged to take it now. What is left to try is the order of overlapping changes, the call that was
//! answered first at the head.

use crate::prove::model::{Event, Model, Steps};
use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};

/// So many steps without an end, and the search gives up: that is reported as a failure too.
const MOST_STEPS: usize = 100_000;

/// How a search ended.
#[derive(Debug)]
pub(crate) enum Verdict<M> {
    /// There is an order; the state after it.
    Fits(M),
    /// There is none.
    Fails(Stuck),
}

/// Where the search came farthest.
#[derive(Debug)]
pub(crate) struct Stuck {
    /// The event that has to come next and cannot.
    pub(crate) event: usize,
    /// Whether the search gave up before it had tried everything.
    pub(crate) gave_up: bool,
}

/// Which events have been taken: all before `first`, and some after.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Taken {
    first: usize,
    /// By events from `first` on.
    ahead: Vec<bool>,
}

impl Taken {
    fn has(&self, event: usize) -> bool {
        event < self.first || self.ahead.get(event - self.first).copied().unwrap_or(false)
    }

    fn take(&mut self, event: usize) {
        let index = event - self.first;
        if self.ahead.len() <= index {
            self.ahead.resize(index + 1, false);
        }
        self.ahead[index] = true;
        let done = self.ahead.iter().take_while(|taken| **taken).count();
        self.ahead.drain(..done);
        self.first += done;
    }
}

/// Looks for an order of the events (sorted by `called`) that begins in this state and in which every
/// event has come that was answered up to `until`. Later answers may have been effective or not.
pub(crate) fn search<M: Model>(start: &M, events: &[Event<M::Call>], until: u64) -> Verdict<M> {
    debug_assert!(events.is_sorted_by_key(|event| event.called));
    let hasher = RandomState::new();
    let mut been = HashSet::new();
    let mut open = vec![(
        start.clone(),
        Taken {
            first: 0,
            ahead: Vec::new(),
        },
    )];
    let mut farthest: Option<(u64, Stuck)> = None;
    let mut steps = 0;
    while let Some((state, mut taken)) = open.pop() {
        let mut changes = take_what_changes_nothing(&state, &mut taken, events);
        if !been.insert(hasher.hash_one((&state, &taken))) {
            continue;
        }
        let Some((next, by)) = next_answer(&taken, events).filter(|(_, by)| *by <= until) else {
            return Verdict::Fits(state);
        };
        if farthest.as_ref().is_none_or(|(farthest, _)| *farthest < by) {
            let stuck = Stuck {
                event: next,
                gave_up: false,
            };
            farthest = Some((by, stuck));
        }
        steps += 1;
        if steps > MOST_STEPS {
            if let Some((_, stuck)) = &mut farthest {
                stuck.gave_up = true;
            }
            break;
        }
        // The last one pushed is tried first: the one that was answered first.
        changes.sort_by_key(|(event, _)| std::cmp::Reverse(events[*event].answered));
        for (event, states) in changes {
            for next in states.into_iter().rev() {
                let mut taken = taken.clone();
                taken.take(event);
                open.push((next, taken));
            }
        }
    }
    let (_, stuck) = farthest.expect("a search that fails has made a step");
    Verdict::Fails(stuck)
}

/// The event that is answered next, and when.
fn next_answer<C>(taken: &Taken, events: &[Event<C>]) -> Option<(usize, u64)> {
    let mut first: Option<(usize, u64)> = None;
    for (index, event) in events.iter().enumerate().skip(taken.first) {
        if first.is_some_and(|(_, answered)| event.called > answered) {
            break;
        }
        if !taken.has(index) && first.is_none_or(|(_, answered)| event.answered < answered) {
            first = Some((index, event.answered));
        }
    }
    first
}

/// Takes every event that fits now and changes nothing. Of the others that may come next (made before
/// anything that is missing was answered): those that fit, with what they lead to.
fn take_what_changes_nothing<M: Model>(
    state: &M,
    taken: &mut Taken,
    events: &[Event<M::Call>],
) -> Vec<(usize, Vec<M>)> {
    let mut changes = Vec::new();
    let mut asked = taken.first;
    while let Some((_, by)) = next_answer(taken, events) {
        let ahead = events[asked..]
            .iter()
            .take_while(|event| event.called <= by);
        let ahead = asked..asked + ahead.count();
        if ahead.is_empty() {
            break;
        }
        for event in ahead.clone() {
            if taken.has(event) {
                continue;
            }
            match state.apply(&events[event]) {
                Steps::Same => taken.take(event),
                Steps::To(states) => changes.push((event, states)),
                Steps::Impossible(_) => {}
            }
        }
        asked = ahead.end;
    }
    changes
}

/// Sorts the events and marks those that no other overlaps; the most that overlapped at a moment.
pub(crate) fn prepare<C>(events: &mut [Event<C>]) -> usize {
    events.sort_by_key(|event| event.called);
    let mut most = 0;
    let mut open: Vec<usize> = Vec::new();
    for index in 0..events.len() {
        let called = events[index].called;
        open.retain(|other| events[*other].answered > called);
        events[index].alone = open.is_empty();
        for other in &open {
            events[*other].alone = false;
        }
        open.push(index);
        most = most.max(open.len());
    }
    most
}
