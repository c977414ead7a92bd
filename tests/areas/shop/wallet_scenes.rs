//! Money that meets a debit or an adjustment half-way.

use crate::meanwhile::{By, End, Scene, Wait};

const SPLIT: (By, &str) = (
    By::Ann,
    "select public.checkout('[{\"product_id\": \"{product}\", \"quantity\": 1}]', p_payment_method => 'bank_transfer',
       p_wallet_amount => 300)",
);
const SPLIT_EXPIRES: (By, &str) = (
    By::Shop,
    "update interlock.orders set status = 'expired' where user_id = '{ann}'",
);

/// The scenes.
pub(crate) const SCENES: &[Scene] = &[
    Scene {
        name: "a debit sent twice at once counts once",
        before: &[],
        meanwhile: (
            By::Shop,
            "select public.debit_wallet('{ann}', 6000, 'USD', '{id}')",
        ),
        call: (
            By::Shop,
            "select public.debit_wallet('{ann}', 6000, 'USD', '{id}')",
        ),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "4000",
        then: "balance = 4000 from interlock.wallets where user_id = '{ann}'",
    },
    Scene {
        name: "money spent meanwhile is not taken out as well",
        before: &[],
        meanwhile: (
            By::Shop,
            "update interlock.wallets set balance = 100 where user_id = '{ann}'",
        ),
        call: (
            By::Shop,
            "select public.debit_wallet('{ann}', 700, 'USD', '{id}')",
        ),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "INSUFFICIENT_FUNDS",
        then: "balance = 100 from interlock.wallets where user_id = '{ann}'",
    },
    Scene {
        name: "an adjustment takes the account before the wallet",
        before: &[],
        meanwhile: (
            By::Shop,
            "select 1 from auth.users where id = '{ann}' for update",
        ),
        call: (
            By::Shop,
            "select public.adjust_wallet('{ann}', 500, 'USD', 'goodwill', '{id}')",
        ),
        wait: Wait::WaitsWithout("interlock.wallets where user_id = '{ann}'"),
        end: End::Commit,
        answer: "10500",
        then: "balance = 10500 from interlock.wallets where user_id = '{ann}'",
    },
    Scene {
        name: "a part is not paid with money spent meanwhile",
        before: &[],
        meanwhile: (
            By::Shop,
            "update interlock.wallets set balance = 100 where user_id = '{ann}'",
        ),
        call: (
            By::Ann,
            "select public.checkout('[{\"product_id\": \"{product}\", \"quantity\": 1}]', p_wallet_amount => 300)",
        ),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "INSUFFICIENT_FUNDS",
        then: "available_quantity = 10 from interlock.products where id = '{product}'",
    },
    Scene {
        name: "nor taken again with it",
        before: &[SPLIT, SPLIT_EXPIRES],
        meanwhile: (
            By::Shop,
            "update interlock.wallets set balance = 100 where user_id = '{ann}'",
        ),
        call: (
            By::Shop,
            "select public.reopen_order(id) from interlock.orders where user_id = '{ann}'",
        ),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "INSUFFICIENT_FUNDS",
        then: "count(*) = 1 from interlock.orders where user_id = '{ann}' and status = 'expired'",
    },
    Scene {
        name: "a part comes back once, whoever ends the order",
        before: &[SPLIT],
        meanwhile: (
            By::Shop,
            "update interlock.orders set status = 'expired' where user_id = '{ann}'",
        ),
        call: (
            By::Ann,
            "select public.cancel_order(id) from interlock.orders where user_id = '{ann}'",
        ),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "ORDER_NOT_CANCELLABLE",
        then: "balance = 10000 from interlock.wallets where user_id = '{ann}'",
    },
    Scene {
        name: "and is taken again once",
        before: &[SPLIT, SPLIT_EXPIRES],
        meanwhile: (
            By::Shop,
            "select public.reopen_order(id) from interlock.orders where user_id = '{ann}'",
        ),
        call: (
            By::Shop,
            "select public.reopen_order(id) from interlock.orders where user_id = '{ann}'",
        ),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "pending_payment",
        then: "balance = 9700 from interlock.wallets where user_id = '{ann}'",
    },
];

crate::meanwhile::test_scenes!(SCENES);
