//! The search finds what it is for: with a lock or a guard taken away, it must name a schedule.
//!
//! A mutant changes the database under test for a moment, so this runs on loopback only.

use super::breakpoints::Breakpoints;
use super::guarded;
use super::search::Limits;
use anyhow::{Context as _, Result, ensure};
use interlock_tests::stack::Bench;
use std::time::Duration;

/// One way to break the product.
struct Mutant {
    /// What is taken away.
    name: &'static str,
    /// The function of schema `private`, what must stand in it once, and what then stands there.
    function: &'static str,
    from: &'static str,
    to: &'static str,
    /// How the name of the stage begins that must show it.
    stage: &'static str,
}

const MUTANTS: &[Mutant] = &[
    Mutant {
        name: "act_on_held_batch: holding is not checked again under the lock",
        function: "act_on_held_batch",
        from: "and b.driver_id = p_driver_id
      and b.status in ('claimed', 'in_progress')
      and b.lease_expires_at > private.clock()",
        to: "",
        stage: "a batch that u holds",
    },
    Mutant {
        name: "claim_batch: looks at the batch before what the driver holds",
        function: "claim_batch",
        from: "v_held := private.find_held_batch(p_driver_id);
    select b.* into v_batch from public.batches b where b.id = p_batch_id;",
        to: "select b.* into v_batch from public.batches b where b.id = p_batch_id;
    v_held := private.find_held_batch(p_driver_id);",
        stage: "a batch that u holds",
    },
    Mutant {
        name: "give_back_stale_batch: waits for the second row",
        function: "give_back_stale_batch",
        from: "for no key update nowait",
        to: "for no key update",
        stage: "leases of u on x",
    },
    Mutant {
        name: "take_stock: whether to take is decided on what the statement saw first",
        function: "take_stock",
        from: "and l.available_quantity >= l.quantity",
        to: "and p.available_quantity >= l.quantity",
        stage: "an unpaid order",
    },
    Mutant {
        name: "begin_idempotent: a twin that had to wait does not look for the answer",
        function: "begin_idempotent",
        from: "exit when found;",
        to: "exit;",
        stage: "one p and one q",
    },
    Mutant {
        name: "lock_wallet: reads without locking",
        function: "lock_wallet",
        from: "for no key update",
        to: "",
        stage: "a wallet of u",
    },
    Mutant {
        name: "lock_order: reads without locking",
        function: "lock_order",
        from: "for no key update",
        to: "",
        stage: "an order that u has paid",
    },
    Mutant {
        name: "take_product_codes: waits for codes while it holds the stock row",
        function: "take_product_codes",
        from: "for no key update nowait",
        to: "for no key update",
        stage: "one product code",
    },
    Mutant {
        name: "take_promo_use: goes on though the code was used up meanwhile",
        function: "take_promo_use",
        from: "raise exception using errcode = 'IL001', message = 'used up meanwhile: look again';",
        to: "null;",
        stage: "one use of k",
    },
];

/// Breaks the product, searches, and mends it.
async fn failures(bench: &Bench, mutant: &Mutant) -> Result<Vec<String>> {
    let original: String = bench
        .db
        .query_one(
            "select pg_get_functiondef(p.oid) from pg_proc p
             where p.pronamespace = 'private'::regnamespace and p.proname = $1",
            &[&mutant.function],
        )
        .await?
        .get(0);
    ensure!(
        original.matches(mutant.from).count() == 1,
        "`{}` does not stand once in private.{}",
        mutant.from,
        mutant.function
    );
    let broken = original.replace(mutant.from, mutant.to);
    bench
        .db
        .batch_execute(&broken)
        .await
        .context("the mutant does not compile")?;
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
    bench.db.batch_execute(&original).await?;
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
