//! What is interleaved where stock is in slots: everything that meets on one of them, with the last units
//! in different slots, with plenty, and with the slots closed.
//!
//! However units are spread, people see the same; so the serial orders are those of an ordinary counter.

use crate::areas::promo::slot_stages::{
    K_WITHOUT_SLOTS, LAST_USES_OF_K_IN_SLOTS, LOWER_LIMIT, ONE_USE_IS_TAKEN, settle_promos,
};
use crate::areas::promo::stages::{BUY_P_WITH_K, COUNT_USE, VALIDATE_K};
use crate::areas::shop::stages::ORDERS;
use crate::areas::shop::stages::{
    ADJUST_P, ALL_HAVE_2000, BOOK_P_OUT, BUY_P_BANK, BUY_P_CASH, BUY_P_WITH_KEY, DECREMENT,
    EXPIRE_ORDERS, NO_ORDER_EXPIRES, P_IS_BOOKED_IN, P_IS_TAKEN_OFF, PRICE_OF_P_CHANGES,
};
use crate::prove::interleavings::{Operation, Pairs, Stage, Sweep, USERS, shop, user};

/// Slots that are to be settled. Nobody sees whether they are.
pub(crate) const SLOTS: Sweep = Sweep {
    name: "the slots that are to be settled",
    clear: "select interlock.settle_slots();",
    others: "select false",
};

/// Two units, one in each of two slots.
pub(crate) const LAST_P_IN_SLOTS: &str =
    "insert into interlock.products (id, name, price, currency, available_quantity)
  values ('{p}', 'p', 700, 'USD', 2);
  select interlock.make_slots('{p}', 2);
  update interlock.products set stock_slots = 2 where id = '{p}';
  update interlock.counter_slots set granted = 1 where owner_id = '{p}'";

pub(crate) const LAST_Q_IN_SLOTS: &str =
    "insert into interlock.products (id, name, price, currency, available_quantity)
  values ('{q}', 'q', 300, 'USD', 2);
  select interlock.make_slots('{q}', 2);
  update interlock.products set stock_slots = 2 where id = '{q}';
  update interlock.counter_slots set granted = 1 where owner_id = '{q}'";

/// Forty units, twenty in each of two slots.
pub(crate) const MANY_P_IN_SLOTS: &str =
    "insert into interlock.products (id, name, price, currency, available_quantity)
  values ('{p}', 'p', 700, 'USD', 40);
  select public.set_stock_slots('{p}', 2)";

/// Forty units, and two slots that are empty as they are after little was left.
pub(crate) const MANY_P_IN_NO_SLOT: &str =
    "insert into interlock.products (id, name, price, currency, available_quantity)
  values ('{p}', 'p', 700, 'USD', 40);
  select interlock.make_slots('{p}', 2);
  update interlock.products set stock_slots = 2 where id = '{p}'";

/// One was sold from the first slot and is not settled.
pub(crate) const ONE_P_IS_SOLD: &str =
    "update interlock.counter_slots set used = 1 where owner_id = '{p}' and slot = 0;
  insert into interlock.stock_movements (product_id, delta, reason) values ('{p}', -1, 'checkout')";

/// An unpaid order of one p with k: 700 less 10 %.
pub(crate) const ORDER_FROM_SLOTS: &str = "insert into interlock.orders (id, user_id, status, currency, subtotal, discount, total, payment_method,
    promo_code_id, payment_expires_at)
  values ('{o}', '{u}', 'pending_payment', 'USD', 700, 70, 630, 'bank_transfer', '{k}', now() - interval '1 minute');
  insert into interlock.order_items (order_id, product_id, quantity, unit_price, name, kind, discount)
  values ('{o}', '{p}', 1, 700, 'p', 'physical', 70);
  insert into interlock.promo_redemptions (promo_id, user_id, status, discount, currency, order_id, redeemed_at)
  values ('{k}', '{u}', 'redeemed', 70, 'USD', '{o}', now());
  insert into interlock.promo_user_uses (promo_id, user_id, used) values ('{k}', '{u}', 1)";

pub(crate) const BUY_TWO_P: &str =
    r#"select public.checkout('[{"product_id": "{p}", "quantity": 2}]')"#;

pub(crate) const BUY_Q: &str =
    r#"select public.checkout('[{"product_id": "{q}", "quantity": 1}]')"#;

pub(crate) const BUY_P_AND_Q: &str = r#"select public.checkout('[{"product_id": "{p}", "quantity": 1}, {"product_id": "{q}", "quantity": 1}]')"#;

pub(crate) const BUY_Q_AND_P: &str = r#"select public.checkout('[{"product_id": "{q}", "quantity": 1}, {"product_id": "{p}", "quantity": 1}]')"#;

pub(crate) const BUY_TWO_OF_BOTH: &str = r#"select public.checkout('[{"product_id": "{p}", "quantity": 2}, {"product_id": "{q}", "quantity": 2}]')"#;

pub(crate) const LOOK_AT_P: &str =
    "select jsonb_agg(s) from public.get_stock(array['{p}']::uuid[]) as s";

pub(crate) const COUNT_P_FROM_TWO: &str = "select public.count_stock('{p}', 40, 2)";

pub(crate) const DECREMENT_TEN: &str = "select public.decrement_product_quantity('{p}', 10)";

// They settle everything there is; how many that were is nobody's business.
pub(crate) const SETTLE_STOCK: &str = "select to_json(interlock.settle_slots() is not null)";

pub(crate) const P_WITHOUT_SLOTS: &str = "select public.set_stock_slots('{p}', 0)";

pub(crate) const P_IN_TWO_SLOTS: &str = "select public.set_stock_slots('{p}', 2)";

