//! Money that meets a debit or an adjustment half-way.

use crate::meanwhile::{By, End, Scene, Wait};

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
];

crate::meanwhile::test_scenes!(SCENES);
