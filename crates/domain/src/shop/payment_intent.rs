//! `payment-intent`: what an app needs to let a buyer pay an order by card, from Stripe.
//!
//! `{"order_id"}`. The database begins an attempt to pay the order, or has one; Stripe makes a PaymentIntent for it, or
//! has one; the database keeps its id. Each of the calls may be made again: an attempt is one as long as it is open, and
//! Stripe is asked under an idempotency key that is the attempt's.

use crate::errors::Code;
use crate::fields::{Fields, Problems};
use crate::function::{Arguments, Function, Takes};
use crate::json::{Value, object};
use crate::third_party::{Api, Body, Next, NextCall, Target, ThirdParty, Turn, encode, form};
#[cfg(not(target_arch = "wasm32"))]
use crate::{
    function::{Sample, Told},
    shape::{
        AMOUNT,
        Shape::{Currency, Named, Object, Only, Says, Text, Time, Uuid, Words},
    },
};

/// The function `payment-intent`.
pub const PAYMENT_INTENT: Function = Function {
    name: "payment-intent",
    rpc: "begin_card_payment",
    takes: Takes::Fields {
        keyed: false,
        by_shop: false,
        read,
    },
    route: None,
    note: None,
    third_party: Some(ThirdParty {
        api: Some(Api {
            name: "STRIPE",
            url: "https://api.stripe.com",
            headers: &[("stripe-version", "2025-09-30.clover")],
        }),
        outlets: &[],
        budget_ms: 10_000,
        next,
    }),
    versions: None,
    #[cfg(not(target_arch = "wasm32"))]
    told: Told {
        area: "shop",
        purpose: "a payment by card, begun at the payment provider",
        gated: false,
        summary: "What a page needs to take a payment by card",
        description: "For an own order that waits for a payment by card: makes a PaymentIntent at Stripe, or answers the \
            one that there is, also in another tab. The app confirms it with `client_secret`; what comes of it, Stripe \
            tells `payment-webhook`.",
        fields: &[("/order_id", "The order, one's own.")],
        between_fields: "{}",
        answer: "PaymentIntentAnswer",
        schemas: &[
            (
                "CardPayment",
                Object(
                    "An attempt to pay an order by card.",
                    &[
                        ("id", Uuid),
                        ("order_id", Uuid),
                        ("provider", Words(&["stripe"])),
                        (
                            "provider_id",
                            Says("The PaymentIntent at Stripe, `pi_…`.", &Text),
                        ),
                        (
                            "client_secret",
                            Says(
                                "For Stripe's own code in the page or app, and for nobody else.",
                                &Text,
                            ),
                        ),
                        ("amount", AMOUNT),
                        ("currency", Currency),
                        (
                            "status",
                            Says(
                                "As the shop knows it by Stripe's events.",
                                &Words(&["open", "processing"]),
                            ),
                        ),
                        (
                            "provider_status",
                            Says(
                                "As Stripe says at this moment: with `succeeded` or `processing` there is nothing left to \
                                 confirm.",
                                &Text,
                            ),
                        ),
                        (
                            "expires_at",
                            Says("Until then the order waits for the money.", &Time),
                        ),
                    ],
                ),
            ),
            (
                "PaymentIntentAnswer",
                Object(
                    "It can be paid.",
                    &[("success", Only(true)), ("payment", Named("CardPayment"))],
                ),
            ),
        ],
        codes: &[
            Code::OrderNotFound,
            Code::OrderStateConflict,
            Code::TooManyPaymentAttempts,
            Code::PaymentRefused,
        ],
        together: false,
        always: &["p_order_id"],
        // An attempt stays the same one while it is open.
        acts_again: |_| false,
        samples: &[Sample {
            name: "an order",
            body: r#"{"order_id":"00000000-0000-4000-8000-00000000dead"}"#,
        }],
    },
};

/// A new intent.
const MADE: u32 = 1;
/// One that there was.
const FOUND: u32 = 2;
/// Its id is kept.
const KEPT: u32 = 3;
/// It is given up.
const GIVEN_UP: u32 = 4;
/// Another attempt is begun.
const BEGUN_AGAIN: u32 = 5;

fn read(mut fields: Fields) -> Result<Arguments, Problems> {
    fields.require("order_id");
    let order_id = fields.uuid("order_id");
    fields.finish()?;
    Ok(Arguments::new(
        [("p_order_id", order_id.map(Value::from))],
        true,
    ))
}

/// What comes of an answer. The memo is the attempt as the database told it; from [`KEPT`] on it is the reply.
fn next(turn: Turn) -> Next {
    let Turn {
        step,
        status,
        answer,
        memo,
    } = turn;
    match (step, status) {
        (0 | BEGUN_AGAIN, _) => match answer.get("payment") {
            Some(payment) => ask(payment, step == BEGUN_AGAIN).unwrap_or(Next::Unexpected),
            None => Next::Unexpected,
        },
        (MADE, 200) if is_ours(&answer, &memo) => keep(&answer, &memo),
        // Another tab is asking for the same one at this moment.
        (MADE, 409) => Next::Repeat,
        (MADE, 400..=499) => refuse(&answer),
        // Under the attempt's key it says so for a day: what it has made, if anything, nobody can pay.
        (MADE, 500..=599) => give_up(&memo),
        (FOUND, 200) if is_ours(&answer, &memo) && !is_canceled(&answer) => {
            reply(&answer, &memo).map_or(Next::Unexpected, Next::Reply)
        }
        // It is canceled, or another account's, or somebody else's: there is nothing here that this buyer could pay.
        (FOUND, 200 | 404) => give_up(&memo),
        (FOUND, 400..=499) => refuse(&answer),
        (KEPT, _) => Next::Reply(memo),
        (GIVEN_UP, _) => begin_again(&memo),
        _ => Next::Unexpected,
    }
}

