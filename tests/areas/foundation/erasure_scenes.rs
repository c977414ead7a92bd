//! What an erasure finds half-done, and the order in which it takes what others need, too.

use crate::meanwhile::{By, End, Scene, Wait};

const OWES_NOTHING: &str = "update interlock.wallets set balance = 0 where user_id = '{ann}'";
const ERASE: (By, &str) = (By::Shop, "select public.erase_user('{ann}')");

/// The scenes.
pub(crate) const SCENES: &[Scene] = &[
    Scene {
        name: "a guess at a promo code meanwhile is erased, too",
        before: &[(By::Shop, OWES_NOTHING)],
        // Taken before the account, which a guess does not keep from going.
        meanwhile: (
            By::Ann,
            "select interlock.refuse_unknown_promo('{ann}', 'NO-SUCH-CODE')",
        ),
        call: ERASE,
        wait: Wait::WaitsWithout("auth.users where id = '{ann}'"),
        end: End::Commit,
        answer: "\"account_removed\": true",
        then: "not exists (select from interlock.promo_attempts where user_id = '{ann}')",
    },
    Scene {
        name: "an erasure locks the uses of promo codes in the order of the codes",
        before: &[
            (By::Shop, OWES_NOTHING),
            (
                By::Shop,
                "insert into interlock.promo_user_uses (promo_id, user_id) values ('{promo2}', '{ann}'), ('{promo}', '{ann}')",
            ),
        ],
        meanwhile: (
            By::Shop,
            "select 1 from interlock.promo_user_uses where promo_id = '{promo}' and user_id = '{ann}' for update",
        ),
        call: ERASE,
        wait: Wait::WaitsWithout(
            "interlock.promo_user_uses where promo_id = '{promo2}' and user_id = '{ann}'",
        ),
        end: End::Commit,
        answer: "\"account_removed\": true",
        then: "not exists (select from interlock.promo_user_uses where user_id = '{ann}')",
    },
    Scene {
        name: "an erasure does not wait for the uses of others",
        before: &[
            (By::Shop, OWES_NOTHING),
            (
                By::Shop,
                "insert into interlock.promo_user_uses (promo_id, user_id) values ('{promo}', '{ann}'), ('{promo}', '{bob}')",
            ),
        ],
        meanwhile: (
            By::Shop,
            "select 1 from interlock.promo_user_uses where promo_id = '{promo}' and user_id = '{bob}' for update",
        ),
        call: ERASE,
        wait: Wait::DoesNot,
        end: End::Commit,
        answer: "\"account_removed\": true",
        then: "count(*) = 1 from interlock.promo_user_uses where user_id = '{bob}'",
    },
    Scene {
        name: "an erasure locks the codes that were for them in the order of their ids",
        before: &[
            (By::Shop, OWES_NOTHING),
            (
                By::Shop,
                "insert into interlock.promo_codes (id, code, discount_type, discount_value, user_id)
                 values ('{cart2}', 'P{cart2}', 'percentage', 10, '{ann}'), ('{cart}', 'P{cart}', 'percentage', 10, '{ann}')",
            ),
        ],
        meanwhile: (
            By::Shop,
            "select 1 from interlock.promo_codes where id = '{cart}' for update",
        ),
        call: ERASE,
        wait: Wait::WaitsWithout("interlock.promo_codes where id = '{cart2}'"),
        end: End::Commit,
        answer: "\"account_removed\": true",
        then: "not exists (select from interlock.promo_codes where user_id = '{ann}')",
    },
    Scene {
        name: "an erasure leaves points alone that somebody is booking",
        before: &[
            (By::Shop, OWES_NOTHING),
            (
                By::Shop,
                "insert into interlock.points_due (order_id, user_id) values ('{id}', '{ann}')",
            ),
        ],
        meanwhile: (
            By::Shop,
            "select 1 from interlock.points_due where user_id = '{ann}' for update",
        ),
        call: ERASE,
        wait: Wait::DoesNot,
        end: End::Commit,
        answer: "\"account_removed\": true",
        then: "count(*) = 1 from interlock.points_due where user_id = '{ann}'",
    },
];

crate::meanwhile::test_scenes!(SCENES);
