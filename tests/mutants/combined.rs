//! Mutants that take more than one thing away, because each alone suffices, and those that only a crowd
//! notices. Each names its race.

use crate::areas::delivery::races::Scenario;
use crate::areas::shop::races::ShopScenario;
use crate::harness::calls::Adapter;
use crate::harness::races::Verdict;
use crate::harness::stack::Bench;
use crate::meanwhile::scene;

/// One way to break the product.
pub(super) struct Combined {
    /// What is taken away.
    pub(super) name: &'static str,
    /// Changes of functions: name, text that must stand in its source once, replacement.
    pub(super) patches: &'static [(&'static str, &'static str, &'static str)],
    /// Other changes, and how to undo them.
    pub(super) sql: Option<(&'static str, &'static str)>,
    /// The race that must notice.
    pub(super) race: Race,
}

/// A race of either kind.
#[derive(Clone, Copy)]
pub(super) enum Race {
    Claim(Scenario),
    Shop(ShopScenario),
    Scene(&'static str),
}

impl Race {
    /// Runs it through an adapter.
    pub(super) async fn run(self, bench: &Bench, adapter: Adapter) -> Verdict {
        match self {
            Race::Claim(scenario) => scenario.run(bench, adapter).await,
            Race::Shop(scenario) => scenario.run(bench, adapter).await,
            Race::Scene(name) => scene(name).run(bench).await,
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

const GUARD: &str = "and interlock.is_claimable(b.status, b.lease_expires_at)";

pub(super) const COMBINED: &[Combined] = &[
    Combined {
        name: "take_batch: claimable is not checked again under the lock",
        patches: &[("take_batch", GUARD, "")],
        sql: None,
        race: ONE_BATCH,
    },
    Combined {
        name: "check, then act: neither the update nor the trigger looks again",
        patches: &[("take_batch", GUARD, "")],
        sql: Some((
            "alter table interlock.batches disable trigger batches_guard_transition",
            "alter table interlock.batches enable trigger batches_guard_transition",
        )),
        race: ONE_BATCH,
    },
    Combined {
        name: "is_claimable: a live lease counts as over",
        patches: &[(
            "is_claimable",
            "and p_lease_expires_at <= interlock.clock()",
            "",
        )],
        sql: None,
        race: ONE_BATCH,
    },
    Combined {
        name: "batch_events: history is not written by a trigger",
        patches: &[],
        sql: Some((
            "alter table interlock.batches disable trigger batches_record_event",
            "alter table interlock.batches enable trigger batches_record_event",
        )),
        race: ONE_BATCH,
    },
    Combined {
        name: "take_batch on an expired lease: claimable is not checked again",
        patches: &[("take_batch", GUARD, "")],
        sql: None,
        race: Race::Claim(Scenario::ExpiredLease { drivers: 16 }),
    },
    Combined {
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
    Combined {
        name: "claim_next_batch: no waiting pass before it says none",
        patches: &[("claim_next_batch", "if not found then", "if true then")],
        sql: None,
        race: Race::Claim(Scenario::NextWaitsForRollback),
    },
    Combined {
        name: "one active batch per driver: neither index nor driver lock",
        patches: &[("lock_driver", "for no key update", "")],
        sql: Some((
            "drop index interlock.batches_one_active_per_driver",
            "update interlock.batches set status = 'cancelled' where reference like 'test:%'
               and status in ('claimed', 'in_progress');
             create unique index batches_one_active_per_driver on interlock.batches (driver_id)
               where status in ('claimed', 'in_progress')",
        )),
        race: Race::Claim(Scenario::OneDriver { calls: 16 }),
    },
    Combined {
        name: "lock_driver: reads without locking",
        patches: &[("lock_driver", "for no key update", "")],
        sql: None,
        race: Race::Claim(Scenario::DeactivatedMeanwhile),
    },
    Combined {
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
    Combined {
        name: "claim_batch: the stale batch is not given back",
        patches: &[(
            "claim_batch",
            "perform interlock.give_back_stale_batch(p_driver_id);",
            "",
        )],
        sql: None,
        race: Race::Claim(Scenario::CrossedLeases {
            pairs: 4,
            rounds: 1,
        }),
    },
    Combined {
        name: "act_on_held_batch: holding is not checked again under the lock",
        patches: &[(
            "act_on_held_batch",
            "and b.driver_id = p_driver_id
      and b.status in ('claimed', 'in_progress')
      and b.lease_expires_at > interlock.clock()",
            "",
        )],
        sql: None,
        race: Race::Claim(Scenario::TakenBackMeanwhile),
    },
    Combined {
        name: "take_stock: reads without locking",
        patches: &[("take_from_rows", "for no key update of p", "")],
        sql: None,
        race: Race::Shop(ShopScenario::TwoBuyersOfThree),
    },
    Combined {
        name: "take_stock: read, then write (report 001's lost update)",
        patches: &[
            ("take_from_rows", "for no key update of p", ""),
            (
                "take_from_rows",
                "set available_quantity = p.available_quantity - l.quantity",
                "set available_quantity = l.available_quantity - l.quantity",
            ),
        ],
        sql: None,
        race: Race::Shop(STORM),
    },
    Combined {
        name: "take_stock: whether to take is decided on what the statement saw first",
        patches: &[(
            "take_from_rows",
            "and l.available_quantity >= l.quantity",
            "and p.available_quantity >= l.quantity",
        )],
        sql: None,
        race: Race::Shop(ShopScenario::StockBackMeanwhile),
    },
    Combined {
        name: "take_stock: stock rows are locked in any order",
        patches: &[(
            "take_from_rows",
            "order by p.id
    for no key update of p",
            "order by case when pg_backend_pid() % 2 = 0 then p.id end, p.id desc
    for no key update of p",
        )],
        sql: None,
        race: Race::Shop(STORM),
    },
    Combined {
        name: "checkout: the key is looked up and not claimed",
        patches: &[(
            "checkout",
            "interlock.begin_idempotent('checkout', p_idempotency_key, v_request, v_answer)",
            "interlock.find_idempotent('checkout', p_idempotency_key, v_request)",
        )],
        sql: None,
        race: Race::Shop(ShopScenario::DoubleClick {
            copies: 10,
            stock: 100,
        }),
    },
    Combined {
        name: "checkout: refuses without a second look for a twin's answer",
        patches: &[(
            "checkout",
            "v_answer := interlock.find_idempotent('checkout', p_idempotency_key, v_request);",
            "v_answer := null;",
        )],
        sql: None,
        race: Race::Shop(ShopScenario::DoubleClick {
            copies: 10,
            stock: 2,
        }),
    },
    Combined {
        name: "lock_wallet: reads without locking",
        patches: &[("lock_wallet", "for no key update", "")],
        sql: None,
        race: Race::Shop(ShopScenario::Wallet {
            calls: 8,
            affordable: 5,
        }),
    },
    Combined {
        name: "take_product_codes: neither codes nor their product are locked",
        patches: &[
            ("take_from_rows", "for no key update of p", ""),
            ("take_product_codes", "for no key update skip locked", ""),
        ],
        sql: None,
        race: Race::Shop(ShopScenario::Codes {
            buyers: 16,
            codes: 10,
        }),
    },
    Combined {
        name: "take_promo_use: goes on though the code was used up meanwhile",
        patches: &[(
            "count_promo_use",
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
    Combined {
        name: "take_promo_use: uses are not counted",
        patches: &[(
            "count_promo_use",
            "set used_count = p.used_count + 1
  where p.id = p_promo_id
    and p.use_slots = 0",
            "set used_count = p.used_count
  where p.id = p_promo_id
    and p.use_slots = 0",
        )],
        sql: None,
        race: Race::Shop(ShopScenario::PromoCheckouts {
            buyers: 20,
            uses: 5,
        }),
    },
    Combined {
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
    Combined {
        name: "orders: nothing holds the transitions",
        patches: &[("lock_order", "for no key update", "")],
        sql: Some((
            "alter table interlock.orders disable trigger orders_guard_change",
            "alter table interlock.orders enable trigger orders_guard_change",
        )),
        race: Race::Shop(ShopScenario::Endings { calls: 8 }),
    },
    Combined {
        name: "first orders: neither their own lock nor that of promo attempts",
        patches: &[
            (
                "redeem_promo",
                "perform interlock.lock_first_order(p_user_id);",
                "",
            ),
            (
                "refuse_unknown_promo",
                "perform interlock.lock_promo_attempts(p_user_id);",
                "",
            ),
        ],
        sql: None,
        race: Race::Scene("two first orders at once are one first order"),
    },
    Combined {
        name: "take_product_codes: passes over locked codes the second time, too",
        patches: &[(
            "take_product_codes",
            "for no key update nowait",
            "for no key update skip locked",
        )],
        sql: None,
        race: Race::Scene("codes that somebody is locking are neither waited for nor missed"),
    },
    Combined {
        name: "lock_claimable_batch: without `for no key update`",
        patches: &[("lock_claimable_batch", "for no key update", "")],
        sql: None,
        race: Race::Claim(Scenario::CrossedLeases {
            pairs: 16,
            rounds: 40,
        }),
    },
    Combined {
        name: "take_promo_use: takes back a live hold, and end_promo_uses lets it",
        patches: &[
            (
                "take_promo_use",
                "and r.user_id in (p_user_id, v_look.o_reap_from)
          and r.status = 'held'
          and r.held_until <= interlock.clock()",
                "and r.user_id in (p_user_id, v_look.o_reap_from)
          and r.status = 'held'",
            ),
            (
                "end_promo_uses",
                "and (p_to <> 'expired' or r.held_until <= interlock.clock())",
                "",
            ),
        ],
        sql: None,
        race: Race::Scene(
            "a hold that is refreshed meanwhile is not taken back by who needs its use",
        ),
    },
];
