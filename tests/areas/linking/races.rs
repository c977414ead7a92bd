//! Races between a shop that writes its own tables and Interlock, which sells what is in them to whom is in them. A scenario
//! returns what is wrong.

use crate::areas::inventory::rows::call;
use crate::areas::linking::rows::{Goods, People, STOCK, Sales};
use crate::areas::shop::races::with_equal_books;
use crate::harness::calls::Adapter;
use crate::harness::races::{Race, Verdict, require};
use crate::harness::stack::Bench;
use futures::FutureExt as _;
use futures::future::{BoxFuture, join_all};
use serde_json::{Value, json};
use tokio_postgres::Client;
use uuid::Uuid;

/// The races.
#[derive(Clone, Copy, Debug)]
pub(crate) enum LinkingScenario {
    HeldRow,
    HeldTable,
    FilledWhileHeld,
    FilledWhileSold,
    TwoStatements,
    AtOnce { buyers: usize },
    TwoSignUps,
    ErasedWhileHeld,
    OrderedWhileHeld,
    OrdersAtOnce { buyers: usize },
}

impl Race for LinkingScenario {
    fn play<'a>(&'a self, bench: &'a Bench, _: Adapter) -> BoxFuture<'a, Verdict> {
        self.run(bench).boxed()
    }
}

impl LinkingScenario {
    /// Runs the race, and then looks at the books.
    pub(crate) async fn run(self, bench: &Bench) -> Verdict {
        if matches!(self, Self::TwoSignUps | Self::ErasedWhileHeld) {
            let people = People::link(bench).await;
            let verdict = match self {
                Self::TwoSignUps => two_sign_ups(bench, &people).await,
                _ => erased_while_held(bench, &people).await,
            };
            people.drop(bench).await;
            return verdict;
        }
        let rows = match self {
            Self::AtOnce { .. } => 12,
            _ => 2,
        };
        let goods = Goods::link(bench, rows, 2).await;
        let race = async {
            match self {
                Self::HeldRow => held_row(bench, &goods).await,
                Self::HeldTable => held_table(bench, &goods).await,
                Self::FilledWhileHeld => filled_while_held(bench, &goods).await,
                Self::FilledWhileSold => filled_while_sold(bench, &goods).await,
                Self::TwoStatements => two_statements(bench, &goods).await,
                Self::AtOnce { buyers } => at_once(bench, &goods, buyers).await,
                Self::OrderedWhileHeld => {
                    let sales = Sales::link(bench).await;
                    let verdict = ordered_while_held(bench, &goods, &sales).await;
                    sales.drop(bench).await;
                    verdict
                }
                Self::OrdersAtOnce { buyers } => {
                    let sales = Sales::link(bench).await;
                    let verdict = orders_at_once(bench, &goods, &sales, buyers).await;
                    sales.drop(bench).await;
                    verdict
                }
                Self::TwoSignUps | Self::ErasedWhileHeld => Ok(()),
            }
        };
        let verdict = with_equal_books(bench, race).await;
        goods.drop(bench).await;
        verdict
    }
}

