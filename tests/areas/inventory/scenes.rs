//! Stock at locations that two sessions change at once.

use crate::meanwhile::{By, End, Scene, Wait};

/// Ten of both products in a store (`{cart}`), under the ids `{batch}` and `{batch2}`; half ones are allowed. Nothing has
/// been in the other store (`{cart2}`).
const STORES: (By, &str) = (
    By::Shop,
    "insert into interlock.locations (id, name) values ('{cart}', 'test'), ('{cart2}', 'test');
     update interlock.products set decimals = 1 where id in ('{product}', '{product2}');
     insert into interlock.inventory (id, product_id, location_id, quantity)
     values ('{batch}', '{product}', '{cart}', 10), ('{batch2}', '{product2}', '{cart}', 10)",
);
const SLOTS: (By, &str) = (
    By::Shop,
    "update interlock.products set available_quantity = 40 where id in ('{product}', '{product2}');
     select interlock.set_stock_slots('{product}', 2), interlock.set_stock_slots('{product2}', 2)",
);
const BUY_ONE: &str =
    "select public.checkout('[{\"product_id\": \"{product}\", \"quantity\": 1}]')";
const TAKE_ONE: &str =
    "select public.manage_inventory('adjust', '[{\"inventory_id\": \"{batch}\", \"delta\": -1}]')";
const TAKE_ONE_OF_BOTH: &str = "select public.manage_inventory('adjust',
     '[{\"inventory_id\": \"{batch2}\", \"delta\": -1}, {\"inventory_id\": \"{batch}\", \"delta\": -1}]')";
const TAKE_ONE_AND_ONE_ONLINE: &str = "select public.manage_inventory('adjust',
     '[{\"inventory_id\": \"{batch}\", \"delta\": -1}, {\"inventory_id\": \"{product2}\", \"delta\": -1}]')";
const TAKE_ONE_ONLINE: &str = "select public.manage_inventory('adjust', '[{\"inventory_id\": \"{product}\", \"delta\": -1}]')";
const LOOK_ONLINE: &str =
    "select public.manage_inventory('get', '[{\"inventory_id\": \"{product}\"}]')";
const SET_ANEW: &str = "select public.manage_inventory('set',
     '[{\"product_id\": \"{product}\", \"location_id\": \"{cart2}\", \"quantity\": 5, \"expected_version\": 0}]')";
const RECEIVE_ANEW: &str = "select public.manage_inventory('receive',
     '[{\"product_id\": \"{product}\", \"location_id\": \"{cart2}\", \"quantity\": 1.5}]')";
const SEND_FIVE: &str = "select public.manage_inventory('transfer',
     '[{\"product_id\": \"{product}\", \"from_location_id\": \"{cart}\", \"to_location_id\": \"{cart2}\", \"quantity\": 5}]',
     p_in_transit => true)";
const RECEIVE_THREE: &str = "select public.manage_inventory('receive', '[{\"product_id\": \"{product}\", \"quantity\": 3}]',
     p_transfer_id => (select t.id from interlock.stock_transfers t where t.from_location_id = '{cart}'))";
const AUDIT: &str = "select public.audit_inventory()";
const COUNT_CODES: &str = "select set_config('interlock.counting_codes', 'on', false);
     update interlock.products p
     set available_quantity = (select count(*) from interlock.product_codes c where c.product_id = p.id and c.order_id is null)
     where p.id = '{ebook}'";
const NO_DECIMALS: &str = "update interlock.products set decimals = 0 where id = '{product}'";

