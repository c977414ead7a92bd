//! Products that are sold in another way than from their stock alone, or not in any number, where two sessions meet.

use super::limit_scenes::NO_LIMIT;
use crate::areas::shop::calls::CHECKOUT;
use crate::areas::shop::rows::cart;
use crate::harness::calls::{Adapter, callers, together};
use crate::harness::races::count;
use crate::harness::stack::Bench;
use crate::meanwhile::{By, End, Scene, Wait};

const ONE_EACH: (By, &str) = (
    By::Shop,
    "update interlock.products set max_per_customer = 1 where id = '{product}'",
);
const UNTRACKED: (By, &str) = (
    By::Shop,
    "update interlock.products set stock_policy = 'untracked' where id = '{product}'",
);
const ONE_MAY_BE_OWED: (By, &str) = (
    By::Shop,
    "update interlock.products set available_quantity = 0, stock_policy = 'backorder', backorder_limit = 1
     where id = '{product}'",
);
const BUY: &str = "select public.checkout('[{\"product_id\": \"{product}\", \"quantity\": 1}]')";
const BUY_BOTH: &str = "select public.checkout('[{\"product_id\": \"{product}\", \"quantity\": 1},
    {\"product_id\": \"{product2}\", \"quantity\": 1}]')";
const BUY_FROM_WALLET: &str =
    "select public.checkout('[{\"product_id\": \"{product}\", \"quantity\": 1}]',
    p_payment_method => 'wallet')";
const EXPIRED_ORDER: (By, &str) = (
    By::Shop,
    "insert into interlock.orders (id, user_id, status, currency, subtotal, total, payment_method, cancelled_at)
     values ('{batch}', '{ann}', 'expired', 'USD', 700, 700, 'cash_on_delivery', now());
     insert into interlock.order_items (order_id, product_id, quantity, unit_price, name, kind)
     values ('{batch}', '{product}', 1, 700, 'test', 'physical')",
);

/// The scenes.
pub(crate) const SCENES: &[Scene] = &[
    Scene {
        name: "of two orders of one customer at a product's limit the second is refused",
        before: &[NO_LIMIT, ONE_EACH],
        meanwhile: (By::Ann, BUY),
        call: (By::Ann, BUY),
        wait: Wait::WaitsWithout("interlock.products where id = '{product2}'"),
        end: End::Commit,
        answer: "PRODUCT_CUSTOMER_LIMIT",
        then: "available_quantity = 9 from interlock.products where id = '{product}'",
    },
    Scene {
        name: "of two orders of one customer at a product's limit the second is let in if the first fails",
        before: &[NO_LIMIT, ONE_EACH],
        meanwhile: (By::Ann, BUY),
        call: (By::Ann, BUY),
        wait: Wait::Waits,
        end: End::Rollback,
        answer: "success",
        then: "available_quantity = 9 from interlock.products where id = '{product}'",
    },
    Scene {
        name: "customers do not wait for each other at a product's limit",
        before: &[NO_LIMIT, ONE_EACH, UNTRACKED],
        meanwhile: (By::Ann, BUY),
        call: (By::Bob, BUY),
        wait: Wait::DoesNot,
        end: End::Commit,
        answer: "success",
        then: "count(*) = 2 from interlock.order_items where product_id = '{product}' and untracked",
    },
    Scene {
        name: "an order is not opened again above what its customer orders meanwhile",
        before: &[NO_LIMIT, ONE_EACH, EXPIRED_ORDER],
        meanwhile: (By::Ann, BUY),
        call: (By::Shop, "select public.reopen_order('{batch}')"),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "PRODUCT_CUSTOMER_LIMIT",
        then: "status = 'expired' from interlock.orders where id = '{batch}'",
    },
    Scene {
        name: "a customer's limits are waited for before any stock is held",
        before: &[NO_LIMIT, ONE_EACH],
        meanwhile: (
            By::Shop,
            "select pg_advisory_xact_lock(hashtextextended('interlock limits {ann}', 0))",
        ),
        call: (By::Ann, BUY_BOTH),
        wait: Wait::WaitsWithout("interlock.products where id in ('{product}', '{product2}')"),
        end: End::Commit,
        answer: "success",
        then: "available_quantity = 9 from interlock.products where id = '{product2}'",
    },
    Scene {
        name: "sales of an untracked product do not wait for its row",
        before: &[UNTRACKED],
        meanwhile: (
            By::Shop,
            "select 1 from interlock.products where id = '{product}' for update",
        ),
        call: (By::Ann, BUY_BOTH),
        wait: Wait::DoesNot,
        end: End::Commit,
        answer: "success",
        then: "array_agg(available_quantity order by id) = '{10,9}' from interlock.products where id in ('{product}', '{product2}')",
    },
    Scene {
        name: "an order of an untracked product ends without waiting for its row",
        before: &[UNTRACKED, (By::Ann, BUY_BOTH)],
        meanwhile: (
            By::Shop,
            "select 1 from interlock.products where id = '{product}' for update",
        ),
        call: (
            By::Ann,
            "select public.cancel_order(id) from interlock.orders where user_id = '{ann}'",
        ),
        wait: Wait::DoesNot,
        end: End::Commit,
        answer: "success",
        then: "array_agg(available_quantity order by id) = '{10,10}' from interlock.products where id in ('{product}', '{product2}')",
    },
    Scene {
        name: "a price of an untracked product that changes meanwhile is not charged",
        before: &[UNTRACKED],
        meanwhile: (
            By::Shop,
            "select 1 from interlock.wallets where user_id = '{ann}' for update;
             update interlock.products set price = 900 where id = '{product}'",
        ),
        call: (By::Ann, BUY_FROM_WALLET),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "55P03 a product changed",
        then: "balance = 10000 from interlock.wallets where user_id = '{ann}'",
    },
    Scene {
        name: "a product that is tracked meanwhile is not sold untracked",
        before: &[UNTRACKED],
        meanwhile: (
            By::Shop,
            "select 1 from interlock.wallets where user_id = '{ann}' for update;
             update interlock.products set stock_policy = 'tracked' where id = '{product}'",
        ),
        call: (By::Ann, BUY_FROM_WALLET),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "55P03 a product changed",
        then: "balance = 10000 from interlock.wallets where user_id = '{ann}'",
    },
    Scene {
        name: "an untracked product that is taken off meanwhile is not sold",
        before: &[UNTRACKED],
        meanwhile: (
            By::Shop,
            "select 1 from interlock.wallets where user_id = '{ann}' for update;
             update interlock.products set active = false where id = '{product}'",
        ),
        call: (By::Ann, BUY_FROM_WALLET),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "55P03 a product changed",
        then: "balance = 10000 from interlock.wallets where user_id = '{ann}'",
    },
    Scene {
        name: "an untracked product whose currency changes meanwhile is not sold",
        before: &[UNTRACKED],
        meanwhile: (
            By::Shop,
            "select 1 from interlock.wallets where user_id = '{ann}' for update;
             update interlock.products set currency = 'EUR' where id = '{product}'",
        ),
        call: (By::Ann, BUY_FROM_WALLET),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "55P03 a product changed",
        then: "balance = 10000 from interlock.wallets where user_id = '{ann}'",
    },
    Scene {
        name: "the last unit that may be owed is owed to one",
        before: &[ONE_MAY_BE_OWED],
        meanwhile: (By::Ann, BUY),
        call: (By::Bob, BUY),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "INSUFFICIENT_INVENTORY",
        then: "available_quantity = 0 and backordered = 1 from interlock.products where id = '{product}'",
    },
    Scene {
        name: "the last unit that may be owed is owed to the second if the first fails",
        before: &[ONE_MAY_BE_OWED],
        meanwhile: (By::Ann, BUY),
        call: (By::Bob, BUY),
        wait: Wait::Waits,
        end: End::Rollback,
        answer: "\"backordered\": 1",
        then: "available_quantity = 0 and backordered = 1 from interlock.products where id = '{product}'",
    },
    Scene {
        name: "what is owed since the look is not answered as if it were there",
        before: &[],
        meanwhile: (
            By::Shop,
            "update interlock.products set available_quantity = 0, stock_policy = 'backorder', backorder_limit = 5
             where id = '{product}'",
        ),
        call: (By::Ann, BUY),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "55P03 a product changed",
        then: "backordered = 0 from interlock.products where id = '{product}'",
    },
    Scene {
        name: "a delivery fills what is owed by an order that comes meanwhile",
        before: &[ONE_MAY_BE_OWED],
        meanwhile: (By::Ann, BUY),
        call: (By::Shop, "select public.adjust_stock('{product}', 3)"),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "\"new_quantity\": 2",
        then: "available_quantity = 2 and backordered = 0 from interlock.products where id = '{product}'",
    },
    Scene {
        name: "slots are not given to a product that owes units meanwhile",
        before: &[ONE_MAY_BE_OWED],
        meanwhile: (
            By::Shop,
            "update interlock.products set available_quantity = 50, stock_policy = 'tracked' where id = '{product}'",
        ),
        call: (By::Shop, "select public.set_stock_slots('{product}', 2)"),
        wait: Wait::Waits,
        end: End::Rollback,
        answer: "VALIDATION_FAILED",
        then: "stock_slots = 0 from interlock.products where id = '{product}'",
    },
];

