//! Products that are sold in another way than from their stock alone, or not in any number.

use super::stages::{
    ADJUST_P, ALL_HAVE_2000, BUY_P_BANK, BUY_P_CASH, BUY_P_WALLET, BUY_P_WITH_KEY, COUNT_P,
    DECREMENT, ONE_Q, P_IS_BOOKED_IN, P_IS_TAKEN_OFF, PRICE_OF_P_CHANGES, TWO_Q,
};
use crate::prove::interleavings::{Pairs, Stage, USERS, shop, user};

const P_MAY_BE_OWED: &str = "insert into interlock.products (id, name, price, currency, available_quantity, stock_policy, backorder_limit)
  values ('{p}', 'p', 700, 'USD', 1, 'backorder', 1)";

const P_IS_UNTRACKED: &str =
    "insert into interlock.products (id, name, price, currency, available_quantity, stock_policy)
  values ('{p}', 'p', 700, 'USD', 1, 'untracked')";

const P_IS_LIMITED: &str = "insert into interlock.products (id, name, price, currency, available_quantity, max_per_order, max_per_customer)
  values ('{p}', 'p', 700, 'USD', 100, 1, 2)";

const ONE_P_EACH: &str = "insert into interlock.products (id, name, price, currency, available_quantity, max_per_customer)
  values ('{p}', 'p', 700, 'USD', 100, 1)";

const ORDER_OF_P: &str = "insert into interlock.orders (id, user_id, status, currency, subtotal, total, payment_method, payment_expires_at)
  values ('{o}', '{u}', 'pending_payment', 'USD', 700, 700, 'bank_transfer', now() + interval '1 day');
  insert into interlock.order_items (order_id, product_id, quantity, unit_price, name, kind, untracked)
  select '{o}', p.id, 1, 700, 'p', 'physical', p.stock_policy = 'untracked' from interlock.products p where p.id = '{p}'";

const EXPIRED_ORDER_OF_P: &str = "insert into interlock.orders (id, user_id, status, currency, subtotal, total, payment_method, cancelled_at)
  values ('{o}', '{u}', 'expired', 'USD', 700, 700, 'bank_transfer', now());
  insert into interlock.order_items (order_id, product_id, quantity, unit_price, name, kind)
  values ('{o}', '{p}', 1, 700, 'p', 'physical')";

const BUY_TWO_P: &str = r#"select public.checkout('[{"product_id": "{p}", "quantity": 2}]')"#;

const BUY_P_AND_Q: &str = r#"select public.checkout('[{"product_id": "{p}", "quantity": 1}, {"product_id": "{q}", "quantity": 1}]')"#;

const CANCEL: &str = "select public.cancel_order('{o}')";

const TRACK_P: &str =
    "update interlock.products set stock_policy = 'tracked' where id = '{p}' returning 'null'";

const UNTRACK_P: &str =
    "update interlock.products set stock_policy = 'untracked' where id = '{p}' returning 'null'";

const OWE_NO_P: &str =
    "update interlock.products set backorder_limit = 0 where id = '{p}' returning 'null'";

const LIFT_LIMIT: &str =
    "update interlock.products set max_per_customer = null where id = '{p}' returning 'null'";

/// The stages.
pub(crate) const STAGES: &[Stage] = &[
    Stage {
        name: "one p, one more that may be owed, and an order of u of one",
        given: &[USERS, P_MAY_BE_OWED, ONE_Q, ALL_HAVE_2000, ORDER_OF_P],
        operations: &[
            user("u", "u buys p, cash", BUY_P_CASH),
            user("v", "v buys two of p", BUY_TWO_P),
            user("v", "v buys p, wallet", BUY_P_WALLET),
            user("u", "u buys p and q", BUY_P_AND_Q),
            user("u", "u buys p under a key", BUY_P_WITH_KEY),
            user("u", "u cancels", CANCEL),
            shop("the shop decrements p", DECREMENT),
            shop("the shop books p in", P_IS_BOOKED_IN),
            shop("the shop adjusts p under a reference", ADJUST_P),
            shop("the shop counts p", COUNT_P),
            shop("the shop lets no p be owed", OWE_NO_P),
            shop("the shop sells p as it is there", TRACK_P),
        ],
        offers: &[],
        pairs: Pairs::All,
    },
    Stage {
        name: "an untracked p, and an order of u of one",
        given: &[USERS, P_IS_UNTRACKED, ONE_Q, ALL_HAVE_2000, ORDER_OF_P],
        operations: &[
            user("u", "u buys two of p", BUY_TWO_P),
            user("v", "v buys p, wallet", BUY_P_WALLET),
            user("v", "v buys p and q", BUY_P_AND_Q),
            user("u", "u cancels", CANCEL),
            shop("the shop decrements p", DECREMENT),
            shop("the shop adjusts p under a reference", ADJUST_P),
            shop("the shop tracks p", TRACK_P),
            shop("the shop changes the price of p", PRICE_OF_P_CHANGES),
            shop("the shop takes p off the shelf", P_IS_TAKEN_OFF),
        ],
        offers: &[],
        pairs: Pairs::All,
    },
    Stage {
        name: "u may have one more of p",
        given: &[USERS, P_IS_LIMITED, TWO_Q, ALL_HAVE_2000, ORDER_OF_P],
        operations: &[
            user("u", "u buys p, cash", BUY_P_CASH),
            user("u", "u buys p, wallet", BUY_P_WALLET),
            user("u", "u buys p under a key", BUY_P_WITH_KEY),
            user("u", "u buys p and q", BUY_P_AND_Q),
            user("u", "u cancels", CANCEL),
            user("v", "v buys p, bank transfer", BUY_P_BANK),
            shop("the shop lifts the limit of p", LIFT_LIMIT),
            shop("the shop makes p untracked", UNTRACK_P),
        ],
        offers: &[],
        pairs: Pairs::All,
    },
    Stage {
        name: "an order of u of one p that has expired, and u may have one p",
        given: &[USERS, ONE_P_EACH, TWO_Q, ALL_HAVE_2000, EXPIRED_ORDER_OF_P],
        operations: &[
            shop("the shop reopens", "select public.reopen_order('{o}')"),
            user("u", "u buys p, cash", BUY_P_CASH),
            user("u", "u buys p and q", BUY_P_AND_Q),
            user("v", "v buys p, wallet", BUY_P_WALLET),
            user("u", "u cancels", CANCEL),
            shop("the shop makes p untracked", UNTRACK_P),
        ],
        offers: &[],
        pairs: Pairs::All,
    },
];
