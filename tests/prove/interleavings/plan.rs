//! A schedule, written down: who begins, and where the turn is taken from whom.
//!
//! A session keeps its turn until it has to wait or has committed. What is searched are the ways to
//! take the turn away before that: none, at one place, at two, and so on. Most defects need few.

use std::fmt;

/// One of the two sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Who {
    A,
    B,
}

impl Who {
    /// Both.
    pub(super) const BOTH: [Self; 2] = [Self::A, Self::B];

    /// The other one.
    pub(super) fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }

    /// Place in a pair.
    pub(super) fn index(self) -> usize {
        match self {
            Self::A => 0,
            Self::B => 1,
        }
    }
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

/// The step after the last breakpoint: the call has been answered, and the commit not been sent.
pub(super) const ANSWERED: i32 = i32::MAX;

/// A place where a session can lose its turn: at its breakpoint of that number, or `ANSWERED`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Point {
    pub(super) who: Who,
    pub(super) step: i32,
}

/// What happens to a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Fault {
    /// Its backend is terminated.
    Kill,
    /// Its statement is cancelled, or its transaction rolled back instead of committed.
    Rollback,
}

/// To whom a fault happens when the session that lost its turn last would get it back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Victim {
    /// The session that would go on.
    Preempted,
    /// The other one, which waits for it.
    Waiting,
}

/// A schedule.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Plan {
    /// Who begins.
    pub(super) first: Who,
    /// Where the turn is taken away, in this order.
    pub(super) preemptions: Vec<Point>,
    /// What happens after the last of them.
    pub(super) fault: Option<(Victim, Fault)>,
    /// Only this session moves, or none.
    pub(super) alone: Option<Option<Who>>,
}

impl Plan {
    /// One after the other.
    pub(super) fn serial(first: Who) -> Self {
        Plan {
            first,
            preemptions: Vec::new(),
            fault: None,
            alone: None,
        }
    }

    /// The same, with the turn taken away once more.
    pub(super) fn preempted_at(&self, point: Point) -> Self {
        let mut plan = self.clone();
        plan.preemptions.push(point);
        plan
    }

    /// The same with a fault.
    pub(super) fn with_fault(&self, victim: Victim, fault: Fault) -> Self {
        Plan {
            fault: Some((victim, fault)),
            ..self.clone()
        }
    }
}
