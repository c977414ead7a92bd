//! Every order of the steps of two operations, driven over two sessions.
//!
//! A schedule begins on new rows. It says who moves, and where the turn goes to the other one: before
//! any statement that locks, writes or looks at rows of ours, and between the answer and the commit.
//! Then a session may be killed, or its statement cancelled and rolled back. What comes of it, both
//! answers and all that the books say, must be what one of the two serial orders gives on equal rows.
//!
//! The search goes by the number of times that the turn is taken away: none, once, twice, and so on
//! until the time is over. So a short run has tried every pair in the ways that matter most, and a long
//! one reaches the rest. The report says how far it came.
//!
//! Given freedoms, which are the product's own:
//! * A passing refusal (55P03) counts as not having happened: a stale lease that somebody else is
//!   claiming, a product that changed while it was bought, a last code that the shop is deleting. A lock
//!   timeout or a deadlock is always a failure.
//! * What passes over locked rows (the next batch, expiries) may do what it does without them.
//! * Whether a renewal leaves an event depends on which transaction began first, by the clock.
//!
//! What is not driven: a connection lost while the commit is under way (the faults do that), and more
//! than two sessions (the histories do that).
//!
//! * `stages`: which operations meet on which rows, as each area says.
//! * `breakpoints`: where a function can be stopped, and how Postgres says that it was.
//! * `plan`, `conductor`: a schedule, and how two sessions are driven through it.
//! * `outcome`: what a schedule leaves behind, in comparable words.
//! * `search`: which schedules are played, and what they must give.

mod breakpoints;
mod conductor;
#[cfg(test)]
pub(crate) mod mutants;
mod outcome;
mod plan;
mod search;
mod stages;

use self::breakpoints::Breakpoints;
#[cfg(test)]
pub(crate) use self::mutants::Mutant;
use self::search::{Findings, Limits};
pub(crate) use self::stages::{Operation, Pairs, Stage, Sweep, USERS, shop, user};
use crate::harness::stack::Stack;
use crate::prove::Search;
use crate::prove::report::Section;
use anyhow::{Result, bail};

/// Runs the section.
pub(crate) async fn run(search: &Search) -> Result<Section> {
    let mut section = Section::new("interleavings");
    let stepwise = search.stack.is_local();
    if !stepwise {
        section.left_out.push(
            "steps inside the functions: breakpoints change functions for a while, and this database \
             is not on this machine; calls and commits are interleaved"
                .to_owned(),
        );
    }
    let others = of_others(search.stack).await?;
    for sweep in &others {
        section.left_out.push(format!(
            "operations that take any of {}: the database has some that are not ours",
            sweep.name
        ));
    }
    let limits = Limits {
        seed: search.seed,
        budget: search.budget,
        stepwise,
        one_is_enough: false,
    };
    // `STAGE="stock of p"` plays the stages whose names begin so.
    let stage = std::env::var("STAGE").unwrap_or_default();
    let chosen = move |of: &Stage, operation: &Operation| {
        of.name.starts_with(&stage)
            && operation
                .sweeps
                .is_none_or(|sweep| !others.contains(&sweep))
    };
    let breakpoints = match stepwise {
        true => Some(Breakpoints::set(search.stack.connect().await).await?),
        false => None,
    };
    let places = breakpoints.as_ref().map(|set| (set.count, set.functions));
    let findings = guarded(search.stack, limits, chosen, breakpoints).await?;
    tell(&mut section, places, findings);
    Ok(section)
}

/// Searches, and clears up whatever happens: an error, a panic, Ctrl-C.
async fn guarded(
    stack: &'static Stack,
    limits: Limits,
    chosen: impl Fn(&Stage, &Operation) -> bool + Send + Sync + 'static,
    breakpoints: Option<Breakpoints>,
) -> Result<Findings> {
    let mut searching = tokio::spawn(async move { search::search(stack, &limits, chosen).await });
    let found = tokio::select! {
        found = &mut searching => Some(found),
        _ = tokio::signal::ctrl_c() => None,
    };
    searching.abort();
    if let Some(breakpoints) = breakpoints {
        breakpoints.remove().await?;
    }
    // Nothing may stay behind that others would find: a batch to claim, an order to expire.
    let clear: String = Sweep::all().map(|sweep| sweep.clear).collect();
    let cleared = stack.connect().await.batch_execute(&clear).await;
    let findings = match found {
        Some(found) => found??,
        None => bail!("interrupted"),
    };
    // What a broken product has left may not be cleared away; that it is broken has been found then.
    if findings.failures.is_empty() {
        cleared?;
    }
    Ok(findings)
}

/// The kinds of rows that operations would sweep up though they are somebody else's.
async fn of_others(stack: &'static Stack) -> Result<Vec<Sweep>> {
    let session = stack.connect().await;
    let mut found = Vec::new();
    for sweep in Sweep::all() {
        if session.query_one(sweep.others, &[]).await?.get(0) {
            found.push(sweep);
        }
    }
    Ok(found)
}

fn tell(section: &mut Section, places: Option<(u64, u64)>, findings: Findings) {
    section.count("operations", findings.operations);
    section.count("pairs of operations on overlapping rows", findings.pairs);
    section.count(
        "of them where one waits or the order matters",
        findings.touching,
    );
    if let Some((count, functions)) = places {
        section.count(format!("breakpoints in {functions} functions"), count);
    }
    section.count("schedules played", findings.schedules);
    section.count("of them with one session killed", findings.killed);
    section.count("of them with one session rolled back", findings.rolled_back);
    section.count("of them with a passing refusal (55P03)", findings.transient);
    section.count("waits of one session for the other", findings.waits);
    if let Some(level) = findings.complete {
        let all = if findings.exhausted {
            ", which is all there are"
        } else {
            ""
        };
        section.count(
            format!("preemptions: every schedule with at most so many was played{all}"),
            level,
        );
    }
    if let Some((left, level)) = findings.left {
        section.count(
            format!("schedules with {level} preemptions left when the time was over"),
            left,
        );
    }
    section.failures = findings.failures;
}
