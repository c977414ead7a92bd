//! The database's clock, held still while calls are under way and moved between them.
//!
//! `interlock.clock()` is the one source of time, so holding it makes leases, holds and payment windows
//! exact: a lease ends when the clock was moved past it and not a moment earlier. The original is kept
//! beside it under another name until it is back; a run that was killed is mended by the next one.

use crate::prove::model::Moment;
use anyhow::{Context, Result};
use tokio_postgres::Client;

/// Replaces one name of the function by the other in its definition.
const COPY: &str = "
do $do$
begin
  execute replace(pg_get_functiondef('interlock.FROM()'::regprocedure), 'interlock.FROM(', 'interlock.TO(');
end
$do$;
";

/// Holds the clock until [`HeldClock::release`].
pub(crate) struct HeldClock(());

impl HeldClock {
    /// Keeps the original and holds the clock at the model's first moment. It is read from a table, so
    /// that a move is not a change of the schema, which the API would have to read anew.
    pub(crate) async fn hold(db: &Client) -> Result<Self> {
        mend(db).await?;
        let keep = COPY
            .replace("FROM", "clock")
            .replace("TO", "clock_before_proof");
        db.batch_execute(&format!(
            "begin; {keep}
             revoke all on function interlock.clock_before_proof() from public, anon, authenticated, service_role;
             -- In a schema of its own: what lies in ours has the shop key where there are many shops.
             create schema proof_clock;
             create table proof_clock.clock (at timestamptz not null);
             revoke all on table proof_clock.clock from public, anon, authenticated, service_role;
             -- And functions have their owner's rights there.
             do $do$ begin
               if interlock.serves_shops() then
                 grant usage on schema proof_clock to interlock_owner;
                 grant select on proof_clock.clock to interlock_owner;
               end if;
             end $do$;
             insert into proof_clock.clock values ('2001-01-01 00:00:00+00');
             create or replace function interlock.clock() returns timestamptz language sql stable
             set search_path = '' as $$ select at from proof_clock.clock $$;
             commit"
        ))
        .await
        .context("the clock cannot be held")?;
        Ok(HeldClock(()))
    }

    /// Moves it. Nothing may be under way.
    pub(crate) async fn set(&self, db: &Client, to: Moment) -> Result<()> {
        db.batch_execute(&format!(
            "update proof_clock.clock
             set at = timestamptz '2001-01-01 00:00:00+00' + interval '{to} seconds'"
        ))
        .await
        .context("the clock cannot be moved")
    }

    /// Lets it go on.
    pub(crate) async fn release(self, db: &Client) -> Result<()> {
        mend(db).await
    }
}

/// Puts the original back, if it was kept.
async fn mend(db: &Client) -> Result<()> {
    let kept: bool = db
        .query_one(
            "select to_regprocedure('interlock.clock_before_proof()') is not null",
            &[],
        )
        .await?
        .get(0);
    if kept {
        let back = COPY
            .replace("FROM", "clock_before_proof")
            .replace("TO", "clock");
        db.batch_execute(&format!(
            "begin; {back} drop function interlock.clock_before_proof();
             drop schema proof_clock cascade; commit"
        ))
        .await
        .context("the clock cannot be put back")?;
    }
    Ok(())
}
