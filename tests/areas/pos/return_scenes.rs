//! What comes back to tills that two sessions use at once.

use crate::areas::pos::scenes::{SELL, STORE, TILL};
use crate::meanwhile::{By, End, Scene, Wait};

const RETURN: &str = "select public.pos_sale('{batch}', p_tenders => '[{\"type\": \"cash\", \"amount\": 700}]',
     p_returns => jsonb_build_array(jsonb_build_object('line', 0, 'quantity', 1, 'reason', 'x', 'sale_id',
       (select id from interlock.sales where register_id = '{batch}' and receipt_number = 1))))";
const VOID: &str = "select public.void_sale((select id from interlock.sales where register_id = '{batch}' and receipt_number = 1), 'wrong')";
const VOID_RETURN: &str = "select public.void_sale((select id from interlock.sales where register_id = '{batch}' and receipt_number = 2), 'wrong')";
/// Two, half of the money in cash.
const SELL_TWO: &str =
    "select public.pos_sale('{batch}', '[{\"product_id\": \"{product}\", \"quantity\": 2}]',
     '[{\"type\": \"cash\", \"amount\": 700}, {\"type\": \"card\", \"amount\": 700}]')";
const EXCHANGE: &str = "select public.pos_sale('{batch}', '[{\"product_id\": \"{product2}\", \"quantity\": 1}]',
     p_returns => jsonb_build_array(jsonb_build_object('line', 0, 'quantity', 1, 'reason', 'x', 'sale_id',
       (select id from interlock.sales where register_id = '{batch}' and receipt_number = 1))))";
const RETURN_EXCHANGED: &str = "select public.pos_sale('{batch}', p_tenders => '[{\"type\": \"cash\", \"amount\": 700}]',
     p_returns => jsonb_build_array(jsonb_build_object('line', 0, 'quantity', 1, 'reason', 'x', 'sale_id',
       (select id from interlock.sales where register_id = '{batch}' and receipt_number = 2))))";
const ONE_IS_BACK: &str = "available_quantity = 10 and (select sum(l.returned_quantity) = 1 from interlock.sale_lines l where l.product_id = '{product}')
    from interlock.products where id = '{product}'";
const ALL_ARE_THERE: &str = "available_quantity = 10 and (select sum(l.returned_quantity) = 0 from interlock.sale_lines l where l.product_id = '{product}')
    from interlock.products where id = '{product}'";

/// Somebody with points, who pays half of one and one with them.
const POINTS: (By, &str) = (
    By::Shop,
    "insert into interlock.points_values (currency, value)
       select p.currency, 10 from interlock.products p where p.id = '{product}' on conflict do nothing;
     insert into interlock.customers (id, name) values ('{id}', 'test');
     insert into interlock.points_accounts (customer_id, balance) values ('{id}', 70);
     insert into interlock.points_movements (customer_id, kind, points, balance_after) values ('{id}', 'adjusted', 70, 70)",
);
const SELL_FOR_POINTS: &str =
    "select public.pos_sale('{batch}', '[{\"product_id\": \"{product}\", \"quantity\": 1}, {\"product_id\": \"{product}\", \"quantity\": 1}]',
     '[{\"type\": \"points\", \"amount\": 700}, {\"type\": \"cash\", \"amount\": 700}]', p_customer => '{\"id\": \"{id}\"}')";
const FIRST_FOR_POINTS: &str = "select public.pos_sale('{batch}', p_tenders => '[{\"type\": \"points\", \"amount\": 700}]',
     p_returns => jsonb_build_array(jsonb_build_object('line', 0, 'quantity', 1, 'reason', 'x', 'sale_id',
       (select id from interlock.sales where register_id = '{batch}' and receipt_number = 1))))";
const SECOND_FOR_POINTS: &str = "select public.pos_sale('{batch}', p_tenders => '[{\"type\": \"points\", \"amount\": 700}]',
     p_returns => jsonb_build_array(jsonb_build_object('line', 1, 'quantity', 1, 'reason', 'x', 'sale_id',
       (select id from interlock.sales where register_id = '{batch}' and receipt_number = 1))))";

const ANOTHER: (By, &str) = (
    By::Shop,
    "insert into interlock.customers (id, name) values ('{cart}', 'another')",
);
const MERGE: &str = "select public.merge_customers('{id}', '{cart}')";
const CORRECT_POINTS: &str = "select public.adjust_points('{id}', 'x', '{cart2}', p_balance => 69)";
const SELL_BY_WALLET: &str =
    "select public.pos_sale('{batch}', '[{\"product_id\": \"{product}\", \"quantity\": 1}]',
     '[{\"type\": \"wallet\", \"amount\": 630}]', p_customer => '{\"id\": \"{id}\"}', p_promo_code => 'P{promo}')";

