//! Tills that two sessions use at once.

use crate::meanwhile::{By, End, Scene, Wait};

/// A till (`{batch}`) with an open shift (`{batch2}`) in the web shop, whose products cost 7.00.
pub(super) const TILL: (By, &str) = (
    By::Shop,
    "insert into interlock.registers (id, location_id, name, currency)
       select '{batch}', interlock.online_location(), 'test', p.currency from interlock.products p where p.id = '{product}';
     insert into interlock.shifts (id, register_id, opening_cash) values ('{batch2}', '{batch}', 1000)",
);
pub(super) const SELL: &str =
    "select public.pos_sale('{batch}', '[{\"product_id\": \"{product}\", \"quantity\": 1}]',
     '[{\"type\": \"cash\", \"amount\": 1000000}]')";
/// The till is in a store whose stock of the second product (`{promo}`) has the lower id.
pub(super) const STORE: (By, &str) = (
    By::Shop,
    "insert into interlock.locations (id, name) values ('{cart}', '{cart}');
     update interlock.registers set location_id = '{cart}' where id = '{batch}';
     insert into interlock.inventory (id, product_id, location_id, quantity)
       values ('{promo}', '{product2}', '{cart}', 10), ('{promo2}', '{product}', '{cart}', 10)",
);
const SELL_BOTH: &str =
    "select public.pos_sale('{batch}', '[{\"product_id\": \"{product}\", \"quantity\": 1}, {\"product_id\": \"{product2}\", \"quantity\": 1}]',
     '[{\"type\": \"cash\", \"amount\": 1000000}]')";
const SELL_BY_CARD: &str =
    "select public.pos_sale('{batch}', '[{\"product_id\": \"{product2}\", \"quantity\": 1}]',
     jsonb_build_array(jsonb_build_object('type', 'card', 'reference', '{id}', 'amount',
       (select price from interlock.products where id = '{product2}'))))";
/// What a till that was cut off has sold an hour ago: twelve, of which ten are there.
const SELL_OFFLINE: &str =
    "select public.pos_sale('{batch}', '[{\"product_id\": \"{product}\", \"quantity\": 12}]',
     '[{\"type\": \"cash\", \"amount\": 1000000}]', p_client_time => date_trunc('day', now()), p_shift_id => '{batch2}',
     p_idempotency_key => 'a sale')";
const SELL_OFFLINE_AGAIN: &str =
    "select public.pos_sale('{batch}', '[{\"product_id\": \"{product}\", \"quantity\": 1}]',
     '[{\"type\": \"cash\", \"amount\": 1000000}]', p_client_time => date_trunc('day', now()), p_shift_id => '{batch2}',
     p_idempotency_key => 'another sale')";
const VOID: &str = "select public.void_sale((select id from interlock.sales where register_id = '{batch}'), 'wrong')";
const CLOSE: &str = "select public.close_shift('{batch2}', 1000)";
const OPEN: &str = "select public.open_shift('{batch}', 0)";

