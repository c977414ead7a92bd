//! What the tests of payments by card share: a shop that takes cards, orders, and events as Stripe signs them.

use super::calls::CHECKOUT;
use super::rows::{cart, with};
use super::stripe::take_cards;
pub(crate) use super::stripe::{PAYMENT_INTENT, SECRET, StandIn};
use crate::harness::calls::{Adapter, Answer, Caller, Operation};
use crate::harness::stack::{Bench, Stack, unix_time};
use jsonwebtoken::{Algorithm, EncodingKey, crypto};
use serde_json::{Value, json};
use uuid::Uuid;

/// `begin_card_payment`.
const BEGIN: Operation = Operation {
    function: "",
    rpc: "begin_card_payment",
};

impl Bench {
    /// Lets the shop take cards, with events signed by [`SECRET`].
    pub(crate) async fn take_cards(&self) {
        self.db
            .batch_execute(&take_cards())
            .await
            .expect("the shop takes cards");
    }

    /// The settings as they are at first.
    pub(crate) async fn take_no_cards(&self) {
        self.db
            .batch_execute(&format!(
                "update interlock.settings set payment_methods = default;
                 delete from interlock.payment_secrets where secret = '{SECRET}';"
            ))
            .await
            .expect("the shop takes no cards");
    }

    /// The status of an order.
    pub(crate) async fn order_status(&self, order: Uuid) -> String {
        let row = self
            .db
            .query_one(
                "select status::text from interlock.orders where id = $1",
                &[&order],
            )
            .await;
        row.expect("there is the order").get(0)
    }
}

/// An order that waits for a payment by card.
pub(crate) struct CardOrder {
    /// Its buyer, over RPC.
    pub(crate) buyer: Caller,
    /// Its id.
    pub(crate) id: Uuid,
    /// What it costs, in US cents.
    pub(crate) total: i64,
}

impl CardOrder {
    /// A buyer's order of one product.
    pub(crate) async fn new(bench: &Bench, product: Uuid, quantity: u32) -> Self {
        let user = bench.users(1).await[0];
        let buyer = Caller::new(bench.stack, Adapter::Rpc, user).await;
        let wanted = with(cart(&[(product, quantity)]), "payment_method", "card");
        let answer = buyer.invoke(CHECKOUT, wanted, None).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let order = &answer.body["order"];
        assert_eq!(order["status"], "pending_payment");
        Self {
            id: id_of(&order["id"]),
            total: order["total"].as_i64().expect("a total"),
            buyer,
        }
    }

    /// The attempt to pay it.
    pub(crate) async fn begin(&self) -> Uuid {
        let arguments = json!({ "order_id": self.id });
        let answer: Answer = self.buyer.invoke(BEGIN, arguments, None).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        id_of(&answer.body["payment"]["id"])
    }

    /// Stripe's event of that name (`succeeded`) about a payment of it.
    pub(crate) fn event(&self, event: &str, kind: &str, payment: Option<Uuid>) -> String {
        let intent = format!("pi_{}", self.id.simple());
        event_about(event, kind, &intent, (self.id, self.total), payment)
    }
}

/// Stripe's event of that name (`succeeded`) about an intent to pay an order, which costs so much.
pub(crate) fn event_about(
    event: &str,
    kind: &str,
    intent: &str,
    (order, total): (Uuid, i64),
    payment: Option<Uuid>,
) -> String {
    let received = if kind == "succeeded" { total } else { 0 };
    json!({
        "id": event,
        "object": "event",
        "type": format!("payment_intent.{kind}"),
        "created": unix_time(),
        "data": { "object": {
            "id": intent,
            "object": "payment_intent",
            "amount": total,
            "amount_received": received,
            "currency": "usd",
            "metadata": { "order_id": order, "payment_id": payment },
        } },
    })
    .to_string()
}

/// An id in an answer.
pub(crate) fn id_of(value: &Value) -> Uuid {
    let id = value.as_str().and_then(|id| id.parse().ok());
    id.unwrap_or_else(|| panic!("{value} is no id"))
}

/// A fresh id of an event.
pub(crate) fn event_id() -> String {
    format!("evt_{}", Uuid::new_v4().simple())
}

