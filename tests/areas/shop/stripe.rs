//! The stack's stand-in for Stripe (`crates/stack/src/stripe`), and the function that asks it.

use crate::harness::calls::Operation;
use serde_json::Value;

/// The secret by which events are signed here, by the stack's stand-in for Stripe as well.
pub(crate) const SECRET: &str = "whsec_interlock_stand_in_0123456789";

/// Lets a shop take cards, with events signed by [`SECRET`].
pub(crate) fn take_cards() -> String {
    format!(
        "update interlock.settings set payment_methods = payment_methods || '{{card}}'
         where not 'card' = any (payment_methods);
         insert into interlock.payment_secrets (provider, secret) values ('stripe', '{SECRET}')
         on conflict do nothing;"
    )
}

/// `payment-intent`.
pub(crate) const PAYMENT_INTENT: Operation =
    Operation::of(&interlock_domain::shop::payment_intent::PAYMENT_INTENT);

/// The stand-in for Stripe of the stack.
pub(crate) struct StandIn {
    url: String,
    secret_key: String,
    http: reqwest::Client,
}

impl StandIn {
    /// The one of a stack, by its variables `STRIPE_API_URL` and `STRIPE_SECRET_KEY`.
    pub(crate) fn at(url: String, secret_key: String) -> Self {
        Self {
            url,
            secret_key,
            http: reqwest::Client::new(),
        }
    }

    /// Tells it what to do: see `crates/stack/src/stripe/mod.rs`.
    pub(crate) async fn told(&self, path: &str, body: impl ToString) -> Value {
        let url = format!("{}/stand-in{path}", self.url);
        let answer = self.http.post(url).body(body.to_string()).send().await;
        let answer = answer.expect("the stand-in answers");
        let status = answer.status();
        let said: Value = answer.json().await.expect("JSON");
        assert_eq!(status, 200, "{path}: {said}");
        said
    }

    /// No fault is left, and events come at once.
    pub(crate) async fn kind(&self) {
        let url = format!("{}/stand-in", self.url);
        let answer = self.http.delete(url).send().await;
        assert!(answer.is_ok_and(|answer| answer.status() == 200));
    }

    /// Calls its API as the shop, unless it hangs up.
    pub(crate) async fn try_call(
        &self,
        path: &str,
        form: &[(&str, &str)],
    ) -> reqwest::Result<Value> {
        let url = format!("{}/v1/{path}", self.url);
        let request = match form {
            [] => self.http.get(url),
            _ => self.http.post(url).form(form),
        };
        let request = request.bearer_auth(&self.secret_key);
        request.send().await?.json().await
    }

    /// A card pays an intent, unless the stand-in hangs up.
    pub(crate) async fn try_pay(&self, intent: &str) -> reqwest::Result<Value> {
        let path = format!("payment_intents/{intent}/confirm");
        self.try_call(&path, &[("payment_method", "pm_card_visa")])
            .await
    }

    /// The intents that there are.
    pub(crate) async fn all_intents(&self) -> Vec<Value> {
        let list = self.try_call("payment_intents", &[]).await;
        let list = list.expect("the stand-in answers");
        list["data"].as_array().cloned().unwrap_or_default()
    }
}
