//! Every answer of `checkout` that docs/openapi.json tells of.

use super::rows::{PRICE, cart, with};
use crate::areas::promo::documented::{refuses_promos, set};
use crate::harness::stack::{Bench, staff_claims};
use crate::openapi::{Scene, Sent};
use serde_json::{Value, json};
use uuid::Uuid;

/// `checkout`.
pub(crate) async fn checkout(bench: &Bench) -> (String, Value) {
    let mut scene = Scene::new(bench, "checkout");
    let buyer = bench.users(1).await[0];
    let product = bench.products(1, 10).await[0];
    let digital = bench.digital_product(3).await;
    scene.refuses_what_all_refuse(buyer).await;
    refuses_promos(&mut scene, &cart(&[(product, 2)]), "promo_code").await;

    let by_wallet = |lines: &[(Uuid, u32)]| with(cart(lines), "payment_method", "wallet");
    scene
        .expect("INSUFFICIENT_FUNDS", buyer, &by_wallet(&[(product, 1)]))
        .await;
    scene
        .expect("INSUFFICIENT_INVENTORY", buyer, &cart(&[(product, 11)]))
        .await;
    bench.top_up(buyer, 10_000).await;
    scene
        .expect(
            "paid, with digital codes",
            buyer,
            &by_wallet(&[(digital, 2)]),
        )
        .await;
    let transfer = with(cart(&[(product, 1)]), "payment_method", "bank_transfer");
    scene
        .expect("waits for its payment", buyer, &transfer)
        .await;

    let key = Some("a key");
    for (outcome, quantity) in [("to be paid in cash", 1), ("IDEMPOTENCY_KEY_REUSED", 2)] {
        let request = scene.request(buyer, &cart(&[(product, quantity)]));
        scene.expect_of(outcome, Sent { key, ..request }).await;
    }
    let shown = with(cart(&[(product, 1)]), "expected_total", PRICE - 1);
    scene.expect("PRICE_CHANGED", buyer, &shown).await;
    let named = with(cart(&[(product, 1)]), "cart_id", Uuid::new_v4().to_string());
    let ordered = scene.request(buyer, &named);
    scene.expect_of("of a named cart", ordered).await;
    scene.expect("CART_ALREADY_ORDERED", buyer, &named).await;
    let tune = async |settings: &str| {
        let sql = format!("update interlock.settings set {settings}");
        bench.db.batch_execute(&sql).await.expect("it can be set");
    };
    tune("max_open_units_per_customer = 1, payment_methods = '{wallet,cash_on_delivery}'").await;
    scene
        .expect("TOO_MANY_OPEN_ORDERS", buyer, &cart(&[(product, 1)]))
        .await;
    scene
        .expect("PAYMENT_METHOD_NOT_ALLOWED", buyer, &transfer)
        .await;
    tune("max_open_units_per_customer = default, payment_methods = default").await;
    let method = "insert into interlock.shipping_methods (code, name, price, currency) values ('test-post', 'Post', 490, 'USD')
        on conflict do nothing";
    let made = bench.db.batch_execute(method).await;
    made.expect("a method can be added");
    let sent = with(cart(&[(product, 1)]), "shipping_method", "test-post");
    let sent = with(
        sent,
        "shipping_address",
        json!({ "name": "Ann Smith", "line1": "1 Main Street", "city": "Springfield", "country": "US" }),
    );
    let sent = with(sent, "contact", json!({ "email": "ann@example.com" }));
    let sent = with(sent, "metadata", json!({ "campaign": "spring" }));
    scene
        .expect(
            "sent to an address",
            buyer,
            &with(sent, "expected_total", PRICE + 490),
        )
        .await;
    let sent = with(cart(&[(product, 1)]), "shipping_method", "test-none");
    scene
        .expect("SHIPPING_METHOD_NOT_AVAILABLE", buyer, &sent)
        .await;
    let euros = "update interlock.products set currency = 'EUR' where id = $1";
    let abroad = bench.products(1, 5).await[0];
    bench
        .db
        .execute(euros, &[&abroad])
        .await
        .expect("the product is there");
    scene
        .expect("CURRENCY_MISMATCH", buyer, &by_wallet(&[(abroad, 1)]))
        .await;

    let people = bench.users(2).await;
    let staff = staff_claims(people[0]);
    for (outcome, whom) in [
        ("placed by staff for a customer", people[1]),
        ("USER_NOT_FOUND", Uuid::new_v4()),
    ] {
        let order = with(cart(&[(product, 1)]), "on_behalf_of", whom.to_string());
        let request = scene.request(people[0], &order);
        let token = bench.stack.token(&staff);
        scene.expect_of(outcome, Sent { token, ..request }).await;
    }

    // How many one may have; what is owed; a reservation for which there is no room any more.
    let other = bench.users(1).await[0];
    let few = bench.products(1, 1).await[0];
    let limits = "update interlock.products
        set max_per_order = 2, max_per_customer = 3, stock_policy = 'backorder', backorder_limit = 9 where id = $1";
    let limited = bench.db.execute(limits, &[&few]).await;
    limited.expect("the product is there");
    for (outcome, quantity) in [
        ("PRODUCT_ORDER_LIMIT", 3),
        ("some of it owed", 2),
        ("PRODUCT_CUSTOMER_LIMIT", 2),
    ] {
        scene
            .expect(outcome, other, &cart(&[(few, quantity)]))
            .await;
    }
    let full = bench.products(1, 1_000_000_000).await[0];
    let reservation = Uuid::new_v4();
    let reserve = "with r as (
          insert into interlock.cart_reservations (user_id, id, reserved_since, expires_at)
          values ($1, $2, now(), now() + interval '10 minutes')
        )
        insert into interlock.cart_reservation_lines (user_id, product_id, quantity, untracked) values ($1, $3, 1, false)";
    let reserved = bench
        .db
        .execute(reserve, &[&other, &reservation, &full])
        .await;
    reserved.expect("it can be reserved");
    let order = with(
        cart(&[(product, 1)]),
        "reservation_id",
        reservation.to_string(),
    );
    scene.expect("STOCK_LIMIT_EXCEEDED", other, &order).await;
    let gone = "delete from interlock.cart_reservation_lines where product_id = $1";
    let gone = bench.db.execute(gone, &[&full]).await;
    gone.expect("it can be taken back");

    // The shop changes a code between showing and selling.
    let promo = bench.promo(None, None).await;
    let cart_id = json!(Uuid::new_v4());
    let shown = with(
        with(cart(&[(product, 1)]), "cart_id", cart_id.clone()),
        "code",
        promo.as_str(),
    );
    Scene::new(bench, "promo-validate")
        .expect("held", buyer, &shown)
        .await;
    set(bench, &promo, "discount_value = 20").await;
    let order = with(
        with(cart(&[(product, 1)]), "cart_id", cart_id),
        "promo_code",
        promo.as_str(),
    );
    scene.expect("PROMO_CHANGED", buyer, &order).await;
    scene.end()
}