/// The header that Stripe sends with a text, by its documentation: HMAC-SHA256 of `SECONDS.TEXT`, in hexadecimal digits.
pub(crate) fn signature(text: &[u8], secret: &str, seconds: i64) -> String {
    let signed = [seconds.to_string().as_bytes(), b".", text].concat();
    let key = EncodingKey::from_secret(secret.as_bytes());
    let mac = crypto::sign(&signed, &key, Algorithm::HS256).expect("bytes can be signed");
    format!("t={seconds},v1={}", hex(&mac))
}

/// Base64url as hexadecimal digits.
fn hex(base64url: &str) -> String {
    const DIGITS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let digits = base64url.chars().map(|digit| DIGITS.find(digit));
    let bits: String = digits
        .map(|digit| format!("{:06b}", digit.expect("base64url")))
        .collect();
    let bytes = bits.as_bytes().chunks_exact(8);
    bytes
        .map(|bits| {
            let bits = std::str::from_utf8(bits).expect("zeros and ones");
            format!("{:02x}", u8::from_str_radix(bits, 2).expect("a byte"))
        })
        .collect()
}

/// What is sent to the webhook; only what is there.
#[derive(Clone)]
pub(crate) struct Delivery {
    /// The header `stripe-signature`.
    pub(crate) signature: Option<String>,
    /// The header `authorization`.
    pub(crate) authorization: Option<String>,
    /// The body.
    pub(crate) body: Vec<u8>,
}

impl Delivery {
    /// As Stripe sends it now.
    pub(crate) fn of(event: &str) -> Self {
        Self::at(event.as_bytes(), SECRET, 0)
    }

    /// Signed so many seconds from now, by that secret.
    pub(crate) fn at(body: &[u8], secret: &str, seconds: i64) -> Self {
        Self {
            signature: Some(signature(body, secret, unix_time() + seconds)),
            authorization: None,
            body: body.to_vec(),
        }
    }

    /// Sends it, with neither key nor token of the project; status and answer.
    pub(crate) async fn send(&self, stack: &Stack) -> (u16, Value) {
        let url = format!("{}/functions/v1/payment-webhook", stack.api_url);
        let mut request = stack
            .http
            .post(url)
            .header("content-type", "application/json; charset=utf-8")
            .body(self.body.clone());
        if let Some(signature) = &self.signature {
            request = request.header("stripe-signature", signature);
        }
        if let Some(authorization) = &self.authorization {
            request = request.header("authorization", authorization);
        }
        let response = request.send().await.expect("the stack answers");
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let answer: Value = response.json().await.expect("every answer is JSON");
        crate::harness::openapi::assert_documented("payment-webhook", status, &headers, &answer);
        (status, answer)
    }
}

impl CardOrder {
    /// Calls `payment-intent` for it, as its buyer's page does.
    pub(crate) async fn intent(&self, bench: &Bench) -> Answer {
        let page = Caller::new(bench.stack, Adapter::Function, self.buyer.user).await;
        let arguments = json!({ "order_id": self.id });
        page.invoke(PAYMENT_INTENT, arguments, None).await
    }
}

impl StandIn {
    /// The one of this run; none on a stack that asks Stripe itself.
    pub(crate) fn get() -> Option<Self> {
        let variable = |name| std::env::var(name).ok();
        Some(Self::at(
            variable("STRIPE_API_URL")?,
            variable("STRIPE_SECRET_KEY")?,
        ))
    }

    /// What becomes of the next intent that is to be made.
    pub(crate) async fn next(&self, what: Value) {
        let mut fault = json!({ "times": 1, "method": "POST", "path": "/v1/payment_intents" });
        for (name, value) in what.as_object().into_iter().flatten() {
            fault[name] = value.clone();
        }
        self.told("/faults", fault).await;
    }

    /// Calls its API as the shop.
    pub(crate) async fn call(&self, path: &str, form: &[(&str, &str)]) -> Value {
        let answer = self.try_call(path, form).await;
        answer.expect("the stand-in answers")
    }

    /// A card pays an intent.
    pub(crate) async fn pay(&self, intent: &str) -> Value {
        self.try_pay(intent).await.expect("the stand-in answers")
    }

    /// The intents that there are for an order.
    pub(crate) async fn intents(&self, order: Uuid) -> Vec<Value> {
        let order = json!(order);
        self.all_intents()
            .await
            .into_iter()
            .filter(|intent| intent["metadata"]["order_id"] == order)
            .collect()
    }
}
