//! Two buyers, a buyer and their twin, or a buyer and the shop.

use crate::meanwhile::{By, End, Scene, Wait};

/// Their wallets, two products, and a digital one.
pub(crate) const ROWS: &str = "
insert into interlock.wallets (user_id, balance, currency) values ('{ann}', 10000, 'USD'), ('{bob}', 10000, 'USD');
insert into interlock.products (id, name, price, currency, available_quantity)
  values ('{product}', 'test:1', 700, 'USD', 10), ('{product2}', 'test:2', 700, 'USD', 10);
insert into interlock.products (id, name, price, currency, kind) values ('{ebook}', 'test:3', 700, 'USD', 'digital');
insert into interlock.product_codes (product_id, code) values ('{ebook}', '1'), ('{ebook}', '2'), ('{ebook}', '3');
";

/// The scenes.
pub(crate) const SCENES: &[Scene] = &[
    Scene {
        name: "stock that was sold meanwhile is refused, with what is left",
        before: &[],
        meanwhile: (By::Shop, "update interlock.products set available_quantity = 1 where id = '{product}'"),
        call: (By::Ann, "select public.checkout('[{\"product_id\": \"{product}\", \"quantity\": 2}]')"),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "INSUFFICIENT_INVENTORY",
        then: "available_quantity = 1 from interlock.products where id = '{product}'",
    },
    Scene {
        name: "a price that changes meanwhile is not charged",
        before: &[],
        meanwhile: (By::Shop, "update interlock.products set price = 900 where id = '{product}'"),
        call: (By::Ann, "select public.checkout('[{\"product_id\": \"{product}\", \"quantity\": 2}]')"),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "55P03 a product changed",
        then: "available_quantity = 10 from interlock.products where id = '{product}'",
    },
    Scene {
        name: "a product deleted meanwhile is not found",
        before: &[],
        meanwhile: (By::Shop, "delete from interlock.products where id = '{product}'"),
        call: (By::Ann, "select public.checkout('[{\"product_id\": \"{product}\", \"quantity\": 2}]')"),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "PRODUCT_NOT_FOUND",
        then: "not exists (select 1 from interlock.orders where user_id = '{ann}')",
    },
    Scene {
        name: "a checkout locks its products in the order of their ids",
        before: &[],
        meanwhile: (By::Shop, "select 1 from interlock.products where id = '{product}' for update"),
        call: (By::Ann, "select public.checkout('[{\"product_id\": \"{product2}\", \"quantity\": 1}, {\"product_id\": \"{product}\", \"quantity\": 1}]')"),
        wait: Wait::WaitsWithout("interlock.products where id = '{product2}'"),
        end: End::Commit,
        answer: "success",
        then: "available_quantity = 9 from interlock.products where id = '{product}'",
    },
    Scene {
        name: "an order that ends locks its products in the order of their ids",
        before: &[(By::Ann, "select public.checkout('[{\"product_id\": \"{product2}\", \"quantity\": 1}, {\"product_id\": \"{product}\", \"quantity\": 1}]')")],
        meanwhile: (By::Shop, "select 1 from interlock.products where id = '{product}' for update"),
        call: (By::Ann, "select public.cancel_order(id) from interlock.orders where user_id = '{ann}'"),
        wait: Wait::WaitsWithout("interlock.products where id = '{product2}'"),
        end: End::Commit,
        answer: "success",
        then: "available_quantity = 10 from interlock.products where id = '{product}'",
    },
    Scene {
        name: "money spent meanwhile is not spent again",
        before: &[],
        meanwhile: (By::Shop, "update interlock.wallets set balance = 100 where user_id = '{ann}'"),
        call: (By::Ann, "select public.checkout('[{\"product_id\": \"{product}\", \"quantity\": 1}]', p_payment_method => 'wallet')"),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "INSUFFICIENT_FUNDS",
        then: "balance = 100 from interlock.wallets where user_id = '{ann}'",
    },
    Scene {
        name: "a payment booked twice at once counts once",
        before: &[],
        meanwhile: (By::Shop, "select public.top_up_wallet('{ann}', 500, 'USD', '{id}')"),
        call: (By::Shop, "select public.top_up_wallet('{ann}', 500, 'USD', '{id}')"),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "10500",
        then: "balance = 10500 from interlock.wallets where user_id = '{ann}'",
    },
    Scene {
        name: "a payment that makes the wallet counts once, booked twice at once",
        before: &[(By::Shop, "delete from interlock.wallets where user_id = '{ann}'")],
        meanwhile: (By::Shop, "select public.top_up_wallet('{ann}', 500, 'USD', '{id}')"),
        call: (By::Shop, "select public.top_up_wallet('{ann}', 500, 'USD', '{id}')"),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "success",
        then: "balance = 500 from interlock.wallets where user_id = '{ann}'",
    },
    Scene {
        name: "a twin waits and gets the same order",
        before: &[],
        meanwhile: (By::Ann, "select public.checkout('[{\"product_id\": \"{product}\", \"quantity\": 1}]', p_idempotency_key => 'k')"),
        call: (By::Ann, "select public.checkout('[{\"product_id\": \"{product}\", \"quantity\": 1}]', p_idempotency_key => 'k')"),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "success",
        then: "count(*) = 1 from interlock.orders where user_id = '{ann}'",
    },
    Scene {
        name: "a twin that fails leaves the key to the other",
        before: &[],
        meanwhile: (By::Ann, "select public.checkout('[{\"product_id\": \"{product}\", \"quantity\": 1}]', p_idempotency_key => 'k')"),
        call: (By::Ann, "select public.checkout('[{\"product_id\": \"{product}\", \"quantity\": 1}]', p_idempotency_key => 'k')"),
        wait: Wait::Waits,
        end: End::Rollback,
        answer: "success",
        then: "count(*) = 1 from interlock.orders where user_id = '{ann}'",
    },
    Scene {
        name: "keys in use are not purged, nor waited for",
        before: &[
            (By::Ann, "select public.checkout('[{\"product_id\": \"{product}\", \"quantity\": 1}]', p_idempotency_key => 'k')"),
            (By::Shop, "update interlock.idempotency_keys set expires_at = now() - interval '1 hour' where user_id = '{ann}'"),
        ],
        meanwhile: (By::Ann, "select public.checkout('[{\"product_id\": \"{product}\", \"quantity\": 1}]', p_idempotency_key => 'k')"),
        call: (By::Shop, "select 'purged ' || interlock.purge_idempotency_keys()"),
        wait: Wait::DoesNot,
        end: End::Commit,
        answer: "purged 0",
        then: "count(*) = 2 from interlock.orders where user_id = '{ann}'",
    },
    Scene {
        name: "an order that was rejected meanwhile is not paid",
        before: &[(By::Ann, "select public.checkout('[{\"product_id\": \"{product}\", \"quantity\": 1}]', p_payment_method => 'bank_transfer')")],
        meanwhile: (By::Shop, "select public.reject_payment(id) from interlock.orders where user_id = '{ann}'"),
        call: (By::Shop, "select public.accept_payment(id) from interlock.orders where user_id = '{ann}'"),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "ORDER_STATE_CONFLICT",
        then: "status = 'cancelled' from interlock.orders where user_id = '{ann}'",
    },
    Scene {
        name: "an order whose proof comes in meanwhile does not expire, and is not waited for",
        before: &[
            (By::Ann, "select public.checkout('[{\"product_id\": \"{product}\", \"quantity\": 1}]', p_payment_method => 'bank_transfer')"),
            (By::Shop, "update interlock.orders set payment_expires_at = now() - interval '1 hour' where user_id = '{ann}'"),
        ],
        meanwhile: (By::Ann, "select public.submit_payment_proof(id, '{ann}/' || id || '/proof.pdf') from interlock.orders where user_id = '{ann}'"),
        call: (By::Shop, "select 'expired ' || interlock.expire_orders(100)"),
        wait: Wait::DoesNot,
        end: End::Commit,
        answer: "expired 0",
        then: "status = 'pending_payment' from interlock.orders where user_id = '{ann}'",
    },
    Scene {
        name: "a code that somebody is locking is passed over",
        before: &[],
        meanwhile: (By::Shop, "select 1 from interlock.product_codes where product_id = '{ebook}' and code = '1' for update"),
        call: (By::Ann, "select public.checkout('[{\"product_id\": \"{ebook}\", \"quantity\": 1}]', p_payment_method => 'wallet')"),
        wait: Wait::DoesNot,
        end: End::Commit,
        answer: "\"code\": \"2\"",
        then: "count(*) = 1 from interlock.product_codes where product_id = '{ebook}' and order_id is not null",
    },
    Scene {
        name: "codes that somebody is locking are neither waited for nor missed",
        before: &[(By::Bob, "select public.checkout('[{\"product_id\": \"{ebook}\", \"quantity\": 1}]', p_payment_method => 'wallet')")],
        meanwhile: (By::Shop, "select 1 from interlock.product_codes where product_id = '{ebook}' for update"),
        call: (By::Ann, "select public.checkout('[{\"product_id\": \"{ebook}\", \"quantity\": 1}]', p_payment_method => 'wallet')"),
        wait: Wait::DoesNot,
        end: End::Rollback,
        answer: "55P03",
        then: "count(*) = 1 from interlock.product_codes where product_id = '{ebook}' and order_id is not null",
    },
    Scene {
        name: "an order that ends waits for its products and for no other",
        before: &[(By::Ann, "select public.checkout('[{\"product_id\": \"{product}\", \"quantity\": 1}]')")],
        meanwhile: (By::Shop, "select 1 from interlock.products where id = '{product2}' for update"),
        call: (By::Ann, "select public.cancel_order(id) from interlock.orders where user_id = '{ann}'"),
        wait: Wait::DoesNot,
        end: End::Commit,
        answer: "success",
        then: "available_quantity = 10 from interlock.products where id = '{product}'",
    },
    Scene {
        name: "orders that end together lock the products of all in the order of their ids",
        before: &[(By::Shop, "insert into interlock.orders (id, user_id, status, currency, subtotal, total, payment_method)
            values ('{batch}', '{ann}', 'confirmed', 'USD', 700, 700, 'cash_on_delivery'), ('{batch2}', '{bob}', 'confirmed', 'USD', 700, 700, 'cash_on_delivery');
            insert into interlock.order_items (order_id, product_id, quantity, unit_price, name, kind)
            values ('{batch}', '{product2}', 1, 700, 'test', 'physical'), ('{batch2}', '{product}', 1, 700, 'test', 'physical')")],
        meanwhile: (By::Shop, "select 1 from interlock.products where id = '{product}' for update"),
        call: (By::Shop, "update interlock.orders set status = 'cancelled' where id in ('{batch}', '{batch2}')"),
        wait: Wait::WaitsWithout("interlock.products where id = '{product2}'"),
        end: End::Commit,
        answer: "",
        then: "available_quantity = 11 from interlock.products where id = '{product2}'",
    },
    Scene {
        name: "orders that end together lock the wallets in the order of their owners",
        before: &[
            (By::Bob, "select public.checkout('[{\"product_id\": \"{product}\", \"quantity\": 1}]', p_payment_method => 'wallet')"),
            (By::Ann, "select public.checkout('[{\"product_id\": \"{product}\", \"quantity\": 1}]', p_payment_method => 'wallet')"),
        ],
        meanwhile: (By::Shop, "select 1 from interlock.wallets where user_id = '{ann}' for update"),
        call: (By::Shop, "update interlock.orders set status = 'cancelled' where user_id in ('{ann}', '{bob}')"),
        wait: Wait::WaitsWithout("interlock.wallets where user_id = '{bob}'"),
        end: End::Commit,
        answer: "",
        then: "balance = 10000 from interlock.wallets where user_id = '{bob}'",
    },
];

crate::meanwhile::test_scenes!(SCENES);
