//! One Postgres and many connections: a pooler in transaction mode before the database; a replica beside it, which takes over. A long history.
//! Two, and shops that move from one to the other.
//!
//! The stacks are our own, started for it; `INTERLOCK_STACK` names their program, and `cargo xtask prove` sets it.

mod gate;
mod history;
mod reader;
mod replicas;
mod session;
mod storm;

use crate::prove::Search;
use crate::prove::own_stack::{self, OwnStack, connect};
use crate::prove::report::{Section, progress};
use crate::prove::shops;
use anyhow::Result;
use std::path::Path;
use storm::Wishes;

/// What is wanted at once through PgBouncer.
const CROWD: Wishes = Wishes {
    clients: 500,
    checkouts: 1,
    is_scarce: true,
    claims: true,
};
/// Connections of the API to PgBouncer, which has [`SESSIONS`] to the database.
const POOL: usize = 100;
/// What `default_pool_size` is (crates/stack/src/pgbouncer.rs).
const SESSIONS: i64 = 20;
/// How many failures are told: one defect breaks many promises.
const TOLD: usize = 8;

/// Runs the section.
pub(crate) async fn run(search: &Search) -> Result<Section> {
    let mut section = Section::new("scale");
    let Some(program) = own_stack::program() else {
        let why = "everything: only on a stack that `npm run prove` starts";
        section.left_out.push(why.to_owned());
        return Ok(section);
    };
    replicas::prove(&program, &mut section).await?;
    through_pgbouncer(&program, &mut section).await?;
    history::prove(&program, &mut section).await?;
    shops::on_two_servers(&program, search, &mut section).await?;
    let more = section.failures.len().saturating_sub(TOLD);
    section.failures.truncate(TOLD);
    if more > 0 {
        section.failures.push(format!("{more} failures more"));
    }
    Ok(section)
}

/// A storm through PgBouncer, and what would not survive one.
async fn through_pgbouncer(program: &Path, section: &mut Section) -> Result<()> {
    let options = [
        "--with=pgbouncer".to_owned(),
        format!("--api-pool={POOL}"),
        "--api-port=0".to_owned(),
        "--db-port=0".to_owned(),
    ];
    let stack = OwnStack::start(program, "scale-stack", &options.map(Into::into), &[]).await?;
    progress("scale", "a stack behind PgBouncer");
    let outcome = async {
        let db = connect(stack.variable("DB_URL")?).await?;
        section.failures.extend(session::kept(&db).await?);
        let blind = session::overlooked(&mut connect(stack.variable("DB_URL")?).await?).await?;
        section.failures.extend(blind);
        section.count(
            "kinds of session state looked for",
            session::KINDS.len() as u64,
        );
        let shop = storm::Shop::open(&stack, CROWD).await?;
        let seen = storm::Seen::default();
        shop.rage(&seen).await?;
        progress("scale", "the storm is over");
        section.failures.extend(seen.failures());
        section
            .failures
            .extend(shop.check(&db, &seen.settled()).await?);
        section.failures.extend(pooled(&stack).await?);
        let some: Vec<_> = seen.settled().into_iter().step_by(10).collect();
        section.failures.extend(shop.ask_again(&some).await?);
        seen.count(section);
        anyhow::Ok(())
    };
    let outcome = outcome.await;
    stack.close().await?;
    outcome
}

/// Fails if the API has gone past the pooler: it then has as many sessions as clients.
async fn pooled(stack: &OwnStack) -> Result<Option<String>> {
    let admin = connect(stack.variable("INTERLOCK_ADMIN_DB_URL")?).await?;
    let query = "select count(*) from pg_stat_activity where usename = 'authenticator'";
    let sessions: i64 = admin.query_one(query, &[]).await?.get(0);
    Ok((!(1..=SESSIONS).contains(&sessions))
        .then(|| format!("the API has {sessions} sessions of the database, not {SESSIONS}")))
}
