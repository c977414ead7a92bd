//! Races of a shop: the last units, double clicks, wallets, digital codes, and orders that end in several ways at once. A scenario returns what is wrong.

use crate::areas::shop::calls::{CANCEL_ORDER, CHECKOUT};
use crate::areas::shop::rows::{PRICE, cart, with};
use crate::harness::calls::{Adapter, Answer, Caller, callers, together};
use crate::harness::races::{Race, Verdict, against_open_transaction, count, require, tally};
use crate::harness::stack::Bench;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};
use uuid::Uuid;

/// The races, each with its numbers.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ShopScenario {
    TwoBuyersOfThree,
    StockBackMeanwhile,
    Storm {
        buyers: usize,
        products: usize,
        stock: i32,
    },
    DoubleClick {
        copies: usize,
        stock: i32,
    },
    Wallet {
        calls: usize,
        affordable: usize,
    },
    Codes {
        buyers: usize,
        codes: i32,
    },
    Endings {
        calls: usize,
    },
    Refunds {
        calls: usize,
    },
}

impl Race for ShopScenario {
    fn play<'a>(&'a self, bench: &'a Bench, adapter: Adapter) -> BoxFuture<'a, Verdict> {
        self.run(bench, adapter).boxed()
    }
}

impl ShopScenario {
    /// Runs the race through an adapter, and then looks at the books.
    pub(crate) async fn run(self, bench: &Bench, adapter: Adapter) -> Verdict {
        with_equal_books(bench, self.race(bench, adapter)).await
    }

    async fn race(self, bench: &Bench, adapter: Adapter) -> Verdict {
        match self {
            Self::TwoBuyersOfThree => two_buyers_of_three(bench, adapter).await,
            Self::StockBackMeanwhile => stock_back_meanwhile(bench).await,
            Self::Storm {
                buyers,
                products,
                stock,
            } => storm(bench, adapter, buyers, products, stock).await,
            Self::DoubleClick { copies, stock } => {
                double_click(bench, adapter, copies, stock).await
            }
            Self::Wallet { calls, affordable } => wallet(bench, adapter, calls, affordable).await,
            Self::Codes { buyers, codes } => codes_once(bench, adapter, buyers, codes).await,
            Self::Endings { calls } => endings(bench, adapter, calls).await,
            Self::Refunds { calls } => refunds(bench, adapter, calls).await,
        }
    }
}

/// Runs a race, and then looks at the books.
pub(crate) async fn with_equal_books(
    bench: &Bench,
    race: impl Future<Output = Verdict>,
) -> Verdict {
    // Mutants leave differences behind, which are not this race's.
    let before = bench.differences().await;
    race.await?;
    let after = bench.differences().await;
    require!(
        after == before,
        "the books differ: {before:?}, then {after:?}"
    );
    Ok(())
}

pub(crate) fn order_id(answer: &Answer) -> Option<Uuid> {
    answer.body["order"]["id"].as_str()?.parse().ok()
}

pub(crate) async fn buy(caller: Arc<Caller>, body: Value, key: Option<String>) -> Answer {
    caller.invoke(CHECKOUT, body, key.as_deref()).await
}

/// Report 000: five in stock, two buyers of three.
async fn two_buyers_of_three(bench: &Bench, adapter: Adapter) -> Verdict {
    for _ in 0..10 {
        let product = bench.products(1, 5).await[0];
        let buyers = callers(bench.stack, adapter, &bench.users(2).await).await;
        let answers = together(
            buyers
                .into_iter()
                .map(|buyer| buy(buyer, cart(&[(product, 3)]), None)),
        )
        .await;
        let tally = tally(&answers);
        require!(
            tally.get("OK") == Some(&1) && tally.get("INSUFFICIENT_INVENTORY") == Some(&1),
            "{tally:?}"
        );
        for refused in answers.iter().filter(|answer| !answer.is_success()) {
            let expected = json!([{ "product_id": product, "requested": 3, "available": 2 }]);
            require!(
                refused.details["shortages"] == expected,
                "{}",
                refused.details
            );
        }
        let stock = bench.stock(&[product]).await;
        require!(stock == 2, "{stock} left of five after a sale of three");
    }
    Ok(())
}

