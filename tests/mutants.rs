//! Each race has mutants: with a lock, guard or constraint taken away, the same scenario must fail.
//! A mutant that survives means that the scenario proves nothing.
//!
//! A mutant changes the database under test for a moment, so this runs on loopback only.

use crate::races::{Scenario, Verdict};
use crate::shop_races::ShopScenario;
use interlock_tests::calls::Adapter;
use interlock_tests::stack::Bench;
use std::sync::Arc;

/// One way to break the product.
struct Mutant {
    /// What is taken away.
    name: &'static str,
    /// Changes of functions: name, text that must stand in its source once, replacement.
    patches: &'static [(&'static str, &'static str, &'static str)],
    /// Other changes, and how to undo them.
    sql: Option<(&'static str, &'static str)>,
    /// The race that must notice.
    race: Race,
}

/// A race of either kind.
#[derive(Clone, Copy)]
enum Race {
    Claim(Scenario),
    Shop(ShopScenario),
}

impl Race {
    async fn run(self, bench: &Bench, adapter: Adapter) -> Verdict {
        match self {
            Race::Claim(scenario) => scenario.run(bench, adapter).await,
            Race::Shop(scenario) => scenario.run(bench, adapter).await,
        }
    }
}

const ONE_BATCH: Race = Race::Claim(Scenario::OneBatch {
    drivers: 32,
    rounds: 5,
});

const STORM: ShopScenario = ShopScenario::Storm {
    buyers: 30,
    products: 4,
    stock: 25,
};

const GUARD: &str = "and private.is_claimable(b.status, b.lease_expires_at)";

