//! Interlock's side: what of its functions a scene calls, with what `race_lab.prepare` has made, and by whom.

use interlock_console::setup::Scene;
use serde_json::{Value, json};

use super::sql::Sql;

/// The function, and its arguments by their names, as that person gives them.
pub(super) fn call(scene: Scene, made: &Value, user: &str) -> (&'static str, Value) {
    let cart = json!([{ "product_id": made["product_id"], "quantity": 1 }]);
    match scene {
        Scene::Stock => ("checkout", json!({ "p_cart_items": cart })),
        Scene::Promo => (
            "checkout",
            json!({ "p_cart_items": cart, "p_promo_code": made["promo_code"] }),
        ),
        Scene::Wallet | Scene::Code => (
            "checkout",
            json!({ "p_cart_items": cart, "p_payment_method": "wallet" }),
        ),
        Scene::Batch => ("claim_route", json!({ "p_batch_id": made["batch_id"] })),
        Scene::Webhook => (
            "payment_webhook",
            json!({ "p_provider": "stripe", "p_body": made["body"], "p_signature": made["signature"] }),
        ),
        Scene::Packing => (
            "pack_item",
            json!({
                "p_session_id": made["session_id"],
                "p_order_id": made["order_id"],
                "p_product_id": made["product_id"],
            }),
        ),
        Scene::Basket => (
            "pack_item",
            json!({
                "p_session_id": made["session_id"],
                "p_order_id": made["order_ids"][user],
                "p_product_id": made["product_id"],
            }),
        ),
        Scene::Till => (
            "pos_sale",
            json!({
                "p_register_id": made["register_id"],
                "p_lines": [{ "inventory_id": made["inventory_id"], "quantity": 1 }],
                "p_tenders": [{ "type": "cash", "amount": 700 }],
            }),
        ),
    }
}

/// How many people: two who share the last use of a code meet at the code, and not at what one of them is.
pub(super) fn people(scene: Scene) -> usize {
    match scene {
        Scene::Promo => 2,
        _ => scene.people(2) as usize,
    }
}

/// What the token of one of them says.
pub(super) fn claims(scene: Scene, race: &str, user: &str) -> Value {
    let mut rights = json!({ "role": scene.role() });
    if scene.has_place() {
        rights["location_ids"] = json!([race]);
    }
    json!({ "sub": user, "role": "authenticated", "app_metadata": rights })
}

/// The call as a statement. What is not given is null, and is not shown.
pub(super) fn statement(function: &str, given: &Value, names: &[String]) -> Sql {
    let mut sql = Sql::default();
    let (is_given, missing): (Vec<_>, Vec<_>) = names
        .iter()
        .partition(|name| !given[name.as_str()].is_null());
    for (number, name) in is_given.into_iter().enumerate() {
        let comma = if number > 0 { ", " } else { "" };
        sql.text(&format!("{comma}{name} => "))
            .value(&given[name.as_str()]);
    }
    let missing: String = missing
        .iter()
        .map(|name| format!(", {name} => null"))
        .collect();
    Sql {
        run: format!(
            "select race_lab_steps.{function}({}{missing})::text",
            sql.run
        ),
        shown: format!("begin; select {function}({});", sql.shown),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_given_is_null_and_not_shown() {
        let names = ["p_items", "p_code", "p_key"].map(str::to_owned);
        let sql = statement("buy", &json!({ "p_code": "LAB", "p_items": [1] }), &names);
        assert_eq!(
            sql.run,
            "select race_lab_steps.buy(p_items => '[1]', p_code => 'LAB', p_key => null)::text"
        );
        assert_eq!(
            sql.shown,
            "begin; select buy(p_items => '[1]', p_code => 'LAB');"
        );
    }

    #[test]
    fn whoever_works_at_the_till_works_at_that_of_the_race() {
        let claims = claims(Scene::Till, "place", "somebody");
        assert_eq!(
            claims["app_metadata"],
            json!({ "role": "cashier", "location_ids": ["place"] })
        );
    }
}
