//! Random operations of many sessions, checked against the model.
//!
//! The search goes in rounds. A round opens a few worlds ([`world`]): one crowded shop or several, a
//! depot, and a packing table or two. Sixteen sessions, most over SQL and some over HTTP, make random calls on all of them
//! and write down what they saw. Then each world's history must fit some order of the [`crate::prove::model`]
//! ([`checker`]), what its rows say at the end included, and the [`crate::prove::invariants`] must hold.
//!
//! On a database of this machine the clock is held ([`clock`]) and moved three times a round, with nothing
//! under way: leases, holds, payment windows and keys end, exactly then.
//!
//! The seed decides what is chosen; how the sessions meet is up to the machine. So a failure prints not
//! only the seed but the history itself, made small ([`shrink`]).

mod checker;
mod clock;
#[cfg(test)]
pub(crate) mod mutants;
mod rounds;
mod route;
mod session;
mod shrink;
#[cfg(test)]
mod tests;
mod world;

#[cfg(test)]
pub(crate) use mutants::Mutant;

pub(crate) use route::{NOT_MOVED, Route};
pub(crate) use session::{Reader, Request};
pub(crate) use world::{AnyWorld, Kind, Played, World, array, new_users, pick, present};

use crate::harness::stack::Stack;
use crate::prove::Search;
use crate::prove::report::{Section, progress};
use anyhow::Result;
use rounds::Player;
use std::sync::Arc;
use std::time::Instant;

/// How often a person is told how far it has come.
const ROUNDS_BETWEEN_NEWS: u64 = 10;

/// Runs the section.
pub(crate) async fn run(search: &Search) -> Result<Section> {
    let mut section = Section::new("histories");
    let mut player = Player::new(search.stack, search.seed).await?;
    section.left_out.append(&mut player.left_out);
    let played = play(search, &mut player, &mut section).await;
    let figures = player.leave().await?;
    played?;
    figures.tell(&mut section);
    Ok(section)
}

/// So many rounds in a shop that is moved between two databases in each of their turns.
pub(crate) async fn moving(
    stack: &'static Stack,
    route: Arc<Route>,
    seed: u64,
    rounds: u64,
    section: &mut Section,
) -> Result<Vec<String>> {
    let mut player = Player::routed(stack, route, seed).await?;
    let mut failures = Vec::new();
    for round in 0..rounds {
        failures = player.round(round).await?;
        if !failures.is_empty() {
            break;
        }
    }
    player.leave().await?.tell(section);
    Ok(failures)
}

/// Plays rounds until the time is over or something does not hold.
async fn play(search: &Search, player: &mut Player, section: &mut Section) -> Result<()> {
    let begun = Instant::now();
    for round in 0.. {
        section.failures = player.round(round).await?;
        if !section.failures.is_empty() || begun.elapsed() >= search.budget {
            break;
        }
        if round % ROUNDS_BETWEEN_NEWS == ROUNDS_BETWEEN_NEWS - 1 {
            let operations = player.figures.operations;
            progress("histories", &format!("{operations} operations fit so far"));
        }
    }
    Ok(())
}
