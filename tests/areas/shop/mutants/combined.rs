//! Mutants that take more than one thing away, because each alone suffices, and those that only a crowd
//! notices. Each names its race.

use crate::areas::shop::races::ShopScenario;
use crate::meanwhile::InScene;
use crate::mutants::Combined;

const STORM: ShopScenario = ShopScenario::Storm {
    buyers: 30,
    products: 4,
    stock: 25,
};

/// A single line goes the way of a cart.
pub(super) const AS_A_CART: (&str, &str, &str) =
    ("checkout_line", "char_length(v_said_quantity) < 5", "false");

/// The mutants.
pub(crate) const COMBINED: &[Combined] = &[
    Combined {
        name: "take_stock: reads without locking",
        patches: &[
            AS_A_CART,
            ("take_stock", "cardinality(p_product_ids) = 1", "false"),
            ("take_from_rows", "for no key update of p", ""),
        ],
        sql: None,
        race: &ShopScenario::TwoBuyersOfThree,
    },
    Combined {
        name: "take_stock: read, then write (report 001's lost update)",
        patches: &[
            AS_A_CART,
            ("take_stock", "cardinality(p_product_ids) = 1", "false"),
            ("take_from_rows", "for no key update of p", ""),
            (
                "take_from_rows",
                "set available_quantity = p.available_quantity - w.quantity",
                "set available_quantity = (select s.available_quantity from interlock.products s where s.id = p.id) - w.quantity",
            ),
        ],
        sql: None,
        race: &STORM,
    },
    Combined {
        name: "take_stock: whether to take is decided on what the statement saw first",
        patches: &[
            AS_A_CART,
            ("take_stock", "cardinality(p_product_ids) = 1", "false"),
            (
                "take_from_rows",
                "for no key update of p
  )",
                "for no key update of p
  ),
  taken as (
    update interlock.products p
    set available_quantity = p.available_quantity - l.quantity
    from locked l
    where p.id = l.id
      and p.available_quantity >= l.quantity
  )",
            ),
            (
                "take_from_rows",
                "and p.available_quantity >= w.quantity",
                "and false",
            ),
        ],
        sql: None,
        race: &ShopScenario::StockBackMeanwhile,
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
        race: &STORM,
    },
    Combined {
        name: "checkout_line: the key is claimed in nobody's name",
        patches: &[(
            "checkout_line",
            "v_user_id, 'checkout', p_idempotency_key, sha256",
            "gen_random_uuid(), 'checkout', p_idempotency_key, sha256",
        )],
        sql: None,
        race: &InScene("a twin waits and gets the same order"),
    },
    Combined {
        name: "checkout: the key is looked up and not claimed",
        patches: &[
            AS_A_CART,
            (
                "checkout",
                "interlock.begin_idempotent('checkout', p_idempotency_key, v_request, v_answer)",
                "interlock.find_idempotent('checkout', p_idempotency_key, v_request)",
            ),
        ],
        sql: None,
        race: &ShopScenario::DoubleClick {
            copies: 10,
            stock: 100,
        },
    },
    Combined {
        name: "checkout: refuses without a second look for a twin's answer",
        patches: &[(
            "checkout",
            "v_answer := interlock.find_idempotent('checkout', p_idempotency_key, v_request);",
            "v_answer := null;",
        )],
        sql: None,
        race: &ShopScenario::DoubleClick {
            copies: 10,
            stock: 2,
        },
    },
    Combined {
        name: "lock_wallet: reads without locking",
        patches: &[("lock_wallet", "for no key update", "")],
        sql: None,
        race: &ShopScenario::Wallet {
            calls: 8,
            affordable: 5,
        },
    },
    Combined {
        name: "take_product_codes: neither codes nor their product are locked",
        patches: &[
            ("take_from_rows", "for no key update of p", ""),
            ("take_product_codes", "for no key update skip locked", ""),
        ],
        sql: None,
        race: &ShopScenario::Codes {
            buyers: 16,
            codes: 10,
        },
    },
    Combined {
        name: "orders: nothing holds the transitions",
        patches: &[("lock_order", "for no key update", "")],
        sql: Some((
            "alter table interlock.orders disable trigger orders_guard_change",
            "alter table interlock.orders enable trigger orders_guard_change",
        )),
        race: &ShopScenario::Endings { calls: 8 },
    },
    Combined {
        name: "take_product_codes: passes over locked codes the second time, too",
        patches: &[(
            "take_product_codes",
            "for no key update nowait",
            "for no key update skip locked",
        )],
        sql: None,
        race: &InScene("codes that somebody is locking are neither waited for nor missed"),
    },
];
