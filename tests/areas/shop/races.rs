//! Races of a shop: the last units, double clicks, wallets, digital codes, promo codes, and orders that
//! end in several ways at once. A scenario returns what is wrong.

use crate::areas::shop::rows::{PRICE, cart, with};
use crate::harness::calls::{
    Adapter, Answer, CANCEL_ORDER, CHECKOUT, Caller, PROMO_VALIDATE, callers, together,
};
use crate::harness::races::{Verdict, against_open_transaction, count, require, tally};
use crate::harness::stack::{Bench, user_claims};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
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
    PromoHolds {
        users: usize,
        tabs: usize,
        uses: i32,
    },
    PromoOfOneCustomer {
        tabs: usize,
    },
    PromoCheckouts {
        buyers: usize,
        uses: i32,
    },
    PromoHeldMeanwhile,
    PromoStorm {
        callers: usize,
        uses: i32,
    },
    Refunds {
        calls: usize,
    },
}

impl ShopScenario {
    /// Runs the race through an adapter, and then looks at the books.
    pub(crate) async fn run(self, bench: &Bench, adapter: Adapter) -> Verdict {
        // Mutants leave differences behind, which are not this race's.
        let before = bench.differences().await;
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
            Self::PromoHolds { users, tabs, uses } => {
                promo_holds(bench, adapter, users, tabs, uses).await
            }
            Self::PromoOfOneCustomer { tabs } => promo_of_one_customer(bench, adapter, tabs).await,
            Self::PromoCheckouts { buyers, uses } => {
                promo_checkouts(bench, adapter, buyers, uses).await
            }
            Self::PromoHeldMeanwhile => promo_held_meanwhile(bench, adapter).await,
            Self::PromoStorm { callers, uses } => promo_storm(bench, adapter, callers, uses).await,
            Self::Refunds { calls } => refunds(bench, adapter, calls).await,
        }?;
        let after = bench.differences().await;
        require!(
            after == before,
            "the books differ: {before:?}, then {after:?}"
        );
        Ok(())
    }
}

fn order_id(answer: &Answer) -> Option<Uuid> {
    answer.body["order"]["id"].as_str()?.parse().ok()
}