/// The scenes.
pub(crate) const SCENES: &[Scene] = &[
    Scene {
        name: "stock in a store that somebody takes is adjusted after them",
        before: &[STORES],
        meanwhile: (
            By::Shop,
            "select public.decrement_inventory('{batch}', 1.5)",
        ),
        call: (By::Shop, TAKE_ONE),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "\"old_quantity\" : 8.5, \"new_quantity\" : 7.5, \"version\" : 3",
        then: "quantity = 7.5 from interlock.inventory where id = '{batch}'",
    },
    Scene {
        name: "online stock that somebody buys is adjusted after them",
        before: &[],
        meanwhile: (By::Bob, BUY_ONE),
        call: (By::Shop, TAKE_ONE_ONLINE),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "\"old_quantity\" : 9, \"new_quantity\" : 8",
        then: "available_quantity = 8 from interlock.products where id = '{product}'",
    },
    Scene {
        name: "stock in stores is locked in the order of its ids",
        before: &[STORES],
        meanwhile: (
            By::Shop,
            "select 1 from interlock.inventory where id = '{batch}' for update",
        ),
        call: (By::Shop, TAKE_ONE_OF_BOTH),
        wait: Wait::WaitsWithout("interlock.inventory where id = '{batch2}'"),
        end: End::Commit,
        answer: "success",
        then: "sum(quantity) = 18 from interlock.inventory where id in ('{batch}', '{batch2}')",
    },
    Scene {
        name: "slots of several products are called in in the order of their ids",
        before: &[SLOTS],
        meanwhile: (
            By::Shop,
            "select 1 from interlock.counter_slots where owner_id = '{product}' for update",
        ),
        call: (
            By::Shop,
            "select public.manage_inventory('adjust',
             '[{\"inventory_id\": \"{product2}\", \"delta\": -1}, {\"inventory_id\": \"{product}\", \"delta\": -1}]')",
        ),
        wait: Wait::WaitsWithout("interlock.counter_slots where owner_id = '{product2}'"),
        end: End::Commit,
        answer: "success",
        then: "sum(available_quantity) = 78 from interlock.products where id in ('{product}', '{product2}')",
    },
    Scene {
        name: "stock that is not named is not waited for",
        before: &[STORES],
        meanwhile: (
            By::Shop,
            "select 1 from interlock.inventory where id = '{batch2}' for update;
             select 1 from interlock.products where id = '{product}' for no key update",
        ),
        call: (By::Shop, TAKE_ONE_AND_ONE_ONLINE),
        wait: Wait::DoesNot,
        end: End::Commit,
        answer: "success",
        then: "quantity = 9 from interlock.inventory where id = '{batch}'",
    },
    Scene {
        name: "the version of a hot product waits for what is sold from its slots",
        before: &[SLOTS],
        meanwhile: (By::Bob, BUY_ONE),
        call: (By::Shop, LOOK_ONLINE),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "\"quantity\" : 39",
        then: "true",
    },
    Scene {
        name: "the version of a hot product waits for who changes its slots",
        before: &[SLOTS],
        meanwhile: (
            By::Shop,
            "select 1 from interlock.products where id = '{product}' for no key update",
        ),
        call: (By::Shop, LOOK_ONLINE),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "\"quantity\" : 40",
        then: "true",
    },
    Scene {
        name: "the version of another product waits for nobody",
        before: &[STORES],
        meanwhile: (By::Bob, BUY_ONE),
        call: (By::Shop, LOOK_ONLINE),
        wait: Wait::DoesNot,
        end: End::Commit,
        answer: "\"quantity\" : 10",
        then: "true",
    },
    Scene {
        name: "the last that somebody takes meanwhile is not sold again",
        before: &[STORES],
        meanwhile: (By::Shop, "select public.decrement_inventory('{batch}', 9.5)"),
        call: (By::Shop, "select public.decrement_inventory('{batch}', 1)"),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "INSUFFICIENT_INVENTORY",
        then: "quantity = 0.5 from interlock.inventory where id = '{batch}'",
    },
    Scene {
        name: "the last that somebody does not take after all is sold",
        before: &[STORES],
        meanwhile: (By::Shop, "select public.decrement_inventory('{batch}', 9.5)"),
        call: (By::Shop, "select public.decrement_inventory('{batch}', 1)"),
        wait: Wait::Waits,
        end: End::Rollback,
        answer: "\"new_quantity\" : 9",
        then: "quantity = 9 from interlock.inventory where id = '{batch}'",
    },
    Scene {
        name: "stock that is set where somebody puts the first meanwhile is not what was read",
        before: &[STORES],
        meanwhile: (By::Shop, RECEIVE_ANEW),
        call: (By::Shop, SET_ANEW),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "VERSION_CONFLICT",
        then: "sum(quantity) = 1.5 from interlock.inventory where location_id = '{cart2}'",
    },
    Scene {
        name: "stock that is set where somebody puts nothing after all is what was read",
        before: &[STORES],
        meanwhile: (By::Shop, RECEIVE_ANEW),
        call: (By::Shop, SET_ANEW),
        wait: Wait::Waits,
        end: End::Rollback,
        answer: "\"version\" : 2",
        then: "sum(quantity) = 5 from interlock.inventory where location_id = '{cart2}'",
    },
    Scene {
        name: "stock that is removed meanwhile is not sold",
        before: &[STORES],
        meanwhile: (
            By::Shop,
            "delete from interlock.inventory where id = '{batch}'",
        ),
        call: (By::Shop, "select public.decrement_inventory('{batch}', 1)"),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "INVENTORY_NOT_FOUND",
        then: "true",
    },
    Scene {
        name: "stock that is removed meanwhile is not adjusted",
        before: &[STORES],
        meanwhile: (
            By::Shop,
            "delete from interlock.inventory where id = '{batch}'",
        ),
        call: (By::Shop, TAKE_ONE_OF_BOTH),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "55P03",
        then: "quantity = 10 from interlock.inventory where id = '{batch2}'",
    },
    Scene {
        name: "what came of a transfer is booked after what somebody books",
        before: &[STORES, (By::Shop, SEND_FIVE)],
        meanwhile: (By::Shop, RECEIVE_THREE),
        call: (By::Shop, RECEIVE_THREE),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "TRANSFER_EXCEEDED",
        then: "sum(quantity) = 3 from interlock.inventory where location_id = '{cart2}'",
    },
    Scene {
        name: "what came of a transfer is booked when nobody books it after all",
        before: &[STORES, (By::Shop, SEND_FIVE)],
        meanwhile: (By::Shop, RECEIVE_THREE),
        call: (By::Shop, RECEIVE_THREE),
        wait: Wait::Waits,
        end: End::Rollback,
        answer: "success",
        then: "sum(quantity) = 3 from interlock.inventory where location_id = '{cart2}'",
    },
    Scene {
        name: "decimals are not lowered while somebody writes stock in stores",
        before: &[STORES],
        meanwhile: (By::Shop, RECEIVE_ANEW),
        call: (By::Shop, NO_DECIMALS),
        wait: Wait::DoesNot,
        end: End::Commit,
        answer: "55P03",
        then: "decimals = 1 from interlock.products where id = '{product}'",
    },
    Scene {
        name: "stock in stores waits for decimals that are lowered",
        before: &[STORES],
        meanwhile: (By::Shop, NO_DECIMALS),
        call: (By::Shop, RECEIVE_ANEW),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "23514",
        then: "count(*) = 0 from interlock.inventory where location_id = '{cart2}'",
    },
    Scene {
        name: "a ledger of a store stays open while somebody changes its stock",
        before: &[
            STORES,
            (
                By::Shop,
                "select set_config('interlock.purging', 'stock_movements', false);
                 with gone as (delete from interlock.stock_movements where location_id = '{cart}' returning product_id, delta)
                 insert into interlock.stock_movements (product_id, location_id, delta, reason, created_at)
                 select product_id, '{cart}', delta, 'old', now() - interval '2 years' from gone",
            ),
        ],
        meanwhile: (By::Shop, TAKE_ONE),
        call: (By::Shop, "select 'closed ' || interlock.close_ledgers()"),
        wait: Wait::DoesNot,
        end: End::Commit,
        answer: "closed",
        then: "count(*) = 1 and not exists (select from interlock.stock_differences where location_id = '{cart}')
            from interlock.stock_balances where location_id = '{cart}'",
    },
    Scene {
        name: "an audit that meets another one gives up",
        before: &[],
        meanwhile: (By::Shop, AUDIT),
        call: (By::Shop, AUDIT),
        wait: Wait::DoesNot,
        end: End::Commit,
        answer: "55P03",
        then: "true",
    },
    Scene {
        name: "codes that somebody counts anew are not counted twice",
        before: &[
            (
                By::Shop,
                "select set_config('interlock.counting_codes', 'on', false);
                 update interlock.products set available_quantity = available_quantity - 1 where id = '{ebook}'",
            ),
            (By::Shop, AUDIT),
        ],
        meanwhile: (By::Shop, COUNT_CODES),
        call: (
            By::Shop,
            "select public.resolve_finding(f.id, 'test') from interlock.inventory_findings f where f.product_id = '{ebook}'",
        ),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "\"status\": \"resolved\"",
        then: "available_quantity = 3 from interlock.products where id = '{ebook}'",
    },
];

crate::meanwhile::test_scenes!(SCENES);
