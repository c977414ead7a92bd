//! Somebody and the removal of their account. It takes the account first and then what refers to it, so whoever needs
//! both takes the account first, too.

use crate::meanwhile::{By, End, Scene, Wait};

/// The scenes.
pub(crate) const SCENES: &[Scene] = &[
    Scene {
        name: "a checkout from the wallet takes the account before the wallet",
        before: &[],
        meanwhile: (
            By::Shop,
            "select 1 from auth.users where id = '{ann}' for update",
        ),
        call: (
            By::Ann,
            "select public.checkout('[{\"product_id\": \"{product}\", \"quantity\": 1}]', p_payment_method => 'wallet')",
        ),
        wait: Wait::WaitsWithout("interlock.wallets where user_id = '{ann}'"),
        end: End::Commit,
        answer: "success",
        then: "balance = 9300 from interlock.wallets where user_id = '{ann}'",
    },
    Scene {
        name: "a checkout with a promo code takes the account before the uses of the customer",
        before: &[(
            By::Ann,
            "select public.validate_promo('P{promo}', '[{\"product_id\": \"{product}\", \"quantity\": 1}]')",
        )],
        meanwhile: (
            By::Shop,
            "select 1 from auth.users where id = '{ann}' for update",
        ),
        call: (
            By::Ann,
            "select public.checkout('[{\"product_id\": \"{product}\", \"quantity\": 1}]', 'P{promo}')",
        ),
        wait: Wait::WaitsWithout("interlock.promo_user_uses where user_id = '{ann}'"),
        end: End::Commit,
        answer: "success",
        then: "count(*) = 1 from interlock.orders where user_id = '{ann}'",
    },
    Scene {
        name: "a promo code is held once the account is sure to stay",
        before: &[(
            By::Ann,
            "select public.validate_promo('P{promo}', '[{\"product_id\": \"{product}\", \"quantity\": 1}]')",
        )],
        meanwhile: (
            By::Shop,
            "select 1 from auth.users where id = '{ann}' for update",
        ),
        call: (
            By::Ann,
            "select public.validate_promo('P{promo}', '[{\"product_id\": \"{product}\", \"quantity\": 1}]')",
        ),
        wait: Wait::WaitsWithout("interlock.promo_user_uses where user_id = '{ann}'"),
        end: End::Commit,
        answer: "valid",
        then: "count(*) = 1 from interlock.promo_redemptions where user_id = '{ann}' and status = 'held'",
    },
    Scene {
        name: "a refund takes the account before the order and the wallet",
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
            "select public.refund_order(id) from interlock.orders where user_id = '{ann}'",
        ),
        wait: Wait::WaitsWithout("interlock.orders where user_id = '{ann}'"),
        end: End::Commit,
        answer: "success",
        then: "balance = 10000 from interlock.wallets where user_id = '{ann}'",
    },
    Scene {
        name: "a top-up takes the account before the wallet",
        before: &[],
        meanwhile: (
            By::Shop,
            "select 1 from auth.users where id = '{ann}' for update",
        ),
        call: (By::Shop, "select public.top_up_wallet('{ann}', 500, 'USD')"),
        wait: Wait::WaitsWithout("interlock.wallets where user_id = '{ann}'"),
        end: End::Commit,
        answer: "10500",
        then: "balance = 10500 from interlock.wallets where user_id = '{ann}'",
    },
    Scene {
        name: "an account with an order that is placed meanwhile is not deleted",
        before: &[(
            By::Shop,
            "update interlock.wallets set balance = 0 where user_id = '{ann}'",
        )],
        meanwhile: (
            By::Ann,
            "select public.checkout('[{\"product_id\": \"{product}\", \"quantity\": 1}]')",
        ),
        call: (By::Shop, "delete from auth.users where id = '{ann}'"),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "is open (confirmed)",
        then: "user_id = '{ann}' from interlock.orders where status = 'confirmed' and user_id = '{ann}'",
    },
    Scene {
        name: "an account whose wallet gets money back meanwhile is not deleted",
        before: &[
            (
                By::Ann,
                "select public.checkout('[{\"product_id\": \"{product}\", \"quantity\": 1}]', p_payment_method => 'wallet')",
            ),
            (
                By::Shop,
                "select public.fulfill_order(id) from interlock.orders where user_id = '{ann}'; update interlock.wallets set balance = 0 where user_id = '{ann}'",
            ),
        ],
        meanwhile: (
            By::Shop,
            "select public.refund_order(id) from interlock.orders where user_id = '{ann}'",
        ),
        call: (By::Shop, "delete from auth.users where id = '{ann}'"),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "holds 700 USD",
        then: "balance = 700 from interlock.wallets where user_id = '{ann}'",
    },
    Scene {
        name: "nor is it erased, and the shop is told why",
        before: &[
            (
                By::Ann,
                "select public.checkout('[{\"product_id\": \"{product}\", \"quantity\": 1}]', p_payment_method => 'wallet')",
            ),
            (
                By::Shop,
                "select public.fulfill_order(id) from interlock.orders where user_id = '{ann}'; update interlock.wallets set balance = 0 where user_id = '{ann}'",
            ),
        ],
        meanwhile: (
            By::Shop,
            "select public.refund_order(id) from interlock.orders where user_id = '{ann}'",
        ),
        call: (By::Shop, "select public.erase_user('{ann}')"),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "USER_HAS_OBLIGATIONS",
        then: "balance = 700 from interlock.wallets where user_id = '{ann}'",
    },
    Scene {
        name: "who is erased meanwhile buys nothing",
        before: &[(
            By::Shop,
            "update interlock.wallets set balance = 0 where user_id = '{ann}'",
        )],
        meanwhile: (By::Shop, "select public.erase_user('{ann}')"),
        call: (
            By::Ann,
            "select public.checkout('[{\"product_id\": \"{product}\", \"quantity\": 1}]', p_idempotency_key => 'k')",
        ),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "UNAUTHENTICATED",
        then: "not exists (select from interlock.idempotency_keys where user_id = '{ann}')",
    },
    Scene {
        name: "nor does who has waited for a twin",
        before: &[(
            By::Shop,
            "update interlock.wallets set balance = 0 where user_id = '{ann}'",
        )],
        meanwhile: (
            By::Shop,
            "insert into interlock.idempotency_keys (user_id, operation, key, request_hash, response, expires_at)
             values ('{ann}', 'checkout', 'k', '\\x00', '{}', now() + interval '1 day');
             select public.erase_user('{ann}')",
        ),
        call: (
            By::Ann,
            "select public.checkout('[{\"product_id\": \"{product}\", \"quantity\": 1}]', p_idempotency_key => 'k')",
        ),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "UNAUTHENTICATED",
        then: "available_quantity = 10 from interlock.products where id = '{product}'",
    },
    Scene {
        name: "nor from the wallet",
        before: &[(
            By::Shop,
            "update interlock.wallets set balance = 0 where user_id = '{ann}'",
        )],
        meanwhile: (By::Shop, "select public.erase_user('{ann}')"),
        call: (
            By::Ann,
            "select public.checkout('[{\"product_id\": \"{product}\", \"quantity\": 1}]', p_payment_method => 'wallet')",
        ),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "UNAUTHENTICATED",
        then: "available_quantity = 10 from interlock.products where id = '{product}'",
    },
    Scene {
        name: "nor does staff for them",
        before: &[(
            By::Shop,
            "update interlock.wallets set balance = 0 where user_id = '{ann}'",
        )],
        meanwhile: (By::Shop, "select public.erase_user('{ann}')"),
        call: (
            By::Shop,
            "select public.checkout('[{\"product_id\": \"{product}\", \"quantity\": 1}]', p_on_behalf_of => '{ann}')",
        ),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "USER_NOT_FOUND",
        then: "available_quantity = 10 from interlock.products where id = '{product}'",
    },
    Scene {
        name: "who is erased meanwhile holds no promo code and guesses none",
        before: &[(
            By::Shop,
            "update interlock.wallets set balance = 0 where user_id = '{ann}'",
        )],
        meanwhile: (By::Shop, "select public.erase_user('{ann}')"),
        call: (
            By::Ann,
            "select public.validate_promo('none of ours', '[{\"product_id\": \"{product}\", \"quantity\": 1}]')",
        ),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "UNAUTHENTICATED",
        then: "not exists (select from interlock.promo_attempts where user_id = '{ann}')",
    },
    Scene {
        name: "an account deleted meanwhile holds no promo code",
        before: &[(
            By::Shop,
            "update interlock.wallets set balance = 0 where user_id = '{ann}'",
        )],
        meanwhile: (By::Shop, "delete from auth.users where id = '{ann}'"),
        call: (
            By::Ann,
            "select public.validate_promo('P{promo}', '[{\"product_id\": \"{product}\", \"quantity\": 1}]')",
        ),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "UNAUTHENTICATED",
        then: "not exists (select from interlock.promo_redemptions where user_id = '{ann}')",
    },
    Scene {
        name: "who is erased meanwhile claims no batch",
        before: &[(
            By::Shop,
            "update interlock.wallets set balance = 0 where user_id = '{ann}'",
        )],
        meanwhile: (By::Shop, "select public.erase_user('{ann}')"),
        call: (By::Ann, "select public.claim_route('{batch}')"),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "UNAUTHENTICATED",
        then: "status = 'available' from interlock.batches where id = '{batch}'",
    },
    Scene {
        name: "money is not booked for who is erased meanwhile",
        before: &[(
            By::Shop,
            "update interlock.wallets set balance = 0 where user_id = '{ann}'",
        )],
        meanwhile: (By::Shop, "select public.erase_user('{ann}')"),
        call: (By::Shop, "select public.top_up_wallet('{ann}', 500, 'USD')"),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "USER_NOT_FOUND",
        then: "not exists (select from interlock.wallets where user_id = '{ann}')",
    },
    Scene {
        name: "an order of who is erased meanwhile is not refunded to nobody",
        before: &[
            (
                By::Ann,
                "select public.checkout('[{\"product_id\": \"{product}\", \"quantity\": 1}]', p_payment_method => 'wallet', p_cart_id => '{id}')",
            ),
            (
                By::Shop,
                "select public.fulfill_order(id) from interlock.orders where user_id = '{ann}'; update interlock.wallets set balance = 0 where user_id = '{ann}'",
            ),
        ],
        meanwhile: (By::Shop, "select public.erase_user('{ann}')"),
        call: (
            By::Shop,
            "select public.refund_order(id) from interlock.orders where cart_id = '{id}'",
        ),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "WALLET_OWNER_GONE",
        then: "status = 'fulfilled' from interlock.orders where cart_id = '{id}'",
    },
    Scene {
        name: "a key that somebody is using does not hold up an erasure",
        before: &[
            (
                By::Ann,
                "select public.checkout('[{\"product_id\": \"{product}\", \"quantity\": 1}]', p_idempotency_key => 'k')",
            ),
            (
                By::Shop,
                "update interlock.orders set status = 'cancelled' where user_id = '{ann}'; update interlock.wallets set balance = 0 where user_id = '{ann}'",
            ),
        ],
        meanwhile: (
            By::Shop,
            "select 1 from interlock.idempotency_keys where user_id = '{ann}' for update",
        ),
        call: (By::Shop, "select public.erase_user('{ann}')"),
        wait: Wait::DoesNot,
        end: End::Commit,
        answer: "\"account_removed\": true",
        then: "count(*) = 0 from auth.users where id = '{ann}'",
    },
    Scene {
        name: "history in use is not purged, nor waited for",
        before: &[
            (
                By::Shop,
                "update interlock.settings set keep_order_events = '1 day', keep_payment_proofs = '1 day',
                 keep_stock_movements = '1 day', keep_wallet_movements = '1 day'",
            ),
            (
                By::Ann,
                "select public.checkout('[{\"product_id\": \"{product}\", \"quantity\": 1}]')",
            ),
            (
                By::Shop,
                "update interlock.orders set status = 'cancelled' where user_id = '{ann}';
                insert into interlock.promo_attempts values ('{ann}', array[now() - interval '2 years']);
                insert into interlock.promo_redemptions (id, promo_id, user_id, status, ended_at)
                values ('{id}', '{promo}', '{ann}', 'released', now() - interval '2 years');
                insert into interlock.batch_events (batch_id, event, version, created_at)
                values ('{id}', 'created', 1, now() - interval '2 years');
                insert into interlock.order_events (order_id, event, created_at)
                select id, 'cancelled', now() - interval '2 years' from interlock.orders where user_id = '{ann}';
                insert into interlock.payment_proofs (order_id, object_path, status, decided_at)
                select id, 'x', 'closed', now() - interval '2 years' from interlock.orders where user_id = '{ann}';
                insert into interlock.promo_user_uses values ('{promo}', '{id}');
                insert into interlock.payment_events (provider, event_id, type, outcome, created_at)
                values ('stripe', 'evt_{id}', 'x', 'noted', now() - interval '2 years');
                insert into interlock.inventory_conflicts (product_id, operation, rebased, created_at)
                values ('{id}', 'set', false, now() - interval '2 years');
                insert into interlock.stock_movements (product_id, delta, reason, created_at)
                values ('{id}', 1, 'old', now() - interval '2 years');
                insert into interlock.stock_balances select product_id, location_id, id, 0 from interlock.stock_movements where product_id = '{id}';
                insert into interlock.wallet_movements (user_id, delta, balance_after, currency, reason, created_at)
                values ('{id}', 1, 1, 'EUR', 'old', now() - interval '2 years');
                insert into interlock.wallet_balances select user_id, id, 0 from interlock.wallet_movements where user_id = '{id}'",
            ),
        ],
        meanwhile: (By::Shop, "select interlock.purge_history()"),
        call: (
            By::Shop,
            "select case when sum(t.rows::int) = 0 then 'nothing was purged' else string_agg(t.name || ' ' || t.rows, ', ') end
            from jsonb_each_text(interlock.purge_history()) as t (name, rows)",
        ),
        wait: Wait::DoesNot,
        end: End::Commit,
        answer: "nothing was purged",
        then: "(select count(*) from interlock.promo_attempts where user_id = '{ann}')
            + (select count(*) from interlock.promo_redemptions where id = '{id}')
            + (select count(*) from interlock.batch_events where batch_id = '{id}')
            + (select count(*) from interlock.order_events e join interlock.orders o on o.id = e.order_id where o.user_id = '{ann}' and e.created_at < now() - interval '1 year')
            + (select count(*) from interlock.payment_proofs where object_path = 'x')
            + (select count(*) from interlock.promo_user_uses where user_id = '{id}')
            + (select count(*) from interlock.payment_events where event_id = 'evt_{id}')
            + (select count(*) from interlock.inventory_conflicts where product_id = '{id}')
            + (select count(*) from interlock.stock_movements where product_id = '{id}')
            + (select count(*) from interlock.wallet_movements where user_id = '{id}') = 0",
    },
    Scene {
        name: "a customer's row that is purged meanwhile is made again",
        before: &[(
            By::Shop,
            "insert into interlock.promo_user_uses values ('{promo}', '{ann}')",
        )],
        meanwhile: (By::Shop, "select interlock.purge_history()"),
        call: (
            By::Ann,
            "select public.validate_promo('P{promo}', '[{\"product_id\": \"{product}\", \"quantity\": 1}]')",
        ),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "valid",
        then: "count(*) = 1 and not exists (select from interlock.promo_differences where promo_id = '{promo}')
            from interlock.promo_user_uses where promo_id = '{promo}' and user_id = '{ann}' and used = 1",
    },
    Scene {
        name: "nor is it purged while they take a use",
        before: &[(
            By::Shop,
            "insert into interlock.promo_user_uses values ('{promo}', '{ann}')",
        )],
        meanwhile: (
            By::Ann,
            "select public.validate_promo('P{promo}', '[{\"product_id\": \"{product}\", \"quantity\": 1}]')",
        ),
        call: (
            By::Shop,
            "select 'purged ' || (interlock.purge_history() ->> 'promo_user_uses')",
        ),
        wait: Wait::DoesNot,
        end: End::Commit,
        answer: "purged 0",
        then: "not exists (select from interlock.promo_differences where promo_id = '{promo}')",
    },
    Scene {
        name: "a guess meanwhile is not purged",
        before: &[(
            By::Shop,
            "insert into interlock.promo_attempts values ('{ann}', array[now() - interval '2 years'])",
        )],
        meanwhile: (
            By::Ann,
            "select public.validate_promo('NO-SUCH-CODE', p_subtotal => 1, p_currency => 'EUR')",
        ),
        call: (
            By::Shop,
            "select 'purged ' || (interlock.purge_history() ->> 'promo_attempts')",
        ),
        wait: Wait::DoesNot,
        end: End::Commit,
        answer: "purged 0",
        then: "count(*) = 1 from interlock.promo_attempts where user_id = '{ann}' and cardinality(attempted_at) = 1",
    },
];

crate::meanwhile::test_scenes!(SCENES);
