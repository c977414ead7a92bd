//! Limits of what one customer has in orders that nobody has paid for, where two of them meet.

use crate::areas::shop::calls::CHECKOUT;
use crate::areas::shop::rows::cart;
use crate::harness::calls::{Adapter, callers, together};
use crate::harness::races::count;
use crate::harness::stack::Bench;
use crate::meanwhile::{By, End, Scene, Wait};

pub(super) const NO_LIMIT: (By, &str) = (
    By::Shop,
    "update interlock.settings set max_open_orders_per_customer = null, max_open_units_per_customer = null",
);
const ONE_ORDER: (By, &str) = (
    By::Shop,
    "update interlock.settings set max_open_orders_per_customer = 1",
);
const TWO_ORDERS: (By, &str) = (
    By::Shop,
    "update interlock.settings set max_open_orders_per_customer = 2",
);
const THREE_UNITS: (By, &str) = (
    By::Shop,
    "update interlock.settings set max_open_units_per_customer = 3",
);

const BUY: &str = "select public.checkout('[{\"product_id\": \"{product}\", \"quantity\": 1}]')";
const BUY_ANOTHER: &str =
    "select public.checkout('[{\"product_id\": \"{product2}\", \"quantity\": 2}]')";

/// An unpaid order of each, without a limit.
const ORDERS: &str = "insert into interlock.orders (id, user_id, status, currency, subtotal, total, payment_method)
    values ('{batch}', '{ann}', 'confirmed', 'USD', 700, 700, 'cash_on_delivery'), ('{batch2}', '{bob}', 'confirmed', 'USD', 700, 700, 'cash_on_delivery');
    insert into interlock.order_items (order_id, product_id, quantity, unit_price, name, kind)
    values ('{batch}', '{product}', 1, 700, 'test', 'physical'), ('{batch2}', '{product2}', 1, 700, 'test', 'physical')";