const MUTANTS: &[Mutant] = &[
    Mutant {
        name: "take_batch: claimable is not checked again under the lock",
        patches: &[("take_batch", GUARD, "")],
        sql: None,
        race: ONE_BATCH,
    },
    Mutant {
        name: "check, then act: neither the update nor the trigger looks again",
        patches: &[("take_batch", GUARD, "")],
        sql: Some((
            "alter table public.batches disable trigger batches_guard_transition",
            "alter table public.batches enable trigger batches_guard_transition",
        )),
        race: ONE_BATCH,
    },
    Mutant {
        name: "is_claimable: a live lease counts as over",
        patches: &[(
            "is_claimable",
            "and p_lease_expires_at <= private.clock()",
            "",
        )],
        sql: None,
        race: ONE_BATCH,
    },
    Mutant {
        name: "batch_events: history is not written by a trigger",
        patches: &[],
        sql: Some((
            "alter table public.batches disable trigger batches_record_event",
            "alter table public.batches enable trigger batches_record_event",
        )),
        race: ONE_BATCH,
    },
    Mutant {
        name: "take_batch on an expired lease: claimable is not checked again",
        patches: &[("take_batch", GUARD, "")],
        sql: None,
        race: Race::Claim(Scenario::ExpiredLease { drivers: 16 }),
    },
    Mutant {
        name: "lock_first_available_batch: finds without locking",
        patches: &[(
            "lock_first_available_batch",
            "for no key update skip locked",
            "",
        )],
        sql: None,
        race: Race::Claim(Scenario::NextBatch {
            drivers: 32,
            batches: 20,
        }),
    },
    Mutant {
        name: "claim_next_batch: no waiting pass before it says none",
        patches: &[("claim_next_batch", "if not found then", "if true then")],
        sql: None,
        race: Race::Claim(Scenario::NextWaitsForRollback),
    },
    Mutant {
        name: "one active batch per driver: neither index nor driver lock",
        patches: &[("lock_driver", "for no key update", "")],
        sql: Some((
            "drop index public.batches_one_active_per_driver",
            "update public.batches set status = 'cancelled' where reference like 'test:%'
               and status in ('claimed', 'in_progress');
             create unique index batches_one_active_per_driver on public.batches (driver_id)
               where status in ('claimed', 'in_progress')",
        )),
        race: Race::Claim(Scenario::OneDriver { calls: 16 }),
    },
    Mutant {
        name: "lock_driver: reads without locking",
        patches: &[("lock_driver", "for no key update", "")],
        sql: None,
        race: Race::Claim(Scenario::DeactivatedMeanwhile),
    },
    Mutant {
        name: "give_back_stale_batch: waits for the second row",
        patches: &[(
            "give_back_stale_batch",
            "for no key update nowait",
            "for no key update",
        )],
        sql: None,
        race: Race::Claim(Scenario::CrossedLeases {
            pairs: 16,
            rounds: 40,
        }),
    },
    Mutant {
        name: "claim_batch: the stale batch is not given back",
        patches: &[(
            "claim_batch",
            "perform private.give_back_stale_batch(p_driver_id);",
            "",
        )],
        sql: None,
        race: Race::Claim(Scenario::CrossedLeases {
            pairs: 4,
            rounds: 1,
        }),
    },
    Mutant {
        name: "act_on_held_batch: holding is not checked again under the lock",
        patches: &[(
            "act_on_held_batch",
            "and b.driver_id = p_driver_id
      and b.status in ('claimed', 'in_progress')
      and b.lease_expires_at > private.clock()",
            "",
        )],
        sql: None,
        race: Race::Claim(Scenario::TakenBackMeanwhile),
    },
    Mutant {
        name: "take_stock: reads without locking",
        patches: &[("take_stock", "for no key update of p", "")],
        sql: None,
        race: Race::Shop(ShopScenario::TwoBuyersOfThree),
    },
    Mutant {
        name: "take_stock: read, then write (report 001's lost update)",
        patches: &[
            ("take_stock", "for no key update of p", ""),
            (
                "take_stock",
                "set available_quantity = p.available_quantity - l.quantity",
                "set available_quantity = l.available_quantity - l.quantity",
            ),
        ],
        sql: None,
        race: Race::Shop(STORM),
    },
    Mutant {
        name: "take_stock: whether to take is decided on what the statement saw first",
        patches: &[(
            "take_stock",
            "and l.available_quantity >= l.quantity",
            "and p.available_quantity >= l.quantity",
        )],
        sql: None,
        race: Race::Shop(ShopScenario::StockBackMeanwhile),
    },
    Mutant {
        name: "take_stock: stock rows are locked in any order",
        patches: &[(
            "take_stock",
            "order by p.id
    for no key update of p",
            "order by case when pg_backend_pid() % 2 = 0 then p.id end, p.id desc
    for no key update of p",
        )],
        sql: None,
        race: Race::Shop(STORM),
    },
    Mutant {
        name: "checkout: the key is looked up and not claimed",
        patches: &[(
            "checkout",
            "private.begin_idempotent(",
            "private.find_idempotent(",
        )],
        sql: None,
        race: Race::Shop(ShopScenario::DoubleClick {
            copies: 10,
            stock: 100,
        }),
    },
    Mutant {
        name: "checkout: refuses without a second look for a twin's answer",
        patches: &[(
            "checkout",
            "v_answer := private.find_idempotent('checkout', p_idempotency_key, v_request);",
            "v_answer := null;",
        )],
        sql: None,
        race: Race::Shop(ShopScenario::DoubleClick {
            copies: 10,
            stock: 2,
        }),
    },
    Mutant {
        name: "lock_wallet: reads without locking",
        patches: &[("lock_wallet", "for no key update", "")],
        sql: None,
        race: Race::Shop(ShopScenario::Wallet {
            calls: 8,
            affordable: 5,
        }),
    },
    Mutant {
        name: "take_product_codes: neither codes nor their product are locked",
        patches: &[
            ("take_stock", "for no key update of p", ""),
            ("take_product_codes", "for no key update skip locked", ""),
        ],
        sql: None,
        race: Race::Shop(ShopScenario::Codes {
            buyers: 16,
            codes: 10,
        }),
    },
    Mutant {
        name: "take_promo_use: goes on though the code was used up meanwhile",
        patches: &[(
            "take_promo_use",
            "raise exception using errcode = 'IL001', message = 'used up meanwhile: look again';",
            "null;",
        )],
        sql: None,
        race: Race::Shop(ShopScenario::PromoHolds {
            users: 30,
            tabs: 1,
            uses: 1,
        }),
    },
    Mutant {
        name: "take_promo_use: uses are not counted",
        patches: &[(
            "take_promo_use",
            "set used_count = p.used_count + 1",
            "set used_count = p.used_count",
        )],
        sql: None,
        race: Race::Shop(ShopScenario::PromoCheckouts {
            buyers: 20,
            uses: 5,
        }),
    },
    Mutant {
        name: "end_promo_uses: a use that is given back is not counted back",
        patches: &[(
            "end_promo_uses",
            "set used_count = p.used_count - e.uses",
            "set used_count = p.used_count",
        )],
        sql: None,
        race: Race::Shop(ShopScenario::PromoStorm {
            callers: 20,
            uses: 10,
        }),
    },
    Mutant {
        name: "orders: nothing holds the transitions",
        patches: &[("lock_order", "for no key update", "")],
        sql: Some((
            "alter table public.orders disable trigger orders_guard_change",
            "alter table public.orders enable trigger orders_guard_change",
        )),
        race: Race::Shop(ShopScenario::Endings { calls: 8 }),
    },
];

