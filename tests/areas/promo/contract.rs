//! The contract of `promo-validate`, over HTTP and, where they must not differ, as RPC and SQL.

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

/// Makes a code as the shop types it; `more` are further columns with their values.
async fn typed_code(bench: &Bench, code: &str, more: &[(&str, &str)]) -> Result<Uuid, String> {
    let (names, values): (Vec<&str>, Vec<&str>) = more.iter().copied().unzip();
    let insert = format!(
        "insert into interlock.promo_codes (code, discount_type, discount_value{}) \
         values ($1::text, 'percentage', 10{}) returning id",
        names
            .iter()
            .map(|name| format!(", {name}"))
            .collect::<String>(),
        values
            .iter()
            .map(|value| format!(", {value}"))
            .collect::<String>(),
    );
    let row = bench.db.query_one(&insert, &[&code]).await;
    row.map(|row| row.get(0)).map_err(|error| {
        let error = error.as_db_error().and_then(|error| error.constraint());
        error.unwrap_or("another error").to_owned()
    })
}

/// What was seen in shops: codes that could be stored and never used, or that were two codes.
#[tokio::test(flavor = "multi_thread")]
async fn a_code_is_one_code_however_it_is_typed() {
    let bench = Bench::take().await;
    let product = bench.products(1, 100).await[0];
    let mark = Uuid::new_v4().simple().to_string();
    for (stored, typed) in [
        ("SPRING\u{a0}", "spring"),
        ("CAF\u{c9}", "cafe\u{301}"),
        ("dankefu\u{308}r100", "DANKEF\u{dc}R100"),
        ("\u{130}ND\u{130}R\u{130}M", "indirim"),
        ("GRO\u{df}", "gross"),
        (
            "SAVE 50",
            "\u{200b}\u{ff33}\u{ff21}\u{ff36}\u{ff25}50\u{3000}",
        ),
    ] {
        let (stored, typed) = (format!("{mark}{stored}"), format!("{mark}{typed}"));
        typed_code(&bench, &stored, &[]).await.expect("a new code");
        assert_eq!(
            typed_code(&bench, &typed, &[]).await,
            Err("promo_codes_code_unique".to_owned()),
            "{typed:?} is {stored:?}"
        );
        for adapter in [Adapter::Function, Adapter::Rpc, Adapter::Sql] {
            let user = bench.users(1).await[0];
            let buyer = Caller::new(bench.stack, adapter, user).await;
            let cart_id = Uuid::new_v4();
            let lines = json!([{ "product_id": product, "quantity": 1 }]);
            let ask = json!({ "code": typed, "cart_items": lines, "cart_id": cart_id });
            let held = buyer.invoke(PROMO_VALIDATE, ask, None).await;
            assert_eq!(held.body["code"], stored, "{typed:?}: {held:?}");
            let order = json!({ "promo_code": typed, "cart_items": lines, "cart_id": cart_id });
            let bought = buyer.invoke(CHECKOUT, order, None).await;
            assert_eq!(bought.body["order"]["discount"], 70, "{bought:?}");
        }
    }
}

