//! The search finds what it is for: with a lock or a guard taken away, it must name a schedule.
//!
//! A mutant changes the database under test for a moment, so this runs on loopback only.

use super::breakpoints::Breakpoints;
use super::guarded;
use super::search::Limits;
use crate::harness::stack::Bench;
use anyhow::{Context as _, Result, ensure};
use std::time::Duration;
use tokio_postgres::Client;

/// One way to break the product.
struct Mutant {
    /// What is taken away.
    name: &'static str,
    /// Functions of schema `interlock`, what must stand in each once, and what then stands there.
    changes: &'static [(&'static str, &'static str, &'static str)],
    /// How the name of the stage begins that must show it.
    stage: &'static str,
}

const MUTANTS: &[Mutant] = &[
    Mutant {
        name: "act_on_held_batch: holding is not checked again under the lock",
        changes: &[("act_on_held_batch", "and b.driver_id = p_driver_id
      and b.status in ('claimed', 'in_progress')
      and b.lease_expires_at > interlock.clock()", "")],
        stage: "a batch that u holds",
    },
    Mutant {
        name: "claim_batch: looks at the batch before what the driver holds",
        changes: &[("claim_batch", "v_held := interlock.find_held_batch(p_driver_id);
    select b.* into v_batch from interlock.batches b where b.id = p_batch_id;", "select b.* into v_batch from interlock.batches b where b.id = p_batch_id;
    v_held := interlock.find_held_batch(p_driver_id);")],
        stage: "a batch that u holds",
    },
    Mutant {
        name: "give_back_stale_batch: waits for the second row",
        changes: &[("give_back_stale_batch", "for no key update nowait", "for no key update")],
        stage: "leases of u on x",
    },
    Mutant {
        name: "take_from_rows: whether to take is decided on what the statement saw first",
        changes: &[("take_from_rows", "and l.available_quantity >= l.quantity", "and p.available_quantity >= l.quantity")],
        stage: "an unpaid order of u that is due, with the last",
    },
    Mutant {
        name: "begin_idempotent: a twin that had to wait does not look for the answer",
        changes: &[("begin_idempotent", "exit when found;", "exit;")],
        stage: "one p and one q",
    },
    Mutant {
        name: "lock_wallet: reads without locking",
        changes: &[("lock_wallet", "for no key update", "")],
        stage: "a wallet of u",
    },
    Mutant {
        name: "lock_order: reads without locking",
        changes: &[("lock_order", "for no key update", "")],
        stage: "an order that u has paid",
    },
    Mutant {
        name: "take_product_codes: waits for codes while it holds the stock row",
        changes: &[("take_product_codes", "for no key update nowait", "for no key update")],
        stage: "one product code",
    },
    Mutant {
        name: "count_promo_use: goes on though the code was used up meanwhile",
        changes: &[("count_promo_use", "raise exception using errcode = 'IL001', message = 'used up meanwhile: look again';", "null;")],
        stage: "one use of k",
    },
    Mutant {
        name: "checkout: who finds nothing left does not look for the answer of a twin",
        changes: &[(
            "checkout",
            "if v_answer is not null then
      return v_answer::json;
    end if;
    perform interlock.raise_error(v_refusal,",
            "perform interlock.raise_error(v_refusal,",
        )],
        stage: "one p and one q",
    },
    Mutant {
        name: "call_in_slots: passes over slots that somebody is using",
        changes: &[("call_in_slots", "for no key update", "for no key update skip locked")],
        stage: "the last two p in",
    },
    Mutant {
        name: "set_stock_slots: without the gate",
        changes: &[("set_stock_slots", "for no key update", "")],
        stage: "the last two p in",
    },
    Mutant {
        name: "set_promo_slots: without the gate",
        changes: &[("set_promo_slots", "for no key update", "")],
        stage: "the last two uses of k",
    },
    Mutant {
        name: "settle_slots: spreads without the gate",
        changes: &[("settle_slots", "for no key update skip locked", "")],
        stage: "many p in two slots",
    },
    Mutant {
        name: "use_slot: a slot that was waited for is not looked at again",
        changes: &[(
            "use_slot",
            "and s.granted - s.used >= p_units;\n\n",
            ";\n\n",
        )],
        stage: "the last two p in",
    },
    Mutant {
        name: "take_from_slots: what the slots could not do is not undone",
        changes: &[
            (
                "use_slot",
                "raise exception using errcode = 'IL002', message = 'no slot has enough';",
                "perform set_config('prove.failed', 'on', true);",
            ),
            (
                "take_from_slots",
                "insert into interlock.stock_movements",
                "if current_setting('prove.failed', true) = 'on' then
                   perform set_config('prove.failed', '', true);
                   return false;
                 end if;
                 insert into interlock.stock_movements",
            ),
        ],
        stage: "the last two p and",
    },
    Mutant {
        name: "take_from_slots: takes slots in another order than the gate",
        changes: &[(
            "take_from_slots",
            "order by u.product_id",
            "order by u.product_id desc",
        )],
        stage: "the last two p and",
    },
    Mutant {
        name: "checkout: refuses when the slots could not do it",
        changes: &[(
            "checkout",
            "perform interlock.take_stock(",
            "if v_slotted is not null then
               perform interlock.raise_error('INSUFFICIENT_INVENTORY', '{}');
             end if;
             perform interlock.take_stock(",
        )],
        stage: "the last two p in",
    },
    Mutant {
        name: "checkout: the key is claimed after the stock was looked at, and last of all",
        changes: &[
            (
                "checkout",
                "interlock.begin_idempotent('checkout', p_idempotency_key, v_request, v_answer);",
                "interlock.find_idempotent('checkout', p_idempotency_key, v_request);",
            ),
            (
                "checkout",
                "return v_answer::json;\nend",
                "v_stored := interlock.begin_idempotent('checkout', p_idempotency_key, v_request, v_answer);
  return v_answer::json;\nend",
            ),
        ],
        stage: "the last two p in",
    },
    Mutant {
        name: "cover_stock_slots: what is granted may be more than there is",
        changes: &[(
            "cover_stock_slots",
            "set granted = s.used",
            "set granted = s.granted",
        )],
        stage: "many p in two slots",
    },
];

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
    for mutant in MUTANTS {
        match failures(&bench, mutant).await {
            Ok(failures) if failures.is_empty() => {
                println!("SURVIVED  {}", mutant.name);
                survivors.push(mutant.name);
            }
            Ok(failures) => println!("killed    {}\n{}", mutant.name, failures.join("\n")),
            Err(error) => panic!("{}: {error:#}", mutant.name),
        }
    }
    println!(
        "mutants: {} killed of {}",
        MUTANTS.len() - survivors.len(),
        MUTANTS.len()
    );
    assert!(survivors.is_empty(), "survivors: {survivors:?}");
}
