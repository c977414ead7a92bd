//! Sales from slots that meet each other, the shop, and a switch of the slots. The first product gets two
//! slots of 16 units; what is held in one is up to chance, so scenes with one slot are about that slot.

use crate::meanwhile::{By, End, Scene, Wait};

const TWO_SLOTS: (By, &str) = (
    By::Shop,
    "update interlock.products set available_quantity = 32 where id = '{product}';
     select public.set_stock_slots('{product}', 2)",
);
const ONE_SLOT: (By, &str) = (
    By::Shop,
    "update interlock.products set available_quantity = 16 where id = '{product}';
     select public.set_stock_slots('{product}', 1)",
);
const BUY_ONE: &str =
    "select public.checkout('[{\"product_id\": \"{product}\", \"quantity\": 1}]')";
const BUY_ONE_WITH_KEY: &str = "select public.checkout('[{\"product_id\": \"{product}\", \"quantity\": 1}]', p_idempotency_key => '{product}')";
const BUY_16: &str =
    "select public.checkout('[{\"product_id\": \"{product}\", \"quantity\": 16}]')";
const BUY_31: &str =
    "select public.checkout('[{\"product_id\": \"{product}\", \"quantity\": 31}]')";
const BUY_BOTH: &str = "select public.checkout('[{\"product_id\": \"{product}\", \"quantity\": 1}, {\"product_id\": \"{product2}\", \"quantity\": 1}]')";

/// What a scene may have changed that is nobody's own.
pub(crate) const AFTERWARDS: &str = "
update interlock.settings
set checkouts_per_product = default, max_open_orders_per_customer = default, max_open_units_per_customer = default;
delete from interlock.tax_rates where tax_class in ('test-one', 'test-two');
select interlock.end_reservation(r.user_id, 'cart_released') from interlock.cart_reservations r;
select interlock.settle_slots()";

/// A ledger that is old enough to be closed: what it had is the same, and long ago.
const OLD_STOCK: (By, &str) = (
    By::Shop,
    "select set_config('interlock.purging', 'stock_movements', false);
     with gone as (delete from interlock.stock_movements where product_id = '{product}' returning product_id, delta)
     insert into interlock.stock_movements (product_id, delta, reason, created_at)
     select product_id, delta, 'old', now() - interval '2 years' from gone",
);
const OLD_MONEY: (By, &str) = (
    By::Shop,
    "select set_config('interlock.purging', 'wallet_movements', false);
     with gone as (delete from interlock.wallet_movements where user_id = '{bob}' returning user_id, delta, balance_after, currency)
     insert into interlock.wallet_movements (user_id, delta, balance_after, currency, reason, created_at)
     select user_id, delta, balance_after, currency, 'old', now() - interval '2 years' from gone",
);

