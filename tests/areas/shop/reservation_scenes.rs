//! Carts that are reserved before they are ordered, where two sessions meet; and a crowd of them.

use crate::areas::shop::calls::{CHECKOUT, RELEASE_CART, RESERVE_CART};
use crate::areas::shop::rows::{cart, with};
use crate::harness::calls::{Adapter, callers, together};
use crate::harness::races::tally;
use crate::harness::stack::Bench;
use crate::meanwhile::{By, End, Scene, Wait};

const RESERVE: &str =
    "select public.reserve_cart('[{\"product_id\": \"{product}\", \"quantity\": 4}]')";
const RESERVE_ANOTHER: &str =
    "select public.reserve_cart('[{\"product_id\": \"{product2}\", \"quantity\": 2}]')";
const RESERVE_ALL: &str =
    "select public.reserve_cart('[{\"product_id\": \"{product}\", \"quantity\": 10}]')";
const BUY: &str = "select public.checkout('[{\"product_id\": \"{product}\", \"quantity\": 1}]')";
const BUY_RESERVED: &str =
    "select public.checkout('[{\"product_id\": \"{product}\", \"quantity\": 4}]',
    p_reservation_id => (select id from interlock.cart_reservations where user_id = '{ann}'))";
const RELEASE: &str = "select public.release_cart()";
const EXPIRE: &str = "select public.expire_cart_reservations()";
const DUE: (By, &str) = (
    By::Shop,
    "update interlock.cart_reservations set expires_at = now() - interval '1 minute' where user_id = '{ann}'",
);
const FOUR_ARE_SOLD: &str = "available_quantity = 6 and not exists (select from interlock.cart_reservation_lines where user_id = '{ann}')
    and exists (select from interlock.orders where user_id = '{ann}') from interlock.products where id = '{product}'";
const ALL_ARE_BACK: &str = "available_quantity = 10 and not exists (select from interlock.cart_reservation_lines where user_id = '{ann}')
    from interlock.products where id = '{product}'";

