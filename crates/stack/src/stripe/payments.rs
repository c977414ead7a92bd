//! What Stripe does with payments and refunds, as far as a shop needs it: https://docs.stripe.com/api/payment_intents.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::form::Form;

/// The most that Stripe takes, in minor units.
const MAX_AMOUNT: i64 = 99_999_999;

/// An error in Stripe's shape.
#[derive(Debug)]
pub(super) struct ApiError {
    /// The HTTP status.
    pub(super) status: u16,
    /// What stands under `error`.
    pub(super) error: Map<String, Value>,
}

impl ApiError {
    /// One that clients branch on by its type and code.
    pub(super) fn new(status: u16, kind: &str, code: Option<&str>, message: &str) -> Self {
        let mut error = Map::new();
        error.insert("type".to_owned(), json!(kind));
        if let Some(code) = code {
            error.insert("code".to_owned(), json!(code));
        }
        error.insert("message".to_owned(), json!(message));
        Self { status, error }
    }

    /// With one member more.
    pub(super) fn with(mut self, name: &str, value: Value) -> Self {
        self.error.insert(name.to_owned(), value);
        self
    }

    fn missing(name: &str) -> Self {
        let message = format!("Missing required param: {name}.");
        invalid(Some("parameter_missing"), &message).with("param", json!(name))
    }
}

/// A request that is wrong.
pub(super) fn invalid(code: Option<&str>, message: &str) -> ApiError {
    ApiError::new(400, "invalid_request_error", code, message)
}

/// What somebody did, to be told to the webhook.
#[derive(Debug)]
pub(super) struct Happening {
    /// As `payment_intent.succeeded`.
    pub(super) kind: String,
    /// What it is about, as it was then.
    pub(super) object: Value,
}

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    /// A server, by `sk_test_…`.
    Secret,
    /// A browser, by `pk_test_…`: it has to know the intent's secret.
    Publishable,
}

/// Everything that there is.
#[derive(Debug, Default)]
pub(super) struct Payments {
    intents: BTreeMap<String, Value>,
    refunds: BTreeMap<String, Value>,
    happenings: Vec<Happening>,
}

impl Payments {
    /// Does what a request asks for. What comes of it has happened even where the answer is an error: a card is declined.
    pub(super) fn act(
        &mut self,
        key: Key,
        method: &str,
        path: &str,
        form: &Form,
        now: i64,
    ) -> Result<Value, ApiError> {
        let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
        let for_servers = || match key {
            Key::Secret => Ok(()),
            Key::Publishable => Err(ApiError::new(
                403,
                "invalid_request_error",
                Some("secret_key_required"),
                "This API call cannot be made with a publishable API key.",
            )),
        };
        match (method, &parts[..]) {
            ("POST", ["v1", "payment_intents"]) => {
                for_servers()?;
                self.create(form, now)
            }
            ("GET", ["v1", "payment_intents"]) => {
                for_servers()?;
                let data: Vec<&Value> = self.intents.values().collect();
                Ok(json!({ "object": "list", "data": data, "has_more": false, "url": path }))
            }
            ("GET", ["v1", "payment_intents", id]) => {
                self.intent(key, id, form)?;
                Ok(self.shown(key, id))
            }
            ("POST", ["v1", "payment_intents", id, "confirm"]) => {
                self.intent(key, id, form)?;
                self.confirm(id, form)?;
                Ok(self.shown(key, id))
            }
            ("POST", ["v1", "payment_intents", id, "cancel"]) => {
                for_servers()?;
                self.intent(key, id, form)?;
                self.cancel(id, now)
            }
            ("POST", ["v1", "refunds"]) => {
                for_servers()?;
                self.refund(form, now)
            }
            ("GET", ["v1", "refunds", id]) => {
                for_servers()?;
                let refund = self.refunds.get(*id);
                refund.cloned().ok_or_else(|| no_such("refund", id))
            }
            _ => Err(ApiError::new(
                404,
                "invalid_request_error",
                None,
                &format!("Unrecognized request URL ({method}: {path})."),
            )),
        }
    }

    /// What has happened since this was asked for the last time.
    pub(super) fn happenings(&mut self) -> Vec<Happening> {
        std::mem::take(&mut self.happenings)
    }

    /// A payment that is being decided comes to its end.
    pub(super) fn settle(&mut self, id: &str, succeeds: bool) -> Result<Value, ApiError> {
        if self.status(id) != "processing" {
            return Err(no_such("payment_intent that is processing", id));
        }
        if succeeds {
            self.succeed(id);
        } else {
            self.fail(id, "payment_intent_payment_attempt_failed", None);
        }
        Ok(self.intents[id].clone())
    }

