//! Every answer of `promo-validate` that docs/openapi.json tells of.

use crate::areas::shop::rows::{cart, with};
use crate::harness::stack::Bench;
use crate::openapi::Scene;
use serde_json::{Value, json};
use uuid::Uuid;

/// Changes a promo code.
pub(crate) async fn set(bench: &Bench, code: &str, change: &str) {
    let update = format!("update interlock.promo_codes set {change} where code = $1");
    bench
        .db
        .execute(&update, &[&code])
        .await
        .expect("the code is there");
}

/// What `checkout` and `promo-validate` say of a code; `body` is a cart that it is tried on.
pub(crate) async fn refuses_promos(scene: &mut Scene<'_>, body: &Value, field: &str) {
    let bench = scene.bench;
    let users = bench.users(3).await;
    let on = |code: &str| with(body.clone(), field, code);

    for (code, change) in [
        (
            "PROMO_EXPIRED",
            "expires_at = now() - interval '1 day', starts_at = now() - interval '2 days'",
        ),
        ("PROMO_NOT_STARTED", "starts_at = now() + interval '1 day'"),
        (
            "PROMO_NOT_APPLICABLE",
            "min_subtotal = 1000000, currency = 'USD'",
        ),
    ] {
        let promo = bench.promo(None, None).await;
        set(bench, &promo, change).await;
        scene.expect(code, users[0], &on(&promo)).await;
    }

    // One holds the only use; it is in another cart of theirs, and nobody else can have it.
    let promo = bench.promo(Some(1), None).await;
    let mut holder = Scene::new(bench, "promo-validate");
    let hold = json!({ "code": promo, "subtotal": 1_400, "cart_id": Uuid::new_v4() });
    holder.expect("held", users[0], &hold).await;
    scene
        .expect("PROMO_ALREADY_APPLIED", users[0], &on(&promo))
        .await;
    scene.expect("PROMO_EXHAUSTED", users[1], &on(&promo)).await;

    for _ in 0..19 {
        let guess = json!({ "code": "NO-SUCH-CODE", "subtotal": 1 });
        holder.expect("PROMO_NOT_FOUND", users[2], &guess).await;
    }
    scene
        .expect("PROMO_NOT_FOUND", users[2], &on("NO-SUCH-CODE"))
        .await;
    scene
        .expect("TOO_MANY_ATTEMPTS", users[2], &on("NO-SUCH-CODE"))
        .await;

    let other = bench.products(1, 5).await[0];
    let euros = "update interlock.products set currency = 'EUR' where id = $1";
    bench
        .db
        .execute(euros, &[&other])
        .await
        .expect("the product is there");
    let product: Uuid = body["cart_items"][0]["product_id"]
        .as_str()
        .and_then(|id| id.parse().ok())
        .expect("a cart");
    let mixed = with(cart(&[(product, 1), (other, 1)]), field, promo.as_str());
    scene.expect("MIXED_CURRENCIES", users[0], &mixed).await;
    let unknown = with(cart(&[(Uuid::new_v4(), 1)]), field, promo.as_str());
    scene.expect("PRODUCT_NOT_FOUND", users[0], &unknown).await;
}

/// `promo-validate`.
pub(crate) async fn promo_validate(bench: &Bench) -> (String, Value) {
    let mut scene = Scene::new(bench, "promo-validate");
    let buyer = bench.users(1).await[0];
    let product = bench.products(1, 10).await[0];
    scene.refuses_what_all_refuse(buyer).await;
    refuses_promos(&mut scene, &cart(&[(product, 2)]), "code").await;

    let promo = bench.promo(None, None).await;
    let cart_id = json!(Uuid::new_v4());
    let dry = with(json!({ "code": promo, "subtotal": 1_400 }), "dry_run", true);
    let applied = with(
        with(cart(&[(product, 2)]), "code", promo.as_str()),
        "cart_id",
        cart_id.clone(),
    );
    let release = json!({ "code": promo, "cart_id": cart_id, "action": "release" });
    scene.expect("shown only", buyer, &dry).await;
    scene.expect("held for the cart", buyer, &applied).await;
    scene.expect("released", buyer, &release).await;
    scene.end()
}
