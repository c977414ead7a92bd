//! Everything that protects the data is taken away, one thing at a time, and a test must notice: locks,
//! guards, refusals, keys, orders of locking, constraints, triggers, policies, rights, limits. A mutant
//! that survives means that nothing proves why that line is there.
//!
//! What can be taken away is read from the database's own catalogue (`sites`, `operators`), so nothing
//! is forgotten. Most mutants meet the pgTAP files, in a transaction that is rolled back. What shows
//! only between sessions names the scene that shows it, what needs a crowd or two changes its race, and what
//! cannot be noticed its reason: each area has these lists in its `mutants`.
//!
//! Some mutants break the database under test for a moment, so this runs on loopback only.

mod database_tests;
mod operators;
mod sites;

use crate::areas::AREAS;
use crate::harness::calls::Adapter;
use crate::harness::races::{Race, Verdict};
use crate::harness::stack::Bench;
use crate::meanwhile::{Scene, scene};
use database_tests::{DatabaseTests, Found};
use sites::Mutant;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Mutants that take more than one thing away, or that only a crowd notices.
pub(crate) struct Combined {
    /// What is taken away.
    pub(crate) name: &'static str,
    /// Changes of functions: name, text that must stand in its source once, replacement.
    pub(crate) patches: &'static [(&'static str, &'static str, &'static str)],
    /// Other changes, and how to undo them.
    pub(crate) sql: Option<(&'static str, &'static str)>,
    /// The race that must notice.
    pub(crate) race: &'static dyn Race,
}

/// What became of mutants of one kind.
#[derive(Default)]
struct Tally {
    killed: usize,
    explained: usize,
    survived: usize,
}

/// What shows only where two sessions meet, and the scene that must notice it.
fn noticed_by() -> impl Iterator<Item = &'static (&'static str, &'static str)> {
    AREAS.iter().flat_map(|area| area.mutants.noticed_by)
}

/// What no test can notice, and why.
fn explained() -> impl Iterator<Item = &'static (&'static str, &'static str)> {
    AREAS.iter().flat_map(|area| area.mutants.explained)
}

fn combined() -> impl Iterator<Item = &'static Combined> {
    AREAS.iter().flat_map(|area| area.mutants.combined)
}

/// The definition of a function of schema `interlock`.
async fn definition(bench: &Bench, function: &str) -> String {
    bench
        .db
        .query_one(
            "select pg_get_functiondef(p.oid) from pg_proc p
             where p.pronamespace = 'interlock'::regnamespace and p.proname = $1",
            &[&function],
        )
        .await
        .unwrap_or_else(|error| panic!("there is no function interlock.{function}: {error}"))
        .get(0)
}

async fn execute(bench: &Bench, sql: &str) {
    bench
        .db
        .batch_execute(sql)
        .await
        .unwrap_or_else(|error| panic!("{error:?}: {sql}"));
}

/// What broken functions leave in the books of promo codes is put right: database tests look at them.
const MEND: &str = "
update interlock.promo_codes p set used_count = d.uses, max_uses = null
from interlock.promo_differences d where d.promo_id = p.id and d.user_id is null;
insert into interlock.promo_user_uses (promo_id, user_id, used)
select d.promo_id, d.user_id, d.uses from interlock.promo_differences d where d.user_id is not null
on conflict (promo_id, user_id) do update set used = excluded.used";

/// Runs a combined mutant's race on the broken product and mends it again, whatever happens.
async fn race(bench: &Arc<Bench>, mutant: &'static Combined) -> Verdict {
    let mut originals = Vec::new();
    for (function, from, to) in mutant.patches {
        let original = definition(bench, function).await;
        let hits = original.matches(from).count();
        assert_eq!(
            hits, 1,
            "{}: `{from}` stands {hits} times in interlock.{function}",
            mutant.name
        );
        execute(bench, &original.replace(from, to)).await;
        originals.push(original);
    }
    if let Some((change, _)) = mutant.sql {
        execute(bench, change).await;
    }
    let broken = Arc::clone(bench);
    let verdict = tokio::spawn(async move { mutant.race.play(&broken, Adapter::Sql).await }).await;
    if let Some((_, undo)) = mutant.sql {
        execute(bench, undo).await;
    }
    for original in originals.iter().rev() {
        execute(bench, original).await;
    }
    execute(bench, MEND).await;
    verdict.unwrap_or_else(|panic| Err(panic.to_string()))
}

/// Plays a scene with a broken function and mends it again, whatever happens.
async fn play(bench: &Arc<Bench>, mutant: &Mutant, scene: Scene) -> Verdict {
    execute(bench, &mutant.sql).await;
    let broken = Arc::clone(bench);
    let verdict = tokio::spawn(async move { scene.run(&broken).await }).await;
    execute(bench, &mutant.undo).await;
    execute(bench, MEND).await;
    bench.clear().await;
    verdict.unwrap_or_else(|panic| Err(panic.to_string()))
}