/// The scenes.
pub(crate) const SCENES: &[Scene] = &[
    Scene {
        name: "a reservation that expires meanwhile is not in the order, which buys from the shelf",
        before: &[(By::Ann, RESERVE), DUE],
        meanwhile: (By::Shop, EXPIRE),
        call: (By::Ann, BUY_RESERVED),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "success",
        then: FOUR_ARE_SOLD,
    },
    Scene {
        name: "a reservation that did not expire after all is redeemed",
        before: &[(By::Ann, RESERVE), DUE],
        meanwhile: (By::Shop, EXPIRE),
        call: (By::Ann, BUY_RESERVED),
        wait: Wait::Waits,
        end: End::Rollback,
        answer: "success",
        then: FOUR_ARE_SOLD,
    },
    Scene {
        name: "a reservation that is redeemed meanwhile does not expire, and is not waited for",
        before: &[(By::Ann, RESERVE), DUE],
        meanwhile: (By::Ann, BUY_RESERVED),
        call: (By::Shop, EXPIRE),
        wait: Wait::DoesNot,
        end: End::Commit,
        answer: "\"expired\": 0",
        then: FOUR_ARE_SOLD,
    },
    Scene {
        name: "a reservation that is refreshed meanwhile does not expire, and is not waited for",
        before: &[(By::Ann, RESERVE), DUE],
        meanwhile: (By::Ann, RESERVE),
        call: (By::Shop, EXPIRE),
        wait: Wait::DoesNot,
        end: End::Commit,
        answer: "\"expired\": 0",
        then: "sum(quantity) = 4 from interlock.cart_reservation_lines where user_id = '{ann}'",
    },
    Scene {
        name: "a reservation that is released meanwhile is not given back again",
        before: &[(By::Ann, RESERVE)],
        meanwhile: (By::Ann, RELEASE),
        call: (By::Ann, RELEASE),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "\"released\": false",
        then: ALL_ARE_BACK,
    },
    Scene {
        name: "a reservation that is ordered meanwhile is not given back",
        before: &[(By::Ann, RESERVE)],
        meanwhile: (By::Ann, BUY_RESERVED),
        call: (By::Ann, RELEASE),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "\"released\": false",
        then: FOUR_ARE_SOLD,
    },
    Scene {
        name: "of two orders of one reservation one has it",
        before: &[(By::Ann, RESERVE)],
        meanwhile: (By::Ann, BUY_RESERVED),
        call: (By::Ann, BUY_RESERVED),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "success",
        then: "available_quantity = 2 from interlock.products where id = '{product}'",
    },
    Scene {
        name: "of two first reservations of one customer the second takes the place of the first",
        before: &[],
        meanwhile: (By::Ann, RESERVE),
        call: (By::Ann, RESERVE_ANOTHER),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "success",
        then: "array_agg(available_quantity order by id) = '{10,8}' from interlock.products where id in ('{product}', '{product2}')",
    },
    Scene {
        name: "a reservation takes the place of one that is made larger meanwhile",
        before: &[(By::Ann, RESERVE)],
        meanwhile: (By::Ann, RESERVE_ALL),
        call: (By::Ann, RESERVE_ANOTHER),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "success",
        then: "array_agg(available_quantity order by id) = '{10,8}' from interlock.products where id in ('{product}', '{product2}')",
    },
    Scene {
        name: "what is reserved meanwhile is not sold",
        before: &[],
        meanwhile: (By::Ann, RESERVE_ALL),
        call: (By::Bob, BUY),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "INSUFFICIENT_INVENTORY",
        then: "available_quantity = 0 from interlock.products where id = '{product}'",
    },
    Scene {
        name: "what was not reserved after all is sold",
        before: &[],
        meanwhile: (By::Ann, RESERVE_ALL),
        call: (By::Bob, BUY),
        wait: Wait::Waits,
        end: End::Rollback,
        answer: "success",
        then: "available_quantity = 9 from interlock.products where id = '{product}'",
    },
    Scene {
        name: "what is reserved comes to nobody else while it is ordered",
        before: &[(By::Ann, RESERVE_ALL)],
        meanwhile: (By::Ann, BUY_RESERVED),
        call: (By::Bob, "select public.adjust_stock('{product}', 1)"),
        wait: Wait::DoesNot,
        end: End::Commit,
        answer: "FORBIDDEN",
        then: "available_quantity = 6 from interlock.products where id = '{product}'",
    },
    Scene {
        name: "a checkout takes the account before the reservation",
        before: &[(By::Ann, RESERVE)],
        meanwhile: (
            By::Shop,
            "select 1 from auth.users where id = '{ann}' for update",
        ),
        call: (By::Ann, BUY_RESERVED),
        wait: Wait::WaitsWithout("interlock.cart_reservations where user_id = '{ann}'"),
        end: End::Commit,
        answer: "success",
        then: FOUR_ARE_SOLD,
    },
    Scene {
        name: "who reserves takes the account before the reservation",
        before: &[(By::Ann, RESERVE)],
        meanwhile: (
            By::Shop,
            "select 1 from auth.users where id = '{ann}' for update",
        ),
        call: (By::Ann, RESERVE_ANOTHER),
        wait: Wait::WaitsWithout("interlock.cart_reservations where user_id = '{ann}'"),
        end: End::Commit,
        answer: "success",
        then: "array_agg(available_quantity order by id) = '{10,8}' from interlock.products where id in ('{product}', '{product2}')",
    },
    Scene {
        name: "nothing is reserved for an account that is removed meanwhile",
        before: &[],
        meanwhile: (
            By::Shop,
            "update interlock.wallets set balance = 0 where user_id = '{ann}'; delete from auth.users where id = '{ann}'",
        ),
        call: (By::Ann, RESERVE),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "UNAUTHENTICATED",
        then: ALL_ARE_BACK,
    },
    Scene {
        name: "a reservation is locked before the stock it gives back",
        before: &[(By::Ann, RESERVE)],
        meanwhile: (
            By::Shop,
            "select 1 from interlock.cart_reservations where user_id = '{ann}' for update",
        ),
        call: (By::Ann, RELEASE),
        wait: Wait::WaitsWithout("interlock.products where id = '{product}'"),
        end: End::Commit,
        answer: "\"released\": true",
        then: ALL_ARE_BACK,
    },
    Scene {
        name: "what counts of a reservation is locked before the stock it gives back",
        before: &[(By::Ann, RESERVE)],
        meanwhile: (
            By::Shop,
            "select 1 from interlock.customer_open_orders where user_id = '{ann}' for update",
        ),
        call: (By::Ann, RELEASE),
        wait: Wait::WaitsWithout("interlock.products where id = '{product}'"),
        end: End::Commit,
        answer: "\"released\": true",
        then: ALL_ARE_BACK,
    },
    Scene {
        name: "a reservation locks what it takes and what it gives back in the order of the ids",
        before: &[(By::Ann, RESERVE_ANOTHER)],
        meanwhile: (
            By::Shop,
            "select 1 from interlock.products where id = '{product}' for update",
        ),
        call: (By::Ann, RESERVE),
        wait: Wait::WaitsWithout("interlock.products where id = '{product2}'"),
        end: End::Commit,
        answer: "success",
        then: "array_agg(available_quantity order by id) = '{6,10}' from interlock.products where id in ('{product}', '{product2}')",
    },
    Scene {
        name: "an order locks what it sells and what its reservation gives back in the order of the ids",
        before: &[(By::Ann, RESERVE_ANOTHER)],
        meanwhile: (
            By::Shop,
            "select 1 from interlock.products where id = '{product}' for update",
        ),
        call: (By::Ann, BUY_RESERVED),
        wait: Wait::WaitsWithout("interlock.products where id = '{product2}'"),
        end: End::Commit,
        answer: "success",
        then: "array_agg(available_quantity order by id) = '{6,10}' from interlock.products where id in ('{product}', '{product2}')",
    },
];

