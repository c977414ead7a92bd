//! What has happened, as Stripe tells it: signed, to one endpoint, again if it is not taken.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::CONTENT_TYPE;
use hyper::{Method, Request, StatusCode};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use jsonwebtoken::{Algorithm, EncodingKey};
use serde_json::{Value, json};
use std::time::Duration;

use super::payments::{Happening, fresh};
use super::unix_time;

/// Stripe waits for hours between them, and goes on for three days.
const WAITS_MS: [u64; 8] = [200, 500, 1_000, 2_000, 4_000, 4_000, 8_000, 8_000];

/// One event, as it is sent each time.
#[derive(Clone, Debug)]
pub(super) struct Event {
    /// Its id.
    pub(super) id: String,
    /// As `payment_intent.succeeded`.
    pub(super) kind: String,
    /// The text that is signed.
    pub(super) body: String,
}

impl Event {
    /// Of what has happened.
    pub(super) fn of(happening: Happening, idempotency_key: Option<&str>) -> Self {
        let id = fresh("evt");
        let event = json!({
            "id": id,
            "object": "event",
            "api_version": "2025-09-30.clover",
            "created": unix_time(),
            "data": { "object": happening.object },
            "livemode": false,
            "pending_webhooks": 1,
            "request": { "id": fresh("req"), "idempotency_key": idempotency_key },
            "type": happening.kind,
        });
        // As Stripe writes it: over many lines, each of which is signed.
        let body = format!("{event:#}");
        let kind = happening.kind;
        Self { id, kind, body }
    }
}

/// The header `Stripe-Signature` of a text: https://docs.stripe.com/webhooks#verify-manually.
pub(super) fn signature(body: &str, secret: &str, seconds: i64) -> String {
    let key = EncodingKey::from_secret(secret.as_bytes());
    let signed = format!("{seconds}.{body}");
    let mac = jsonwebtoken::crypto::sign(signed.as_bytes(), &key, Algorithm::HS256);
    let mac = mac.ok().and_then(|mac| URL_SAFE_NO_PAD.decode(mac).ok());
    let digits: String = mac
        .unwrap_or_default()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("t={seconds},v1={digits},v0={}", "0".repeat(64))
}

/// Where events go.
#[derive(Clone, Debug)]
pub(super) struct Endpoint {
    /// Its URL.
    pub(super) url: String,
    /// What they are signed with.
    pub(super) secret: String,
    client: Client<HttpConnector, Full<Bytes>>,
}

impl Endpoint {
    /// An endpoint; nothing is sent yet.
    pub(super) fn new(url: String, secret: String) -> Self {
        let client = Client::builder(hyper_util::rt::TokioExecutor::new()).build_http();
        Self {
            url,
            secret,
            client,
        }
    }

    /// Sends an event until it is taken, or given up.
    pub(super) async fn deliver(&self, event: Event) {
        for wait in WAITS_MS.into_iter().map(Some).chain([None]) {
            if self
                .send(&event)
                .await
                .is_some_and(|status| status.is_success())
            {
                return;
            }
            match wait {
                Some(wait) => tokio::time::sleep(Duration::from_millis(wait)).await,
                None => return,
            }
        }
    }

    /// Sends an event once; the status of the answer, if there is one.
    pub(super) async fn send(&self, event: &Event) -> Option<StatusCode> {
        let signature = signature(&event.body, &self.secret, unix_time());
        let request = Request::builder()
            .method(Method::POST)
            .uri(&self.url)
            .header(CONTENT_TYPE, "application/json; charset=utf-8")
            .header("stripe-signature", signature)
            .body(Full::from(event.body.clone()))
            .ok()?;
        let answer = self.client.request(request);
        let answer = tokio::time::timeout(Duration::from_secs(20), answer).await;
        Some(answer.ok()?.ok()?.status())
    }
}

/// What came of sending an event, for whoever asked for it.
pub(super) fn told(event: &Event, status: Option<StatusCode>) -> Value {
    json!({ "id": event.id, "type": event.kind, "status": status.map(|status| status.as_u16()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made with `openssl dgst -sha256 -hmac whsec_test`.
    #[test]
    fn a_signature_is_the_hmac_of_time_and_text() {
        let header = signature("{}", "whsec_test", 1_800_000_000);
        let digits = header.split("v1=").nth(1).and_then(|rest| rest.get(..64));
        assert_eq!(
            digits,
            Some("482e6337ac5272392d375c6fdc4d52a7e615dc2facedab0ffe155ddfd6a56e66")
        );
        assert!(header.starts_with("t=1800000000,v1="));
    }
}