/// The scenes.
pub(crate) const SCENES: &[Scene] = &[
    Scene {
        name: "two sales from two slots do not wait for each other",
        before: &[TWO_SLOTS],
        meanwhile: (By::Bob, BUY_ONE),
        call: (By::Ann, BUY_ONE),
        wait: Wait::DoesNot,
        end: End::Commit,
        answer: "success",
        then: "count(*) = 2 from interlock.counter_slots where owner_id = '{product}' and used = 1",
    },
    Scene {
        name: "a sale waits for a slot that has enough, and leaves the others alone",
        before: &[ONE_SLOT],
        meanwhile: (By::Bob, BUY_ONE),
        call: (By::Ann, BUY_ONE),
        wait: Wait::WaitsWithout("interlock.products where id = '{product}'"),
        end: End::Commit,
        answer: "success",
        then: "used = 2 and granted = 16 from interlock.counter_slots where owner_id = '{product}'",
    },
    Scene {
        name: "a slot emptied meanwhile is not sold from",
        before: &[ONE_SLOT],
        meanwhile: (By::Bob, BUY_16),
        call: (By::Ann, BUY_ONE),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "INSUFFICIENT_INVENTORY",
        then: "p.available_quantity - s.used = 0 from interlock.products p join interlock.counter_slots s on s.owner_id = p.id where p.id = '{product}'",
    },
    Scene {
        name: "units that a sale gives back by rolling back are sold",
        before: &[ONE_SLOT],
        meanwhile: (By::Bob, BUY_16),
        call: (By::Ann, BUY_ONE),
        wait: Wait::Waits,
        end: End::Rollback,
        answer: "success",
        then: "p.available_quantity - s.used = 15 from interlock.products p join interlock.counter_slots s on s.owner_id = p.id where p.id = '{product}'",
    },
    Scene {
        name: "nobody is refused while a slot that is being sold from may still have the units",
        before: &[TWO_SLOTS],
        meanwhile: (By::Bob, BUY_ONE),
        call: (By::Ann, BUY_31),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "success",
        then: "available_quantity = 0 from public.get_stock(array['{product}']::uuid[])",
    },
    Scene {
        name: "what was sold from a slot meanwhile is missing at the gate",
        before: &[TWO_SLOTS, (By::Ann, BUY_ONE)],
        meanwhile: (By::Bob, BUY_ONE),
        call: (By::Ann, BUY_31),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "INSUFFICIENT_INVENTORY",
        then: "available_quantity = 30 from public.get_stock(array['{product}']::uuid[])",
    },
    Scene {
        name: "switching slots off waits for the sales from them",
        before: &[TWO_SLOTS],
        meanwhile: (By::Bob, BUY_ONE),
        call: (By::Shop, "select public.set_stock_slots('{product}', 0)"),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "\"available_quantity\": 31",
        then: "available_quantity = 31 and stock_slots = 0 from interlock.products where id = '{product}'",
    },
    Scene {
        name: "a sale goes on when slots are switched off meanwhile",
        before: &[TWO_SLOTS],
        meanwhile: (By::Shop, "select public.set_stock_slots('{product}', 0)"),
        call: (By::Ann, BUY_ONE),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "success",
        then: "available_quantity = 31 and stock_slots = 0 from interlock.products where id = '{product}'",
    },
    Scene {
        name: "a sale goes on when slots are switched on meanwhile",
        before: &[(
            By::Shop,
            "update interlock.products set available_quantity = 32 where id = '{product}'",
        )],
        meanwhile: (By::Shop, "select public.set_stock_slots('{product}', 1)"),
        call: (By::Ann, BUY_ONE),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "success",
        then: "p.available_quantity = 31 and s.granted = 31 from interlock.products p join interlock.counter_slots s on s.owner_id = p.id where p.id = '{product}'",
    },
    Scene {
        name: "two switches of slots go one after the other",
        before: &[TWO_SLOTS],
        meanwhile: (By::Shop, "select public.set_stock_slots('{product}', 1)"),
        call: (By::Shop, "select public.set_stock_slots('{product}', 0)"),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "\"available_quantity\": 32",
        then: "not exists (select from interlock.counter_slots where owner_id = '{product}')",
    },
    Scene {
        name: "goods that go out meanwhile are not sold",
        before: &[ONE_SLOT],
        meanwhile: (
            By::Shop,
            "update interlock.products set available_quantity = 0 where id = '{product}'",
        ),
        call: (By::Ann, BUY_ONE),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "INSUFFICIENT_INVENTORY",
        then: "available_quantity = 0 from public.get_stock(array['{product}']::uuid[])",
    },
    Scene {
        name: "goods go out only after the sales from slots that are under way",
        before: &[ONE_SLOT],
        meanwhile: (By::Bob, BUY_ONE),
        call: (
            By::Shop,
            "update interlock.products set available_quantity = 0 where id = '{product}'",
        ),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "23514 stock 0 of product",
        then: "available_quantity = 15 from public.get_stock(array['{product}']::uuid[])",
    },
    Scene {
        name: "goods that come in do not stop sales from slots",
        before: &[TWO_SLOTS],
        meanwhile: (
            By::Shop,
            "update interlock.products set available_quantity = available_quantity + 9 where id = '{product}'",
        ),
        call: (By::Ann, BUY_ONE),
        wait: Wait::DoesNot,
        end: End::Commit,
        answer: "success",
        then: "available_quantity = 40 from public.get_stock(array['{product}']::uuid[])",
    },
    Scene {
        name: "a mixed cart takes its rows before its slots",
        before: &[ONE_SLOT],
        meanwhile: (
            By::Shop,
            "select 1 from interlock.products where id = '{product2}' for update",
        ),
        call: (By::Ann, BUY_BOTH),
        wait: Wait::WaitsWithout("interlock.counter_slots where owner_id = '{product}'"),
        end: End::Commit,
        answer: "success",
        then: "used = 1 from interlock.counter_slots where owner_id = '{product}'",
    },
    Scene {
        name: "a mixed cart whose row is sold out meanwhile takes nothing from a slot",
        before: &[ONE_SLOT],
        meanwhile: (
            By::Shop,
            "update interlock.products set available_quantity = 0 where id = '{product2}'",
        ),
        call: (By::Ann, BUY_BOTH),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "INSUFFICIENT_INVENTORY",
        then: "used = 0 and granted = 16 from interlock.counter_slots where owner_id = '{product}'",
    },
    Scene {
        name: "a mixed cart whose row changes its price meanwhile is not charged",
        before: &[ONE_SLOT],
        meanwhile: (
            By::Shop,
            "update interlock.products set price = 900 where id = '{product2}'",
        ),
        call: (By::Ann, BUY_BOTH),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "55P03 a product changed",
        then: "used = 0 from interlock.counter_slots where owner_id = '{product}'",
    },
    Scene {
        name: "settling passes over a product that somebody has locked",
        before: &[TWO_SLOTS, (By::Bob, BUY_ONE)],
        meanwhile: (
            By::Shop,
            "select 1 from interlock.products where id = '{product}' for no key update",
        ),
        call: (By::Shop, "select 'settled' from interlock.settle_slots()"),
        wait: Wait::DoesNot,
        end: End::Commit,
        answer: "settled",
        then: "available_quantity = 32 from interlock.products where id = '{product}'",
    },
    Scene {
        name: "settling waits for the sales that are under way",
        before: &[ONE_SLOT, (By::Bob, BUY_ONE)],
        meanwhile: (By::Bob, BUY_ONE),
        call: (By::Shop, "select 'settled' from interlock.settle_slots()"),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "settled",
        then: "available_quantity = 14 from interlock.products where id = '{product}'",
    },
    Scene {
        name: "a checkout is let in only if few enough others of the same product are running",
        before: &[(
            By::Shop,
            "update interlock.settings set checkouts_per_product = 1",
        )],
        meanwhile: (By::Bob, BUY_ONE),
        call: (By::Ann, BUY_ONE),
        wait: Wait::DoesNot,
        end: End::Commit,
        answer: "UPSTREAM_UNAVAILABLE",
        then: "available_quantity = 9 from interlock.products where id = '{product}'",
    },
    Scene {
        name: "a checkout that was made already has its answer however many others are running",
        before: &[
            (
                By::Shop,
                "update interlock.settings set checkouts_per_product = 1",
            ),
            (By::Ann, BUY_ONE_WITH_KEY),
        ],
        meanwhile: (By::Bob, BUY_ONE),
        call: (By::Ann, BUY_ONE_WITH_KEY),
        wait: Wait::DoesNot,
        end: End::Commit,
        answer: "success",
        then: "available_quantity = 8 from interlock.products where id = '{product}'",
    },
    Scene {
        name: "a checkout of another product is let in",
        before: &[(
            By::Shop,
            "update interlock.settings set checkouts_per_product = 1",
        )],
        meanwhile: (By::Bob, BUY_ONE),
        call: (
            By::Ann,
            "select public.checkout('[{\"product_id\": \"{product2}\", \"quantity\": 1}]')",
        ),
        wait: Wait::DoesNot,
        end: End::Commit,
        answer: "success",
        then: "available_quantity = 9 from interlock.products where id = '{product2}'",
    },
    Scene {
        name: "a product that few may buy at a time is sold again when they are done",
        before: &[
            (
                By::Shop,
                "update interlock.settings set checkouts_per_product = 1",
            ),
            (By::Bob, BUY_ONE),
        ],
        meanwhile: (By::Bob, "select 1"),
        call: (By::Ann, BUY_ONE),
        wait: Wait::DoesNot,
        end: End::Commit,
        answer: "success",
        then: "available_quantity = 8 from interlock.products where id = '{product}'",
    },
    Scene {
        name: "a second checkout of a product is let in if two may run",
        before: &[(
            By::Shop,
            "update interlock.settings set checkouts_per_product = 2",
        )],
        meanwhile: (By::Bob, BUY_ONE),
        call: (By::Ann, BUY_ONE),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "success",
        then: "available_quantity = 8 from interlock.products where id = '{product}'",
    },
    Scene {
        name: "slots are called in in the order of their numbers",
        before: &[TWO_SLOTS],
        meanwhile: (
            By::Shop,
            "select 1 from interlock.counter_slots where owner_id = '{product}' and slot = 0 for update",
        ),
        call: (By::Shop, "select public.set_stock_slots('{product}', 0)"),
        wait: Wait::WaitsWithout(
            "interlock.counter_slots where owner_id = '{product}' and slot = 1",
        ),
        end: End::Commit,
        answer: "\"available_quantity\": 32",
        then: "available_quantity = 32 from interlock.products where id = '{product}'",
    },
    Scene {
        name: "less stock calls slots in in the order of their numbers",
        before: &[TWO_SLOTS],
        meanwhile: (
            By::Shop,
            "select 1 from interlock.counter_slots where owner_id = '{product}' and slot = 0 for update",
        ),
        call: (
            By::Shop,
            "update interlock.products set available_quantity = 0 where id = '{product}'",
        ),
        wait: Wait::WaitsWithout(
            "interlock.counter_slots where owner_id = '{product}' and slot = 1",
        ),
        end: End::Commit,
        answer: "",
        then: "sum(granted) = 0 from interlock.counter_slots where owner_id = '{product}'",
    },
    Scene {
        name: "a switch of slots takes the product before its slots",
        before: &[TWO_SLOTS],
        meanwhile: (
            By::Shop,
            "select 1 from interlock.products where id = '{product}' for no key update",
        ),
        call: (By::Shop, "select public.set_stock_slots('{product}', 0)"),
        wait: Wait::WaitsWithout("interlock.counter_slots where owner_id = '{product}'"),
        end: End::Commit,
        answer: "\"available_quantity\": 32",
        then: "stock_slots = 0 from interlock.products where id = '{product}'",
    },
    Scene {
        name: "a cart takes slots of its products in the order of their ids",
        before: &[
            ONE_SLOT,
            (
                By::Shop,
                "update interlock.products set available_quantity = 16 where id = '{product2}';
             select public.set_stock_slots('{product2}', 1)",
            ),
        ],
        meanwhile: (By::Bob, BUY_ONE),
        call: (
            By::Ann,
            "select public.checkout('[{\"product_id\": \"{product2}\", \"quantity\": 1}, {\"product_id\": \"{product}\", \"quantity\": 1}]')",
        ),
        wait: Wait::WaitsWithout("interlock.counter_slots where owner_id = '{product2}'"),
        end: End::Commit,
        answer: "success",
        then: "sum(used) = 3 from interlock.counter_slots where owner_id in ('{product}', '{product2}')",
    },
    Scene {
        name: "a large cart calls in the slots of its products in the order of their ids",
        before: &[
            TWO_SLOTS,
            (
                By::Shop,
                "update interlock.products set available_quantity = 32 where id = '{product2}';
             select public.set_stock_slots('{product2}', 2)",
            ),
        ],
        meanwhile: (By::Bob, BUY_ONE),
        call: (
            By::Ann,
            "select public.checkout('[{\"product_id\": \"{product2}\", \"quantity\": 17}, {\"product_id\": \"{product}\", \"quantity\": 17}]')",
        ),
        wait: Wait::WaitsWithout("interlock.counter_slots where owner_id = '{product2}'"),
        end: End::Commit,
        answer: "success",
        then: "sum(available_quantity) = 29 from public.get_stock(array['{product}', '{product2}']::uuid[])",
    },
    Scene {
        name: "settling goes by the ids of the products",
        before: &[
            ONE_SLOT,
            (
                By::Shop,
                "update interlock.products set available_quantity = 16 where id = '{product2}';
             select public.set_stock_slots('{product2}', 1)",
            ),
            (By::Ann, BUY_BOTH),
        ],
        meanwhile: (By::Bob, BUY_ONE),
        call: (By::Shop, "select 'settled' from interlock.settle_slots()"),
        wait: Wait::WaitsWithout("interlock.counter_slots where owner_id = '{product2}'"),
        end: End::Commit,
        answer: "settled",
        then: "sum(available_quantity) = 29 from interlock.products where id in ('{product}', '{product2}')",
    },
    Scene {
        name: "a sale finds the one slot of many that nobody is using",
        before: &[(
            By::Shop,
            "update interlock.products set available_quantity = 1024 where id = '{product}';
             select public.set_stock_slots('{product}', 64)",
        )],
        meanwhile: (
            By::Shop,
            "select 1 from interlock.counter_slots where owner_id = '{product}' and slot < 63 for update",
        ),
        call: (By::Ann, BUY_ONE),
        wait: Wait::DoesNot,
        end: End::Commit,
        answer: "success",
        then: "used = 1 from interlock.counter_slots where owner_id = '{product}' and slot = 63",
    },
    Scene {
        name: "settling leaves a product alone that somebody has locked, and settles the others",
        before: &[
            ONE_SLOT,
            (
                By::Shop,
                "update interlock.products set available_quantity = 16 where id = '{product2}';
             select public.set_stock_slots('{product2}', 1)",
            ),
            (By::Ann, BUY_BOTH),
        ],
        meanwhile: (
            By::Shop,
            "select 1 from interlock.products where id = '{product2}' for no key update",
        ),
        call: (By::Shop, "select 'settled' from interlock.settle_slots()"),
        wait: Wait::DoesNot,
        end: End::Commit,
        answer: "settled",
        then: "sum(available_quantity) = 31 from interlock.products where id in ('{product}', '{product2}')",
    },
    Scene {
        name: "a ledger is closed when the sales from its slots are over",
        before: &[ONE_SLOT, OLD_STOCK],
        meanwhile: (By::Bob, BUY_ONE),
        call: (
            By::Shop,
            "insert into interlock.stock_movements (product_id, delta, reason, created_at)
             select '{product}', d, 'old', now() - interval '2 years' from unnest(array[1, -1]) d;
             select 'closed ' || interlock.close_ledgers()",
        ),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "closed",
        // It waits 50 ms, so whether it is closed now depends on who is quicker; what they sold is in the books.
        then: "not exists (select from interlock.stock_differences where product_id = '{product}')",
    },
    Scene {
        name: "a ledger stays open while somebody changes the stock",
        before: &[OLD_STOCK],
        meanwhile: (By::Bob, BUY_ONE),
        call: (
            By::Shop,
            "insert into interlock.stock_movements (product_id, delta, reason, created_at)
             select '{product}', d, 'old', now() - interval '2 years' from unnest(array[1, -1]) d;
             select 'closed ' || interlock.close_ledgers()",
        ),
        wait: Wait::DoesNot,
        end: End::Commit,
        answer: "closed",
        then: "count(*) = 0 and not exists (select from interlock.stock_differences where product_id = '{product}')
            from interlock.stock_balances where product_id = '{product}'",
    },
    Scene {
        name: "a ledger stays open while somebody pays from the wallet",
        before: &[OLD_MONEY],
        meanwhile: (
            By::Bob,
            "select public.checkout('[{\"product_id\": \"{product}\", \"quantity\": 1}]', p_payment_method => 'wallet')",
        ),
        call: (
            By::Shop,
            "insert into interlock.wallet_movements (user_id, delta, balance_after, currency, reason, created_at)
             select '{bob}', d, 1, 'EUR', 'old', now() - interval '2 years' from unnest(array[1, -1]) d;
             select 'closed ' || interlock.close_ledgers()",
        ),
        wait: Wait::DoesNot,
        end: End::Commit,
        answer: "closed",
        then: "count(*) = 0 and not exists (select from interlock.wallet_differences where user_id = '{bob}')
            from interlock.wallet_balances where user_id = '{bob}'",
    },
];

crate::meanwhile::test_scenes!(SCENES);
