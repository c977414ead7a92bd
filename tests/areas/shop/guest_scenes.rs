//! What a guest has, moving while somebody does something with it. Ann is the guest, Bob has the account.

use crate::meanwhile::{By, End, Scene, Wait};

const GUEST: (By, &str) = (
    By::Shop,
    "update auth.users set is_anonymous = true where id = '{ann}';
     insert into interlock.order_transfers (from_user_id, token_hash, expires_at)
     values ('{ann}', sha256('{id}'), now() + interval '1 hour')",
);
const REDEEM: (By, &str) = (By::Bob, "select public.redeem_order_transfer('{id}')");
const BUY: (By, &str) = (
    By::Ann,
    "select public.checkout('[{\"product_id\": \"{product}\", \"quantity\": 1}]', p_cart_id => '{cart}')",
);
const BUY_BY_WALLET: (By, &str) = (
    By::Ann,
    "select public.checkout('[{\"product_id\": \"{product}\", \"quantity\": 1}]', p_payment_method => 'wallet')",
);
const BOB_BUYS: (By, &str) = (
    By::Bob,
    "select public.checkout('[{\"product_id\": \"{product}\", \"quantity\": 1}]')",
);

/// The scenes.
pub(crate) const SCENES: &[Scene] = &[
    Scene {
        name: "what a guest orders while the rest moves stays theirs",
        before: &[GUEST],
        meanwhile: REDEEM,
        call: BUY,
        wait: Wait::Waits,
        end: End::Commit,
        answer: "success",
        then: "count(*) = 1 from interlock.orders where user_id = '{ann}'",
    },
    Scene {
        name: "accounts are locked in the order of their ids",
        before: &[GUEST],
        meanwhile: (
            By::Shop,
            "select 1 from auth.users where id = '{ann}' for update",
        ),
        call: REDEEM,
        wait: Wait::WaitsWithout("auth.users where id = '{bob}'"),
        end: End::Commit,
        answer: "success",
        then: "balance = 20000 from interlock.wallets where user_id = '{bob}'",
    },
    Scene {
        name: "wallets are locked in the order of their owners before money moves",
        before: &[GUEST],
        meanwhile: (
            By::Shop,
            "update interlock.wallets set balance = 100 where user_id = '{ann}'",
        ),
        call: REDEEM,
        wait: Wait::WaitsWithout("interlock.wallets where user_id = '{bob}'"),
        end: End::Commit,
        answer: "\"amount\": 100",
        then: "balance = 10100 from interlock.wallets where user_id = '{bob}'",
    },
    Scene {
        name: "open orders of both are counted under the locks of both, in the order of their owners",
        before: &[GUEST, BUY, BOB_BUYS],
        meanwhile: (
            By::Shop,
            "update interlock.customer_open_orders set units = 1 where user_id = '{ann}'",
        ),
        call: REDEEM,
        wait: Wait::WaitsWithout("interlock.customer_open_orders where user_id = '{bob}'"),
        end: End::Commit,
        answer: "\"orders\": 1",
        then: "(orders, units) = (2, 2) from interlock.customer_open_orders where user_id = '{bob}'",
    },
    Scene {
        name: "an order that has moved meanwhile is not the guest's to cancel",
        before: &[GUEST, BUY],
        meanwhile: REDEEM,
        call: (
            By::Ann,
            "select public.cancel_order(id) from interlock.orders where user_id = '{ann}'",
        ),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "ORDER_NOT_FOUND",
        then: "status = 'confirmed' from interlock.orders where user_id = '{bob}'",
    },
    Scene {
        name: "nor to pay by card",
        before: &[
            GUEST,
            (
                By::Shop,
                "insert into interlock.orders (id, user_id, status, currency, subtotal, total, payment_method, payment_expires_at)
                 values ('{batch}', '{ann}', 'pending_payment', 'USD', 700, 700, 'card', now() + interval '1 hour')",
            ),
        ],
        meanwhile: REDEEM,
        call: (By::Ann, "select public.begin_card_payment('{batch}')"),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "ORDER_NOT_FOUND",
        then: "count(*) = 0 from interlock.payments where order_id = '{batch}'",
    },
    Scene {
        name: "nor to prove a payment for",
        before: &[
            GUEST,
            (
                By::Shop,
                "insert into interlock.orders (id, user_id, status, currency, subtotal, total, payment_method, payment_expires_at)
                 values ('{batch}', '{ann}', 'pending_payment', 'USD', 700, 700, 'bank_transfer', now() + interval '1 hour')",
            ),
        ],
        meanwhile: REDEEM,
        call: (
            By::Ann,
            "select public.submit_payment_proof('{batch}', '{ann}/{batch}/a.png')",
        ),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "ORDER_NOT_FOUND",
        then: "count(*) = 0 from interlock.payment_proofs where order_id = '{batch}'",
    },
    Scene {
        name: "what is refunded while it moves goes to the account",
        before: &[GUEST, BUY_BY_WALLET],
        meanwhile: REDEEM,
        call: (
            By::Shop,
            "select public.refund_order(id) from interlock.orders where user_id = '{ann}'",
        ),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "refunded",
        then: "balance = 20000 from interlock.wallets where user_id = '{bob}'",
    },
    Scene {
        name: "an order that ends meanwhile moves as it has ended",
        before: &[GUEST, BUY_BY_WALLET],
        meanwhile: (
            By::Shop,
            "update interlock.orders set status = 'cancelled' where user_id = '{ann}'",
        ),
        call: REDEEM,
        wait: Wait::Waits,
        end: End::Commit,
        answer: "\"amount\": 10000",
        then: "balance = 20000 from interlock.wallets where user_id = '{bob}'",
    },
    Scene {
        name: "a redemption sent twice at once counts once",
        before: &[GUEST],
        meanwhile: REDEEM,
        call: REDEEM,
        wait: Wait::Waits,
        end: End::Commit,
        answer: "\"amount\": 10000",
        then: "count(*) = 1 from interlock.order_transfers where to_user_id = '{bob}'",
    },
    Scene {
        name: "a token that is replaced meanwhile counts no more",
        before: &[GUEST],
        meanwhile: (By::Ann, "select public.create_order_transfer()"),
        call: REDEEM,
        wait: Wait::Waits,
        end: End::Commit,
        answer: "TRANSFER_NOT_FOUND",
        then: "balance = 10000 from interlock.wallets where user_id = '{bob}'",
    },
    Scene {
        name: "an order that is placed under a key before the accounts are had is not moved without it",
        before: &[GUEST],
        meanwhile: (
            By::Ann,
            "select public.checkout('[{\"product_id\": \"{product}\", \"quantity\": 1}]', p_idempotency_key => 'k')",
        ),
        call: REDEEM,
        wait: Wait::Waits,
        end: End::Commit,
        answer: "55P03",
        then: "count(*) = 1 from interlock.orders where user_id = '{ann}'",
    },
    Scene {
        name: "who is ordering the guest's cart for the account is not waited for",
        before: &[GUEST, BUY],
        meanwhile: (
            By::Shop,
            "select interlock.lock_cart('{bob}', '{cart}')",
        ),
        call: REDEEM,
        wait: Wait::DoesNot,
        end: End::Commit,
        answer: "55P03",
        then: "count(*) = 1 from interlock.orders where user_id = '{ann}'",
    },
    Scene {
        name: "nor who is buying what is limited for a customer",
        before: &[
            GUEST,
            (
                By::Shop,
                "update interlock.products set max_per_customer = 5 where id = '{product}'",
            ),
        ],
        meanwhile: (
            By::Shop,
            "select interlock.take_customer_limits('{bob}', array['{product}']::uuid[], '{1}')",
        ),
        call: REDEEM,
        wait: Wait::DoesNot,
        end: End::Commit,
        answer: "55P03",
        then: "balance = 10000 from interlock.wallets where user_id = '{bob}'",
    },
    Scene {
        name: "uses of both are locked before the codes",
        before: &[
            GUEST,
            (
                By::Ann,
                "select public.validate_promo('P{promo}', '[{\"product_id\": \"{product}\", \"quantity\": 1}]')",
            ),
        ],
        meanwhile: (
            By::Shop,
            "select 1 from interlock.promo_user_uses where user_id = '{ann}' for update",
        ),
        call: REDEEM,
        wait: Wait::WaitsWithout("interlock.promo_codes where id = '{promo}'"),
        end: End::Commit,
        answer: "success",
        then: "status = 'released' from interlock.promo_redemptions where promo_id = '{promo}'",
    },
    Scene {
        name: "a guest who is erased meanwhile gets no token",
        before: &[(
            By::Shop,
            "update interlock.wallets set balance = 0 where user_id = '{ann}';
             update auth.users set is_anonymous = true where id = '{ann}'",
        )],
        meanwhile: (By::Shop, "select public.erase_user('{ann}')"),
        call: (By::Ann, "select public.create_order_transfer()"),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "UNAUTHENTICATED",
        then: "not exists (select from interlock.order_transfers where from_user_id = '{ann}')",
    },
    Scene {
        name: "a token that is renewed meanwhile is not purged, nor waited for",
        before: &[
            GUEST,
            (
                By::Shop,
                "update interlock.order_transfers set expires_at = now() - interval '1 hour' where from_user_id = '{ann}'",
            ),
        ],
        meanwhile: (By::Ann, "select public.create_order_transfer()"),
        call: (
            By::Shop,
            "select 'purged ' || interlock.purge_idempotency_keys()",
        ),
        wait: Wait::DoesNot,
        end: End::Commit,
        answer: "purged 0",
        then: "count(*) = 1 from interlock.order_transfers where from_user_id = '{ann}'",
    },
];

crate::meanwhile::test_scenes!(SCENES);