crate::meanwhile::test_scenes!(SCENES);

/// Everybody wants some of one product: reserves, changes their mind, orders; and reservations expire. At each look what is
/// sold, free and reserved is what there was.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_sold_free_and_reserved_is_what_there_was_at_each_look() {
    const STOCK: i32 = 60;
    let bench = Bench::take().await;
    let product = bench.products(1, STOCK).await[0];
    let users = bench.users(40).await;
    let buyers = callers(bench.stack, Adapter::Function, &users).await;

    let watch = bench.stack.connect().await;
    let sweep = bench.stack.connect().await;
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let looks = tokio::spawn({
        let stopped = stopped.clone();
        async move {
            let mut looks = 0;
            while !*stopped.borrow() {
                let row = watch
                    .query_one(
                        "select (select available_quantity from interlock.products where id = $1)
                         + (select coalesce(sum(quantity), 0) from interlock.cart_reservation_lines where product_id = $1)
                         + (select coalesce(sum(i.quantity), 0) from interlock.order_items i
                            join interlock.orders o on o.id = i.order_id where i.product_id = $1)",
                        &[&product],
                    )
                    .await
                    .expect("the books can be read");
                assert_eq!(row.get::<_, i64>(0), i64::from(STOCK), "look {looks}");
                looks += 1;
            }
            looks
        }
    });
    let sweeps = tokio::spawn({
        let users = users.clone();
        async move {
            while !*stopped.borrow() {
                sweep
                    .execute(
                        "update interlock.cart_reservations r set expires_at = now() - interval '1 second'
                         where r.expires_at is not null and r.user_id = any ($1)
                           and r.user_id = (select u from unnest($1::uuid[]) u order by random() limit 1)",
                        &[&users],
                    )
                    .await
                    .expect("a reservation can be aged");
                sweep
                    .execute("select public.expire_cart_reservations()", &[])
                    .await
                    .expect("reservations expire");
            }
        }
    });

    let calls = buyers.into_iter().enumerate().map(|(n, buyer)| async move {
        let some = cart(&[(product, 1 + n as u32 % 3)]);
        let reserved = buyer.invoke(RESERVE_CART, some.clone(), None).await;
        let id = reserved.body["reservation"]["id"].clone();
        if n % 4 == 1 {
            buyer
                .invoke(RESERVE_CART, cart(&[(product, 2)]), None)
                .await;
        }
        if n % 4 == 2 {
            return buyer
                .invoke(RELEASE_CART, serde_json::json!({}), None)
                .await;
        }
        let body = if id.is_null() {
            some
        } else {
            with(some, "reservation_id", id)
        };
        buyer.invoke(CHECKOUT, body, None).await
    });
    let answers = together(calls).await;
    stop.send(true).expect("somebody looks");
    sweeps.await.expect("the sweep does not panic");
    let looks: i32 = looks.await.expect("every look adds up");
    assert!(looks > 0, "nobody looked");
    let known = ["OK", "INSUFFICIENT_INVENTORY"];
    let tally = tally(&answers);
    assert!(tally.keys().all(|code| known.contains(code)), "{tally:?}");

    // What is left over is given back.
    bench
        .db
        .execute(
            "update interlock.cart_reservations set expires_at = now() - interval '1 second'
             where expires_at is not null and user_id = any ($1)",
            &[&users],
        )
        .await
        .expect("reservations can be aged");
    bench
        .db
        .execute("select public.expire_cart_reservations()", &[])
        .await
        .expect("reservations expire");
    assert_eq!(
        bench.stock(&[product]).await + bench.sold(&[product]).await,
        i64::from(STOCK)
    );
}
