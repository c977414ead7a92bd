//! Rows that the tests of deliveries need, and what they ask of them.

use crate::areas::inventory::rows::call;
use crate::harness::stack::Bench;
use serde_json::Value;
use tokio_postgres::Client;
use uuid::Uuid;

/// The worker's, in every test.
pub(crate) const SECRET: &str = "the-secret-of-the-worker-of-the-tests";

/// An endpoint that nobody is at.
pub(crate) struct Endpoint {
    pub(crate) id: Uuid,
    /// Of its events, and of nobody else's.
    pub(crate) kind: String,
}

impl Bench {
    /// Lets webhooks go to this machine, and the tests' worker claim them.
    pub(crate) async fn deliver(&self) {
        self.db
            .batch_execute(&format!(
                "update interlock.settings set webhooks_anywhere = true;
                 select public.set_deliver_secret('{SECRET}')"
            ))
            .await
            .expect("webhooks can be sent to this machine");
    }

    /// An endpoint for events of a type of its own.
    pub(crate) async fn endpoint(&self, ordered: bool) -> Endpoint {
        self.deliver().await;
        let letters = |digit: char| char::from(b'a' + digit.to_digit(16).unwrap_or(0) as u8);
        let own: String = Uuid::new_v4()
            .simple()
            .to_string()
            .chars()
            .map(letters)
            .collect();
        let kind = format!("test.{own}");
        let create = format!(
            "public.create_webhook_endpoint('http://127.0.0.1:9/', p_event_types => '{{{kind}}}', p_ordered => {ordered})"
        );
        let made = call(&self.db, &create)
            .await
            .expect("an endpoint can be made");
        let id = made["endpoint"]["id"]
            .as_str()
            .and_then(|id| id.parse().ok());
        Endpoint {
            id: id.expect("it has an id"),
            kind,
        }
    }
}

/// Writes an event.
pub(crate) fn note(endpoint: &Endpoint, subject: usize, n: usize) -> String {
    format!(
        r#"select interlock.note_event('{}', '{subject}', '{{"n": {n}}}');"#,
        endpoint.kind
    )
}

/// What is leased to one that claims.
pub(crate) async fn claim(session: &Client, limit: usize) -> Result<Vec<Value>, String> {
    let claim = format!("public.claim_deliveries('{}', {limit})", SECRET);
    let answer = call(session, &claim).await?;
    Ok(answer["deliveries"].as_array().cloned().unwrap_or_default())
}

/// Records that one was accepted; answers whether it was the caller's to record.
pub(crate) async fn accept(session: &Client, delivery: &Value) -> Result<bool, String> {
    let record = format!(
        "public.record_delivery({}, '{}', 200)",
        delivery["id"],
        delivery["lease"].as_str().unwrap_or_default()
    );
    Ok(call(session, &record).await?["recorded"] == true)
}
