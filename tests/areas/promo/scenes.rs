//! Two customers of a promo code, one customer in two tabs, or a customer and the shop.

use crate::meanwhile::{By, End, Scene, Wait};

/// Two codes: of few uses, and for first orders.
pub(crate) const ROWS: &str = "
insert into interlock.promo_codes (id, code, discount_type, discount_value, max_uses)
  values ('{promo}', 'P{promo}', 'percentage', 10, 3);
insert into interlock.promo_codes (id, code, discount_type, discount_value, first_order_only)
  values ('{promo2}', 'P{promo2}', 'percentage', 10, true);
";

/// The scenes.
pub(crate) const SCENES: &[Scene] = &[
    Scene {
        name: "a use that the customer takes in another tab meanwhile is taken once",
        before: &[(
            By::Shop,
            // Each holds for another cart, and only one of the codes has a limit.
            "update interlock.promo_codes
             set max_uses_per_user = case when id = '{promo}' then 1 end, holds_per_user = 2
             where id in ('{promo}', '{promo2}')",
        )],
        meanwhile: (
            By::Ann,
            "select interlock.take_promo_use('{promo}', '{ann}', '{cart}', null, 70, 'USD', now() + interval '1 hour')",
        ),
        call: (
            By::Ann,
            "select interlock.take_promo_use('{promo}', '{ann}', '{cart2}', null, 70, 'USD', now() + interval '1 hour')",
        ),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "PROMO_ALREADY_APPLIED",
        then: "used_count = 1 from interlock.promo_codes where id = '{promo}'",
    },
    Scene {
        name: "a code that the customer holds in another tab meanwhile is held once",
        before: &[],
        meanwhile: (
            By::Ann,
            "select interlock.take_promo_use('{promo}', '{ann}', '{cart}', null, 70, 'USD', now() + interval '1 hour')",
        ),
        call: (
            By::Ann,
            "select interlock.take_promo_use('{promo}', '{ann}', '{cart2}', null, 70, 'USD', now() + interval '1 hour')",
        ),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "PROMO_ALREADY_APPLIED",
        then: "used_count = 1 from interlock.promo_codes where id = '{promo}'",
    },
    Scene {
        name: "a code whose hold is given up meanwhile is held by the other tab",
        before: &[],
        meanwhile: (
            By::Ann,
            "select interlock.take_promo_use('{promo}', '{ann}', '{cart}', null, 70, 'USD', now() + interval '1 hour')",
        ),
        call: (
            By::Ann,
            "select 'held ' || (interlock.take_promo_use('{promo}', '{ann}', '{cart2}', null, 70, 'USD', now() + interval '1 hour') is not null)",
        ),
        wait: Wait::Waits,
        end: End::Rollback,
        answer: "held true",
        then: "count(*) = 1 from interlock.promo_redemptions where promo_id = '{promo}' and cart_id = '{cart2}' and status = 'held'",
    },
    Scene {
        name: "an hour of holding that another tab begins meanwhile is the same hour",
        before: &[],
        meanwhile: (
            By::Ann,
            "select interlock.take_promo_use('{promo}', '{ann}', '{cart}', null, 70, 'USD', now());
             select interlock.release_promo_hold('{promo}', '{ann}', '{cart}');
             update interlock.promo_user_uses set held_since = now() - interval '30 minutes' where promo_id = '{promo}'",
        ),
        call: (
            By::Ann,
            "select 'until then ' || (interlock.take_promo_use('{promo}', '{ann}', '{cart2}', null, 70, 'USD', now() + interval '1 hour') < now() + interval '31 minutes')",
        ),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "until then true",
        then: "count(*) = 1 from interlock.promo_user_uses where promo_id = '{promo}' and held_since < now() - interval '29 minutes'",
    },
    Scene {
        name: "a cart's hold that is redeemed meanwhile is not redeemed again",
        before: &[(
            By::Ann,
            "select interlock.take_promo_use('{promo}', '{ann}', '{cart}', null, 70, 'USD', now() + interval '1 hour')",
        )],
        meanwhile: (
            By::Ann,
            "select interlock.take_promo_use('{promo}', '{ann}', '{cart}', '{id}', 70, 'USD', null)",
        ),
        call: (
            By::Ann,
            "select interlock.take_promo_use('{promo}', '{ann}', '{cart}', '{batch}', 70, 'USD', null)",
        ),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "PROMO_ALREADY_APPLIED",
        then: "count(*) = 1 from interlock.promo_redemptions where promo_id = '{promo}' and order_id = '{id}'",
    },
    Scene {
        name: "the last use that goes to somebody else meanwhile is gone",
        before: &[(
            By::Shop,
            "update interlock.promo_codes set max_uses = 1 where id = '{promo}'",
        )],
        meanwhile: (
            By::Bob,
            "select interlock.take_promo_use('{promo}', '{bob}', '{cart}', null, 70, 'USD', now() + interval '1 hour')",
        ),
        call: (
            By::Ann,
            "select interlock.take_promo_use('{promo}', '{ann}', '{cart2}', null, 70, 'USD', now() + interval '1 hour')",
        ),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "PROMO_EXHAUSTED",
        then: "used_count = 1 from interlock.promo_codes where id = '{promo}'",
    },
    Scene {
        name: "a hold that is refreshed meanwhile is not taken back by who needs its use",
        before: &[
            (
                By::Shop,
                "update interlock.promo_codes set max_uses = 1 where id = '{promo}'",
            ),
            (
                By::Bob,
                "select interlock.take_promo_use('{promo}', '{bob}', '{cart}', null, 70, 'USD', now() - interval '1 hour')",
            ),
        ],
        meanwhile: (
            By::Bob,
            "select interlock.take_promo_use('{promo}', '{bob}', '{cart}', null, 70, 'USD', now() + interval '1 hour')",
        ),
        call: (
            By::Ann,
            "select interlock.take_promo_use('{promo}', '{ann}', '{cart2}', null, 70, 'USD', now() + interval '1 hour')",
        ),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "PROMO_EXHAUSTED",
        then: "count(*) = 1 from interlock.promo_redemptions where promo_id = '{promo}' and status = 'held'",
    },
    Scene {
        name: "a use given back twice at once comes back once",
        before: &[
            (
                By::Ann,
                "select interlock.take_promo_use('{promo}', '{ann}', '{cart}', '{id}', 70, 'USD', null)",
            ),
            (
                By::Bob,
                "select interlock.take_promo_use('{promo}', '{bob}', '{cart}', '{batch}', 70, 'USD', null)",
            ),
        ],
        meanwhile: (
            By::Shop,
            "select interlock.return_promos(array['{id}']::uuid[])",
        ),
        call: (
            By::Shop,
            "select 'returned ' || interlock.return_promos(array['{id}']::uuid[])",
        ),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "returned 0",
        then: "used_count = 1 from interlock.promo_codes where id = '{promo}'",
    },
    Scene {
        name: "holds of a customer who is busy are not expired, nor waited for",
        before: &[(
            By::Ann,
            "select interlock.take_promo_use('{promo}', '{ann}', '{cart}', null, 70, 'USD', now() - interval '1 hour')",
        )],
        meanwhile: (
            By::Ann,
            "select interlock.take_promo_use('{promo}', '{ann}', '{cart}', null, 70, 'USD', now() + interval '1 hour')",
        ),
        call: (
            By::Shop,
            "select 'done ' || (interlock.expire_promo_holds() is not null)",
        ),
        wait: Wait::DoesNot,
        end: End::Commit,
        answer: "done true",
        then: "count(*) = 1 from interlock.promo_redemptions where promo_id = '{promo}' and status = 'held'",
    },
    Scene {
        name: "two first orders at once are one first order",
        before: &[],
        meanwhile: (
            By::Ann,
            "select public.checkout('[{\"product_id\": \"{product}\", \"quantity\": 1}]', 'P{promo2}', '{cart}')",
        ),
        call: (
            By::Ann,
            "select public.checkout('[{\"product_id\": \"{product2}\", \"quantity\": 1}]', 'P{promo2}', '{cart2}')",
        ),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "PROMO_NOT_APPLICABLE",
        then: "count(*) = 1 from interlock.orders where user_id = '{ann}'",
    },
    Scene {
        name: "guesses at codes are counted one by one",
        before: &[(
            By::Shop,
            "insert into interlock.promo_attempts select '{ann}', array_agg(now()) from generate_series(1, 19)",
        )],
        meanwhile: (
            By::Ann,
            "select public.validate_promo('no such code', p_subtotal => 1000)",
        ),
        call: (
            By::Ann,
            "select public.validate_promo('no such code', p_subtotal => 1000)",
        ),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "TOO_MANY_ATTEMPTS",
        then: "cardinality(attempted_at) = 20 from interlock.promo_attempts where user_id = '{ann}'",
    },
    Scene {
        name: "customers of a code do not wait for each other",
        before: &[
            (
                By::Ann,
                "select interlock.take_promo_use('{promo}', '{ann}', '{cart}', null, 70, 'USD', now() + interval '1 hour')",
            ),
            (
                By::Bob,
                "select interlock.take_promo_use('{promo}', '{bob}', '{cart2}', null, 70, 'USD', now() + interval '1 hour')",
            ),
        ],
        meanwhile: (
            By::Bob,
            "select interlock.take_promo_use('{promo}', '{bob}', '{cart2}', '{id}', 70, 'USD', null)",
        ),
        call: (
            By::Ann,
            "select interlock.take_promo_use('{promo}', '{ann}', '{cart}', '{batch}', 70, 'USD', null)",
        ),
        wait: Wait::DoesNot,
        end: End::Commit,
        answer: "",
        then: "count(*) = 2 from interlock.promo_redemptions where promo_id = '{promo}' and status = 'redeemed'",
    },
    Scene {
        name: "a use that ends waits for its code and for no other",
        before: &[(
            By::Ann,
            "select interlock.take_promo_use('{promo}', '{ann}', '{cart}', null, 70, 'USD', now() + interval '1 hour')",
        )],
        meanwhile: (
            By::Shop,
            "select 1 from interlock.promo_codes where id = '{promo2}' for update",
        ),
        call: (
            By::Ann,
            "select 'released ' || interlock.release_promo_hold('{promo}', '{ann}', '{cart}')",
        ),
        wait: Wait::DoesNot,
        end: End::Commit,
        answer: "released true",
        then: "used_count = 0 from interlock.promo_codes where id = '{promo}'",
    },
    Scene {
        name: "who takes back a hold locks both customers in the order of their ids",
        before: &[
            (
                By::Shop,
                "update interlock.promo_codes set max_uses = 1 where id = '{promo}';
              insert into interlock.promo_user_uses (promo_id, user_id) values ('{promo}', '{ann}')",
            ),
            (
                By::Bob,
                "select interlock.take_promo_use('{promo}', '{bob}', '{cart}', null, 70, 'USD', now() - interval '1 hour')",
            ),
        ],
        meanwhile: (
            By::Shop,
            "select 1 from interlock.promo_user_uses where promo_id = '{promo}' and user_id = '{ann}' for update",
        ),
        call: (
            By::Ann,
            "select interlock.take_promo_use('{promo}', '{ann}', '{cart2}', null, 70, 'USD', now() + interval '1 hour')",
        ),
        wait: Wait::WaitsWithout(
            "interlock.promo_user_uses where promo_id = '{promo}' and user_id = '{bob}'",
        ),
        end: End::Commit,
        answer: "",
        then: "used_count = 1 from interlock.promo_codes where id = '{promo}'",
    },
    Scene {
        name: "holds that end together lock their codes in the order of their ids",
        before: &[
            (
                By::Ann,
                "select interlock.take_promo_use('{promo2}', '{ann}', '{cart}', null, 70, 'USD', now() - interval '1 hour')",
            ),
            (
                By::Ann,
                "select interlock.take_promo_use('{promo}', '{ann}', '{cart}', null, 70, 'USD', now() - interval '1 hour')",
            ),
            (
                By::Shop,
                "update interlock.wallets set balance = 0 where user_id = '{ann}'",
            ),
        ],
        meanwhile: (
            By::Shop,
            "select 1 from interlock.promo_codes where id = '{promo}' for update",
        ),
        call: (
            By::Shop,
            "select 'done ' || (interlock.erase_user('{ann}') is not null)",
        ),
        wait: Wait::WaitsWithout("interlock.promo_codes where id = '{promo2}'"),
        end: End::Commit,
        answer: "done true",
        then: "used_count = 0 from interlock.promo_codes where id = '{promo2}'",
    },
];

crate::meanwhile::test_scenes!(SCENES);
