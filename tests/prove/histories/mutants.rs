//! The histories find a product that is broken: with a lock or a guard taken away, a few rounds of them
//! must fail.
//!
//! A mutant changes the database under test for a while, so this runs on a database of this machine only.

use super::rounds::Player;
use crate::areas::AREAS;
use crate::harness::stack::Stack;
use tokio_postgres::Client;

/// What is taken away: a function of schema `interlock`, a text that stands in it once, and what stands
/// there instead.
pub(crate) type Mutant = (&'static str, &'static str, &'static str);

/// So many rounds are enough to find any of them.
const ROUNDS: u64 = 30;

async fn definition(db: &Client, function: &str) -> String {
    db.query_one(
        "select pg_get_functiondef(p.oid) from pg_proc p
         where p.pronamespace = 'interlock'::regnamespace and p.proname = $1",
        &[&function],
    )
    .await
    .expect("there is one function of that name")
    .get(0)
}

/// The first thing that does not hold, if the search finds one.
async fn first_failure(stack: &'static Stack, rounds: u64) -> Option<String> {
    let mut player = Player::new(stack, 1).await.expect("the stack is there");
    let mut found = None;
    for round in 0..rounds {
        match player.round(round).await {
            Ok(failures) => found = failures.into_iter().next(),
            Err(error) => found = Some(format!("{error:#}")),
        }
        if found.is_some() {
            break;
        }
    }
    player.leave().await.expect("the clock goes on");
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn histories_find_what_is_taken_away() {
    let stack = Stack::get();
    assert!(
        stack.is_local(),
        "mutants break the database for a moment: use a local stack"
    );
    let db = stack.connect().await;
    let unbroken = first_failure(stack, 2).await;
    assert_eq!(
        unbroken, None,
        "there is something to find in what is not broken"
    );
    // As for the mutants of SQL.
    let only = std::env::var("MUTANT").unwrap_or_default();
    let mut survivors = Vec::new();
    let mutants: Vec<&Mutant> = AREAS
        .iter()
        .flat_map(|area| area.mutants.in_histories)
        .filter(|(function, ..)| only.split(',').any(|text| function.contains(text)))
        .collect();
    for (function, from, to) in &mutants {
        let original = definition(&db, function).await;
        assert_eq!(original.matches(from).count(), 1, "{function} has changed");
        db.batch_execute(&original.replace(from, to))
            .await
            .expect("the mutant compiles");
        let failure = first_failure(stack, ROUNDS).await;
        db.batch_execute(&original)
            .await
            .expect("the original compiles");
        match failure {
            None => survivors.push(function),
            Some(failure) => {
                let line = failure.lines().next().unwrap_or_default();
                println!("killed    {function} without `{from}` ({line})");
            }
        }
    }
    println!(
        "histories: {} killed of {}",
        mutants.len() - survivors.len(),
        mutants.len()
    );
    assert!(survivors.is_empty(), "survivors: {survivors:?}");
}
