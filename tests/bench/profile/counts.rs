//! What the server has counted: how often each statement and function ran, and how long.

use super::stacks::{Cost, Costs};
use anyhow::Result;
use std::collections::BTreeMap;
use tokio_postgres::Client;

const STATEMENTS: &str = "
    select s.queryid, s.toplevel, min(s.query), sum(s.calls)::bigint, sum(s.total_exec_time + s.total_plan_time)
    from watch.pg_stat_statements s
    join pg_database d on d.oid = s.dbid and d.datname = current_database()
    group by s.queryid, s.toplevel";
const FUNCTIONS: &str = "
    select s.funcid::regprocedure::text, s.calls, s.total_time
    from pg_stat_user_functions s";
/// Of all sessions together, but only one of them has something to do.
const ACTIVE: &str = "select active_time from pg_stat_database where datname = $1";

/// Who asks: one in the database that is measured, one in another, whose questions are not counted.
pub(super) struct Counters {
    pub(super) inside: Client,
    pub(super) outside: Client,
    pub(super) database: &'static str,
}

/// What has been counted since the server began, in calls and milliseconds.
#[derive(Default)]
struct Counted {
    /// By id, and whether a client has sent it.
    statements: BTreeMap<(i64, bool), (String, i64, f64)>,
    functions: BTreeMap<String, (i64, f64)>,
    active: f64,
}

/// The sums of several rounds.
#[derive(Default)]
pub(super) struct Sums {
    transactions: usize,
    counted: Counted,
}

/// A round that has begun.
pub(super) struct Round(Counted);

impl Counters {
    async fn counted(&self) -> Result<Counted> {
        let mut counted = Counted {
            active: self
                .outside
                .query_one(ACTIVE, &[&self.database])
                .await?
                .try_get(0)?,
            ..Counted::default()
        };
        for row in self.inside.query(STATEMENTS, &[]).await? {
            let query = (row.try_get(0)?, row.try_get(1)?);
            let numbers = (row.try_get(2)?, row.try_get(3)?, row.try_get(4)?);
            counted.statements.insert(query, numbers);
        }
        for row in self.inside.query(FUNCTIONS, &[]).await? {
            let numbers = (row.try_get(1)?, row.try_get(2)?);
            counted.functions.insert(row.try_get(0)?, numbers);
        }
        Ok(counted)
    }

    /// Before the calls.
    pub(super) async fn begin(&self) -> Result<Round> {
        let mut before = self.counted().await?;
        // What was asked just now is no part of it.
        self.inside
            .batch_execute("select pg_stat_force_next_flush()")
            .await?;
        before.active = self
            .outside
            .query_one(ACTIVE, &[&self.database])
            .await?
            .try_get(0)?;
        Ok(Round(before))
    }

    /// After so many of them.
    pub(super) async fn end(
        &self,
        Round(before): Round,
        transactions: usize,
        sums: &mut Sums,
    ) -> Result<()> {
        let now = self.counted().await?;
        sums.transactions += transactions;
        let sum = &mut sums.counted;
        sum.active += now.active - before.active;
        for (query, (text, calls, time)) in now.statements {
            let (_, calls_before, time_before) =
                before.statements.get(&query).cloned().unwrap_or_default();
            let entry = sum.statements.entry(query).or_insert((text, 0, 0.0));
            entry.1 += calls - calls_before;
            entry.2 += time - time_before;
        }
        for (name, (calls, time)) in now.functions {
            let (calls_before, time_before) =
                before.functions.get(&name).copied().unwrap_or_default();
            let entry = sum.functions.entry(name).or_default();
            entry.0 += calls - calls_before;
            entry.1 += time - time_before;
        }
        Ok(())
    }
}

impl Sums {
    /// For each transaction.
    pub(super) fn costs(&self) -> Costs {
        let transactions = self.transactions as f64;
        let cost = |calls: i64, ms: f64| Cost {
            calls: calls as f64 / transactions,
            us: ms * 1000.0 / transactions,
        };
        let mut costs = Costs {
            us: self.counted.active * 1000.0 / transactions,
            ..Costs::default()
        };
        for ((query, is_sent), (text, calls, ms)) in &self.counted.statements {
            let found = (text.clone(), cost(*calls, *ms));
            if *calls == 0 {
                continue;
            }
            if *is_sent {
                costs.sent.push(found);
            } else {
                costs.statements.insert(*query, found);
            }
        }
        for (name, (calls, ms)) in &self.counted.functions {
            if *calls > 0 {
                costs.functions.insert(name.clone(), cost(*calls, *ms));
            }
        }
        costs
    }
}