/// Stock comes back while somebody takes the last unit of it: what is said to be taken is taken.
async fn stock_back_meanwhile(bench: &Bench) -> Verdict {
    for (end, expected) in [("rollback", "INSUFFICIENT_INVENTORY"), ("commit", "OK")] {
        let product = bench.products(1, 0).await[0];
        let shop = bench.stack.connect().await;
        let work =
            format!("update interlock.products set available_quantity = 1 where id = '{product}'");
        let call = async move {
            let call = format!("select public.decrement_product_quantity('{product}', 1)");
            let taken = shop.batch_execute(&call).await;
            let code = taken.map_or_else(
                |error| {
                    error
                        .as_db_error()
                        .map_or_else(String::new, |error| error.message().to_owned())
                },
                |()| "OK".to_owned(),
            );
            Answer {
                status: 0,
                code,
                details: Value::Null,
                body: Value::Null,
                replayed: false,
                is_passing: false,
            }
        };
        let answer = against_open_transaction(bench, &work, end, call).await;
        require!(answer.code == expected, "after {end}: {}", answer.code);
        let stock = bench.stock(&[product]).await;
        require!(stock == 0, "after {end} {stock} are left");
    }
    Ok(())
}

/// Many buyers of 1 to 3 units of several products in differing order, each request sent twice under
/// its own key.
async fn storm(
    bench: &Bench,
    adapter: Adapter,
    buyers: usize,
    products: usize,
    stock: i32,
) -> Verdict {
    // Each caller over SQL has a session of its own, and Postgres a limit of them.
    let buyers = if matches!(adapter, Adapter::Sql) {
        buyers.min(60)
    } else {
        buyers
    };
    let ids = bench.users(buyers).await;
    let products = bench.products(products, stock).await;
    let first = callers(bench.stack, adapter, &ids).await;
    let second = callers(bench.stack, adapter, &ids).await;
    let calls = first
        .into_iter()
        .chain(second)
        .enumerate()
        .map(|(index, buyer)| {
            let number = index % buyers;
            let mut lines: Vec<_> = products
                .iter()
                .enumerate()
                .map(|(position, product)| {
                    (
                        *product,
                        1 + u32::try_from((number + position) % 3).unwrap_or(0),
                    )
                })
                .collect();
            lines.rotate_left(number % products.len());
            if number % 2 == 1 {
                lines.reverse();
            }
            lines.truncate(1 + number % products.len());
            buy(buyer, cart(&lines), Some(format!("storm {number}")))
        });
    // Behind the function a deadlock would only show as a repeated call; Postgres counts it.
    let deadlocks_before = bench.deadlocks().await;
    let answers = together(calls.collect::<Vec<_>>().into_iter()).await;
    let deadlocks = bench.deadlocks().await - deadlocks_before;
    require!(deadlocks == 0, "{deadlocks} deadlocks");
    let tally = tally(&answers);
    require!(
        tally
            .keys()
            .all(|code| ["OK", "INSUFFICIENT_INVENTORY"].contains(code)),
        "{tally:?}"
    );
    let mut orders: BTreeMap<usize, BTreeSet<Option<Uuid>>> = BTreeMap::new();
    for (index, answer) in answers
        .iter()
        .enumerate()
        .filter(|(_, answer)| answer.is_success())
    {
        orders
            .entry(index % buyers)
            .or_default()
            .insert(order_id(answer));
    }
    require!(
        orders.values().all(|ids| ids.len() == 1),
        "two orders for one key"
    );
    let stored = bench.orders(&ids).await;
    require!(
        stored == orders.len() as i64,
        "{stored} orders for {} keys",
        orders.len()
    );
    for product in &products {
        let (left, sold) = (
            bench.stock(&[*product]).await,
            bench.sold(&[*product]).await,
        );
        require!(
            left >= 0 && left + sold == i64::from(stock),
            "{left} left and {sold} sold of {stock}"
        );
    }
    Ok(())
}

