//! Races for batches. A scenario states the invariant and the number of winners, and returns what is
//! wrong instead of panicking, so that `mutants.rs` can demand that it finds something.

use crate::areas::delivery::calls::{call_together, claim_together};
use crate::harness::calls::{Adapter, Answer, callers};
use crate::harness::races::{Race, Verdict, against_open_transaction, require, tally};
use crate::harness::stack::Bench;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use std::collections::BTreeSet;
use std::sync::Arc;
use uuid::Uuid;

/// The races, each with its numbers.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Scenario {
    OneBatch { drivers: usize, rounds: usize },
    NextBatch { drivers: usize, batches: usize },
    ExpiredLease { drivers: usize },
    OneDriver { calls: usize },
    SameClaim { calls: usize },
    CrossedLeases { pairs: usize, rounds: usize },
    DeactivatedMeanwhile,
    NextWaitsForRollback,
    TakenBackMeanwhile,
}

impl Race for Scenario {
    fn play<'a>(&'a self, bench: &'a Bench, adapter: Adapter) -> BoxFuture<'a, Verdict> {
        self.run(bench, adapter).boxed()
    }
}

impl Scenario {
    /// Runs the race through an adapter.
    pub(crate) async fn run(self, bench: &Bench, adapter: Adapter) -> Verdict {
        match self {
            Scenario::OneBatch { drivers, rounds } => {
                one_batch(bench, adapter, drivers, rounds).await
            }
            Scenario::NextBatch { drivers, batches } => {
                next_batch(bench, adapter, drivers, batches).await
            }
            Scenario::ExpiredLease { drivers } => expired_lease(bench, adapter, drivers).await,
            Scenario::OneDriver { calls } => one_driver(bench, adapter, calls).await,
            Scenario::SameClaim { calls } => same_claim(bench, adapter, calls).await,
            Scenario::CrossedLeases { pairs, rounds } => {
                crossed_leases(bench, adapter, pairs, rounds).await
            }
            Scenario::DeactivatedMeanwhile => deactivated_meanwhile(bench, adapter).await,
            Scenario::NextWaitsForRollback => next_waits_for_rollback(bench, adapter).await,
            Scenario::TakenBackMeanwhile => taken_back_meanwhile(bench, adapter).await,
        }
    }
}

/// The index of the only winner, everybody else refused with that code.
fn only_winner(answers: &[Answer], loser: &str) -> Result<usize, String> {
    let winners: Vec<usize> = answers
        .iter()
        .enumerate()
        .filter(|(_, answer)| answer.is_success())
        .map(|(index, _)| index)
        .collect();
    let tally = tally(answers);
    require!(winners.len() == 1, "{} winners: {tally:?}", winners.len());
    let losers = tally.get(loser).copied().unwrap_or_default();
    require!(
        losers == answers.len() - 1,
        "not every loser got {loser}: {tally:?}"
    );
    for answer in answers.iter().filter(|answer| !answer.is_success()) {
        require!(answer.status == 409, "a loser got {}", answer.status);
    }
    Ok(winners[0])
}

/// How often a batch was claimed, by its history.
async fn claims_of(bench: &Bench, batch: Uuid) -> usize {
    bench
        .events(batch)
        .await
        .iter()
        .filter(|(event, _)| event == "claimed")
        .count()
}

/// Many drivers claim one batch: one wins, the row names the winner, history has one claim.
async fn one_batch(bench: &Bench, adapter: Adapter, drivers: usize, rounds: usize) -> Verdict {
    for round in 0..rounds {
        let ids = bench.drivers(drivers).await;
        let batch = bench.batches(1).await[0];
        let callers = callers(bench.stack, adapter, &ids).await;
        let answers = claim_together(&callers, Some(batch)).await;
        let winner = only_winner(&answers, "BATCH_UNAVAILABLE")
            .map_err(|error| format!("round {round}: {error}"))?;
        for answer in answers.iter().filter(|answer| !answer.is_success()) {
            let text = answer.body.to_string() + &answer.details.to_string();
            require!(
                !text.contains(&ids[winner].to_string()),
                "a loser learned who won"
            );
            require!(
                answer.details["status"] == "claimed",
                "a loser was not told the state: {}",
                answer.details
            );
        }
        let (holder, status, version) = bench.batch(batch).await;
        require!(
            holder == Some(ids[winner]),
            "the row names another driver than the winner"
        );
        require!(
            status == "claimed" && version == 2,
            "the row is {status}, version {version}"
        );
        let claims = claims_of(bench, batch).await;
        require!(claims == 1, "{claims} claims in the history");
    }
    Ok(())
}

