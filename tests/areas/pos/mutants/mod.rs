//! How this area is broken on purpose, and what must notice.

use crate::areas::Mutants;
use crate::areas::pos::customer_races::CustomerScenario;
use crate::areas::pos::races::TillScenario;
use crate::areas::pos::return_races::ReturnScenario;
use crate::meanwhile::InScene;
use crate::mutants::Combined;
use crate::prove::histories::Mutant;
use crate::prove::interleavings;

/// For the engines.
pub(crate) const MUTANTS: Mutants = Mutants {
    noticed_by: NOTICED_BY,
    explained: EXPLAINED,
    combined: COMBINED,
    interleaved: INTERLEAVED,
    in_histories: IN_HISTORIES,
};

/// What shows only where two sessions meet, and the scene that shows it.
const NOTICED_BY: &[(&str, &str)] = &[
    (
        "correct_shortfall: without `perform interlock.lock_sales(array[p_sale_id])`",
        "what was not there is not taken for a sale that is voided meanwhile",
    ),
    (
        "lock_sales: without `for no key update`",
        "the last unit of a sale that comes back meanwhile comes back once",
    ),
    (
        "lock_sales: backwards `order by s.id`",
        "the sale with which an exchange began is locked before it",
    ),
    (
        "lock_shift: without `perform interlock.lock_register(s.register_id) from interlock.shifts s where s.id = p_shift_id`",
        "a sale under way is in the closing report",
    ),
    (
        "lock_sold_stock: backwards `order by i.id`",
        "an exchange locks the stock of what comes and goes in the order of its ids",
    ),
    (
        "lock_sold_stock: without `for no key update`",
        "an exchange locks the stock of what comes and goes in the order of its ids",
    ),
    (
        "expire_parked_sales: without `for no key update skip locked`",
        "a parked sale that is discarded meanwhile does not expire",
    ),
    (
        "take_receipted_returns: without `perform interlock.lock_sales(array[p_original_id, o_root_sale_id])`",
        "the last unit of a sale that comes back meanwhile comes back once",
    ),
    (
        "lock_buyer: never `v_buyer.by_wallet > 0` (2)",
        "the wallet of a customer at a till is locked before a promo code",
    ),
    (
        "lock_buyer: without `perform interlock.lock_wallet(v_buyer.user_id)`",
        "the wallet of a customer at a till is locked before a promo code",
    ),
    (
        "lock_points: without `for no key update`",
        "points of a customer at a till are locked before their wallet",
    ),
    (
        "lock_points: without `perform 1 from interlock.points_accounts a where a.customer_id = p_customer_id for no key update`",
        "points of a customer at a till are locked before their wallet",
    ),
    (
        "lock_points: never `v_account.customer_id is not null`",
        "points of a sale that is voided are theirs into whom the customer is merged meanwhile",
    ),
    (
        "merge_customers: without `perform interlock.lock_points(u.id) from (select i.id from unnest(array[p_from, v_into]) as i (id) …`",
        "points that are corrected meanwhile go with the customer who is merged",
    ),
    (
        "lock_parked_sale: without `for no key update`",
        "a parked sale that is sold twice at once is sold once",
    ),
    (
        "take_sold_stock: backwards `order by i.id`",
        "a till locks the stock of what it sells in the order of its ids",
    ),
];

/// Mutants that no test can notice, each with the reason.
const EXPLAINED: &[(&str, &str)] = &[
    (
        "approve_sale: never `current_setting('transaction_isolation') <> 'read committed'`",
        "`every_function_that_writes_refuses_another_isolation_level` fails, which no mutant meets.",
    ),
    (
        "expire_parked_sales: without `where p.ended_at is null`",
        "It only saves tries: each is asked again under its lock.",
    ),
    (
        "expire_parked_sales: without `and p.expires_at <= interlock.clock()`",
        "It only saves tries: each is asked again under its lock.",
    ),
    (
        "expire_parked_sales: backwards `order by random()`",
        "Any order will do.",
    ),
    (
        "put_back: without `where l.inventory_id is null`",
        "It only saves work: a row that is there stays as it is.",
    ),
    (
        "undo_sold_stock: without `where l.quantity > 0`",
        "It only saves a lock: nothing is given of what was not there.",
    ),
    (
        "begin_sale: never `found`",
        "The key that was just taken has no answer yet, so none is found: the look is saved, no more.",
    ),
    (
        "correct_shortfall: without `and f.taken_at is null`",
        "What was taken since has no finding any more: it was resolved in the same transaction.",
    ),
    (
        "find_sale_answer: never `p_key is null`",
        "No row has no key: the look is saved, no more.",
    ),
    (
        "find_sale_answer: never `not found`",
        "Who finds no answer refuses the sale, and what was set for the answer is gone with it.",
    ),
    (
        "find_shortfalls: without `where f.sale_id = any (p_sale_ids)`",
        "An audit asks for all there are, and who resolves one looks for it among them.",
    ),
    (
        "take_sold_stock: never `v_product_ids is null`",
        "It only saves work: of nothing there is nothing to lock and nothing missing.",
    ),
    (
        "take_what_is_there: never `v_product_ids is null`",
        "Of nothing there is nothing to lock and nothing missing.",
    ),
];

