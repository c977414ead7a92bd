//! Locks that come before others, or keep out what would come between: each waits for its own, with nothing else held.

use super::limit_scenes::NO_LIMIT;
use crate::meanwhile::{By, End, Scene, Wait};

/// An order by card of Ann's and an attempt to pay it.
const OPEN_PAYMENT: (By, &str) = (
    By::Shop,
    "insert into interlock.orders (id, user_id, status, currency, subtotal, total, payment_method, payment_expires_at)
     values ('{batch}', '{ann}', 'pending_payment', 'USD', 700, 700, 'card', now() + interval '1 hour');
     insert into interlock.order_items (order_id, product_id, quantity, unit_price, name, kind)
     values ('{batch}', '{product}', 1, 700, 'test', 'physical');
     insert into interlock.payments (id, order_id, provider, provider_id, attempt, amount, currency)
     values ('{id}', '{batch}', 'stripe', 'pi_{id}', 1, 700, 'USD')",
);
const ITS_MONEY: (By, &str) = (
    By::Shop,
    "update interlock.payments set status = 'succeeded', succeeded_at = now() where id = '{id}';
     update interlock.orders set status = 'paid', paid_at = now() where id = '{batch}'",
);
const LOCKED: (By, &str) = (By::Shop, "select interlock.lock_order('{batch}')");