crate::meanwhile::test_scenes!(SCENES);

#[tokio::test(flavor = "multi_thread")]
async fn of_many_orders_of_one_customer_as_many_are_let_in_as_the_product_says() {
    let bench = Bench::take().await;
    let user = bench.users(1).await[0];
    let product = bench.products(1, 100).await[0];
    bench
        .db
        .execute(
            "update interlock.products set max_per_customer = 3 where id = $1",
            &[&product],
        )
        .await
        .expect("a limit can be set");
    let tabs = callers(bench.stack, Adapter::Function, &[user; 16]).await;
    let calls = tabs.into_iter().map(|tab| async move {
        let body = cart(&[(product, 1)]);
        tab.invoke(CHECKOUT, body, None).await
    });
    let answers = together(calls).await;
    let refused = count(&answers, "PRODUCT_CUSTOMER_LIMIT");
    assert_eq!(
        (answers.len() - refused, bench.stock(&[product]).await),
        (3, 97),
        "{answers:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_buyers_as_many_are_served_as_there_is_and_may_be_owed() {
    let bench = Bench::take().await;
    let product = bench.products(1, 5).await[0];
    bench
        .db
        .execute(
            "update interlock.products set stock_policy = 'backorder', backorder_limit = 4 where id = $1",
            &[&product],
        )
        .await
        .expect("a policy can be set");
    let buyers = callers(bench.stack, Adapter::Function, &bench.users(16).await).await;
    let calls = buyers.into_iter().map(|buyer| async move {
        let body = cart(&[(product, 1)]);
        buyer.invoke(CHECKOUT, body, None).await
    });
    let answers = together(calls).await;
    let refused = count(&answers, "INSUFFICIENT_INVENTORY");
    let owed = bench
        .number(
            "select sum(i.backordered) from interlock.order_items i where i.product_id = any ($1)",
            &[product],
        )
        .await;
    assert_eq!(
        (
            answers.len() - refused,
            bench.stock(&[product]).await,
            bench.sold(&[product]).await,
            owed
        ),
        (9, 0, 9, 4),
        "{answers:?}"
    );
}
