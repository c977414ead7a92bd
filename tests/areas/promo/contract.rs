//! The HTTP contract of `promo-validate`.

use crate::areas::promo::calls::PROMO_VALIDATE;
use crate::areas::shop::calls::CHECKOUT;
use crate::harness::calls::{Adapter, Caller};
use crate::harness::stack::Bench;
use serde_json::{Value, json};
use uuid::Uuid;

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_follows_its_cart_and_checkout_charges_what_was_shown() {
    let bench = Bench::take().await;
    let user = bench.users(1).await[0];
    let product = bench.products(1, 10).await[0];
    let code = bench.promo(Some(1), None).await;
    let buyer = Caller::new(bench.stack, Adapter::Function, user).await;
    let rival = Caller::new(bench.stack, Adapter::Function, bench.users(1).await[0]).await;
    let cart_id = Uuid::new_v4();
    let ask = |more: Value| {
        let mut body = json!({ "code": format!("  {} ", code.to_lowercase()), "cart_id": cart_id });
        body.as_object_mut()
            .expect("an object")
            .extend(more.as_object().expect("an object").clone());
        body
    };
    let lines = json!({ "cart_items": [{ "product_id": product, "quantity": 2 }] });

    // A dry run holds nothing; applying holds the only use; the same cart refreshes it.
    let mut dry = ask(lines.clone());
    dry["dry_run"] = json!(true);
    assert!(buyer.invoke(PROMO_VALIDATE, dry, None).await.is_success());
    for _ in 0..2 {
        let held = buyer.invoke(PROMO_VALIDATE, ask(lines.clone()), None).await;
        assert_eq!(
            (held.body["discount"].as_i64(), held.body["total"].as_i64()),
            (Some(140), Some(1_260))
        );
    }
    let other = json!({ "code": code, "subtotal": 1_000, "cart_id": Uuid::new_v4() });
    assert_eq!(
        rival.invoke(PROMO_VALIDATE, other.clone(), None).await.code,
        "PROMO_EXHAUSTED"
    );

    // Released, it is the rival's to take; released by them, the buyer's again.
    let released = buyer
        .invoke(PROMO_VALIDATE, ask(json!({ "action": "release" })), None)
        .await;
    assert_eq!(released.body["released"], true);
    assert!(
        rival
            .invoke(PROMO_VALIDATE, other.clone(), None)
            .await
            .is_success()
    );
    assert_eq!(
        buyer
            .invoke(PROMO_VALIDATE, ask(lines.clone()), None)
            .await
            .code,
        "PROMO_EXHAUSTED"
    );
    let mut release = other;
    release["action"] = json!("release");
    assert_eq!(
        rival.invoke(PROMO_VALIDATE, release, None).await.body["released"],
        true
    );
    assert!(
        buyer
            .invoke(PROMO_VALIDATE, ask(lines.clone()), None)
            .await
            .is_success()
    );

    // The shop changes the code: checkout does not charge something else than was shown.
    let change = "update interlock.promo_codes set discount_value = $2::int where code = $1";
    bench
        .db
        .execute(change, &[&code, &20_i32])
        .await
        .expect("the code is there");
    let mut order = lines.clone();
    order["promo_code"] = json!(code);
    order["cart_id"] = json!(cart_id);
    let changed = buyer.invoke(CHECKOUT, order.clone(), None).await;
    assert_eq!(
        (changed.status, changed.code.as_str()),
        (409, "PROMO_CHANGED")
    );
    assert_eq!(
        (&changed.details["shown"], &changed.details["now"]),
        (&json!(140), &json!(280))
    );
    assert_eq!(bench.orders(&[user]).await, 0);
    bench
        .db
        .execute(change, &[&code, &10_i32])
        .await
        .expect("the code is there");
    let bought = buyer.invoke(CHECKOUT, order, None).await;
    assert_eq!(bought.body["order"]["total"], 1_260, "{bought:?}");
}
