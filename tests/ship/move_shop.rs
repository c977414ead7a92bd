//! `npm run move-shop`: a shop arrives whole, or stays where it was and sells. That it sells meanwhile is proved by `npm run prove`.

use std::future::pending;
use std::time::Duration;

use interlock_move_shop::Move;
use tokio_postgres::Client;

use crate::cli::xtask;
use crate::scratch::Scratch;

const BUYER: &str = "a8000000-0000-4000-8000-000000000001";

/// Two shops at the source, the second with an order.
const SHOP: &str = "
select interlock.serve_shops();
select interlock.add_shop('berlin');
insert into auth.users (id, aud, role, email)
values ('a8000000-0000-4000-8000-000000000001', 'authenticated', 'authenticated', 'move@example.com');
begin;
set local interlock.shop = '2';
insert into interlock.products (id, name, price, currency, available_quantity)
values ('a8000000-0000-4000-8000-000000000002', 'Lamp', 100, 'EUR', 7);
insert into interlock.orders (id, user_id, status, currency, subtotal, total, payment_method)
values (
  'a8000000-0000-4000-8000-000000000003', 'a8000000-0000-4000-8000-000000000001', 'confirmed', 'EUR', 200, 200, 'cash_on_delivery'
);
commit";

/// How the shop is there, how many orders it has, and whether its buyer is known.
async fn state(db: &Client) -> String {
    let query = "select concat_ws(', ', coalesce((select s.handle || ' ' || s.state from interlock.shops s where s.id = 2), 'none'),
        (select count(*) from interlock.orders o where o.shop_id = 2) || ' orders',
        (select count(*) from interlock.order_events e where e.shop_id = 2) || ' events')";
    db.query_one(query, &[])
        .await
        .expect("rows can be read")
        .get(0)
}

async fn run(db: &Client, sql: &str) {
    db.batch_execute(sql)
        .await
        .unwrap_or_else(|error| panic!("{sql}: {error:?}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shop_arrives_whole_or_stays() {
    let (old, new) = (
        Scratch::pushed("move_old").await,
        Scratch::pushed("move_new").await,
    );
    let (source, target) = (old.connect().await, new.connect().await);
    let go = [
        "move-shop",
        "--json",
        "--shop",
        "2",
        "--from",
        &old.url,
        "--to",
        &new.url,
    ];
    let forget = [
        "move-shop",
        "--json",
        "--shop",
        "2",
        "--from",
        &old.url,
        "--forget",
    ];
    let refused = async |why: &str| {
        let said = xtask(&go, &[]).await.failed().said();
        assert!(said.contains(why), "{why} is not in {said}");
        assert!(!said.contains("postgres:postgres"), "no password");
    };
    refused("it serves one shop").await;
    run(&source, SHOP).await;
    refused("it serves one shop").await;
    run(&target, "select interlock.serve_shops()").await;
    let before = "berlin open, 1 orders, 1 events";
    assert_eq!(state(&source).await, before);

    // Before anything is done.
    refused("1 of 1 accounts of shop 2 are not at the target").await;
    run(&target, "alter table interlock.products add more int").await;
    refused("interlock.products.more integer: only at the target").await;
    run(&target, "alter table interlock.products drop more").await;
    run(
        &target,
        "insert into interlock.shops (id, handle) values (3, 'berlin')",
    )
    .await;
    refused("shop 3 of the target is called berlin, too").await;
    run(&target, "update interlock.shops set id = 2 where id = 3").await;
    refused("the target has a shop 2, which is open").await;
    let said = xtask(&forget, &[]).await.failed().said();
    assert!(
        said.contains("shop 2 is open: only what has gone"),
        "{said}"
    );
    run(
        &target,
        &format!(
            "delete from interlock.shops where id = 2;
             insert into auth.users (id, aud, role, email) values ('{BUYER}', 'authenticated', 'authenticated', 'move@example.com')"
        ),
    )
    .await;

    // When it is closed already: what cannot be copied, and who does not end.
    run(
        &target,
        "alter table interlock.products add constraint no_lamps check (name <> 'Lamp') not valid",
    )
    .await;
    refused("shop 2 was not moved, and is open at the source").await;
    assert_eq!(state(&source).await, before);
    run(
        &target,
        "alter table interlock.products drop constraint no_lamps",
    )
    .await;
    run(&source, "begin; select set_config('request.headers', '{\"x-shop\": \"2\"}', true), interlock.shop_id()").await;
    let hasty = Move::new(2, &old.url, &new.url).patience(Duration::from_millis(300));
    let error = hasty
        .run(&|_| {}, pending())
        .await
        .expect_err("somebody is in the shop");
    assert!(
        format!("{error:#}").contains("has not ended within"),
        "{error:#}"
    );
    run(&source, "commit").await;
    assert_eq!(state(&source).await, before);
    assert_eq!(state(&target).await, "none, 0 orders, 0 events");

    // A try that was killed.
    run(&source, "select interlock.set_shop(2, 'moving')").await;
    run(
        &target,
        "insert into interlock.shops (id, handle, state) values (2, 'berlin', 'moving')",
    )
    .await;
    refused("--again repeats it").await;
    let moved = xtask(&[&go[..], &["--again"]].concat(), &[])
        .await
        .succeeded()
        .json();
    assert_eq!(
        (&moved["ok"], &moved["handle"]),
        (&true.into(), &"berlin".into()),
        "{moved}"
    );
    assert_eq!(state(&target).await, before);
    assert_eq!(state(&source).await, "berlin moving, 1 orders, 1 events");
    refused("shop 2 is moving already").await;
    // What comes next has a number of its own.
    let query = "select bool_and(s.last_value >= 1) from pg_sequences s where s.sequencename in ('event_position', 'shops_id_seq', 'orders_number_seq')";
    let counted: Option<bool> = target
        .query_one(query, &[])
        .await
        .expect("sequences")
        .get(0);
    assert_eq!(counted, Some(true));
    let added: i32 = target
        .query_one("select interlock.add_shop('paris')", &[])
        .await
        .expect("a shop")
        .get(0);
    assert_eq!(added, 3);

    let gone = xtask(&forget, &[]).await.succeeded().json();
    assert!(gone["forgotten"].as_u64() > Some(0), "{gone}");
    assert_eq!(state(&source).await, "none, 0 orders, 0 events");
    assert_eq!(state(&target).await, before);
    let said = xtask(&forget, &[]).await.failed().said();
    assert!(said.contains("there is no shop 2"), "{said}");

    // A closed one comes as it is, and back again.
    run(&target, "select interlock.set_shop(2, 'closed')").await;
    let back = [
        "move-shop",
        "--shop",
        "2",
        "--from",
        &new.url,
        "--to",
        &old.url,
    ];
    let said = xtask(&back, &[]).await.succeeded().said();
    assert!(
        said.contains("shop 2 (berlin) is at ") && said.contains("--forget"),
        "{said}"
    );
    assert_eq!(state(&source).await, "berlin closed, 1 orders, 1 events");
    drop((source, target));
    old.remove().await;
    new.remove().await;
}
