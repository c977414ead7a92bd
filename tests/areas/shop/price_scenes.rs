//! Tax rates that change side by side, and an address that is corrected while the goods leave.

use crate::meanwhile::{By, End, Scene, Wait};

const RATE: (By, &str) = (
    By::Shop,
    "insert into interlock.tax_rates (tax_class, name, percent, inclusive) values ('test-one', 'test', 1, true)",
);
const ANOTHER_RATE: (By, &str) = (
    By::Shop,
    "insert into interlock.tax_rates (tax_class, name, percent, inclusive) values ('test-two', 'test', 1, true)",
);
const RATE_GOES: (By, &str) = (
    By::Shop,
    "delete from interlock.tax_rates where tax_class = 'test-one' returning 'success'",
);
const TAXED: &str =
    "s.taxed = exists (select from interlock.tax_rates) and s.taxed from interlock.settings s";
const UNTAXED: &str =
    "s.taxed = exists (select from interlock.tax_rates) and not s.taxed from interlock.settings s";

/// The scenes.
pub(crate) const SCENES: &[Scene] = &[
    Scene {
        name: "the last tax rate goes while another one comes: the shop is taxed",
        before: &[RATE],
        meanwhile: ANOTHER_RATE,
        call: RATE_GOES,
        wait: Wait::Waits,
        end: End::Commit,
        answer: "success",
        then: TAXED,
    },
    Scene {
        name: "another tax rate comes while the last one goes: the shop is taxed",
        before: &[RATE],
        meanwhile: RATE_GOES,
        call: (
            By::Shop,
            "insert into interlock.tax_rates (tax_class, name, percent, inclusive) values ('test-two', 'test', 1, true) returning 'success'",
        ),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "success",
        then: TAXED,
    },
    Scene {
        name: "the last tax rate goes while another one does not come: the shop is not taxed",
        before: &[RATE],
        meanwhile: ANOTHER_RATE,
        call: RATE_GOES,
        wait: Wait::Waits,
        end: End::Rollback,
        answer: "success",
        then: UNTAXED,
    },
    Scene {
        name: "an address is not corrected on a parcel that is leaving",
        before: &[(
            By::Ann,
            "select public.checkout('[{\"product_id\": \"{product}\", \"quantity\": 1}]')",
        )],
        meanwhile: (
            By::Shop,
            "select public.ship_order(id) from interlock.orders where user_id = '{ann}'",
        ),
        call: (
            By::Shop,
            "select public.correct_order(id, '{\"name\": \"Ann\"}') from interlock.orders where user_id = '{ann}'",
        ),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "ORDER_STATE_CONFLICT",
        then: "not exists (select 1 from interlock.order_details d join interlock.orders o on o.id = d.order_id where o.user_id = '{ann}')",
    },
];

crate::meanwhile::test_scenes!(SCENES);