/// One submission many times at once: one order, the same answer to all.
async fn double_click(bench: &Bench, adapter: Adapter, copies: usize, stock: i32) -> Verdict {
    let user = bench.users(1).await[0];
    let product = bench.products(1, stock).await[0];
    bench.top_up(user, PRICE * 50).await;
    let body = with(cart(&[(product, 2)]), "payment_method", "wallet");
    let clicks = callers(bench.stack, adapter, &vec![user; copies]).await;
    let answers = together(
        clicks
            .into_iter()
            .map(|click| buy(click, body.clone(), Some("click".to_owned()))),
    )
    .await;
    require!(
        answers.iter().all(Answer::is_success),
        "{:?}",
        tally(&answers)
    );
    require!(
        answers.iter().all(|answer| answer.body == answers[0].body),
        "the answers differ"
    );
    if !matches!(adapter, Adapter::Sql) {
        let replayed = answers.iter().filter(|answer| answer.replayed).count();
        require!(
            replayed == copies - 1,
            "{replayed} of {copies} answers said that they are replays"
        );
    }
    let orders = bench.orders(&[user]).await;
    require!(orders == 1, "{orders} orders");
    let balance = bench
        .number(
            "select balance from interlock.wallets where user_id = any ($1)",
            &[user],
        )
        .await;
    require!(balance == PRICE * 48, "the wallet holds {balance}");

    // Another cart under the same key is refused, and changes nothing.
    let other = Caller::new(bench.stack, adapter, user).await;
    let answer = other
        .invoke(
            CHECKOUT,
            with(cart(&[(product, 1)]), "payment_method", "wallet"),
            Some("click"),
        )
        .await;
    require!(
        answer.status == 422 && answer.code == "IDEMPOTENCY_KEY_REUSED",
        "{answer:?}"
    );
    let left = bench.stock(&[product]).await;
    require!(left == i64::from(stock) - 2, "{left} left of {stock}");
    Ok(())
}

/// One wallet, many checkouts at once, money for some of them.
async fn wallet(bench: &Bench, adapter: Adapter, calls: usize, affordable: usize) -> Verdict {
    let user = bench.users(1).await[0];
    let product = bench.products(1, 100).await[0];
    let money = PRICE * affordable as i64 + PRICE / 2;
    bench.top_up(user, money).await;
    let body = with(cart(&[(product, 1)]), "payment_method", "wallet");
    let tabs = callers(bench.stack, adapter, &vec![user; calls]).await;
    let answers = together(tabs.into_iter().map(|tab| buy(tab, body.clone(), None))).await;
    let paid = count(&answers, "OK");
    require!(
        paid == affordable && count(&answers, "INSUFFICIENT_FUNDS") == calls - affordable,
        "{:?}",
        tally(&answers)
    );
    let balance = bench
        .number(
            "select balance from interlock.wallets where user_id = any ($1)",
            &[user],
        )
        .await;
    require!(balance == PRICE / 2, "the wallet holds {balance}");
    require!(
        bench.stock(&[product]).await == 100 - affordable as i64,
        "stock went with refused orders"
    );
    Ok(())
}