/// Mutants that a schedule of two operations must find.
const INTERLEAVED: &[interleavings::Mutant] = &[interleavings::Mutant {
    name: "redeem_points: whoever was merged meanwhile pays with points that somebody else has by now",
    changes: &[("redeem_points", "v_id := v_account.customer_id;", "")],
    stage: "a customer at two tills",
}];

/// Mutants that a few rounds of random histories must find.
const IN_HISTORIES: &[Mutant] = &[
    ("lock_register", "for no key update", ""),
    ("take_sold_stock", "for no key update of i", ""),
    (
        "take_receipted_returns",
        "where e.quantity > l.quantity - l.returned_quantity",
        "where e.quantity > l.quantity",
    ),
];

const COMBINED: &[Combined] = &[
    Combined {
        name: "take_sold_stock: without `for no key update of i`",
        patches: &[("take_sold_stock", "for no key update of i", "")],
        sql: None,
        race: &TillScenario::TheLastOnes,
    },
    Combined {
        name: "lock_register: without `for no key update`",
        patches: &[("lock_register", "for no key update", "")],
        sql: None,
        race: &TillScenario::SalesAndTheClose,
    },
    Combined {
        name: "take_what_is_there: without `perform interlock.lock_sold_stock(p_location_id, v_product_ids)`",
        patches: &[(
            "take_what_is_there",
            "perform interlock.lock_sold_stock(p_location_id, v_product_ids);",
            "",
        )],
        sql: None,
        race: &TillScenario::CutOffTogether,
    },
    Combined {
        name: "begin_sale: a twin does not wait for the first",
        patches: &[(
            "begin_sale",
            "on conflict (register_id, key) do nothing",
            "",
        )],
        sql: None,
        race: &TillScenario::TwoTabs,
    },
    Combined {
        name: "make_sale: the shift of a sale that was cut off is looked for before the register is locked",
        patches: &[
            (
                "make_sale",
                "into v_receipt;\n  v_shift := interlock.shift_of_sale(p_register_id, p_shift_id, p_client_time);",
                "into v_receipt;",
            ),
            (
                "make_sale",
                "update interlock.registers r",
                "v_shift := interlock.shift_of_sale(p_register_id, p_shift_id, p_client_time);
                 update interlock.registers r",
            ),
        ],
        sql: None,
        race: &InScene("a sale that was cut off comes late to a shift that is closed meanwhile"),
    },
    Combined {
        name: "lock_points: points are read without a lock",
        patches: &[("lock_points", "for no key update", "")],
        sql: None,
        race: &CustomerScenario::EightSpend,
    },
    Combined {
        name: "find_or_make_customer: who is new is made without waiting for a twin",
        patches: &[("find_or_make_customer", "on conflict do nothing", "")],
        sql: None,
        race: &CustomerScenario::OneNewCustomer,
    },
    Combined {
        name: "lock_parked_sale: a parked sale is read without a lock",
        patches: &[("lock_parked_sale", "for no key update", "")],
        sql: None,
        race: &InScene("a parked sale that is sold twice at once is sold once"),
    },
    Combined {
        name: "use_approval: whether it was used is not asked",
        patches: &[("use_approval", "and a.used_at is null", "")],
        sql: None,
        race: &InScene("an approval that is used twice at once counts once"),
    },
    Combined {
        name: "pos_sale: a sale is not locked while its goods come back",
        patches: &[("lock_sales", "for no key update", "")],
        sql: None,
        race: &ReturnScenario::TheLastReturn,
    },
    Combined {
        name: "pos_sale: a sale is not locked while its points come back",
        patches: &[("lock_sales", "for no key update", "")],
        sql: None,
        race: &ReturnScenario::PointsComeBack,
    },
    Combined {
        name: "void_sale: a sale is not locked",
        patches: &[("lock_sales", "for no key update", "")],
        sql: None,
        race: &ReturnScenario::ReturnAndVoid,
    },
    Combined {
        name: "put_back: what is sold is not locked before what came back is put there",
        patches: &[("put_back", "where not u.untracked", "where false")],
        sql: None,
        race: &ReturnScenario::ExchangesBothWays,
    },
    Combined {
        name: "take_from_rows: stock is taken by the statement that has waited for it",
        patches: &[
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
      and l.available_quantity >= l.quantity
  )",
            ),
            (
                "take_from_rows",
                "and p.available_quantity >= w.quantity",
                "and false",
            ),
        ],
        sql: None,
        race: &ReturnScenario::HeldByAnExchange,
    },
    Combined {
        name: "pos_sale: while points come back neither these nor the sale are locked or written before",
        patches: &[
            ("lock_sales", "for no key update", ""),
            ("lock_points", "for no key update", ""),
            (
                "lock_points",
                "insert into interlock.points_accounts (customer_id)\n  values (p_customer_id)\n  on conflict do nothing;",
                "",
            ),
            (
                "take_points_back",
                "perform interlock.book_points(v_customer_id, 'taken_back', -v_points, -v_amount, p_sale_id);",
                "",
            ),
        ],
        sql: None,
        race: &InScene("points that a sale was paid with come back once, with whatever of it"),
    },
];
