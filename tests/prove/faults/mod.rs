//! Crashes, cuts, delays and repeats while clients retry under their keys.
//!
//! Clients work like apps: each wants one thing after the other, sends it under a key, and sends it
//! again under that key until the answer is final. Meanwhile one fault strikes, at a number of
//! requests that the seed chooses; then the stack must answer again by itself, and everything that the
//! clients were told is compared with the database. Each kind strikes alone first; while there is time
//! left, two random kinds strike together.
//!
//! The stack is one of our own, started with `--restart` and with proxies between its parts, so that
//! the other sections and their data do not suffer; `INTERLOCK_STACK` names its program, and
//! `cargo xtask prove` sets it. Without it the stack of the environment is struck from outside, and
//! what that leaves out is told.
//!
//! At the end the product is broken on purpose, and the same campaign must notice: see [`mutants`].

mod arena;
mod blows;
mod cards;
mod checks;
mod clients;
mod clock;
mod mutants;
mod proxy;
mod site;
mod stock;

use crate::prove::Search;
use crate::prove::report::Section;
use anyhow::{Context, Result};
use arena::Arena;
use blows::FAULTS;
use mutants::MUTANTS;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use site::Site;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Searches longer than this hold locks as long as the slowest of backends would.
const LONG_SEARCH: Duration = Duration::from_secs(180);

/// Runs the section.
pub(crate) async fn run(search: &Search) -> Result<Section> {
    let end = Instant::now() + search.budget;
    let mut section = Section::new("faults");
    let Some(site) = Site::open(&search.stack.api_url).await? else {
        let why = "every fault: the stack speaks HTTPS, and the proxies plain HTTP only";
        section.left_out.push(why.to_owned());
        return Ok(section);
    };
    let site = Arc::new(site);
    let hold = match search.budget > LONG_SEARCH {
        true => Duration::from_secs(30),
        // Longer than the wait for a lock that our functions allow.
        false => Duration::from_millis(2500),
    };
    let mut rng = StdRng::seed_from_u64(search.seed);
    let outcome = async {
        // Few customers buy much here; their limits are not what is looked for.
        if site.own.is_some() {
            let db = site.connect().await?;
            db.batch_execute(
                "update interlock.settings
                 set max_open_orders_per_customer = null, max_open_units_per_customer = null",
            )
            .await?;
        }
        let mut arena = Arena::open(&site, &mut rng, hold).await?;
        stock::no_batches_of_others(&site).await?;
        campaign(&mut arena, &mut rng, end, &mut section).await?;
        arena.count(&mut section);
        if site.own.is_some() {
            find_mutants(&site, &mut rng, hold, &mut section).await?;
        }
        anyhow::Ok(())
    };
    let outcome = outcome.await;
    let withdrawn = stock::withdraw_batches(&site).await;
    site.close().await?;
    outcome?;
    withdrawn?;
    Ok(section)
}

/// Every kind of fault alone, the moved clock, and pairs of faults until the time is over.
async fn campaign(
    arena: &mut Arena,
    rng: &mut StdRng,
    end: Instant,
    section: &mut Section,
) -> Result<()> {
    let ours = arena.site.own.is_some();
    let (possible, left_out): (Vec<_>, Vec<_>) = FAULTS
        .iter()
        .partition(|fault| ours || !fault.needs_our_stack());
    let only_ours = |what: &str| format!("{what}: only on a stack that `npm run prove` started");
    section
        .left_out
        .extend(left_out.iter().map(|fault| only_ours(fault.name)));
    for fault in &possible {
        let failures = arena.round(&[fault], rng).await?;
        section.failures.extend(failures);
    }
    section.count("kinds of faults, each alone", possible.len() as u64);
    if ours {
        let found = clock::scenarios(&arena.site, &arena.ledger, &arena.goods).await?;
        section.count("scenarios with the clock moved", found.scenarios);
        section.failures.extend(found.failures);
    } else {
        section.left_out.push(only_ours("the moved clock"));
        section.left_out.push(only_ours("mutants"));
    }
    let mut pairs = 0;
    while Instant::now() < end {
        let pair = [0, 1].map(|_| possible[rng.random_range(0..possible.len())]);
        section.failures.extend(arena.round(&pair, rng).await?);
        pairs += 1;
    }
    section.count("pairs of faults together", pairs);
    Ok(())
}

/// The same on a product that is broken on purpose must fail.
async fn find_mutants(
    site: &Arc<Site>,
    rng: &mut StdRng,
    hold: Duration,
    section: &mut Section,
) -> Result<()> {
    let mut found = 0;
    for mutant in MUTANTS {
        let fault = FAULTS.iter().find(|fault| fault.name == mutant.fault);
        let fault = fault.with_context(|| format!("there is no fault {}", mutant.fault))?;
        let mut arena = Arena::open(site, rng, hold).await?;
        let db = site.connect_as_admin().await?;
        let mends = mutant.apply(&db).await?;
        let mut failures = 0;
        for _ in 0..mutants::CHANCES {
            failures = arena.round(&[fault], rng).await?.len() + arena.ledger.defects().len();
            if failures > 0 {
                break;
            }
        }
        // The fault may have ended the session.
        mutants::run(&site.connect_as_admin().await?, &mends).await?;
        match failures {
            0 => section
                .failures
                .push(format!("the mutant survives: {}", mutant.name)),
            _ => found += 1,
        }
    }
    section.count(format!("mutants found of {}", MUTANTS.len()), found);
    Ok(())
}