    fn create(&mut self, form: &Form, now: i64) -> Result<Value, ApiError> {
        const KNOWN: [&str; 9] = [
            "amount",
            "currency",
            "metadata",
            "automatic_payment_methods",
            "payment_method",
            "payment_method_types",
            "confirm",
            "description",
            "receipt_email",
        ];
        refuse_strangers(form, &KNOWN)?;
        let amount = form.get("amount").ok_or(ApiError::missing("amount"))?;
        let amount = whole(amount, "amount")?;
        let currency = form.get("currency").ok_or(ApiError::missing("currency"))?;
        let currency = currency.to_ascii_lowercase();
        if currency.len() != 3 || !currency.bytes().all(|letter| letter.is_ascii_lowercase()) {
            let message = format!("Invalid currency: {currency}.");
            return Err(invalid(None, &message).with("param", json!("currency")));
        }
        if amount < 50 {
            let message = "Amount must be at least 50 minor units.";
            return Err(invalid(Some("amount_too_small"), message).with("param", json!("amount")));
        }
        let id = fresh("pi");
        let intent = json!({
            "id": id,
            "object": "payment_intent",
            "amount": amount,
            "amount_capturable": 0,
            "amount_received": 0,
            "automatic_payment_methods": { "allow_redirects": "always", "enabled": true },
            "canceled_at": null,
            "cancellation_reason": null,
            "capture_method": "automatic_async",
            "client_secret": format!("{id}_secret_{}", &Uuid::new_v4().simple().to_string()[..24]),
            "confirmation_method": "automatic",
            "created": now,
            "currency": currency,
            "customer": null,
            "description": form.get("description"),
            "last_payment_error": null,
            "latest_charge": null,
            "livemode": false,
            "metadata": metadata(form)?,
            "next_action": null,
            "payment_method": form.get("payment_method"),
            "payment_method_types": ["card"],
            "receipt_email": form.get("receipt_email"),
            "status": "requires_payment_method",
        });
        self.intents.insert(id.clone(), intent);
        self.tell("payment_intent.created", &id);
        if form.get("confirm") == Some("true") {
            self.confirm(&id, form)?;
        }
        Ok(self.intents[&id].clone())
    }

    fn intent(&self, key: Key, id: &str, form: &Form) -> Result<(), ApiError> {
        let intent = self.intents.get(id);
        let intent = intent.ok_or_else(|| no_such("payment_intent", id))?;
        // A browser that does not know the secret does not learn that there is the intent.
        if key == Key::Publishable && intent["client_secret"] != json!(form.get("client_secret")) {
            return Err(no_such("payment_intent", id));
        }
        Ok(())
    }

    /// A browser is not shown what the shop has noted.
    fn shown(&self, key: Key, id: &str) -> Value {
        let mut intent = self.intents[id].clone();
        if let (Key::Publishable, Value::Object(members)) = (key, &mut intent) {
            members.remove("metadata");
            members.remove("latest_charge");
        }
        intent
    }