async fn buy(caller: Arc<Caller>, body: Value, key: Option<String>) -> Answer {
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

/// Users with many tabs each, every tab with a cart of its own, apply a code of few uses.
async fn promo_holds(
    bench: &Bench,
    adapter: Adapter,
    users: usize,
    tabs: usize,
    uses: i32,
) -> Verdict {
    let code = bench.promo(Some(uses), None).await;
    let ids: Vec<Uuid> = bench
        .users(users)
        .await
        .into_iter()
        .flat_map(|id| vec![id; tabs])
        .collect();
    let callers = callers(bench.stack, adapter, &ids).await;
    let answers = together(callers.into_iter().map(|caller| {
        let body =
            json!({ "code": code.to_lowercase(), "subtotal": 10_000, "cart_id": Uuid::new_v4() });
        async move { caller.invoke(PROMO_VALIDATE, body, None).await }
    }))
    .await;
    let tally = tally(&answers);
    let held = count(&answers, "OK");
    require!(
        held as i32 == uses,
        "{held} holds of {uses} uses: {tally:?}"
    );
    let refused = count(&answers, "PROMO_EXHAUSTED") + count(&answers, "PROMO_ALREADY_APPLIED");
    require!(held + refused == answers.len(), "{tally:?}");
    for answer in answers.iter().filter(|answer| answer.is_success()) {
        require!(
            answer.body["discount"] == 1_000 && answer.body["total"] == 9_000,
            "{}",
            answer.body
        );
    }
    Ok(())
}

/// One customer, many tabs, a code of one use for each customer.
async fn promo_of_one_customer(bench: &Bench, adapter: Adapter, tabs: usize) -> Verdict {
    let code = bench.promo(None, Some(1)).await;
    let user = bench.users(1).await[0];
    let callers = callers(bench.stack, adapter, &vec![user; tabs]).await;
    let answers = together(callers.into_iter().map(|caller| {
        let body = json!({ "code": code, "subtotal": 10_000, "cart_id": Uuid::new_v4() });
        async move { caller.invoke(PROMO_VALIDATE, body, None).await }
    }))
    .await;
    require!(count(&answers, "OK") == 1, "{:?}", tally(&answers));
    require!(
        count(&answers, "PROMO_ALREADY_APPLIED") == tabs - 1,
        "{:?}",
        tally(&answers)
    );
    Ok(())
}

/// Customers hold, release, redeem and cancel under one code of few uses, while holds expire. What is
/// taken never exceeds the limit (a constraint would fail a call), and afterwards exactly the uses that
/// are not taken can be taken.
async fn promo_storm(bench: &Bench, adapter: Adapter, callers_count: usize, uses: i32) -> Verdict {
    let code = bench.promo(Some(uses), None).await;
    let product = bench.products(1, 10_000).await[0];
    let ids = bench.users(callers_count).await;
    let callers = callers(bench.stack, adapter, &ids).await;
    let ageing = bench.expire_holds_of(code.clone(), 20).await;
    let customers = together(callers.into_iter().enumerate().map(|(number, customer)| {
        let code = code.clone();
        async move { promo_customer(&customer, &code, product, number).await }
    }));
    let (answers, ()) = tokio::join!(customers, ageing);
    for answer in &answers {
        require!(answer.status < 500, "{answer:?}");
    }

    // Everything that is held lets go; what is redeemed stays.
    bench.expire_holds_of(code.clone(), 1).await.await;
    let redeemed = bench.redemptions(&code).await;
    let late = bench.users(usize::try_from(uses).unwrap_or(0) + 5).await;
    let late = self::callers(bench.stack, adapter, &late).await;
    let answers = together(late.into_iter().map(|caller| {
        let body = json!({ "code": code, "subtotal": 10_000, "cart_id": Uuid::new_v4() });
        async move { caller.invoke(PROMO_VALIDATE, body, None).await }
    }))
    .await;
    let held = count(&answers, "OK") as i64;
    require!(
        held + redeemed == i64::from(uses),
        "{held} could be held beside {redeemed} redeemed of {uses}"
    );
    Ok(())
}

/// What one customer of the storm does, by their number; the first answer that is a failure, or the last.
async fn promo_customer(customer: &Caller, code: &str, product: Uuid, number: usize) -> Answer {
    let cart_id = Uuid::new_v4();
    let hold = json!({ "code": code, "cart_items": [{ "product_id": product, "quantity": 1 }], "cart_id": cart_id });
    let mut answer = customer.invoke(PROMO_VALIDATE, hold.clone(), None).await;
    for round in 0..3 {
        if answer.status >= 500 {
            return answer;
        }
        let body = with(
            with(cart(&[(product, 1)]), "promo_code", code),
            "cart_id",
            cart_id.to_string(),
        );
        answer = match (number + round) % 4 {
            0 => {
                customer
                    .invoke(
                        PROMO_VALIDATE,
                        json!({ "code": code, "cart_id": cart_id, "action": "release" }),
                        None,
                    )
                    .await
            }
            1 => customer.invoke(PROMO_VALIDATE, hold.clone(), None).await,
            _ => customer.invoke(CHECKOUT, body, None).await,
        };
        if let Some(order) = order_id(&answer).filter(|_| number.is_multiple_of(2)) {
            answer = customer
                .invoke(CANCEL_ORDER, json!({ "order_id": order }), None)
                .await;
        }
    }
    answer
}

/// Another tab of the same customer takes their only use while this one asks for it.
async fn promo_held_meanwhile(bench: &Bench, adapter: Adapter) -> Verdict {
    let user = bench.users(1).await[0];
    for (end, expected) in [("rollback", "OK"), ("commit", "PROMO_ALREADY_APPLIED")] {
        let code = bench.promo(None, Some(1)).await;
        let tab = Caller::new(bench.stack, adapter, user).await;
        let claims = user_claims(user);
        let other = Uuid::new_v4();
        let work = format!(
            "set local role authenticated; select set_config('request.jwt.claims', '{claims}', true);
             select public.validate_promo(p_code => '{code}', p_subtotal => 10000, p_cart_id => '{other}')"
        );
        let body = json!({ "code": code, "subtotal": 10_000, "cart_id": Uuid::new_v4() });
        let call = async move { tab.invoke(PROMO_VALIDATE, body, None).await };
        let answer = against_open_transaction(bench, &work, end, call).await;
        require!(answer.code == expected, "after {end}: {}", answer.code);
    }
    Ok(())
}

/// Many checkouts with a code of few uses: so many discounted orders, and no more.
async fn promo_checkouts(bench: &Bench, adapter: Adapter, buyers: usize, uses: i32) -> Verdict {
    let code = bench.promo(Some(uses), None).await;
    let product = bench.products(1, 1_000).await[0];
    let ids = bench.users(buyers).await;
    let callers = callers(bench.stack, adapter, &ids).await;
    let body = with(cart(&[(product, 1)]), "promo_code", code.as_str());
    let answers = together(
        callers
            .into_iter()
            .map(|buyer| buy(buyer, body.clone(), None)),
    )
    .await;
    let sold = count(&answers, "OK");
    require!(
        sold as i32 == uses,
        "{sold} orders of {uses} uses: {:?}",
        tally(&answers)
    );
    require!(
        count(&answers, "PROMO_EXHAUSTED") == buyers - sold,
        "{:?}",
        tally(&answers)
    );
    for answer in answers.iter().filter(|answer| answer.is_success()) {
        require!(
            answer.body["order"]["discount"] == PRICE / 10,
            "{}",
            answer.body["order"]
        );
    }
    require!(
        bench.sold(&[product]).await == i64::from(uses),
        "stock went with refused orders"
    );
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
    a_code_of_one_use_is_held_by_one_of_100_customers: ShopScenario::PromoHolds { users: 100, tabs: 1, uses: 1 };
    a_code_of_one_use_is_held_in_one_of_100_tabs: ShopScenario::PromoHolds { users: 1, tabs: 100, uses: 1 };
    a_code_of_ten_uses_is_held_ten_times: ShopScenario::PromoHolds { users: 50, tabs: 2, uses: 10 };
    a_customers_only_use_is_held_in_one_of_100_tabs: ShopScenario::PromoOfOneCustomer { tabs: 100 };
    a_use_that_another_tab_takes_meanwhile_is_gone: ShopScenario::PromoHeldMeanwhile;
    a_code_of_five_uses_discounts_five_orders: ShopScenario::PromoCheckouts { buyers: 30, uses: 5 };
    uses_given_back_can_be_used_again: ShopScenario::PromoStorm { callers: 40, uses: 10 };
}
