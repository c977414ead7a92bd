//! The campaign must be able to find something: on a product that is broken on purpose it must fail.
//!
//! This runs last, and the database is thrown away afterwards.

use anyhow::{Context, Result};
use tokio_postgres::Client;

/// One way to break the product.
pub(crate) struct Mutant {
    /// What is taken away.
    pub(crate) name: &'static str,
    change: Change,
    /// The fault that shows it, by name.
    pub(crate) fault: &'static str,
}

enum Change {
    /// In the source of a function of schema `interlock`: text that stands there, and its replacement.
    Source(&'static str, &'static str, &'static str),
    /// Of the server's settings.
    Settings(&'static [&'static str]),
}

/// How often a mutant may be missed: the fault strikes at a moment that chance chooses.
pub(crate) const CHANCES: usize = 4;

/// Each must be found.
pub(crate) const MUTANTS: &[Mutant] = &[
    Mutant {
        name: "checkout_line: the key is claimed in nobody's name",
        change: Change::Source(
            "checkout_line",
            "v_user_id, 'checkout', p_idempotency_key, sha256",
            "gen_random_uuid(), 'checkout', p_idempotency_key, sha256",
        ),
        fault: "client to gateway: the answer is lost after the commit",
    },
    Mutant {
        name: "make_sale: the key is looked up and not claimed",
        change: Change::Source(
            "make_sale",
            "interlock.begin_sale(p_register_id, p_idempotency_key, p_client_time, p_request)",
            "interlock.find_sale_answer(p_register_id, p_idempotency_key, p_client_time, p_request)",
        ),
        fault: "client to gateway: the answer is lost after the commit",
    },
    Mutant {
        name: "pack_item: the key is looked up and not claimed",
        change: Change::Source(
            "pack_item",
            "interlock.begin_idempotent('pack_item', p_idempotency_key, jsonb_build_array(",
            "interlock.find_idempotent('pack_item', p_idempotency_key, jsonb_build_array(",
        ),
        fault: "client to gateway: the answer is lost after the commit",
    },
    Mutant {
        name: "begin_idempotent: a key is forgotten at once",
        change: Change::Source(
            "begin_idempotent",
            "interlock.clock() + case when p_shop then s.reference_lifetime else s.idempotency_key_lifetime end",
            "interlock.clock()",
        ),
        fault: "client to gateway: the answer is lost after the commit",
    },
    Mutant {
        name: "apply_money: money for an order that has ended is kept",
        change: Change::Source(
            "apply_money",
            "when 'refund_due' then v_amount",
            "when 'refund_due' then 0",
        ),
        fault: "payment provider: the answer is lost",
    },
    Mutant {
        name: "answers are given before the commit is on disk",
        change: Change::Settings(&[
            "synchronous_commit = off",
            "wal_writer_delay = '10s'",
            "wal_writer_flush_after = '1GB'",
        ]),
        fault: "Postgres is killed",
    },
];

impl Mutant {
    /// Breaks the product; what mends it again.
    pub(crate) async fn apply(&self, db: &Client) -> Result<Vec<String>> {
        let (breaks, mends): (Vec<String>, Vec<String>) = match self.change {
            Change::Source(function, from, to) => {
                let source = definition(db, function).await?;
                anyhow::ensure!(source.contains(from), "{}: `{from}` is gone", self.name);
                (vec![source.replace(from, to)], vec![source])
            }
            Change::Settings(settings) => {
                let set = settings.iter().map(|set| format!("alter system set {set}"));
                let reload = "select pg_reload_conf()".to_owned();
                let reset = ["alter system reset all".to_owned(), reload.clone()];
                (set.chain([reload]).collect(), reset.into())
            }
        };
        run(db, &breaks).await?;
        Ok(mends)
    }
}

/// One after the other: a change of settings cannot share a transaction.
pub(crate) async fn run(db: &Client, statements: &[String]) -> Result<()> {
    for statement in statements {
        db.batch_execute(statement).await?;
    }
    Ok(())
}

async fn definition(db: &Client, function: &str) -> Result<String> {
    let query = "select pg_get_functiondef(p.oid) from pg_proc p
                 where p.pronamespace = 'interlock'::regnamespace and p.proname = $1";
    let row = db.query_one(query, &[&function]).await;
    Ok(row
        .with_context(|| format!("there is no function interlock.{function}"))?
        .get(0))
}
