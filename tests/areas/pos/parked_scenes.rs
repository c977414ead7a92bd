//! Parked sales and approvals that two sessions use at once.

use crate::areas::pos::scenes::TILL;
use crate::meanwhile::{By, End, Scene, Wait};

/// Another till of the web shop, `{cart}`.
const OTHER_TILL: (By, &str) = (
    By::Shop,
    "insert into interlock.registers (id, location_id, name, currency)
       select '{cart}', r.location_id, 'other', r.currency from interlock.registers r where r.id = '{batch}';
     insert into interlock.shifts (register_id, opening_cash) values ('{cart}', 1000)",
);
const PARK: (By, &str) = (
    By::Shop,
    "select public.park_sale('{batch}', 'test', '[{\"product_id\": \"{product}\", \"quantity\": 4}]', p_hold => true)",
);
const RESUME: &str = "select public.resume_parked_sale((select id from interlock.parked_sales where register_id = '{batch}'), '{batch}')";
const RESUME_THERE: &str = "select public.resume_parked_sale((select id from interlock.parked_sales where register_id = '{batch}'), '{cart}')";
const SELL_PARKED: &str = "select public.pos_sale('{batch}', '[{\"product_id\": \"{product}\", \"quantity\": 4}]',
     '[{\"type\": \"cash\", \"amount\": 1000000}]', p_parked_sale_id => (select id from interlock.parked_sales where register_id = '{batch}'))";
const DUE: (By, &str) = (
    By::Shop,
    "update interlock.parked_sales set expires_at = now() + interval '10 milliseconds' where register_id = '{batch}'",
);
const EXPIRE: &str = "update interlock.parked_sales set expires_at = now() - interval '1 minute' where register_id = '{batch}';
     select public.expire_parked_sales()";
const OVER: (By, &str) = (
    By::Shop,
    "update interlock.parked_sales set expires_at = now() - interval '1 minute' where register_id = '{batch}'",
);
const DISCARD: &str = "select public.discard_parked_sale((select id from interlock.parked_sales where register_id = '{batch}'))";
const APPROVED: (By, &str) = (
    By::Shop,
    "select public.approve_sale('{batch}', '{discount}', 'test')",
);
const SELL_APPROVED: &str = "select public.pos_sale('{batch}', '[{\"product_id\": \"{product}\", \"quantity\": 1}]',
     '[{\"type\": \"cash\", \"amount\": 1000000}]', p_approval_id => (select id from interlock.sale_approvals where register_id = '{batch}'))";

/// The scenes.
pub(crate) const SCENES: &[Scene] = &[
    Scene {
        name: "a parked sale that another till resumes meanwhile is taken",
        before: &[TILL, OTHER_TILL, PARK],
        meanwhile: (By::Shop, RESUME),
        call: (By::Shop, RESUME_THERE),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "PARKED_SALE_TAKEN",
        then: "available_quantity = 6 from interlock.products where id = '{product}'",
    },
    Scene {
        name: "a parked sale that another till did not resume after all is there",
        before: &[TILL, OTHER_TILL, PARK],
        meanwhile: (By::Shop, RESUME),
        call: (By::Shop, RESUME_THERE),
        wait: Wait::Waits,
        end: End::Rollback,
        answer: "\"status\": \"resumed\"",
        then: "register_id = '{cart}' from interlock.parked_sales where location_id = interlock.online_location() and register_id in ('{batch}', '{cart}')",
    },
    Scene {
        name: "a parked sale that is sold twice at once is sold once",
        before: &[TILL, PARK],
        meanwhile: (By::Shop, SELL_PARKED),
        call: (By::Shop, SELL_PARKED),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "PARKED_SALE_ENDED",
        then: "available_quantity = 6 from interlock.products where id = '{product}'",
    },
    Scene {
        name: "a parked sale that expires meanwhile is not sold",
        before: &[TILL, PARK, DUE],
        meanwhile: (By::Shop, EXPIRE),
        call: (By::Shop, SELL_PARKED),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "PARKED_SALE_ENDED",
        then: "available_quantity = 10 from interlock.products where id = '{product}'",
    },
    Scene {
        name: "a parked sale that is sold meanwhile is not discarded",
        before: &[TILL, PARK],
        meanwhile: (By::Shop, SELL_PARKED),
        call: (By::Shop, DISCARD),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "PARKED_SALE_ENDED",
        then: "available_quantity = 6 from interlock.products where id = '{product}'",
    },
    Scene {
        name: "a parked sale that is discarded twice at once comes back once",
        before: &[TILL, PARK],
        meanwhile: (By::Shop, DISCARD),
        call: (By::Shop, DISCARD),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "\"status\": \"discarded\"",
        then: "available_quantity = 10 from interlock.products where id = '{product}'",
    },
    Scene {
        name: "a parked sale that is discarded meanwhile does not expire",
        before: &[TILL, PARK, OVER],
        meanwhile: (By::Shop, DISCARD),
        call: (By::Shop, "select public.expire_parked_sales()"),
        wait: Wait::DoesNot,
        end: End::Commit,
        answer: "\"expired\": 0",
        then: "available_quantity = 10 from interlock.products where id = '{product}'",
    },
    Scene {
        name: "an approval that is used twice at once counts once",
        before: &[TILL, APPROVED],
        meanwhile: (By::Shop, SELL_APPROVED),
        call: (By::Shop, SELL_APPROVED),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "APPROVAL_NOT_FOUND",
        then: "count(*) = 1 from interlock.sales where register_id = '{batch}'",
    },
];

crate::meanwhile::test_scenes!(SCENES);
