//! What is interleaved: stages, each with rows and with the operations that meet on them. Every pair of
//! operations of a stage is searched, each operation with itself too.
//!
//! `{u}`, `{v}`, `{w}` are users, `{x}`, `{y}` batches, `{p}`, `{q}` products, `{d}` a digital product,
//! `{k}`, `{l}` promo codes, `{o}` an order, `{c}`, `{e}` carts, `{s}` a store, `{i}` stock there: new ones for every schedule.

use crate::areas::AREAS;

/// Who makes a call.
#[derive(Clone, Copy, Debug)]
pub(crate) enum By {
    /// The signed-in user of that name.
    User(&'static str),
    /// The shop, with the service role.
    Shop,
}

/// One operation. Nearly all write.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Operation {
    pub(crate) name: &'static str,
    pub(crate) by: By,
    /// One statement. What it returns is the answer.
    pub(crate) sql: &'static str,
    /// What it may do instead if somebody else is changing the row that it would take: such rows are
    /// passed over (`skip locked`), and whoever changes them may yet roll back.
    pub(crate) instead: Option<&'static str>,
    /// What it takes from all such rows of the database, not by name.
    pub(crate) sweeps: Option<Sweep>,
}

impl Operation {
    pub(crate) const fn or(self, instead: &'static str) -> Self {
        Operation {
            instead: Some(instead),
            ..self
        }
    }

    pub(crate) const fn sweeping(self, rows: Sweep) -> Self {
        Operation {
            sweeps: Some(rows),
            ..self
        }
    }
}

/// Rows, and what is done to them.
#[derive(Debug)]
pub(crate) struct Stage {
    pub(crate) name: &'static str,
    /// Statements that make the rows.
    pub(crate) given: &'static [&'static str],
    pub(crate) operations: &'static [Operation],
    /// Rows of the stage that an operation of this or another stage finds by itself.
    pub(crate) offers: &'static [Sweep],
    /// Which pairs: all, or those of operations on different kinds of rows.
    pub(crate) pairs: Pairs,
}

/// Rows that an operation finds by itself, so that nobody else may offer such rows at that time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Sweep {
    /// For people.
    pub(crate) name: &'static str,
    /// Takes rows of earlier schedules and tests out of the way, also those whose time is over soon.
    pub(crate) clear: &'static str,
    /// Whether there are such rows of somebody else, which a schedule would take.
    pub(crate) others: &'static str,
}

impl Sweep {
    /// All kinds.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        AREAS.iter().flat_map(|area| area.sweeps).copied()
    }
}

/// The pairs of a stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pairs {
    /// Each operation with each, and with itself.
    All,
    /// Not with itself: other stages do that on rows that make them meet.
    Different,
}

pub(crate) const fn user(who: &'static str, name: &'static str, sql: &'static str) -> Operation {
    Operation {
        name,
        by: By::User(who),
        sql,
        instead: None,
        sweeps: None,
    }
}

pub(crate) const fn shop(name: &'static str, sql: &'static str) -> Operation {
    Operation {
        name,
        by: By::Shop,
        sql,
        instead: None,
        sweeps: None,
    }
}

/// Three people, in most stages.
pub(crate) const USERS: &str = "insert into auth.users (id, aud, role, email)
  select id, 'authenticated', 'authenticated', id || '@test.example'
  from unnest(array['{u}', '{v}', '{w}']::uuid[]) as id";
