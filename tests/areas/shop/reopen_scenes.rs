//! An order that is opened again, and who has to do with it, its goods or its buyer at that time.

use crate::meanwhile::{By, End, Scene, Wait};

const ORDER: (By, &str) = (
    By::Ann,
    "select public.checkout('[{\"product_id\": \"{product}\", \"quantity\": 1}]', 'P{promo}', '{cart}', 'bank_transfer')",
);
const EXPIRED: (By, &str) = (
    By::Shop,
    "update interlock.orders set status = 'expired' where cart_id = '{cart}'",
);
const ONE_LEFT: (By, &str) = (
    By::Shop,
    "update interlock.products set available_quantity = 1 where id = '{product}'",
);
const ONE_USE_LEFT: (By, &str) = (
    By::Shop,
    "update interlock.promo_codes set max_uses = 1 where id = '{promo}'",
);
const REOPEN: &str = "select public.reopen_order(id) from interlock.orders where cart_id = '{cart}' and user_id = '{ann}'";
const REOPEN_PAID: &str =
    "select public.reopen_order(id, true) from interlock.orders where cart_id = '{cart}'";
const CANCEL: &str =
    "select public.cancel_order(id) from interlock.orders where cart_id = '{cart}'";
const BUY: &str = "select public.checkout('[{\"product_id\": \"{product}\", \"quantity\": 1}]')";

/// The scenes.
pub(crate) const SCENES: &[Scene] = &[
    Scene {
        name: "an order is opened again once",
        before: &[ORDER, EXPIRED],
        meanwhile: (By::Shop, REOPEN),
        call: (By::Shop, REOPEN),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "pending_payment",
        then: "available_quantity = 9 from interlock.products where id = '{product}'",
    },
    Scene {
        name: "who opens it again after another failed to takes its goods",
        before: &[ORDER, EXPIRED],
        meanwhile: (By::Shop, REOPEN),
        call: (By::Shop, REOPEN_PAID),
        wait: Wait::Waits,
        end: End::Rollback,
        answer: "paid",
        then: "available_quantity = 9 from interlock.products where id = '{product}'",
    },
    Scene {
        name: "an order that expires meanwhile is opened again",
        before: &[ORDER],
        meanwhile: EXPIRED,
        call: (By::Shop, REOPEN),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "pending_payment",
        then: "array[p.available_quantity, c.used_count]::int[] = '{9,1}' from interlock.products p, interlock.promo_codes c where p.id = '{product}' and c.id = '{promo}'",
    },
    Scene {
        name: "an order that is cancelled meanwhile is not",
        before: &[ORDER],
        meanwhile: (By::Ann, CANCEL),
        call: (By::Shop, REOPEN),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "ORDER_STATE_CONFLICT",
        then: "available_quantity = 10 from interlock.products where id = '{product}'",
    },
    Scene {
        name: "an order that is opened again meanwhile can be cancelled, and gives back once",
        before: &[ORDER, EXPIRED],
        meanwhile: (By::Shop, REOPEN),
        call: (By::Ann, CANCEL),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "cancelled",
        then: "array[p.available_quantity, c.used_count]::int[] = '{10,0}' from interlock.products p, interlock.promo_codes c where p.id = '{product}' and c.id = '{promo}'",
    },
    Scene {
        name: "its payment is accepted once it is open again",
        before: &[ORDER, EXPIRED],
        meanwhile: (By::Shop, REOPEN),
        call: (
            By::Shop,
            "select public.accept_payment(id) from interlock.orders where cart_id = '{cart}'",
        ),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "paid",
        then: "available_quantity = 9 from interlock.products where id = '{product}'",
    },
    Scene {
        name: "the last unit that is sold meanwhile is missing",
        before: &[ORDER, EXPIRED, ONE_LEFT],
        meanwhile: (By::Bob, BUY),
        call: (By::Shop, REOPEN),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "INSUFFICIENT_INVENTORY",
        then: "status = 'expired' from interlock.orders where cart_id = '{cart}'",
    },
    Scene {
        name: "the last unit that it takes again is not sold",
        before: &[ORDER, EXPIRED, ONE_LEFT],
        meanwhile: (By::Shop, REOPEN),
        call: (By::Bob, BUY),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "INSUFFICIENT_INVENTORY",
        then: "available_quantity = 0 from interlock.products where id = '{product}'",
    },
    Scene {
        name: "the last use of its code that is taken meanwhile is missing",
        before: &[ORDER, EXPIRED, ONE_USE_LEFT],
        meanwhile: (
            By::Bob,
            "select public.checkout('[{\"product_id\": \"{product2}\", \"quantity\": 1}]', 'P{promo}')",
        ),
        call: (By::Shop, REOPEN),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "PROMO_EXHAUSTED",
        then: "available_quantity = 10 from interlock.products where id = '{product}'",
    },
    Scene {
        name: "its cart that is ordered again meanwhile stays with the new order",
        before: &[ORDER, EXPIRED],
        meanwhile: (
            By::Ann,
            "select public.checkout('[{\"product_id\": \"{product2}\", \"quantity\": 1}]', p_cart_id => '{cart}')",
        ),
        call: (
            By::Shop,
            "select public.reopen_order(id) from interlock.orders where cart_id = '{cart}' and status = 'expired'",
        ),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "CART_ALREADY_ORDERED",
        then: "count(*) = 1 from interlock.orders where cart_id = '{cart}' and status = 'expired'",
    },
    Scene {
        name: "an order whose buyer is erased meanwhile is opened for nobody",
        before: &[
            ORDER,
            EXPIRED,
            (
                By::Shop,
                "update interlock.wallets set balance = 0 where user_id = '{ann}'",
            ),
        ],
        meanwhile: (By::Shop, "select public.erase_user('{ann}')"),
        call: (By::Shop, REOPEN_PAID),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "ORDER_OWNER_GONE",
        then: "available_quantity = 10 from interlock.products where id = '{product}'",
    },
];

crate::meanwhile::test_scenes!(SCENES);