/// The scene that must notice a mutant, if it shows only between sessions.
fn scene_for(mutant: &Mutant) -> Option<Scene> {
    let (_, by) = noticed_by().find(|(name, _)| *name == mutant.name)?;
    Some(scene(by))
}

/// Which of ten parts a mutant belongs to; by its name, so that others that come or go do not move it.
fn tenth_of(name: &str) -> u32 {
    let hash = name.bytes().fold(0_u32, |hash, byte| {
        hash.wrapping_mul(31).wrapping_add(byte.into())
    });
    hash % 10
}

/// What notices a mutant, if anything does.
async fn find_killer(bench: &Arc<Bench>, tests: &mut DatabaseTests, mutant: &Mutant) -> Found {
    match scene_for(mutant) {
        Some(scene) => {
            // What fails anyway notices nothing.
            scene.run(bench).await.expect("it passes without a mutant");
            bench.clear().await;
            match play(bench, mutant, scene).await {
                Ok(()) => Found::Nothing,
                Err(reason) => Found::Failure(reason),
            }
        }
        None => tests.find_failure(bench.stack, mutant).await,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_mutant_is_killed() {
    let bench = Arc::new(Bench::take().await);
    assert!(
        bench.stack.is_local(),
        "mutants break the database for a moment: use a local stack"
    );
    let mut tests = DatabaseTests::measure(bench.stack).await;
    let mutants = sites::all(&bench).await;
    let gone: Vec<&str> = noticed_by()
        .chain(explained())
        .map(|(name, _)| *name)
        .filter(|name| mutants.iter().all(|mutant| mutant.name != *name))
        .collect();
    assert!(gone.is_empty(), "there are no such mutants: {gone:#?}");
    // `MUTANT=take_stock` tries those whose name has it, `MUTANT=trigger` those of a kind; several with commas.
    let only = std::env::var("MUTANT").unwrap_or_default();
    let is_wanted = |name: &str, kind: &str| {
        only.split(',')
            .any(|text| name.contains(text) || kind == text)
    };
    // `MUTANTS_TENTH=7` tries one in ten of them, always the same; combined ones are always tried.
    let tenth = std::env::var("MUTANTS_TENTH").ok();
    let tenth = tenth.map(|tenth| tenth.parse::<u32>().expect("a number from 0 to 9"));
    let mut tallies: BTreeMap<&str, Tally> = BTreeMap::new();
    let mut survivors = Vec::new();
    let chosen = mutants
        .iter()
        .filter(|mutant| is_wanted(&mutant.name, mutant.kind))
        .filter(|mutant| tenth.is_none_or(|tenth| tenth_of(&mutant.name) == tenth))
        .filter(|mutant| combined().all(|combined| combined.name != mutant.name));
    // Scenes with a broken product may leave differences in the books.
    let (in_scenes, in_database_tests): (Vec<&Mutant>, Vec<&Mutant>) =
        chosen.partition(|mutant| scene_for(mutant).is_some());
    for mutant in in_database_tests.into_iter().chain(in_scenes) {
        let tally = tallies.entry(mutant.kind).or_default();
        if explained().any(|(name, _)| *name == mutant.name) {
            tally.explained += 1;
            continue;
        }
        match find_killer(&bench, &mut tests, mutant).await {
            Found::Failure(reason) => {
                tally.killed += 1;
                println!("killed    {} ({reason})", mutant.name);
            }
            Found::Nothing => {
                tally.survived += 1;
                println!("SURVIVED  {}", mutant.name);
                survivors.push(mutant.name.clone());
            }
            Found::NotSql(reason) => println!("no SQL    {} ({reason})", mutant.name),
        }
    }
    for mutant in combined().filter(|mutant| is_wanted(mutant.name, "combined")) {
        let tally = tallies.entry("combined").or_default();
        match race(&bench, mutant).await {
            Ok(()) => {
                tally.survived += 1;
                println!("SURVIVED  {}", mutant.name);
                survivors.push(mutant.name.to_owned());
            }
            Err(reason) => {
                tally.killed += 1;
                println!("killed    {} ({reason})", mutant.name);
            }
        }
        bench.clear().await;
        bench.mend_slots().await;
    }
    let mut total = Tally::default();
    for (kind, tally) in &tallies {
        println!(
            "  {kind}: killed {} of {}, explained {}",
            tally.killed,
            tally.killed + tally.survived,
            tally.explained
        );
        total.killed += tally.killed;
        total.survived += tally.survived;
        total.explained += tally.explained;
    }
    println!(
        "SQL mutants: killed {} of {}; {} more are explained",
        total.killed,
        total.killed + total.survived,
        total.explained
    );
    assert!(survivors.is_empty(), "survivors:\n{}", survivors.join("\n"));
}