/// A function and the database refuse the same texts.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_code_is_none_for_whoever_asks() {
    let bench = Bench::take().await;
    let user = bench.users(1).await[0];
    let product = bench.products(1, 1).await[0];
    let lines = json!([{ "product_id": product, "quantity": 1 }]);
    let long = |length: usize| "\u{fc}".repeat(length);
    for (code, expected) in [
        (String::new(), "VALIDATION_FAILED"),
        ("\u{a0}\u{3000}".to_owned(), "VALIDATION_FAILED"),
        // Something, if not to be seen; no code is called so.
        ("\u{200b}".to_owned(), "PROMO_NOT_FOUND"),
        ("a\tb".to_owned(), "VALIDATION_FAILED"),
        ("a\u{85}b".to_owned(), "VALIDATION_FAILED"),
        (long(65), "VALIDATION_FAILED"),
        (format!("\u{2003}{}\r\n", long(64)), "PROMO_NOT_FOUND"),
    ] {
        for adapter in [Adapter::Function, Adapter::Rpc] {
            let buyer = Caller::new(bench.stack, adapter, user).await;
            let asked = json!({ "code": code, "subtotal": 1_000 });
            let asked = buyer.invoke(PROMO_VALIDATE, asked, None).await;
            assert_eq!(asked.code, expected, "{adapter:?} {code:?}: {asked:?}");
            let order = json!({ "promo_code": code, "cart_items": lines });
            let order = buyer.invoke(CHECKOUT, order, None).await;
            assert_eq!(order.code, expected, "{adapter:?} {code:?}: {order:?}");
        }
    }
    assert_eq!(bench.orders(&[user]).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_that_takes_nothing_off_costs_nothing() {
    let bench = Bench::take().await;
    let user = bench.users(1).await[0];
    let product = bench.products(1, 10).await[0];
    let free = "update interlock.products set price = 4 where id = $1";
    bench.db.execute(free, &[&product]).await.expect("a price");
    let code = bench.promo(Some(1), Some(1)).await;
    let cart_id = Uuid::new_v4();
    let lines = json!([{ "product_id": product, "quantity": 1 }]);
    for adapter in [Adapter::Function, Adapter::Rpc, Adapter::Sql] {
        let buyer = Caller::new(bench.stack, adapter, user).await;
        let ask = json!({ "code": code, "cart_items": lines, "cart_id": cart_id });
        let order = json!({ "promo_code": code, "cart_items": lines, "cart_id": cart_id });
        for answer in [
            buyer.invoke(PROMO_VALIDATE, ask, None).await,
            buyer.invoke(CHECKOUT, order, None).await,
        ] {
            assert_eq!(answer.code, "PROMO_NOT_APPLICABLE", "{answer:?}");
            assert_eq!(answer.details["reason"], "no_discount", "{answer:?}");
        }
    }
    let uses = "select count(*) from interlock.promo_redemptions r join interlock.promo_codes p \
                on p.id = r.promo_id where p.code = $1";
    let uses: i64 = bench
        .db
        .query_one(uses, &[&code])
        .await
        .expect("a count")
        .get(0);
    assert_eq!((uses, bench.orders(&[user]).await), (0, 0));
    // The customer's only use is there still.
    let buyer = Caller::new(bench.stack, Adapter::Function, user).await;
    let order = json!({
        "promo_code": code, "cart_id": cart_id, "cart_items": [{ "product_id": product, "quantity": 2 }]
    });
    let bought = buyer.invoke(CHECKOUT, order, None).await;
    assert_eq!(bought.body["order"]["discount"], 1, "{bought:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_lasts_to_the_end_of_its_last_day_where_the_shop_is() {
    let bench = Bench::take().await;
    let user = bench.users(1).await[0];
    let buyer = Caller::new(bench.stack, Adapter::Function, user).await;
    // Where a day begins first, and where it ends last.
    for zone in ["Pacific/Kiritimati", "Pacific/Pago_Pago"] {
        for (day, expected) in [(0, "OK"), (-1, "PROMO_EXPIRED")] {
            let code = Uuid::new_v4().to_string();
            let last_day = format!("(now() at time zone '{zone}')::date + {day}");
            let zone = format!("'{zone}'");
            let columns = [
                ("last_day", last_day.as_str()),
                ("time_zone", zone.as_str()),
            ];
            typed_code(&bench, &code, &columns)
                .await
                .expect("a new code");
            let ask = json!({ "code": code, "subtotal": 1_000 });
            let answer = buyer.invoke(PROMO_VALIDATE, ask, None).await;
            assert_eq!(answer.code, expected, "{zone} {day}: {answer:?}");
        }
    }
    let unknown = [("time_zone", "'UTC+2'")];
    assert_eq!(
        typed_code(&bench, "never", &unknown).await,
        Err("promo_codes_time_zone_known".to_owned())
    );
}

/// Each case of docs/api.md in which a code has no use left for this customer.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_used_up_is_told_from_what_is_applied_already() {
    let bench = Bench::take().await;
    let product = bench.products(1, 100).await[0];
    let lines = json!([{ "product_id": product, "quantity": 1 }]);
    for adapter in [Adapter::Function, Adapter::Rpc, Adapter::Sql] {
        let users = bench.users(2).await;
        let buyer = Caller::new(bench.stack, adapter, users[0]).await;
        let rival = Caller::new(bench.stack, adapter, users[1]).await;
        let code = bench.promo(Some(2), Some(1)).await;
        let (held, other) = (Uuid::new_v4(), Uuid::new_v4());
        let ask = |cart: Uuid| json!({ "code": code, "cart_items": lines, "cart_id": cart });
        let order =
            |cart: Uuid| json!({ "promo_code": code, "cart_items": lines, "cart_id": cart });

        // Held in another cart: it is told which.
        let first = buyer.invoke(PROMO_VALIDATE, ask(held), None).await;
        for (operation, body) in [(PROMO_VALIDATE, ask(other)), (CHECKOUT, order(other))] {
            let answer = buyer.invoke(operation, body, None).await;
            assert_eq!(answer.code, "PROMO_ALREADY_APPLIED", "{answer:?}");
            assert_eq!(
                answer.details,
                json!({ "reason": "held", "cart_id": held, "held_until": first.body["held_until"] })
            );
        }
        // Ordered with this very cart: which order.
        let bought = buyer.invoke(CHECKOUT, order(held), None).await;
        let answer = buyer.invoke(PROMO_VALIDATE, ask(held), None).await;
        assert_eq!(answer.code, "PROMO_ALREADY_APPLIED", "{answer:?}");
        assert_eq!(
            answer.details,
            json!({ "reason": "redeemed", "cart_id": held, "order_id": bought.body["order"]["id"] })
        );
        // Their uses are used up, whatever the cart.
        for (operation, body) in [(PROMO_VALIDATE, ask(other)), (CHECKOUT, order(other))] {
            let answer = buyer.invoke(operation, body, None).await;
            assert_eq!(answer.code, "PROMO_EXHAUSTED", "{answer:?}");
            assert_eq!(answer.details, json!({ "reason": "max_uses_per_user" }));
        }
        // Everybody's are.
        let count =
            "select public.increment_promo_usage(id) from interlock.promo_codes where code = $1";
        bench
            .db
            .execute(count, &[&code])
            .await
            .expect("a use is left");
        for (operation, body) in [(PROMO_VALIDATE, ask(other)), (CHECKOUT, order(other))] {
            let answer = rival.invoke(operation, body, None).await;
            assert_eq!(answer.code, "PROMO_EXHAUSTED", "{answer:?}");
            assert_eq!(answer.details, json!({ "reason": "max_uses" }));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_keeps_the_uses_of_a_code_from_others() {
    let bench = Bench::take().await;
    let users = bench.users(2).await;
    let greedy = Caller::new(bench.stack, Adapter::Function, users[0]).await;
    let other = Caller::new(bench.stack, Adapter::Function, users[1]).await;
    let code = bench.promo(Some(20), None).await;
    let ask = |cart: Uuid| json!({ "code": code, "subtotal": 1_000, "cart_id": cart });

    // Twenty carts hold one use.
    let carts: Vec<Uuid> = (0..20).map(|_| Uuid::new_v4()).collect();
    let mut held = 0;
    for cart in &carts {
        let answer = greedy.invoke(PROMO_VALIDATE, ask(*cart), None).await;
        if answer.is_success() {
            held += 1;
        } else {
            assert_eq!(answer.details["reason"], "held", "{answer:?}");
        }
    }
    assert_eq!(held, 1);

    // And not for ever: after an hour the code still takes off what it did, and is held no more.
    let hour = "update interlock.promo_user_uses set held_since = now() - interval '1 hour' where user_id = $1";
    bench.db.execute(hour, &[&users[0]]).await.expect("a row");
    bench.expire_holds_of(code.clone(), 1).await.await;
    for cart in [carts[0], Uuid::new_v4()] {
        let answer = greedy.invoke(PROMO_VALIDATE, ask(cart), None).await;
        assert_eq!(answer.body["discount"], 100, "{answer:?}");
        assert_eq!(answer.body["held_until"], Value::Null, "{answer:?}");
    }
    let answer = other
        .invoke(PROMO_VALIDATE, ask(Uuid::new_v4()), None)
        .await;
    assert!(answer.body["held_until"].is_string(), "{answer:?}");
}
