//! Interlock's side: one call of an edge function, as an app makes it. A browser may not send what a provider signs with, so a webhook's
//! race calls the RPC that its function calls.

use serde_json::{Value, json};

use crate::calls::{Call, Lane, Trouble};
use crate::race::Answer;
use crate::setup::Scene;

/// What is called, for what `race_lab.prepare` has made, by that person.
fn call(scene: Scene, made: &Value, user: &str) -> Call {
    let text = |name: &str| made[name].as_str().unwrap_or_default();
    let cart = || json!([{ "product_id": made["product_id"], "quantity": 1 }]);
    let (method, path, body) = match scene {
        Scene::Stock => (
            "POST",
            "checkout".to_owned(),
            json!({ "cart_items": cart() }),
        ),
        Scene::Batch => (
            "POST",
            "claim-route".to_owned(),
            json!({ "batch_id": made["batch_id"] }),
        ),
        Scene::Promo => (
            "POST",
            "checkout".to_owned(),
            json!({ "cart_items": cart(), "promo_code": made["promo_code"] }),
        ),
        Scene::Wallet | Scene::Code => (
            "POST",
            "checkout".to_owned(),
            json!({ "cart_items": cart(), "payment_method": "wallet" }),
        ),
        Scene::Webhook => {
            return Call {
                method: "POST",
                path: "/rest/v1/rpc/payment_webhook".to_owned(),
                body: json!({ "p_provider": "stripe", "p_body": made["body"], "p_signature": made["signature"] }),
            };
        }
        Scene::Packing => (
            "PUT",
            format!("pack/sessions/{}", text("session_id")),
            json!({ "orderId": made["order_id"], "productId": made["product_id"] }),
        ),
        Scene::Basket => (
            "PUT",
            format!("pack/sessions/{}", text("session_id")),
            json!({ "orderId": made["order_ids"][user], "productId": made["product_id"] }),
        ),
        Scene::Till => (
            "POST",
            "pos-sale".to_owned(),
            json!({
                "register_id": made["register_id"],
                "lines": [{ "inventory_id": made["inventory_id"], "quantity": 1 }],
                "tenders": [{ "type": "cash", "amount": 700 }],
            }),
        ),
    };
    Call {
        method,
        path: format!("/functions/v1/{path}"),
        body,
    }
}

/// Calls it once.
pub(crate) async fn run(scene: Scene, lane: &Lane, made: &Value) -> Result<Answer, Trouble> {
    let (status, answer) = lane.call(&call(scene, made, lane.user())).await?;
    let code = answer["error"].as_str().unwrap_or_default();
    match status {
        200 if answer["repeated"] == true => Ok(Answer::No("repeated".to_owned())),
        200 => Ok(Answer::Yes(None)),
        402 | 409 => Ok(Answer::No(code.to_owned())),
        _ => Err(Trouble(format!("{status} {code}"))),
    }
}

/// Calls it with what is no request of its, and is refused.
pub(crate) async fn warm_up(scene: Scene, lane: &Lane, made: &Value) -> Result<(), Trouble> {
    let body = match scene {
        Scene::Webhook => json!({ "p_provider": "stripe", "p_body": "warm up", "p_signature": "" }),
        _ => json!("warm up"),
    };
    let strange = Call {
        body,
        ..call(scene, made, lane.user())
    };
    lane.call(&strange).await.map(drop)
}