/// More buyers of digital codes than there are codes: each code goes once.
async fn codes_once(bench: &Bench, adapter: Adapter, buyers: usize, codes: i32) -> Verdict {
    let ids = bench.users(buyers).await;
    for id in &ids {
        bench.top_up(*id, PRICE * 10).await;
    }
    let product = bench.digital_product(codes).await;
    let body = with(cart(&[(product, 1)]), "payment_method", "wallet");
    let buyers = callers(bench.stack, adapter, &ids).await;
    let answers = together(
        buyers
            .into_iter()
            .map(|buyer| buy(buyer, body.clone(), None)),
    )
    .await;
    let tally = tally(&answers);
    let mut sold = Vec::new();
    for answer in answers.iter().filter(|answer| answer.is_success()) {
        let codes = answer.body["order"]["codes"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        require!(codes.len() == 1, "an order of one code has {}", codes.len());
        sold.push(codes[0]["code"].to_string());
    }
    let distinct: BTreeSet<_> = sold.iter().collect();
    require!(
        distinct.len() == sold.len(),
        "a code was sold twice: {tally:?}"
    );
    require!(
        sold.len() as i32 == codes,
        "{} of {codes} codes sold: {tally:?}",
        sold.len()
    );
    require!(
        tally.get("INSUFFICIENT_INVENTORY") == Some(&(ids.len() - sold.len())),
        "{tally:?}"
    );
    Ok(())
}

/// An order by bank transfer is cancelled by its owner many times, expired and refused by the shop, all
/// at once: stock comes back once.
async fn endings(bench: &Bench, adapter: Adapter, calls: usize) -> Verdict {
    let user = bench.users(1).await[0];
    let product = bench.products(1, 10).await[0];
    let buyer = Caller::new(bench.stack, adapter, user).await;
    let body = with(cart(&[(product, 4)]), "payment_method", "bank_transfer");
    let bought = buyer.invoke(CHECKOUT, body, None).await;
    let order = order_id(&bought).ok_or_else(|| format!("the checkout failed: {bought:?}"))?;
    require!(
        bench.stock(&[product]).await == 6,
        "the stock was not taken"
    );
    bench.let_payment_expire(order).await;

    let owners = callers(bench.stack, adapter, &vec![user; calls]).await;
    let shop = bench.shop_endings(order, calls).await;
    let cancels = together(owners.into_iter().map(|owner| async move {
        owner
            .invoke(CANCEL_ORDER, json!({ "order_id": order }), None)
            .await
    }));
    let (answers, shop) = tokio::join!(cancels, shop);
    for answer in &answers {
        require!(answer.status < 500, "{answer:?}");
    }
    shop?;
    let stock = bench.stock(&[product]).await;
    require!(stock == 10, "{stock} in stock after the order ended");
    Ok(())
}

/// A paid order is refunded many times at once: stock and money come back once.
async fn refunds(bench: &Bench, adapter: Adapter, calls: usize) -> Verdict {
    let user = bench.users(1).await[0];
    let product = bench.products(1, 10).await[0];
    bench.top_up(user, PRICE * 10).await;
    let buyer = Caller::new(bench.stack, adapter, user).await;
    let body = with(cart(&[(product, 4)]), "payment_method", "wallet");
    let bought = buyer.invoke(CHECKOUT, body, None).await;
    let order = order_id(&bought).ok_or_else(|| format!("the checkout failed: {bought:?}"))?;
    let shop = bench
        .shop_calls(vec![
            format!("select public.refund_order('{order}')");
            calls
        ])
        .await;
    // The owner of a paid order may not cancel it, and does not get in the way.
    let cancel = buyer.invoke(CANCEL_ORDER, json!({ "order_id": order }), None);
    let (cancelled, refunded) = tokio::join!(cancel, shop);
    require!(cancelled.status < 500, "{cancelled:?}");
    refunded?;
    let balance = bench
        .number(
            "select balance from interlock.wallets where user_id = any ($1)",
            &[user],
        )
        .await;
    require!(balance == PRICE * 10, "the wallet holds {balance}");
    let stock = bench.stock(&[product]).await;
    require!(stock == 10, "{stock} in stock after the refund");
    Ok(())
}

/// Only the shop may take stock without an order, over SQL.
#[tokio::test(flavor = "multi_thread")]
async fn stock_that_comes_back_meanwhile_is_taken() {
    let bench = Bench::take().await;
    if let Err(error) = ShopScenario::StockBackMeanwhile
        .run(&bench, Adapter::Sql)
        .await
    {
        panic!("{error}");
    }
}

crate::harness::races::over_every_adapter! {
    of_two_buyers_of_three_out_of_five_one_is_served: ShopScenario::TwoBuyersOfThree;
    a_storm_of_buyers_sells_what_there_is: ShopScenario::Storm { buyers: 200, products: 4, stock: 25 };
    ten_copies_of_one_submission_are_one_order: ShopScenario::DoubleClick { copies: 10, stock: 100 };
    a_submission_that_took_the_last_units_is_still_replayed: ShopScenario::DoubleClick { copies: 10, stock: 2 };
    a_wallet_pays_what_it_holds: ShopScenario::Wallet { calls: 8, affordable: 5 };
    every_code_is_sold_once: ShopScenario::Codes { buyers: 16, codes: 10 };
    an_order_that_ends_in_many_ways_returns_its_stock_once: ShopScenario::Endings { calls: 8 };
    an_order_refunded_many_times_returns_its_money_once: ShopScenario::Refunds { calls: 16 };
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_whose_product_is_locked_keeps_no_other_from_expiring() {
    let bench = Bench::take().await;
    let products = bench.products(2, 5).await;
    let user = bench.users(1).await[0];
    let orders = [Uuid::new_v4(), Uuid::new_v4()];
    for (order, product) in orders.iter().zip(&products) {
        bench
            .db
            .batch_execute(&format!(
                "insert into interlock.orders (id, user_id, status, currency, subtotal, total, payment_method, payment_expires_at)
                 values ('{order}', '{user}', 'pending_payment', 'USD', {PRICE}, {PRICE}, 'bank_transfer', now() - interval '1 hour');
                 insert into interlock.order_items (order_id, product_id, quantity, unit_price, name, kind)
                 values ('{order}', '{product}', 1, {PRICE}, 'test', 'physical')"
            ))
            .await
            .expect("orders can be inserted");
    }
    let holder = bench.stack.connect().await;
    let lock = format!(
        "begin; select 1 from interlock.products where id = '{}' for update",
        products[0]
    );
    holder
        .batch_execute(&lock)
        .await
        .expect("the product can be locked");
    let statuses = async || -> Vec<String> {
        bench
            .db
            .batch_execute("select public.expire_orders(1000)")
            .await
            .expect("a locked product fails nobody");
        let query = "select array_agg(o.status::text order by u.n) from unnest($1::uuid[]) with ordinality as u (id, n)
                     join interlock.orders o on o.id = u.id";
        bench
            .db
            .query_one(query, &[&orders.to_vec()])
            .await
            .expect("orders can be read")
            .get(0)
    };
    assert_eq!(statuses().await, ["pending_payment", "expired"]);
    holder
        .batch_execute("rollback")
        .await
        .expect("the lock can be given back");
    assert_eq!(statuses().await, ["expired", "expired"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_that_cannot_end_now_do_not_hold_up_those_that_can() {
    const LOCKED: usize = 40;
    let bench = Bench::take().await;
    let products = bench.products(LOCKED + 3, 5).await;
    let user = bench.users(1).await[0];
    for (number, product) in products.iter().enumerate() {
        let order = Uuid::new_v4();
        // Those whose products are locked are the oldest.
        let add = format!(
            "insert into interlock.orders (id, user_id, status, currency, subtotal, total, payment_method, payment_expires_at)
             values ('{order}', '{user}', 'pending_payment', 'USD', {PRICE}, {PRICE}, 'bank_transfer',
               now() - interval '1 year' + {number} * interval '1 day');
             insert into interlock.order_items (order_id, product_id, quantity, unit_price, name, kind)
             values ('{order}', '{product}', 1, {PRICE}, 'test', 'physical')"
        );
        let added = bench.db.batch_execute(&add).await;
        added.expect("orders can be inserted");
    }
    let mut holder = bench.stack.connect().await;
    let held = holder.transaction().await.expect("it begins");
    let lock = "select 1 from interlock.products where id = any ($1) order by id for update";
    held.execute(lock, &[&products[..LOCKED].to_vec()])
        .await
        .expect("products can be locked");
    let begun = Instant::now();
    for _ in 0..3 {
        let ended = bench
            .db
            .query_one("select interlock.expire_orders(1)", &[])
            .await
            .expect("locked products fail nobody");
        assert_eq!(ended.get::<_, i32>(0), 1);
    }
    // A wait of 50 ms for each that is locked would be six seconds.
    assert!(begun.elapsed() < Duration::from_secs(3));
    held.rollback().await.expect("locks can be given back");
    let sweep = "do $$ begin while interlock.expire_orders(100) > 0 loop commit; end loop; end $$";
    bench.db.batch_execute(sweep).await.expect("the rest ends");
    let left = "select count(*) from interlock.orders where user_id = $1 and status <> 'expired'";
    let left = bench.db.query_one(left, &[&user]).await;
    assert_eq!(left.expect("orders can be counted").get::<_, i64>(0), 0);
}
