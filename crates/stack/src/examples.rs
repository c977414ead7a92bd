//! The ready-to-paste calls that `up` prints.

use anyhow::Result;

use crate::keys::{UserToken, user_token};
use crate::people;
use crate::status::Status;

struct Example {
    title: &'static str,
    user: &'static str,
    function: &'static str,
    header: Option<&'static str>,
    body: &'static str,
}

/// One batch of the seed, which only one driver can win.
const BATCH: &str = r#"{"batch_id":"ba7c4000-0000-4000-8000-000000000001"}"#;

const EXAMPLES: &[Example] = &[
    Example {
        title: "Driver A claims a batch",
        user: "driver-a",
        function: "claim-route",
        header: None,
        body: BATCH,
    },
    Example {
        title: "Driver B wants the same batch",
        user: "driver-b",
        function: "claim-route",
        header: None,
        body: BATCH,
    },
    Example {
        title: "A buyer takes three of the five in stock; again with a new key, and the rest is not enough",
        user: "buyer",
        function: "checkout",
        header: Some("Idempotency-Key: try-1"),
        body: r#"{"cart_items":[{"product_id":"9d0d0000-0000-4000-8000-000000000001","quantity":3}]}"#,
    },
];

/// The commands, with tokens that are good for an hour.
pub(crate) fn text(status: &Status) -> Result<String> {
    let mut text = String::new();
    for example in EXAMPLES {
        let token = user_token(&UserToken {
            user: example.user,
            role: "authenticated",
            expires_in: 3600,
            claims: None,
            api_url: status.api_url(),
        })?;
        let header = example
            .header
            .map(|header| format!(" -H \"{header}\""))
            .unwrap_or_default();
        text += &format!(
            "# {}\ncurl -i -X POST {}/functions/v1/{} -H \"Authorization: Bearer {token}\" -H \"Content-Type: application/json\"{header} -d '{}'\n\n",
            example.title,
            status.api_url(),
            example.function,
            example.body
        );
    }
    text += &format!(
        "# Sign in with the password {:?} as NAME@example.com: {}\n\n",
        people::PASSWORD,
        people::names()
    );
    if let Some(url) = status.variables.get("STRIPE_API_URL") {
        text += &format!(
            "# Payments by card go to the stand-in for Stripe at {url}: docs/payments.md pays one step by step\n\n"
        );
    }
    if let Some(url) = status.variables.get("CONSOLE_URL") {
        text += &format!("# See a race lost, and the same race kept: {url}\n\n");
    }
    Ok(text)
}