fn text<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value.get(name).and_then(Value::as_text)
}

/// Asks Stripe for the intent of an attempt: the one that the database knows of, or a new one under the attempt's own key.
fn ask(payment: &Value, again: bool) -> Option<Next> {
    let memo = object([("payment", payment.clone()), ("again", again.into())]);
    if let Some(id) = text(payment, "provider_id") {
        let mut path = "/v1/payment_intents/".to_owned();
        encode(&mut path, id);
        return Some(call(FOUND, memo, "GET", path, Vec::new(), String::new()));
    }
    let id = text(payment, "id")?;
    let amount = payment.get("amount")?.as_number()?;
    let body = form(&[
        ("amount", &(amount as u64).to_string()),
        ("currency", &text(payment, "currency")?.to_ascii_lowercase()),
        ("metadata[order_id]", text(payment, "order_id")?),
        ("metadata[payment_id]", id),
        ("automatic_payment_methods[enabled]", "true"),
    ]);
    let headers = vec![
        (
            "content-type",
            "application/x-www-form-urlencoded".to_owned(),
        ),
        ("idempotency-key", ["interlock-", id].concat()),
    ];
    let path = "/v1/payment_intents".to_owned();
    Some(call(MADE, memo, "POST", path, headers, body))
}

fn call(
    step: u32,
    memo: Value,
    method: &'static str,
    path: String,
    headers: Vec<(&'static str, String)>,
    body: String,
) -> Next {
    Next::Call(NextCall {
        step,
        memo,
        target: Target::ThirdParty {
            method,
            path,
            headers,
        },
        body: Body::Text(body),
    })
}

/// Whether an intent is that of the attempt: who may pay it is shown its secret, and nobody else.
fn is_ours(intent: &Value, memo: &Value) -> bool {
    let Some(payment) = memo.get("payment") else {
        return false;
    };
    let noted = intent
        .get("metadata")
        .and_then(|metadata| text(metadata, "payment_id"));
    let currency = text(payment, "currency").map(str::to_ascii_lowercase);
    noted.is_some()
        && noted == text(payment, "id")
        && intent.get("amount") == payment.get("amount")
        && text(intent, "currency") == currency.as_deref()
}

fn is_canceled(intent: &Value) -> bool {
    text(intent, "status") == Some("canceled")
}

/// The reply, of the attempt and its intent.
fn reply(intent: &Value, memo: &Value) -> Option<Value> {
    let payment = memo.get("payment")?;
    let told = |name| Some((name, payment.get(name)?.clone()));
    let of_intent = |name| text(intent, name).map(Value::from);
    let members = [
        told("id")?,
        told("order_id")?,
        told("provider")?,
        ("provider_id", of_intent("id")?),
        ("client_secret", of_intent("client_secret")?),
        told("amount")?,
        told("currency")?,
        told("status")?,
        ("provider_status", of_intent("status")?),
        told("expires_at")?,
    ];
    Some(object([
        ("success", true.into()),
        ("payment", object(members)),
    ]))
}

/// Keeps the id of a new intent.
fn keep(intent: &Value, memo: &Value) -> Next {
    let (Some(reply), Some(id)) = (reply(intent, memo), text(intent, "id")) else {
        return Next::Unexpected;
    };
    store(KEPT, reply, memo, Some(id), false)
}

/// Gives the attempt up, once for each request.
fn give_up(memo: &Value) -> Next {
    if memo.get("again") == Some(&Value::Bool(false)) {
        let id = memo
            .get("payment")
            .and_then(|payment| text(payment, "provider_id"));
        return store(GIVEN_UP, memo.clone(), memo, id, true);
    }
    // Stripe's event of its end is still on its way.
    match payment_status(memo) {
        Some("processing") => Next::Repeat,
        _ => Next::Unexpected,
    }
}

fn payment_status(memo: &Value) -> Option<&str> {
    text(memo.get("payment")?, "status")
}

fn store(
    step: u32,
    next_memo: Value,
    memo: &Value,
    provider_id: Option<&str>,
    canceled: bool,
) -> Next {
    let id = memo.get("payment").and_then(|payment| text(payment, "id"));
    let id = ("p_payment_id", id.unwrap_or_default().into());
    let canceled = ("p_canceled", canceled.into());
    let body = match provider_id {
        Some(provider_id) => object([id, ("p_provider_id", provider_id.into()), canceled]),
        None => object([id, canceled]),
    };
    Next::Call(NextCall {
        step,
        target: Target::Rpc("store_card_payment"),
        body: Body::Json(body),
        memo: next_memo,
    })
}

fn begin_again(memo: &Value) -> Next {
    let order = memo
        .get("payment")
        .and_then(|payment| text(payment, "order_id"));
    Next::Call(NextCall {
        step: BEGUN_AGAIN,
        memo: Value::Null,
        target: Target::Rpc("begin_card_payment"),
        body: Body::Json(object([("p_order_id", order.unwrap_or_default().into())])),
    })
}

/// Stripe does not take it: its code, and nothing of its words, which may quote the request.
fn refuse(answer: &Value) -> Next {
    let error = answer.get("error").unwrap_or(&Value::Null);
    let word = |name| {
        let is_word = |word: &&str| {
            word.len() <= 64
                && word
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte == b'_')
        };
        text(error, name).filter(is_word)
    };
    let code = word("code").or(word("type"));
    let code = code.map_or(Value::Null, Value::from);
    Next::Refuse(Code::PaymentRefused, object([("provider_code", code)]))
}
