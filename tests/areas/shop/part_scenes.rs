//! Parts of an order that are refunded or sent, and what happens to the order at that time.

use crate::meanwhile::{By, End, Scene, Wait};

const ORDER: (By, &str) = (
    By::Ann,
    "select public.checkout('[{\"product_id\": \"{product}\", \"quantity\": 1}, {\"product_id\": \"{product2}\", \"quantity\": 1}]', p_cart_id => '{cart}')",
);
const PAID_ORDER: (By, &str) = (
    By::Ann,
    "select public.checkout('[{\"product_id\": \"{product}\", \"quantity\": 1}, {\"product_id\": \"{product2}\", \"quantity\": 1}]', null, '{cart}', 'wallet')",
);
const REFUND: &str =
    "select public.refund_order_lines(id, '[{\"product_id\": \"{product}\", \"quantity\": 1}]')
  from interlock.orders where cart_id = '{cart}'";
const REFUND_BOTH: &str = "select public.refund_order_lines(id, '[{\"product_id\": \"{product2}\", \"quantity\": 1}, {\"product_id\": \"{product}\", \"quantity\": 1}]')
  from interlock.orders where cart_id = '{cart}'";
const SHIP: &str =
    "select public.ship_order_lines(id, '[{\"product_id\": \"{product}\", \"quantity\": 1}]')
  from interlock.orders where cart_id = '{cart}'";

/// The scenes.
pub(crate) const SCENES: &[Scene] = &[
    Scene {
        name: "a unit is refunded once",
        before: &[PAID_ORDER],
        meanwhile: (By::Shop, REFUND),
        call: (By::Shop, REFUND),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "REFUND_EXCEEDS_ORDER",
        then: "balance = 9300 from interlock.wallets where user_id = '{ann}'",
    },
    Scene {
        name: "a unit that another failed to refund is refunded",
        before: &[PAID_ORDER],
        meanwhile: (By::Shop, REFUND),
        call: (By::Shop, REFUND),
        wait: Wait::Waits,
        end: End::Rollback,
        answer: "success",
        then: "balance = 9300 from interlock.wallets where user_id = '{ann}'",
    },
    Scene {
        name: "of an order that is refunded meanwhile no part is",
        before: &[PAID_ORDER],
        meanwhile: (
            By::Shop,
            "select public.refund_order(id) from interlock.orders where cart_id = '{cart}'",
        ),
        call: (By::Shop, REFUND),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "ORDER_STATE_CONFLICT",
        then: "balance = 10000 from interlock.wallets where user_id = '{ann}'",
    },
    Scene {
        name: "an order gives back what is left of it by then",
        before: &[PAID_ORDER],
        meanwhile: (By::Shop, REFUND),
        call: (
            By::Shop,
            "select public.refund_order(id) from interlock.orders where cart_id = '{cart}'",
        ),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "refunded",
        then: "array[w.balance, p.available_quantity]::int[] = '{10000,10}' from interlock.wallets w, interlock.products p where w.user_id = '{ann}' and p.id = '{product}'",
    },
    Scene {
        name: "a buyer cancels what is left of their order by then",
        before: &[ORDER],
        meanwhile: (By::Shop, REFUND),
        call: (
            By::Ann,
            "select public.cancel_order(id) from interlock.orders where cart_id = '{cart}'",
        ),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "cancelled",
        then: "available_quantity = 10 from interlock.products where id = '{product}'",
    },
    Scene {
        name: "a unit leaves once",
        before: &[ORDER],
        meanwhile: (By::Shop, SHIP),
        call: (By::Shop, SHIP),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "SHIPMENT_EXCEEDS_ORDER",
        then: "count(*) = 1 from interlock.order_shipment_items where product_id = '{product}'",
    },
    Scene {
        name: "a unit that is refunded meanwhile does not leave",
        before: &[ORDER],
        meanwhile: (By::Shop, REFUND),
        call: (By::Shop, SHIP),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "SHIPMENT_EXCEEDS_ORDER",
        then: "available_quantity = 10 from interlock.products where id = '{product}'",
    },
    Scene {
        name: "a unit that leaves meanwhile does not come back by itself",
        before: &[ORDER],
        meanwhile: (By::Shop, SHIP),
        call: (By::Shop, REFUND),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "success",
        then: "available_quantity = 9 from interlock.products where id = '{product}'",
    },
    Scene {
        name: "a part locks its products in the order of their ids",
        before: &[ORDER],
        meanwhile: (
            By::Shop,
            "select 1 from interlock.products where id = '{product}' for update",
        ),
        call: (By::Shop, REFUND_BOTH),
        wait: Wait::WaitsWithout("interlock.products where id = '{product2}'"),
        end: End::Commit,
        answer: "cancelled",
        then: "available_quantity = 10 from interlock.products where id = '{product}'",
    },
    Scene {
        name: "a part that gives no goods back waits for none",
        before: &[ORDER],
        meanwhile: (By::Shop, "select 1 from interlock.products where id = '{product}' for update"),
        call: (By::Shop, "select public.refund_order_lines(id, '[{\"product_id\": \"{product}\", \"quantity\": 1}]', p_restock => false)
          from interlock.orders where cart_id = '{cart}'"),
        wait: Wait::DoesNot,
        end: End::Commit,
        answer: "success",
        then: "available_quantity = 9 from interlock.products where id = '{product}'",
    },
    Scene {
        name: "a part comes to its products after the wallet",
        before: &[PAID_ORDER],
        meanwhile: (
            By::Shop,
            "select 1 from interlock.wallets where user_id = '{ann}' for update",
        ),
        call: (By::Shop, REFUND),
        wait: Wait::WaitsWithout("interlock.products where id = '{product}'"),
        end: End::Commit,
        answer: "success",
        then: "available_quantity = 10 from interlock.products where id = '{product}'",
    },
];
