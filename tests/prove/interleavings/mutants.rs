//! The search finds what it is for: with a lock or a guard taken away, it must name a schedule.
//!
//! A mutant changes the database under test for a moment, so this runs on loopback only.

use super::breakpoints::Breakpoints;
use super::guarded;
use super::search::Limits;
use crate::areas::AREAS;
use crate::harness::stack::Bench;
use anyhow::{Context as _, Result, ensure};
use std::time::Duration;
use tokio_postgres::Client;

/// One way to break the product.
pub(crate) struct Mutant {
    /// What is taken away.
    pub(crate) name: &'static str,
    /// Functions of schema `interlock`, what must stand in each once, and what then stands there.
    pub(crate) changes: &'static [(&'static str, &'static str, &'static str)],
    /// How the name of the stage begins that must show it.
    pub(crate) stage: &'static str,
}

fn mutants() -> impl Iterator<Item = &'static Mutant> {
    AREAS.iter().flat_map(|area| area.mutants.interleaved)
}

/// A function as it is, and with the change.
async fn changed(db: &Client, change: &(&str, &str, &str)) -> Result<(String, String)> {
    let (function, from, to) = change;
    let original: String = db
        .query_one(
            "select pg_get_functiondef(p.oid) from pg_proc p
             where p.pronamespace = 'interlock'::regnamespace and p.proname = $1",
            &[function],
        )
        .await?
        .get(0);
    ensure!(
        original.matches(from).count() == 1,
        "`{from}` does not stand once in interlock.{function}"
    );
    let broken = original.replace(from, to);
    Ok((original, broken))
}

/// Breaks the product, searches, and mends it.
async fn failures(bench: &Bench, mutant: &Mutant) -> Result<Vec<String>> {
    let mut originals = Vec::new();
    for change in mutant.changes {
        let (original, broken) = changed(&bench.db, change).await?;
        bench
            .db
            .batch_execute(&broken)
            .await
            .context("the mutant does not compile")?;
        // The last change is undone first: two of them may be to one function.
        originals.insert(0, original);
    }
    let limits = Limits {
        seed: 1,
        budget: Duration::from_secs(120),
        stepwise: true,
        one_is_enough: true,
    };
    let stage = mutant.stage;
    let found = match Breakpoints::set(bench.stack.connect().await).await {
        Ok(breakpoints) => {
            let chosen = move |of: &super::Stage, _: &super::Operation| of.name.starts_with(stage);
            guarded(bench.stack, limits, chosen, Some(breakpoints)).await
        }
        Err(error) => Err(error),
    };
    bench.db.batch_execute(&originals.join(";\n")).await?;
    bench.mend_slots().await;
    Ok(found?.failures)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_mutant_is_found_by_a_schedule() {
    let bench = Bench::take().await;
    assert!(
        bench.stack.is_local(),
        "mutants break the database for a moment: use a local stack"
    );
    // Mends what a run that was killed has left behind.
    let mended = Breakpoints::set(bench.stack.connect().await).await;
    mended
        .expect("breakpoints can be set")
        .remove()
        .await
        .expect("and removed");
    let mut survivors = Vec::new();
    let mut tried = 0;
    // As for the mutants of SQL.
    let only = std::env::var("MUTANT").unwrap_or_default();
    for mutant in mutants().filter(|of| only.split(',').any(|text| of.name.contains(text))) {
        tried += 1;
        match failures(&bench, mutant).await {
            Ok(failures) if failures.is_empty() => {
                println!("SURVIVED  {}", mutant.name);
                survivors.push(mutant.name);
            }
            Ok(failures) => println!("killed    {}\n{}", mutant.name, failures.join("\n")),
            Err(error) => panic!("{}: {error:#}", mutant.name),
        }
    }
    println!("mutants: {} killed of {}", tried - survivors.len(), tried);
    assert!(survivors.is_empty(), "survivors: {survivors:?}");
}