/// The scenes.
pub(crate) const SCENES: &[Scene] = &[
    Scene {
        name: "orders that end together lock the counters in the order of their customers",
        before: &[
            (
                By::Shop,
                "update interlock.settings set max_open_orders_per_customer = 2",
            ),
            (
                By::Bob,
                "select public.checkout('[{\"product_id\": \"{product}\", \"quantity\": 1}]')",
            ),
            (
                By::Ann,
                "select public.checkout('[{\"product_id\": \"{product}\", \"quantity\": 1}]')",
            ),
        ],
        meanwhile: (
            By::Shop,
            "select 1 from interlock.customer_open_orders where user_id = '{ann}' for update",
        ),
        call: (
            By::Shop,
            "update interlock.orders set status = 'cancelled' where user_id in ('{ann}', '{bob}')",
        ),
        wait: Wait::WaitsWithout("interlock.customer_open_orders where user_id = '{bob}'"),
        end: End::Commit,
        answer: "",
        then: "orders = 0 from interlock.customer_open_orders where user_id = '{bob}'",
    },
    Scene {
        name: "an erasure leaves a key alone that somebody is using",
        before: &[(
            By::Shop,
            "update interlock.wallets set balance = 0 where user_id = '{ann}';
             insert into interlock.idempotency_keys (user_id, operation, key, request_hash, response, expires_at)
             values ('{ann}', 'cancel_order', 'k', '', '{}', now() + interval '1 day')",
        )],
        meanwhile: (
            By::Shop,
            "select 1 from interlock.idempotency_keys where user_id = '{ann}' for update",
        ),
        call: (By::Shop, "select public.erase_user('{ann}')"),
        wait: Wait::DoesNot,
        end: End::Commit,
        answer: "\"account_removed\": true",
        then: "count(*) = 1 from interlock.idempotency_keys where user_id = '{ann}'",
    },
    Scene {
        name: "a refund outside takes the account before the order",
        before: &[(
            By::Ann,
            "select public.checkout('[{\"product_id\": \"{product}\", \"quantity\": 1}]', p_payment_method => 'wallet')",
        )],
        meanwhile: (
            By::Shop,
            "select 1 from auth.users where id = '{ann}' for update",
        ),
        call: (
            By::Shop,
            "select public.refund_order(id, true) from interlock.orders where user_id = '{ann}'",
        ),
        wait: Wait::WaitsWithout("interlock.orders where user_id = '{ann}'"),
        end: End::Commit,
        answer: "refunded",
        then: "balance = 9300 from interlock.wallets where user_id = '{ann}'",
    },
    Scene {
        name: "a cart that is ordered meanwhile is not reopened",
        before: &[
            (
                By::Ann,
                "select public.checkout('[{\"product_id\": \"{product}\", \"quantity\": 1}]', p_cart_id => '{cart}')",
            ),
            (
                By::Shop,
                "update interlock.orders set status = 'expired' where user_id = '{ann}'",
            ),
        ],
        meanwhile: (
            By::Ann,
            "select public.checkout('[{\"product_id\": \"{product}\", \"quantity\": 1}]', p_cart_id => '{cart}')",
        ),
        call: (
            By::Shop,
            "select public.reopen_order(id) from interlock.orders where user_id = '{ann}'",
        ),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "CART_ALREADY_ORDERED",
        then: "count(*) = 1 from interlock.orders where user_id = '{ann}' and status = 'expired'",
    },
    Scene {
        name: "a first order that another has taken the place of meanwhile is not reopened",
        before: &[
            NO_LIMIT,
            (
                By::Shop,
                "insert into interlock.promo_codes (code, discount_type, discount_value, first_order_only)
                 values ('Q{id}', 'percentage', 10, true)",
            ),
            (
                By::Ann,
                "select public.checkout('[{\"product_id\": \"{product}\", \"quantity\": 1}]', 'P{promo2}')",
            ),
            (
                By::Shop,
                "update interlock.orders set status = 'expired' where user_id = '{ann}'",
            ),
        ],
        meanwhile: (
            By::Ann,
            "select public.checkout('[{\"product_id\": \"{product2}\", \"quantity\": 1}]', 'Q{id}')",
        ),
        call: (
            By::Shop,
            "select public.reopen_order(id) from interlock.orders where user_id = '{ann}'",
        ),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "PROMO_NOT_APPLICABLE",
        then: "count(*) = 1 from interlock.orders where user_id = '{ann}' and status = 'expired'",
    },
    Scene {
        name: "an attempt to pay waits for what happens to its order",
        before: &[OPEN_PAYMENT],
        meanwhile: LOCKED,
        call: (By::Ann, "select public.begin_card_payment('{batch}')"),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "pi_{id}",
        then: "count(*) = 1 from interlock.payments where order_id = '{batch}'",
    },
    Scene {
        name: "an event about a payment waits for what happens to its order",
        before: &[OPEN_PAYMENT],
        meanwhile: LOCKED,
        call: (
            By::Shop,
            "select a.outcome from interlock.apply_payment_event('stripe', 'payment_intent.payment_failed', jsonb_build_object(
               'id', 'pi_{id}', 'amount', 700, 'currency', 'usd',
               'metadata', jsonb_build_object('order_id', '{batch}', 'payment_id', '{id}')
             ), now()) a",
        ),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "noted",
        then: "failure is not null from interlock.payments where id = '{id}'",
    },
    Scene {
        name: "an event about a refund waits for what happens to its order",
        before: &[OPEN_PAYMENT, ITS_MONEY],
        meanwhile: LOCKED,
        call: (
            By::Shop,
            "select a.outcome from interlock.apply_refund_event('stripe', jsonb_build_object(
               'id', 're_{id}', 'payment_intent', 'pi_{id}', 'amount', 1, 'currency', 'usd', 'status', 'succeeded'
             ), now()) a",
        ),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "noted",
        then: "refunded = 1 from interlock.payments where id = '{id}'",
    },
    Scene {
        name: "an event about a dispute waits for what happens to its order",
        before: &[OPEN_PAYMENT, ITS_MONEY],
        meanwhile: LOCKED,
        call: (
            By::Shop,
            "select a.outcome from interlock.apply_dispute_event('stripe', jsonb_build_object(
               'id', 'dp_{id}', 'payment_intent', 'pi_{id}', 'status', 'lost'
             )) a",
        ),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "noted",
        then: "dispute = 'lost' from interlock.payments where id = '{id}'",
    },
];

crate::meanwhile::test_scenes!(SCENES);