/// The scenes.
pub(crate) const SCENES: &[Scene] = &[
    Scene {
        name: "a sale under way is in the closing report",
        before: &[TILL],
        meanwhile: (By::Shop, SELL),
        call: (By::Shop, CLOSE),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "\"sales\": 1,",
        then: "(report ->> 'sales')::int = 1 from interlock.shifts where id = '{batch2}'",
    },
    Scene {
        name: "a till locks the stock of what it sells in the order of its ids",
        before: &[TILL, STORE],
        meanwhile: (
            By::Shop,
            "update interlock.inventory set quantity = 9 where id = '{promo}'",
        ),
        call: (By::Shop, SELL_BOTH),
        wait: Wait::WaitsWithout("interlock.inventory where id = '{promo2}'"),
        end: End::Commit,
        answer: "\"receipt_number\" : 1,",
        then: "sum(quantity) = 17 from interlock.inventory where location_id = '{cart}'",
    },
    Scene {
        name: "a sale that is rolled back leaves no gap",
        before: &[TILL],
        meanwhile: (By::Shop, SELL),
        call: (By::Shop, SELL),
        wait: Wait::Waits,
        end: End::Rollback,
        answer: "\"receipt_number\" : 1,",
        then: "last_receipt = 1 from interlock.registers where id = '{batch}'",
    },
    Scene {
        name: "a sale finds the shift closed that is closed meanwhile",
        before: &[TILL],
        meanwhile: (By::Shop, CLOSE),
        call: (By::Shop, SELL),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "SHIFT_NOT_OPEN",
        then: "last_receipt = 0 from interlock.registers where id = '{batch}'",
    },
    Scene {
        name: "a shift that is closed twice at once is closed once",
        before: &[TILL],
        meanwhile: (By::Shop, CLOSE),
        call: (By::Shop, CLOSE),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "\"success\": true",
        then: "closed_at is not null from interlock.shifts where id = '{batch2}'",
    },
    Scene {
        name: "of two who open a shift the second is told of it",
        before: &[TILL, (By::Shop, CLOSE)],
        meanwhile: (By::Shop, OPEN),
        call: (By::Shop, OPEN),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "SHIFT_ALREADY_OPEN",
        then: "count(*) = 1 from interlock.shifts where register_id = '{batch}' and closed_at is null",
    },
    Scene {
        name: "a card payment that somebody books meanwhile pays once",
        before: &[TILL],
        meanwhile: (By::Shop, SELL_BY_CARD),
        call: (By::Shop, SELL_BY_CARD),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "TENDER_REFERENCE_USED",
        then: "count(*) = 1 from interlock.sale_tenders where reference = '{id}'",
    },
    Scene {
        name: "a sale that is voided twice at once goes back once",
        before: &[TILL, (By::Shop, SELL)],
        meanwhile: (By::Shop, VOID),
        call: (By::Shop, VOID),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "\"status\": \"voided\"",
        then: "available_quantity = 10 from interlock.products where id = '{product}'",
    },
    Scene {
        name: "a sale that another tab is sending waits for its answer",
        before: &[TILL],
        meanwhile: (By::Shop, SELL_OFFLINE),
        call: (By::Shop, SELL_OFFLINE),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "\"receipt_number\" : 1,",
        then: "count(*) = 1 from interlock.sales where register_id = '{batch}'",
    },
    Scene {
        name: "a sale that another tab was sending is sold by who waits",
        before: &[TILL],
        meanwhile: (By::Shop, SELL_OFFLINE),
        call: (By::Shop, SELL_OFFLINE),
        wait: Wait::Waits,
        end: End::Rollback,
        answer: "\"receipt_number\" : 1,",
        then: "count(*) = 1 from interlock.sales where register_id = '{batch}'",
    },
    Scene {
        name: "a sale that was cut off comes late to a shift that is closed meanwhile",
        before: &[TILL],
        meanwhile: (By::Shop, CLOSE),
        call: (By::Shop, SELL_OFFLINE),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "\"late\" : true,",
        then: "late_sales = 1 from interlock.shift_corrections where register_id = '{batch}'",
    },
    Scene {
        name: "what is there is taken once it is known how much that is",
        before: &[TILL],
        meanwhile: (By::Shop, SELL_OFFLINE),
        call: (By::Shop, SELL_OFFLINE_AGAIN),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "\"late\" : false,",
        then: "sum(f.quantity) = 3 from interlock.sale_shortfalls f where f.product_id = '{product}'",
    },
    Scene {
        name: "of two tills that open one shift offline both have it",
        before: &[TILL, (By::Shop, CLOSE)],
        meanwhile: (By::Shop, "select public.open_shift('{batch}', 0, '{id}')"),
        call: (By::Shop, "select public.open_shift('{batch}', 0, '{id}')"),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "\"success\": true",
        then: "count(*) = 1 from interlock.shifts where register_id = '{batch}' and closed_at is null",
    },
    Scene {
        name: "what was not there is not taken for a sale that is voided meanwhile",
        before: &[
            TILL,
            (By::Shop, SELL_OFFLINE),
            (By::Shop, "select public.audit_inventory()"),
            (
                By::Shop,
                "select public.adjust_stock('{product}', 5, 'came')",
            ),
        ],
        meanwhile: (By::Shop, VOID),
        call: (
            By::Shop,
            "select public.resolve_finding((select id from interlock.inventory_findings where product_id = '{product}'), 'came')",
        ),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "\"resolved\"",
        then: "available_quantity = 15 from interlock.products where id = '{product}'",
    },
];

crate::meanwhile::test_scenes!(SCENES);