    fn confirm(&mut self, id: &str, form: &Form) -> Result<(), ApiError> {
        let status = self.status(id);
        if !["requires_payment_method", "requires_confirmation"].contains(&status.as_str()) {
            return Err(self.unexpected_state(id, "confirm"));
        }
        let method = form
            .get("payment_method")
            .map(str::to_owned)
            .or_else(|| {
                let noted = self.intents[id]["payment_method"].as_str();
                noted.map(str::to_owned)
            })
            .ok_or(ApiError::missing("payment_method"))?;
        let declined = |code: &str, decline: Option<&str>, message: &str| {
            let error = ApiError::new(402, "card_error", Some(code), message);
            match decline {
                Some(decline) => error.with("decline_code", json!(decline)),
                None => error,
            }
        };
        // Stripe's own test payment methods: https://docs.stripe.com/testing.
        let refused = match method.as_str() {
            "pm_card_visa" | "pm_card_mastercard" => {
                self.set(id, "payment_method", json!(method));
                self.succeed(id);
                return Ok(());
            }
            // Takes days; see `settle`.
            "pm_usBankAccount_success" | "pm_sepaDebit_success" => {
                self.set(id, "payment_method", json!(method));
                self.set(id, "status", json!("processing"));
                self.tell("payment_intent.processing", id);
                return Ok(());
            }
            "pm_card_chargeDeclined" | "pm_card_visa_chargeDeclined" => declined(
                "card_declined",
                Some("generic_decline"),
                "Your card was declined.",
            ),
            "pm_card_chargeDeclinedInsufficientFunds" => declined(
                "card_declined",
                Some("insufficient_funds"),
                "Your card has insufficient funds.",
            ),
            "pm_card_chargeDeclinedExpiredCard" => {
                declined("expired_card", None, "Your card has expired.")
            }
            _ => return Err(no_such("PaymentMethod", &method)),
        };
        let code = refused.error["code"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        let decline = refused.error.get("decline_code").cloned();
        self.fail(id, &code, decline);
        Err(refused.with("payment_intent", self.intents[id].clone()))
    }

    fn cancel(&mut self, id: &str, now: i64) -> Result<Value, ApiError> {
        if ["succeeded", "canceled", "processing"].contains(&self.status(id).as_str()) {
            return Err(self.unexpected_state(id, "cancel"));
        }
        self.set(id, "status", json!("canceled"));
        self.set(id, "canceled_at", json!(now));
        self.tell("payment_intent.canceled", id);
        Ok(self.intents[id].clone())
    }

    fn refund(&mut self, form: &Form, now: i64) -> Result<Value, ApiError> {
        refuse_strangers(form, &["payment_intent", "amount", "metadata", "reason"])?;
        let id = form.get("payment_intent");
        let id = id.ok_or(ApiError::missing("payment_intent"))?.to_owned();
        self.intent(Key::Secret, &id, form)?;
        if self.status(&id) != "succeeded" {
            let message =
                format!("This PaymentIntent ({id}) does not have a successful charge to refund.");
            return Err(invalid(Some("charge_not_refundable"), &message));
        }
        let given = self
            .refunds
            .values()
            .filter(|refund| refund["payment_intent"] == json!(id));
        let given: i64 = given.filter_map(|refund| refund["amount"].as_i64()).sum();
        let left = self.intents[&id]["amount_received"]
            .as_i64()
            .unwrap_or_default()
            - given;
        let amount = match form.get("amount") {
            Some(amount) => whole(amount, "amount")?,
            None => left,
        };
        if left == 0 {
            let message = "This charge has already been refunded.";
            return Err(invalid(Some("charge_already_refunded"), message));
        }
        if amount < 1 || amount > left {
            let message = format!(
                "Refund amount ({amount}) is greater than unrefunded amount on charge ({left})."
            );
            return Err(invalid(None, &message).with("param", json!("amount")));
        }
        let refund_id = fresh("re");
        let refund = json!({
            "id": refund_id,
            "object": "refund",
            "amount": amount,
            "charge": self.intents[&id]["latest_charge"],
            "created": now,
            "currency": self.intents[&id]["currency"],
            "metadata": metadata(form)?,
            "payment_intent": id,
            "reason": form.get("reason"),
            "status": "succeeded",
        });
        self.refunds.insert(refund_id, refund.clone());
        self.happenings.push(Happening {
            kind: "refund.created".to_owned(),
            object: refund.clone(),
        });
        Ok(refund)
    }

    fn succeed(&mut self, id: &str) {
        let amount = self.intents[id]["amount"].clone();
        self.set(id, "amount_received", amount);
        self.set(id, "latest_charge", json!(fresh("ch")));
        self.set(id, "last_payment_error", Value::Null);
        self.set(id, "status", json!("succeeded"));
        self.tell("payment_intent.succeeded", id);
    }

    fn fail(&mut self, id: &str, code: &str, decline: Option<Value>) {
        let error = json!({ "type": "card_error", "code": code, "decline_code": decline });
        self.set(id, "last_payment_error", error);
        self.set(id, "payment_method", Value::Null);
        self.set(id, "status", json!("requires_payment_method"));
        self.tell("payment_intent.payment_failed", id);
    }

    fn unexpected_state(&self, id: &str, what: &str) -> ApiError {
        let message = format!(
            "You cannot {what} this PaymentIntent because it has a status of {}.",
            self.status(id)
        );
        invalid(Some("payment_intent_unexpected_state"), &message)
            .with("payment_intent", self.intents[id].clone())
    }

    fn status(&self, id: &str) -> String {
        let intent = self.intents.get(id);
        let status = intent.and_then(|intent| intent["status"].as_str());
        status.unwrap_or_default().to_owned()
    }

    fn set(&mut self, id: &str, name: &str, value: Value) {
        if let Some(intent) = self.intents.get_mut(id) {
            intent[name] = value;
        }
    }

    fn tell(&mut self, kind: &str, id: &str) {
        self.happenings.push(Happening {
            kind: kind.to_owned(),
            object: self.intents[id].clone(),
        });
    }
}

/// An id as Stripe's look.
pub(super) fn fresh(prefix: &str) -> String {
    format!("{prefix}_3{}", &Uuid::new_v4().simple().to_string()[..23])
}

fn no_such(what: &str, id: &str) -> ApiError {
    let message = format!("No such {what}: '{id}'");
    ApiError::new(
        404,
        "invalid_request_error",
        Some("resource_missing"),
        &message,
    )
}

fn refuse_strangers(form: &Form, known: &[&str]) -> Result<(), ApiError> {
    match form.stranger(known) {
        None => Ok(()),
        Some(name) => {
            let message = format!("Received unknown parameter: {name}");
            Err(invalid(Some("parameter_unknown"), &message).with("param", json!(name)))
        }
    }
}

fn whole(text: &str, name: &str) -> Result<i64, ApiError> {
    let number = text.parse().ok();
    number
        .filter(|number| (0..=MAX_AMOUNT).contains(number))
        .ok_or_else(|| {
            let message = format!("Invalid integer: {text}");
            invalid(Some("parameter_invalid_integer"), &message).with("param", json!(name))
        })
}

fn metadata(form: &Form) -> Result<Value, ApiError> {
    let mut metadata = Map::new();
    for (name, value) in form.members("metadata") {
        if name.chars().count() > 40 || value.chars().count() > 500 {
            return Err(invalid(
                None,
                "Metadata has at most 40 characters in a key, 500 in a value.",
            ));
        }
        metadata.insert(name.to_owned(), json!(value));
    }
    if metadata.len() > 50 {
        return Err(invalid(None, "Metadata has at most 50 keys."));
    }
    Ok(Value::Object(metadata))
}
