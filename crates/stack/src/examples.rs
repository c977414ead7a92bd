//! The ready-to-paste calls that `up` prints.

use anyhow::Result;

use crate::keys::{UserToken, user_token};
use crate::status::Status;

struct Example {
    title: &'static str,
    user: &'static str,
    function: &'static str,
    body: &'static str,
}

/// One batch of the seed, which only one driver can win.
const BATCH: &str = r#"{"batch_id":"ba7c4000-0000-4000-8000-000000000001"}"#;

const EXAMPLES: &[Example] = &[
    Example {
        title: "Driver A claims a batch",
        user: "driver-a",
        function: "claim-route",
        body: BATCH,
    },
    Example {
        title: "Driver B wants the same batch",
        user: "driver-b",
        function: "claim-route",
        body: BATCH,
    },
    Example {
        title: "A buyer is no driver",
        user: "buyer",
        function: "claim-route",
        body: BATCH,
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
        text += &format!(
            "# {}\ncurl -i -X POST {}/functions/v1/{} -H \"Authorization: Bearer {token}\" -H \"Content-Type: application/json\" -d '{}'\n\n",
            example.title,
            status.api_url(),
            example.function,
            example.body
        );
    }
    Ok(text)
}
