//! A cart that is reserved before it is ordered.

use super::stages::{
    ADJUST_P, ALL_HAVE_2000, ALL_HAVE_5000, BUY_P_CASH, BUY_P_WALLET, COUNT_P, DECREMENT,
    NO_ORDER_EXPIRES, NO_P, ONE_P, ONE_Q, PRICE_OF_P_CHANGES,
};
use crate::prove::interleavings::{Pairs, Stage, Sweep, USERS, shop, user};

/// Reservations whose time is over.
pub(crate) const RESERVATIONS: Sweep = Sweep {
    name: "the reservations whose time is over",
    clear: "update interlock.cart_reservations r set expires_at = now() + interval '1 day' from auth.users u
                 where r.expires_at < now() + interval '1 hour'
                   and u.id = r.user_id and u.email like '%@test.example';",
    others: "select exists (select from interlock.cart_reservations r left join auth.users u on u.id = r.user_id
                 where r.expires_at <= now() and coalesce(u.email not like '%@test.example', true))",
};

const RESERVED_P: &str = "insert into interlock.cart_reservations (user_id, id, reserved_since, expires_at, counted_units)
  values ('{u}', '{c}', now() - interval '11 minutes', now() - interval '1 minute', 1);
  insert into interlock.cart_reservation_lines (user_id, product_id, quantity, untracked) values ('{u}', '{p}', 1, false);
  insert into interlock.customer_open_orders (user_id, units) values ('{u}', 1)";

const BUY_RESERVED_P: &str = r#"select public.checkout('[{"product_id": "{p}", "quantity": 1}]', p_reservation_id => '{c}')"#;

const BUY_MORE_THAN_RESERVED: &str = r#"select public.checkout('[{"product_id": "{p}", "quantity": 2}, {"product_id": "{q}", "quantity": 1}]',
    p_payment_method => 'wallet', p_reservation_id => '{c}')"#;

const BUY_Q_INSTEAD: &str = r#"select public.checkout('[{"product_id": "{q}", "quantity": 1}]', p_reservation_id => '{c}')"#;

const RESERVE_P: &str = r#"select public.reserve_cart('[{"product_id": "{p}", "quantity": 1}]')"#;

const RESERVE_TWO_P: &str =
    r#"select public.reserve_cart('[{"product_id": "{p}", "quantity": 2}]')"#;

const RESERVE_Q: &str = r#"select public.reserve_cart('[{"product_id": "{q}", "quantity": 1}]')"#;

const RELEASE: &str = "select public.release_cart()";

const EXPIRE_RESERVATIONS: &str = "select public.expire_cart_reservations()";

const UNTRACK_P: &str =
    "update interlock.products set stock_policy = 'untracked' where id = '{p}' returning 'null'";

/// The stages.
pub(crate) const STAGES: &[Stage] = &[
    Stage {
        name: "a reservation of u of the last p, which is due",
        given: &[USERS, NO_P, ONE_Q, ALL_HAVE_2000, RESERVED_P],
        operations: &[
            user("u", "u buys what is reserved", BUY_RESERVED_P),
            user("u", "u buys q instead", BUY_Q_INSTEAD),
            user("u", "u buys p from the shelf", BUY_P_WALLET),
            user("u", "u reserves p", RESERVE_P),
            user("u", "u reserves q", RESERVE_Q),
            user("u", "u releases", RELEASE),
            user("v", "v buys p", BUY_P_CASH),
            user("v", "v reserves p", RESERVE_P),
            shop("reservations expire", EXPIRE_RESERVATIONS)
                .or(NO_ORDER_EXPIRES)
                .sweeping(RESERVATIONS),
            shop("the shop adjusts p under a reference", ADJUST_P),
            shop("the shop decrements p", DECREMENT),
            shop("the shop makes p untracked", UNTRACK_P),
            shop("the shop erases u", "select public.erase_user('{u}')"),
        ],
        offers: &[RESERVATIONS],
        pairs: Pairs::All,
    },
    Stage {
        name: "a reservation of u of one p, one more p and one q",
        given: &[USERS, ONE_P, ONE_Q, ALL_HAVE_5000, RESERVED_P],
        operations: &[
            user("u", "u buys more than is reserved", BUY_MORE_THAN_RESERVED),
            user("u", "u reserves two p", RESERVE_TWO_P),
            user("u", "u reserves q", RESERVE_Q),
            user("u", "u releases", RELEASE),
            user("v", "v reserves two p", RESERVE_TWO_P),
            user("v", "v buys p", BUY_P_WALLET),
            shop("the shop counts p", COUNT_P),
            shop("the shop changes the price of p", PRICE_OF_P_CHANGES),
        ],
        offers: &[RESERVATIONS],
        pairs: Pairs::All,
    },
];