/// More drivers than batches ask for the next one: every batch goes once, the rest are told none.
async fn next_batch(bench: &Bench, adapter: Adapter, drivers: usize, batches: usize) -> Verdict {
    bench.needs_no_other_batches().await;
    let ids = bench.drivers(drivers).await;
    let offered: BTreeSet<Uuid> = bench.batches(batches).await.into_iter().collect();
    let callers = callers(bench.stack, adapter, &ids).await;
    let answers = claim_together(&callers, None).await;
    let tally = tally(&answers);
    let won: Vec<Uuid> = answers.iter().filter_map(Answer::batch_id).collect();
    let distinct: BTreeSet<Uuid> = won.iter().copied().collect();
    require!(
        won.len() == distinct.len(),
        "a batch went to two drivers: {tally:?}"
    );
    require!(
        distinct == offered,
        "{} of {batches} batches went: {tally:?}",
        distinct.len()
    );
    let none = tally.get("NO_BATCH_AVAILABLE").copied().unwrap_or_default();
    require!(
        none == drivers - batches,
        "the rest were not told none: {tally:?}"
    );
    for (answer, driver) in answers.iter().zip(&ids) {
        let Some(batch) = answer.batch_id() else {
            continue;
        };
        let (holder, _, _) = bench.batch(batch).await;
        require!(
            holder == Some(*driver),
            "the row names another driver than its winner"
        );
        let claims = claims_of(bench, batch).await;
        require!(claims == 1, "{claims} claims in the history");
    }
    Ok(())
}

/// A lease that is over is won by exactly one of many, and its former holder's claim ends.
async fn expired_lease(bench: &Bench, adapter: Adapter, drivers: usize) -> Verdict {
    let former = bench.drivers(1).await;
    let ids = bench.drivers(drivers).await;
    let batch = bench.batches(1).await[0];
    let first = claim_together(&callers(bench.stack, adapter, &former).await, Some(batch)).await;
    require!(
        first[0].is_success(),
        "the first claim failed: {:?}",
        first[0]
    );
    bench.expire_lease(batch).await;
    let answers = claim_together(&callers(bench.stack, adapter, &ids).await, Some(batch)).await;
    let winner = only_winner(&answers, "BATCH_UNAVAILABLE")?;
    let (holder, _, _) = bench.batch(batch).await;
    require!(
        holder == Some(ids[winner]),
        "the row names another driver than the winner"
    );
    let events = bench.events(batch).await;
    let expired: Vec<_> = events
        .iter()
        .filter(|(event, _)| event == "expired")
        .collect();
    require!(
        expired.len() == 1 && expired[0].1 == Some(former[0]),
        "history: {events:?}"
    );
    let claims = claims_of(bench, batch).await;
    require!(claims == 2, "{claims} claims in the history");
    Ok(())
}

/// One driver claims many batches at once: one call wins, the others say which batch that was.
async fn one_driver(bench: &Bench, adapter: Adapter, calls: usize) -> Verdict {
    let driver = bench.drivers(1).await[0];
    let batches = bench.batches(calls).await;
    let callers = callers(bench.stack, adapter, &vec![driver; calls]).await;
    let answers = call_together(
        callers
            .into_iter()
            .zip(batches.iter().copied().map(Some))
            .collect(),
    )
    .await;
    let winner = only_winner(&answers, "DRIVER_BUSY")?;
    let won = batches[winner].to_string();
    for answer in answers.iter().filter(|answer| !answer.is_success()) {
        require!(
            answer.details["batch_id"] == won,
            "the driver was not told the batch: {}",
            answer.details
        );
    }
    Ok(())
}

/// One driver asks many times at once for the same batch: the same answer each time, one claim.
async fn same_claim(bench: &Bench, adapter: Adapter, calls: usize) -> Verdict {
    let driver = bench.drivers(1).await[0];
    let batch = bench.batches(1).await[0];
    let callers = callers(bench.stack, adapter, &vec![driver; calls]).await;
    let answers = claim_together(&callers, Some(batch)).await;
    require!(
        answers.iter().all(Answer::is_success),
        "{:?}",
        tally(&answers)
    );
    require!(
        answers.iter().all(|answer| answer.body == answers[0].body),
        "the answers differ"
    );
    let claims = claims_of(bench, batch).await;
    require!(claims == 1, "{claims} claims in the history");
    Ok(())
}

