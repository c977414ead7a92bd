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
];

crate::meanwhile::test_scenes!(SCENES);