/// The scenes.
pub(crate) const SCENES: &[Scene] = &[
    Scene {
        name: "of two first orders at a limit of one the second is refused",
        before: &[ONE_ORDER],
        meanwhile: (By::Ann, BUY),
        call: (By::Ann, BUY_ANOTHER),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "TOO_MANY_OPEN_ORDERS",
        then: "array[c.orders, c.units]::int[] = '{1,1}' from interlock.customer_open_orders c where user_id = '{ann}'",
    },
    Scene {
        name: "of two orders at a limit the second is let in if the first fails",
        before: &[ONE_ORDER],
        meanwhile: (By::Ann, BUY),
        call: (By::Ann, BUY_ANOTHER),
        wait: Wait::Waits,
        end: End::Rollback,
        answer: "success",
        then: "array[c.orders, c.units]::int[] = '{1,2}' from interlock.customer_open_orders c where user_id = '{ann}'",
    },
    Scene {
        name: "of two further orders at a limit the second is refused",
        before: &[TWO_ORDERS, (By::Ann, BUY)],
        meanwhile: (By::Ann, BUY),
        call: (By::Ann, BUY_ANOTHER),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "TOO_MANY_OPEN_ORDERS",
        then: "array[c.orders, c.units]::int[] = '{2,2}' from interlock.customer_open_orders c where user_id = '{ann}'",
    },
    Scene {
        name: "a checkout that counts takes the account before the customer's counter",
        before: &[TWO_ORDERS, (By::Ann, BUY)],
        meanwhile: (
            By::Shop,
            "select 1 from auth.users where id = '{ann}' for update",
        ),
        call: (By::Ann, BUY_ANOTHER),
        wait: Wait::WaitsWithout("interlock.customer_open_orders where user_id = '{ann}'"),
        end: End::Commit,
        answer: "success",
        then: "array[c.orders, c.units]::int[] = '{2,3}' from interlock.customer_open_orders c where user_id = '{ann}'",
    },
    Scene {
        name: "of two orders that are too much together the second is refused",
        before: &[THREE_UNITS, (By::Ann, BUY)],
        meanwhile: (By::Ann, BUY),
        call: (By::Ann, BUY_ANOTHER),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "TOO_MANY_OPEN_ORDERS",
        then: "array[c.orders, c.units]::int[] = '{2,2}' from interlock.customer_open_orders c where user_id = '{ann}'",
    },
    Scene {
        name: "an order that ends meanwhile makes room for another",
        before: &[ONE_ORDER, (By::Ann, BUY)],
        meanwhile: (
            By::Ann,
            "select public.cancel_order(id) from interlock.orders where user_id = '{ann}'",
        ),
        call: (By::Ann, BUY_ANOTHER),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "success",
        then: "array[c.orders, c.units]::int[] = '{1,2}' from interlock.customer_open_orders c where user_id = '{ann}'",
    },
    Scene {
        name: "customers do not wait for each other at a limit",
        before: &[ONE_ORDER],
        meanwhile: (By::Ann, BUY),
        call: (By::Bob, BUY_ANOTHER),
        wait: Wait::DoesNot,
        end: End::Commit,
        answer: "success",
        then: "count(*) = 2 from interlock.customer_open_orders where user_id in ('{ann}', '{bob}')",
    },
    Scene {
        name: "without a limit one's orders do not wait for each other",
        before: &[NO_LIMIT],
        meanwhile: (By::Ann, BUY),
        call: (By::Ann, BUY_ANOTHER),
        wait: Wait::DoesNot,
        end: End::Commit,
        answer: "success",
        then: "not exists (select from interlock.customer_open_orders where user_id = '{ann}')",
    },
    Scene {
        name: "orders that end together are counted down in the order of their customers",
        before: &[NO_LIMIT, (By::Shop, ORDERS), TWO_ORDERS],
        meanwhile: (
            By::Shop,
            "select 1 from interlock.customer_open_orders where user_id = '{ann}' for update",
        ),
        call: (
            By::Shop,
            "update interlock.orders set status = 'cancelled' where id in ('{batch}', '{batch2}')",
        ),
        wait: Wait::WaitsWithout("interlock.customer_open_orders where user_id = '{bob}'"),
        end: End::Commit,
        answer: "",
        then: "sum(orders + units) = 0 from interlock.customer_open_orders where user_id in ('{ann}', '{bob}')",
    },
    Scene {
        name: "orders are counted before the products they give back are locked",
        before: &[ONE_ORDER, (By::Ann, BUY)],
        meanwhile: (
            By::Shop,
            "select 1 from interlock.customer_open_orders where user_id = '{ann}' for update",
        ),
        call: (
            By::Ann,
            "select public.cancel_order(id) from interlock.orders where user_id = '{ann}'",
        ),
        wait: Wait::WaitsWithout("interlock.products where id = '{product}'"),
        end: End::Commit,
        answer: "success",
        then: "orders = 0 from interlock.customer_open_orders where user_id = '{ann}'",
    },
    Scene {
        name: "a first limit counts orders in the order of their ids",
        before: &[NO_LIMIT, (By::Shop, ORDERS)],
        meanwhile: (
            By::Shop,
            "select 1 from interlock.orders where id = '{batch}' for update",
        ),
        call: (
            By::Shop,
            "update interlock.settings set max_open_orders_per_customer = 5",
        ),
        wait: Wait::WaitsWithout("interlock.orders where id = '{batch2}'"),
        end: End::Commit,
        answer: "",
        then: "sum(orders) = 2 from interlock.customer_open_orders where user_id in ('{ann}', '{bob}')",
    },
    Scene {
        name: "a first limit does not count an order that ends meanwhile",
        before: &[NO_LIMIT, (By::Shop, ORDERS)],
        meanwhile: (
            By::Shop,
            "update interlock.orders set status = 'cancelled' where id = '{batch}'",
        ),
        call: (
            By::Shop,
            "update interlock.settings set max_open_orders_per_customer = 5",
        ),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "",
        then: "sum(orders) = 1 from interlock.customer_open_orders where user_id in ('{ann}', '{bob}')",
    },
];

crate::meanwhile::test_scenes!(SCENES);

#[tokio::test(flavor = "multi_thread")]
async fn of_many_orders_at_once_as_many_are_let_in_as_the_limit_says() {
    let bench = Bench::take().await;
    let user = bench.users(1).await[0];
    let product = bench.products(1, 100).await[0];
    bench
        .db
        .batch_execute("update interlock.settings set max_open_orders_per_customer = 3")
        .await
        .expect("a limit can be set");
    let tabs = callers(bench.stack, Adapter::Function, &[user; 16]).await;
    let calls = tabs.into_iter().map(|tab| async move {
        let body = cart(&[(product, 1)]);
        tab.invoke(CHECKOUT, body, None).await
    });
    let answers = together(calls).await;
    bench
        .db
        .batch_execute("update interlock.settings set max_open_orders_per_customer = default")
        .await
        .expect("a limit can be taken away");
    let refused = count(&answers, "TOO_MANY_OPEN_ORDERS");
    assert_eq!(
        (answers.len() - refused, bench.stock(&[product]).await),
        (3, 97),
        "{answers:?}"
    );
}