/// Pairs of drivers, each with a lease that is over, claim each other's batch at once: the two locks
/// cross. Whatever the outcome, nobody deadlocks, and no driver or batch is held twice.
async fn crossed_leases(bench: &Bench, adapter: Adapter, pairs: usize, rounds: usize) -> Verdict {
    for round in 0..rounds {
        let ids = bench.drivers(pairs * 2).await;
        let batches = bench.batches(pairs * 2).await;
        let callers = callers(bench.stack, adapter, &ids).await;
        let own = callers
            .iter()
            .map(Arc::clone)
            .zip(batches.iter().copied().map(Some))
            .collect();
        let first = call_together(own).await;
        require!(
            first.iter().all(Answer::is_success),
            "the first claims failed: {:?}",
            tally(&first)
        );
        for batch in &batches {
            bench.expire_lease(*batch).await;
        }
        let crossed = callers.into_iter().enumerate();
        let crossed = crossed
            .map(|(index, caller)| (caller, Some(batches[index ^ 1])))
            .collect();
        for answer in call_together(crossed).await {
            // Only the function repeats a call that found the second row locked (55P03). A deadlock
            // would say "deadlock detected" here.
            let row_locked = match adapter {
                // If that was late, because the machine is busy, it has no time left to repeat it.
                Adapter::Function => answer.code == "UPSTREAM_UNAVAILABLE",
                _ => answer.code.contains("could not obtain lock"),
            };
            require!(
                answer.is_success() || answer.code == "BATCH_UNAVAILABLE" || row_locked,
                "round {round}: {}: {}",
                answer.status,
                answer.code
            );
        }
    }
    Ok(())
}

/// A driver is made inactive while they claim: whoever is first counts, and here that is the shop.
async fn deactivated_meanwhile(bench: &Bench, adapter: Adapter) -> Verdict {
    let driver = bench.drivers(1).await[0];
    let batch = bench.batches(1).await[0];
    let caller = callers(bench.stack, adapter, &[driver]).await.remove(0);
    let work = format!("update interlock.drivers set active = false where user_id = '{driver}'");
    let answer = against_open_transaction(bench, &work, "commit", async move {
        caller.claim(Some(batch)).await
    })
    .await;
    require!(
        answer.code == "NOT_A_DRIVER",
        "an inactive driver got {}",
        answer.code
    );
    let (holder, status, _) = bench.batch(batch).await;
    require!(
        holder.is_none() && status == "available",
        "the batch is {status}"
    );
    Ok(())
}

/// The only batch is locked by a claim that fails in the end: nobody may be told that there is none.
async fn next_waits_for_rollback(bench: &Bench, adapter: Adapter) -> Verdict {
    bench.needs_no_other_batches().await;
    let driver = bench.drivers(1).await[0];
    let batch = bench.batches(1).await[0];
    for (end, expected) in [("rollback", "OK"), ("commit", "NO_BATCH_AVAILABLE")] {
        let other = bench.drivers(1).await[0];
        let caller = callers(bench.stack, adapter, &[driver]).await.remove(0);
        let work = format!(
            "update interlock.batches set status = 'claimed', driver_id = '{other}' where id = '{batch}'"
        );
        let answer =
            against_open_transaction(bench, &work, end, async move { caller.claim(None).await })
                .await;
        require!(answer.code == expected, "after {end}: {}", answer.code);
        if answer.is_success() {
            require!(
                answer.batch_id() == Some(batch),
                "another batch: {}",
                answer.body
            );
            let release = callers(bench.stack, adapter, &[driver]).await.remove(0);
            let released = release.call(Some(batch), Some("release")).await;
            require!(released.is_success(), "release: {}", released.code);
        }
    }
    Ok(())
}

/// The shop takes a batch back while its driver completes it: the driver no longer holds it.
async fn taken_back_meanwhile(bench: &Bench, adapter: Adapter) -> Verdict {
    let driver = bench.drivers(1).await[0];
    let batch = bench.batches(1).await[0];
    let caller = callers(bench.stack, adapter, &[driver]).await.remove(0);
    let claimed = caller.claim(Some(batch)).await;
    require!(claimed.is_success(), "{}", claimed.code);
    let work = format!("update interlock.batches set status = 'available' where id = '{batch}'");
    let complete = async move { caller.call(Some(batch), Some("complete")).await };
    let answer = against_open_transaction(bench, &work, "commit", complete).await;
    require!(answer.code == "BATCH_NOT_HELD", "{}", answer.code);
    let (_, status, _) = bench.batch(batch).await;
    require!(status == "available", "the batch is {status}");
    Ok(())
}

crate::harness::races::over_every_adapter! {
    one_of_64_drivers_wins_a_batch: Scenario::OneBatch { drivers: 64, rounds: 20 };
    forty_batches_go_to_forty_of_64_drivers: Scenario::NextBatch { drivers: 64, batches: 40 };
    one_of_16_drivers_wins_a_lease_that_is_over: Scenario::ExpiredLease { drivers: 16 };
    a_driver_who_claims_16_batches_at_once_gets_one: Scenario::OneDriver { calls: 16 };
    a_claim_sent_16_times_at_once_is_one_claim: Scenario::SameClaim { calls: 16 };
    crossed_leases_neither_deadlock_nor_double: Scenario::CrossedLeases { pairs: 16, rounds: 3 };
    a_driver_made_inactive_meanwhile_claims_nothing: Scenario::DeactivatedMeanwhile;
    next_is_not_refused_for_a_claim_that_fails: Scenario::NextWaitsForRollback;
    a_batch_taken_back_meanwhile_is_not_completed: Scenario::TakenBackMeanwhile;
}