pub(crate) const P_IN_THREE_SLOTS: &str = "select public.set_stock_slots('{p}', 3)";

pub(crate) const Q_IN_TWO_SLOTS: &str = "select public.set_stock_slots('{q}', 2)";

pub(crate) const fn settle_stock() -> Operation {
    shop("stock is settled", SETTLE_STOCK).sweeping(SLOTS)
}

/// The stages.
pub(crate) const STAGES: &[Stage] = &[
    Stage {
        name: "the last two p in two slots",
        given: &[USERS, LAST_P_IN_SLOTS, ALL_HAVE_2000],
        operations: &[
            user("u", "u buys p, cash", BUY_P_CASH),
            user("v", "v buys p, bank transfer", BUY_P_BANK),
            user("u", "u buys p under a key", BUY_P_WITH_KEY),
            user("v", "v buys two p", BUY_TWO_P),
            user("w", "w looks at the stock of p", LOOK_AT_P),
            shop("the shop decrements p", DECREMENT),
            shop("the shop books p in", P_IS_BOOKED_IN),
            shop("the shop adjusts p under a reference", ADJUST_P),
            shop("the shop counts p", COUNT_P_FROM_TWO),
            shop(
                "the shop writes both p off",
                "update interlock.products set available_quantity = available_quantity - 2 where id = '{p}' returning 'null'",
            ),
            shop("the shop changes the price of p", PRICE_OF_P_CHANGES),
            shop("the shop takes p off the shelf", P_IS_TAKEN_OFF),
            shop("the shop switches the slots of p off", P_WITHOUT_SLOTS),
            shop("the shop gives p three slots", P_IN_THREE_SLOTS),
            shop(
                "the shop deletes p",
                "delete from interlock.products where id = '{p}' returning 'null'",
            ),
            settle_stock(),
        ],
        offers: &[SLOTS],
        pairs: Pairs::All,
    },
    Stage {
        name: "many p in two slots, and one of them sold",
        given: &[USERS, MANY_P_IN_SLOTS, ONE_P_IS_SOLD],
        operations: &[
            user("u", "u buys p, cash", BUY_P_CASH),
            user("v", "v buys two p", BUY_TWO_P),
            user("w", "w looks at the stock of p", LOOK_AT_P),
            shop("the shop decrements p by ten", DECREMENT_TEN),
            shop("the shop books p out", BOOK_P_OUT),
            shop(
                "the shop writes thirty p off",
                "update interlock.products set available_quantity = available_quantity - 30 where id = '{p}' returning 'null'",
            ),
            shop(
                "the shop writes more p off than there are",
                "update interlock.products set available_quantity = available_quantity - 40 where id = '{p}' returning 'null'",
            ),
            shop("the shop switches the slots of p off", P_WITHOUT_SLOTS),
            shop("the shop shares p out anew", P_IN_TWO_SLOTS),
            settle_stock(),
        ],
        offers: &[SLOTS],
        pairs: Pairs::All,
    },
    Stage {
        name: "many p in slots that are closed",
        given: &[USERS, MANY_P_IN_NO_SLOT],
        operations: &[
            user("u", "u buys p, cash", BUY_P_CASH),
            user("v", "v buys two p", BUY_TWO_P),
            shop("the shop decrements p", DECREMENT),
            shop("the shop decrements p by ten", DECREMENT_TEN),
            shop("the shop books p in", P_IS_BOOKED_IN),
            shop("the shop shares p out", P_IN_TWO_SLOTS),
        ],
        offers: &[SLOTS],
        pairs: Pairs::All,
    },
    Stage {
        name: "the last two p and the last two q in two slots each",
        given: &[USERS, LAST_P_IN_SLOTS, LAST_Q_IN_SLOTS],
        operations: &[
            user("u", "u buys p and q", BUY_P_AND_Q),
            user("v", "v buys q and p", BUY_Q_AND_P),
            user("v", "v buys two of both", BUY_TWO_OF_BOTH),
            user("u", "u buys q", BUY_Q),
            shop("the shop decrements p", DECREMENT),
            shop("the shop shares q out anew", Q_IN_TWO_SLOTS),
            shop("the shop switches the slots of p off", P_WITHOUT_SLOTS),
            settle_stock(),
        ],
        offers: &[SLOTS],
        pairs: Pairs::All,
    },
    Stage {
        name: "an unpaid order of u that is due, with p and k of slots",
        given: &[
            USERS,
            LAST_P_IN_SLOTS,
            P_IS_BOOKED_IN,
            ONE_P_IS_SOLD,
            LAST_USES_OF_K_IN_SLOTS,
            ONE_USE_IS_TAKEN,
            ORDER_FROM_SLOTS,
        ],
        operations: &[
            user("u", "u cancels", "select public.cancel_order('{o}')"),
            shop(
                "the shop rejects the payment",
                "select public.reject_payment('{o}')",
            ),
            shop("orders expire", EXPIRE_ORDERS)
                .or(NO_ORDER_EXPIRES)
                .sweeping(ORDERS),
            user("v", "v buys p", BUY_P_CASH),
            user("v", "v buys two p", BUY_TWO_P),
            user("v", "v buys p with k", BUY_P_WITH_K),
            user("v", "v holds k", VALIDATE_K),
            shop("the shop counts a use of k", COUNT_USE),
            shop("the shop lowers the limit of k", LOWER_LIMIT),
            shop("the shop decrements p", DECREMENT),
            shop("the shop switches the slots of p off", P_WITHOUT_SLOTS),
            shop("the shop switches the slots of k off", K_WITHOUT_SLOTS),
            settle_promos(),
        ],
        offers: &[ORDERS, SLOTS],
        pairs: Pairs::All,
    },
];