/// A call that must be over before an open transaction of the shop's ends, and wait for nobody.
async fn without_waiting(bench: &Bench, sql: String) -> Result<Value, String> {
    let session = bench.stack.connect().await;
    let calling = tokio::spawn(async move { call(&session, &sql).await });
    let waits = async {
        while !bench.somebody_waits().await {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        answer = calling => answer.expect("a call does not panic"),
        () = waits => Err("it waits for the shop's transaction".to_owned()),
    }
}

/// Somebody sells what a transaction of the shop's is changing.
async fn held_row(bench: &Bench, goods: &Goods) -> Verdict {
    let shop = bench.stack.connect().await;
    let product = goods.product(&bench.db, 1).await;
    shop.batch_execute(&format!(
        "begin; update {} set stock = stock - 1 where id = 1",
        goods.table()
    ))
    .await
    .expect("the shop can write");
    let sold = without_waiting(
        bench,
        format!("public.decrement_product_quantity('{product}', 2)"),
    )
    .await;
    let (waits, noted): (i64, bool) = {
        let row = bench
            .db
            .query_one(
                "select count(*), bool_and(reason = 'locked') from interlock.stock_write_backs where product_id = $1",
                &[&product],
            )
            .await
            .expect("it can be read");
        (row.get(0), row.get::<_, Option<bool>>(1) == Some(true))
    };
    let ended = shop.batch_execute("commit").await;
    require!(sold.is_ok(), "{sold:?}");
    require!(
        waits == 1 && noted,
        "it is not noted that it is to be written back"
    );
    require!(ended.is_ok(), "{ended:?}");
    let stock = goods.stock(&bench.db, 1).await;
    require!(
        i64::from(stock) == STOCK - 3,
        "{stock} left of {STOCK} after 1 and 2"
    );
    goods.agrees(&bench.db).await
}

/// Somebody sells while a migration of the shop's changes the table.
async fn held_table(bench: &Bench, goods: &Goods) -> Verdict {
    let shop = bench.stack.connect().await;
    let product = goods.product(&bench.db, 1).await;
    shop.batch_execute(&format!(
        "begin; alter table {} add column colour text",
        goods.table()
    ))
    .await
    .expect("the shop can change its table");
    let sold = without_waiting(
        bench,
        format!("public.decrement_product_quantity('{product}', 2)"),
    )
    .await;
    let ended = shop
        .batch_execute(&format!(
            "update {} set colour = 'red'; commit",
            goods.table()
        ))
        .await;
    require!(sold.is_ok(), "{sold:?}");
    require!(ended.is_ok(), "{ended:?}");
    goods.agrees(&bench.db).await
}

/// All rows are taken over again while a transaction of the shop's has one of them, and a job writes what waits while somebody is
/// selling it.
async fn filled_while_held(bench: &Bench, goods: &Goods) -> Verdict {
    let (shop, buyer) = (bench.stack.connect().await, bench.stack.connect().await);
    let table = goods.table();
    let product = goods.product(&bench.db, 2).await;
    shop.batch_execute(&format!(
        "begin; update {table} set title = 'held' where id = 1"
    ))
    .await
    .expect("the shop can write");
    let filled = without_waiting(
        bench,
        format!("interlock.fill_link('{table}', 100, true) - 'source'"),
    )
    .await;
    let ended = shop.batch_execute("commit").await;
    buyer
        .batch_execute(&format!(
            "begin; select from interlock.products p where p.id = '{product}' for no key update"
        ))
        .await
        .expect("somebody can sell");
    let wrote = without_waiting(
        bench,
        format!("to_jsonb(interlock.write_back_stock('{product}'))"),
    )
    .await;
    let sold = buyer.batch_execute("commit").await;
    require!(
        filled == Ok(json!({"success": true, "done": 1, "left": 1, "filled": false})),
        "{filled:?}"
    );
    require!(wrote == Ok(json!(0)), "{wrote:?}");
    require!(ended.is_ok() && sold.is_ok(), "{ended:?} {sold:?}");
    goods.agrees(&bench.db).await
}

/// All rows are taken over again while somebody is selling one of them, whose name was changed past the triggers.
async fn filled_while_sold(bench: &Bench, goods: &Goods) -> Verdict {
    let (buyer, owner) = (bench.stack.connect().await, bench.stack.connect().await);
    let table = goods.table();
    let product = goods.product(&bench.db, 1).await;
    bench
        .db
        .batch_execute(&format!(
            "alter table {table} disable trigger user; update {table} set title = 'other' where id = 1; alter table {table} enable trigger user"
        ))
        .await
        .expect("the shop can write past its triggers");
    buyer
        .batch_execute(&format!(
            "begin; select from interlock.products p where p.id = '{product}' for no key update"
        ))
        .await
        .expect("somebody can sell");
    let filling = tokio::spawn(async move {
        call(
            &owner,
            &format!("interlock.fill_link('{table}', 100, true)"),
        )
        .await
    });
    while !bench.somebody_waits().await {
        tokio::task::yield_now().await;
    }
    let sold = call(
        &buyer,
        &format!("public.decrement_product_quantity('{product}', 2)"),
    )
    .await;
    let ended = buyer.batch_execute("commit").await;
    let filled = filling.await.expect("a call does not panic");
    require!(sold.is_ok() && ended.is_ok(), "{sold:?} {ended:?}");
    require!(filled.is_ok(), "{filled:?}");
    let stock = goods.stock(&bench.db, 1).await;
    require!(
        i64::from(stock) == STOCK - 2,
        "{stock} left of {STOCK} after 2"
    );
    goods.agrees(&bench.db).await
}

/// A transaction of the shop's comes to its products one after the other, and a checkout in the other order.
async fn two_statements(bench: &Bench, goods: &Goods) -> Verdict {
    let shop = bench.stack.connect().await;
    let ids = [
        goods.product(&bench.db, 1).await,
        goods.product(&bench.db, 2).await,
    ];
    let user = bench.users(1).await[0];
    let (first, last) = if ids[0] < ids[1] { (1, 2) } else { (2, 1) };
    shop.batch_execute(&format!(
        "begin; update {} set stock = stock + 5 where id = {last}",
        goods.table()
    ))
    .await
    .expect("the shop can write");
    let bought = without_waiting(bench, checkout(user, &ids)).await;
    let ended = shop
        .batch_execute(&format!(
            "update {} set stock = stock + 5 where id = {first}; commit",
            goods.table()
        ))
        .await;
    require!(bought.is_ok(), "{bought:?}");
    require!(ended.is_ok(), "{ended:?}");
    for id in [1, 2] {
        let stock = goods.stock(&bench.db, id).await;
        require!(i64::from(stock) == STOCK + 4, "{stock} of {id}");
    }
    goods.agrees(&bench.db).await
}

/// Two people sign up with one address.
async fn two_sign_ups(bench: &Bench, people: &People) -> Verdict {
    let (one, other) = (bench.stack.connect().await, bench.stack.connect().await);
    let table = people.table();
    let email = format!("{}@example.com", Uuid::new_v4().simple());
    one.batch_execute(&format!(
        "begin; insert into {table} values (1, 'One', '{email}'); set constraints all immediate"
    ))
    .await
    .expect("the first signs up");
    let signing_up = tokio::spawn({
        let (table, email) = (table.clone(), email.clone());
        async move {
            other
                .batch_execute(&format!(
                    "insert into {table} values (2, 'Other', '{email}')"
                ))
                .await
        }
    });
    while !bench.somebody_waits().await {
        tokio::task::yield_now().await;
    }
    let first = one.batch_execute("commit").await;
    let second = signing_up.await.expect("a call does not panic");
    require!(first.is_ok(), "{first:?}");
    require!(second.is_ok(), "{second:?}");
    let (_, name, address) = people.customer(&bench.db, 1).await;
    require!(
        name.as_deref() == Some("One") && address == Some(email),
        "the first is {name:?} {address:?}"
    );
    let (_, name, address) = people.customer(&bench.db, 2).await;
    require!(
        name.as_deref() == Some("Other") && address.is_none(),
        "the second is {name:?} {address:?}"
    );
    people.agrees(&bench.db).await
}

/// Somebody is taken out while a transaction of the shop's has their row.
async fn erased_while_held(bench: &Bench, people: &People) -> Verdict {
    let shop = bench.stack.connect().await;
    let table = people.table();
    let email = format!("{}@example.com", Uuid::new_v4().simple());
    bench
        .db
        .batch_execute(&format!("insert into {table} values (1, 'One', '{email}')"))
        .await
        .expect("somebody signs up");
    let (customer, ..) = people.customer(&bench.db, 1).await;
    shop.batch_execute(&format!(
        "begin; update {table} set name = 'Uno' where id = 1"
    ))
    .await
    .expect("the shop can write");
    let erased = without_waiting(bench, format!("public.erase_customer('{customer}')")).await;
    let ended = shop.batch_execute("commit").await;
    require!(erased.is_ok(), "{erased:?}");
    require!(ended.is_ok(), "{ended:?}");
    let (_, name, address) = people.customer(&bench.db, 1).await;
    require!(
        name.is_none() && address.is_none(),
        "{name:?} {address:?} is back"
    );
    let cleared: i32 = bench
        .db
        .query_one("select interlock.fill_links(100)", &[])
        .await
        .expect("the job can run")
        .get(0);
    let named: i64 = bench
        .db
        .query_one(
            &format!("select count(*) from {table} where num_nonnulls(name, email) > 0"),
            &[],
        )
        .await
        .expect("it can be read")
        .get(0);
    require!(
        cleared == 1 && named == 0,
        "{cleared} cleared, {named} named"
    );
    people.agrees(&bench.db).await
}

/// Somebody orders while a migration of the shop's changes its table of orders.
async fn ordered_while_held(bench: &Bench, goods: &Goods, sales: &Sales) -> Verdict {
    let shop = bench.stack.connect().await;
    let product = goods.product(&bench.db, 1).await;
    let user = bench.users(1).await[0];
    shop.batch_execute(&format!(
        "begin; alter table {} add column colour text",
        sales.table()
    ))
    .await
    .expect("the shop can change its table");
    let bought = without_waiting(bench, checkout(user, &[product])).await;
    let noted: i64 = bench
        .db
        .query_one(
            "select count(*) from interlock.order_write_outs where reason = 'locked'",
            &[],
        )
        .await
        .expect("it can be read")
        .get(0);
    let ended = shop.batch_execute("commit").await;
    require!(bought.is_ok(), "{bought:?}");
    require!(ended.is_ok(), "{ended:?}");
    require!(noted == 1, "{noted} orders are noted");
    sales.agrees(&bench.db).await?;
    let rows = sales.rows(&bench.db).await;
    require!(rows == 1, "{rows} rows");
    Ok(())
}

/// Customers order and cancel, the shop writes notes into the rows, and orders that were missing are written again meanwhile.
async fn orders_at_once(bench: &Bench, goods: &Goods, sales: &Sales, buyers: usize) -> Verdict {
    const ORDERS: usize = 6;
    let deadlocks = bench.deadlocks().await;
    let table = sales.table();
    let product = goods.product(&bench.db, 1).await;
    let users = bench.users(buyers * ORDERS).await;
    let buying = join_all(users.chunks(ORDERS).map(|users| async move {
        let session = bench.stack.connect().await;
        let mut bought = 0;
        for (n, user) in users.iter().enumerate() {
            let order = call(&session, &checkout(*user, &[product])).await?;
            bought += 1;
            if n % 2 == 0 {
                let id = order["order"]["id"].as_str().expect("an order has an id");
                call(&session, &format!("public.cancel_order('{id}')")).await?;
            }
        }
        Ok::<i64, String>(bought)
    }));
    let notes: Vec<String> = (0..4 * ORDERS)
        .map(|n| format!("update {table} set note = 'note {n}'"))
        .collect();
    let noting = run_all(bench, &notes);
    let fills: Vec<String> = (0..2 * ORDERS)
        .map(|_| {
            format!(
                "delete from {table} where ctid = (select ctid from {table} limit 1 for update skip locked);
                 select interlock.fill_orders('{table}', 10)"
            )
        })
        .collect();
    let filling = run_all(bench, &fills);
    let (bought, noted, filled) = tokio::join!(buying, noting, filling);
    for told in [noted, filled] {
        require!(told.is_ok(), "{told:?}");
    }
    let mut orders = 0;
    for told in bought {
        orders += told?;
    }
    bench
        .db
        .batch_execute(&format!("select interlock.fill_orders('{table}', 1000)"))
        .await
        .expect("what is left can be done");
    let now = bench.deadlocks().await;
    require!(now == deadlocks, "{} deadlocks", now - deadlocks);
    sales.agrees(&bench.db).await?;
    let rows = sales.rows(&bench.db).await;
    require!(rows == orders, "{rows} rows of {orders} orders");
    Ok(())
}

/// A checkout of one of each, as a customer.
fn checkout(user: Uuid, products: &[Uuid]) -> String {
    let lines: Vec<String> = products
        .iter()
        .map(|product| format!(r#"{{"product_id": "{product}", "quantity": 1}}"#))
        .collect();
    let claims = format!(r#"{{"role": "authenticated", "sub": "{user}"}}"#);
    format!(
        "case when set_config('request.jwt.claims', '{claims}', false) is not null then public.checkout('[{}]') end",
        lines.join(", ")
    )
}

/// Customers buy, the shop changes prices and stock in one statement and in several, others hold rows for a moment, and the
/// rest of the table is taken over meanwhile.
async fn at_once(bench: &Bench, goods: &Goods, buyers: usize) -> Verdict {
    const ORDERS: usize = 12;
    let deadlocks = bench.deadlocks().await;
    let table = goods.table();
    let products = [
        goods.product(&bench.db, 1).await,
        goods.product(&bench.db, 2).await,
    ];
    let users = bench.users(buyers * ORDERS).await;
    let buying = join_all(users.chunks(ORDERS).map(|users| async move {
        let session = bench.stack.connect().await;
        let mut answers = Vec::new();
        for (n, user) in users.iter().enumerate() {
            let cart = if n % 3 == 0 {
                &products[1..]
            } else {
                &products[..]
            };
            answers.push((cart.len(), call(&session, &checkout(*user, cart)).await));
        }
        answers
    }));
    let statements: Vec<String> = (0..ORDERS)
        .map(|n| {
            if n % 3 == 2 {
                format!("update {table} set stock = stock + 1, price = 2")
            } else {
                format!(
                    "begin; update {table} set stock = stock + 3 where id = 2;
                     update {table} set price = price + 0.01 where id = 7;
                     update {table} set stock = stock - 1 where id = 1; commit"
                )
            }
        })
        .collect();
    let writing = run_all(bench, &statements);
    let notes: Vec<String> = (0..2 * ORDERS)
        .map(|n| {
            format!(
                "begin; select from {table} where id = {id} for update; update {table} set note = 'x' where id = {id}; commit",
                id = 1 + n % 2
            )
        })
        .collect();
    let holding = run_all(bench, &notes);
    let fills: Vec<String> = (0..ORDERS)
        .map(|_| format!("select interlock.fill_link('{table}', 1)"))
        .collect();
    let filling = run_all(bench, &fills);
    let (bought, wrote, held, filled) = tokio::join!(buying, writing, holding, filling);
    for told in [wrote, held, filled] {
        require!(told.is_ok(), "{told:?}");
    }
    let (mut sold, mut refused) = (0, 0);
    for (units, answer) in bought.into_iter().flatten() {
        match answer {
            Ok(_) => sold += i64::try_from(units).expect("few"),
            // The price was another one by then; the function repeats it.
            Err(code) if code == "55P03" => refused += 1,
            Err(code) => return Err(code),
        }
    }
    require!(sold > 0, "nothing was sold, {refused} refused");
    bench
        .db
        .batch_execute(&format!(
            "select interlock.fill_link('{table}', 100); select interlock.write_back_stock(w.product_id) from interlock.stock_write_backs w"
        ))
        .await
        .expect("what is left can be done");
    let now = bench.deadlocks().await;
    require!(now == deadlocks, "{} deadlocks", now - deadlocks);
    let total: i64 = bench
        .db
        .query_one(&format!("select sum(stock) from {table}"), &[])
        .await
        .expect("it can be read")
        .get(0);
    // Four bulk updates of twelve rows, and eight transactions of 3 - 1.
    let expected = 12 * STOCK + 4 * 12 + 8 * 2 - sold;
    require!(
        total == expected,
        "{total} in stock instead of {expected}, {sold} sold"
    );
    goods.agrees(&bench.db).await
}

/// One after the other, in a session of their own.
async fn run_all(bench: &Bench, statements: &[String]) -> Result<(), String> {
    let session: Client = bench.stack.connect().await;
    for statement in statements {
        session
            .batch_execute(statement)
            .await
            .map_err(|error| format!("{error:?}: {statement}"))?;
    }
    Ok(())
}

async fn check(scenario: LinkingScenario) {
    let bench = Bench::take().await;
    if let Err(error) = scenario.run(&bench).await {
        panic!("{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sale_waits_for_no_row_of_the_shops_and_the_column_has_it_all_the_same() {
    check(LinkingScenario::HeldRow).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sale_waits_for_no_migration_of_the_shops() {
    check(LinkingScenario::HeldTable).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_taken_over_or_written_back_later_waits_for_nobody() {
    check(LinkingScenario::FilledWhileHeld).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_taken_over_again_brings_nothing_back_that_is_sold_meanwhile() {
    check(LinkingScenario::FilledWhileSold).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn statements_in_any_order_stop_no_checkout() {
    check(LinkingScenario::TwoStatements).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sixteen_buyers_a_shop_that_writes_and_a_fill_leave_one_stock_and_no_deadlock() {
    check(LinkingScenario::AtOnce { buyers: 16 }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_sign_ups_with_one_address_are_two_customers_of_whom_one_has_it() {
    check(LinkingScenario::TwoSignUps).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_taken_out_waits_for_no_row_of_the_shops_and_does_not_come_back() {
    check(LinkingScenario::ErasedWhileHeld).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_waits_for_no_migration_of_the_shops() {
    check(LinkingScenario::OrderedWhileHeld).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_that_are_placed_and_cancelled_while_the_shop_writes_are_all_in_its_table() {
    check(LinkingScenario::OrdersAtOnce { buyers: 8 }).await;
}