/// The scenes.
pub(crate) const SCENES: &[Scene] = &[
    Scene {
        name: "the last unit of a sale that comes back meanwhile comes back once",
        before: &[TILL, (By::Shop, SELL)],
        meanwhile: (By::Shop, RETURN),
        call: (By::Shop, RETURN),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "RETURN_EXCEEDS_SOLD",
        then: ONE_IS_BACK,
    },
    Scene {
        name: "what did not come back after all comes back",
        before: &[TILL, (By::Shop, SELL)],
        meanwhile: (By::Shop, RETURN),
        call: (By::Shop, RETURN),
        wait: Wait::Waits,
        end: End::Rollback,
        answer: "\"receipt_number\" : 2,",
        then: ONE_IS_BACK,
    },
    Scene {
        name: "of a sale that is voided meanwhile nothing comes back",
        before: &[TILL, (By::Shop, SELL)],
        meanwhile: (By::Shop, VOID),
        call: (By::Shop, RETURN),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "SALE_VOIDED",
        then: ALL_ARE_THERE,
    },
    Scene {
        name: "a sale of which something comes back meanwhile is not voided",
        before: &[TILL, (By::Shop, SELL)],
        meanwhile: (By::Shop, RETURN),
        call: (By::Shop, VOID),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "SALE_RETURNED",
        then: ONE_IS_BACK,
    },
    Scene {
        name: "what came back by a return that is voided meanwhile comes back anew",
        before: &[TILL, (By::Shop, SELL), (By::Shop, RETURN)],
        meanwhile: (By::Shop, VOID_RETURN),
        call: (By::Shop, RETURN),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "\"receipt_number\" : 3,",
        then: ONE_IS_BACK,
    },
    Scene {
        name: "a return that is voided twice at once is undone once",
        before: &[TILL, (By::Shop, SELL), (By::Shop, RETURN)],
        meanwhile: (By::Shop, VOID_RETURN),
        call: (By::Shop, VOID_RETURN),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "\"status\": \"voided\"",
        then: "available_quantity = 9 and (select sum(l.returned_quantity) = 0 from interlock.sale_lines l where l.product_id = '{product}')
          from interlock.products where id = '{product}'",
    },
    Scene {
        name: "cash that a sale was paid with is paid out once, of an exchange of it, too",
        before: &[TILL, (By::Shop, SELL_TWO), (By::Shop, EXCHANGE)],
        meanwhile: (By::Shop, RETURN),
        call: (By::Shop, RETURN_EXCHANGED),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "REFUND_EXCEEDS_PAID",
        then: "(select count(*) = 1 from interlock.sales where register_id = '{batch}' and total < 0)",
    },
    Scene {
        name: "the sale with which an exchange began is locked before it",
        before: &[TILL, (By::Shop, SELL_TWO), (By::Shop, EXCHANGE)],
        meanwhile: (
            By::Shop,
            "select 1 from interlock.sales where register_id = '{batch}' and receipt_number = 1 for update",
        ),
        call: (By::Shop, RETURN_EXCHANGED),
        wait: Wait::WaitsWithout("interlock.sales where register_id = '{batch}' and receipt_number = 2"),
        end: End::Commit,
        answer: "\"receipt_number\" : 3,",
        then: "total = -700 from interlock.sales where register_id = '{batch}' and receipt_number = 3",
    },
    Scene {
        name: "an exchange locks the stock of what comes and goes in the order of its ids",
        before: &[TILL, STORE, (By::Shop, SELL)],
        meanwhile: (
            By::Shop,
            "update interlock.inventory set quantity = 9 where id = '{promo}'",
        ),
        call: (By::Shop, EXCHANGE),
        wait: Wait::WaitsWithout("interlock.inventory where id = '{promo2}'"),
        end: End::Commit,
        answer: "\"receipt_number\" : 2,",
        then: "sum(quantity) = 18 from interlock.inventory where location_id = '{cart}'",
    },
    Scene {
        name: "points that a sale was paid with come back once, with whatever of it",
        before: &[TILL, POINTS, (By::Shop, SELL_FOR_POINTS)],
        meanwhile: (By::Shop, FIRST_FOR_POINTS),
        call: (By::Shop, SECOND_FOR_POINTS),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "REFUND_EXCEEDS_PAID",
        then: "sum(m.points) = 70 from interlock.points_movements m where m.customer_id = '{id}' and m.kind = 'given_back'",
    },
    Scene {
        name: "points of a sale that is voided are theirs into whom the customer is merged meanwhile",
        before: &[TILL, POINTS, ANOTHER, (By::Shop, SELL_FOR_POINTS)],
        meanwhile: (By::Shop, MERGE),
        call: (By::Shop, VOID),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "\"status\": \"voided\"",
        then: "balance = 70 from interlock.points_accounts where customer_id = '{cart}'",
    },
    Scene {
        name: "points that are corrected meanwhile go with the customer who is merged",
        before: &[TILL, POINTS, ANOTHER],
        meanwhile: (By::Shop, CORRECT_POINTS),
        call: (By::Shop, MERGE),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "\"success\": true",
        then: "balance = 69 and (select sum(m.points) = 69 from interlock.points_movements m where m.customer_id = '{cart}')
          from interlock.points_accounts where customer_id = '{cart}'",
    },
    Scene {
        name: "points of a customer at a till are locked before their wallet",
        before: &[TILL, POINTS, (By::Shop, "update interlock.customers set user_id = '{ann}' where id = '{id}'")],
        meanwhile: (By::Shop, "select 1 from interlock.points_accounts where customer_id = '{id}' for no key update"),
        call: (By::Shop, SELL_BY_WALLET),
        wait: Wait::WaitsWithout("interlock.wallets where user_id = '{ann}'"),
        end: End::Commit,
        answer: "\"receipt_number\" : 1,",
        then: "balance < 10000 from interlock.wallets where user_id = '{ann}'",
    },
    Scene {
        name: "the wallet of a customer at a till is locked before a promo code",
        before: &[TILL, POINTS, (By::Shop, "update interlock.customers set user_id = '{ann}' where id = '{id}'")],
        meanwhile: (By::Shop, "select 1 from interlock.wallets where user_id = '{ann}' for update"),
        call: (By::Shop, SELL_BY_WALLET),
        wait: Wait::WaitsWithout("interlock.promo_codes where id = '{promo}'"),
        end: End::Commit,
        answer: "\"receipt_number\" : 1,",
        then: "balance < 10000 from interlock.wallets where user_id = '{ann}'",
    },
];

crate::meanwhile::test_scenes!(SCENES);