/// The definition of a function of schema `private`.
async fn definition(bench: &Bench, function: &str) -> String {
    bench
        .db
        .query_one(
            "select pg_get_functiondef(p.oid) from pg_proc p
             where p.pronamespace = 'private'::regnamespace and p.proname = $1",
            &[&function],
        )
        .await
        .unwrap_or_else(|error| panic!("there is no function private.{function}: {error}"))
        .get(0)
}

/// Runs a mutant's scenario on the broken product and mends it again, whatever happens.
async fn run(bench: Arc<Bench>, mutant: &'static Mutant, adapter: Adapter) -> Verdict {
    let mut originals = Vec::new();
    for (function, from, to) in mutant.patches {
        let original = definition(&bench, function).await;
        let hits = original.matches(from).count();
        assert_eq!(
            hits, 1,
            "{}: `{from}` stands {hits} times in private.{function}",
            mutant.name
        );
        bench
            .db
            .batch_execute(&original.replace(from, to))
            .await
            .expect("the mutant compiles");
        originals.push(original);
    }
    if let Some((change, _)) = mutant.sql {
        bench
            .db
            .batch_execute(change)
            .await
            .expect("the mutant applies");
    }
    let broken = Arc::clone(&bench);
    let verdict = tokio::spawn(async move { mutant.race.run(&broken, adapter).await }).await;
    if let Some((_, undo)) = mutant.sql {
        bench
            .db
            .batch_execute(undo)
            .await
            .expect("the mutant can be undone");
    }
    for original in originals.iter().rev() {
        bench
            .db
            .batch_execute(original)
            .await
            .expect("the original compiles");
    }
    verdict.unwrap_or_else(|panic| Err(panic.to_string()))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_mutant_is_killed() {
    let bench = Arc::new(Bench::take().await);
    assert!(
        bench.stack.is_local(),
        "mutants break the database for a moment: use a local stack"
    );
    let mut survivors = Vec::new();
    for mutant in MUTANTS {
        match run(Arc::clone(&bench), mutant, Adapter::Sql).await {
            Ok(()) => {
                println!("SURVIVED  {}", mutant.name);
                survivors.push(mutant.name);
            }
            Err(reason) => println!("killed    {} ({reason})", mutant.name),
        }
        bench.clear().await;
    }
    println!(
        "mutants: {} killed of {}",
        MUTANTS.len() - survivors.len(),
        MUTANTS.len()
    );
    assert!(survivors.is_empty(), "survivors: {survivors:?}");
}
