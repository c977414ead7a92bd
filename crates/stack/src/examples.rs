//! What `up` prints when everything is there: where it is, and what to try. Tokens are in variables, so that it fits a screen.

use std::fmt::Write as _;

use anyhow::Result;

use crate::envfile;
use crate::keys::{UserToken, user_token};
use crate::people::{self, Account};
use crate::status::Status;

/// For how many seconds the tokens in the variables are good.
const GOOD_FOR: i64 = 3600;

struct Example {
    title: &'static str,
    /// The variable with the token.
    token: &'static str,
    function: &'static str,
    header: Option<&'static str>,
    body: &'static str,
}

const EXAMPLES: &[Example] = &[
    Example {
        title: "Driver A claims a batch. Then the same as $DRIVER_B: it is taken",
        token: "DRIVER_A",
        function: "claim-route",
        header: None,
        body: r#"{"batch_id": "ba7c4000-0000-4000-8000-000000000001"}"#,
    },
    Example {
        title: "A buyer takes three of the five in stock; with a new key, the rest is not enough",
        token: "BUYER",
        function: "checkout",
        header: Some("Idempotency-Key: try-1"),
        body: r#"{"cart_items": [{"product_id": "9d0d0000-0000-4000-8000-000000000001", "quantity": 3}]}"#,
    },
];

/// Where things are: name and variable.
const PLACES: [(&str, &str); 8] = [
    ("API", "API_URL"),
    ("Database", "DB_URL"),
    ("Console", "CONSOLE_URL"),
    ("Mails", "RESEND_API_URL"),
    ("Stripe, stand-in", "STRIPE_API_URL"),
    ("Redis over HTTP", "INTERLOCK_LOCK_URL"),
    ("Publishable key", "PUBLISHABLE_KEY"),
    ("Secret key", "SECRET_KEY"),
];

/// The addresses, the keys that apps use, and commands to paste.
pub(crate) fn text(status: &Status) -> Result<String> {
    let mut text = String::new();
    for (name, variable) in PLACES {
        if let Some(value) = status.variables.get(variable) {
            writeln!(text, "  {name:<17} {value}")?;
        }
    }
    writeln!(text, "  {:<17} npm run -s stack -- status", "All keys")?;
    writeln!(
        text,
        "  {:<17} NAME@example.com, {}: {}",
        "Sign in as",
        people::PASSWORD,
        people::names()
    )?;
    text += "\nTo try it, in a second terminal:\n\n  eval \"$(npm run -s stack -- env)\"\n";
    for example in EXAMPLES {
        let header = example
            .header
            .map(|header| format!(" -H \"{header}\""))
            .unwrap_or_default();
        write!(
            text,
            "\n  # {}\n  curl -i \"$API_URL/functions/v1/{}\"{header} \\\n    \
             -H \"Authorization: Bearer ${}\" -H \"Content-Type: application/json\" \\\n    -d '{}'\n",
            example.title, example.function, example.token, example.body
        )?;
    }
    text += "\nA payment by card, step by step: docs/payments.md\n";
    Ok(text)
}

/// Lines that a shell takes: what `status -o env` prints of the project, and a token for each of the people. What would be a setting
/// of the next stack that is started in that shell is left out.
pub(crate) fn env(status: &Status) -> Result<String> {
    let mut text = String::new();
    for (name, value) in &status.variables {
        if !envfile::is_setting(name) {
            writeln!(text, "export {name}='{value}'")?;
        }
    }
    for person in &people::PEOPLE {
        let token = user_token(&UserToken {
            account: &Account::of(person.name)?,
            role: "authenticated",
            expires_in: GOOD_FOR,
            claims: None,
            api_url: status.api_url(),
        })?;
        writeln!(text, "export {}='{token}'", person.variable())?;
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_fit_a_screen_and_use_only_variables_that_there_are() {
        let status = Status::new(54321, 54322).unwrap();
        let (text, env) = (text(&status).unwrap(), env(&status).unwrap());
        assert!(text.lines().count() < 30, "{text}");
        for line in text.lines() {
            assert!(line.len() <= 110, "{line}");
        }
        let used: Vec<&str> = text
            .split('$')
            .skip(1)
            .map(|rest| {
                let end = rest.find(|c: char| !c.is_ascii_uppercase() && c != '_');
                &rest[..end.unwrap_or(rest.len())]
            })
            .filter(|name| !name.is_empty())
            .collect();
        assert!(used.contains(&"DRIVER_A"), "{used:?}");
        for name in used {
            assert!(env.contains(&format!("export {name}='")), "{name}");
        }
        assert!(!text.contains("eyJ"), "a token is in a variable");
    }

    #[test]
    fn a_shell_is_given_nothing_that_ends_its_quotes() {
        let mut status = Status::new(1, 2).unwrap();
        let stripe = crate::stripe::variables(3);
        status.variables.extend(stripe);
        assert!(
            !env(&status).unwrap().contains("STRIPE_"),
            "the next stack would take them"
        );
        for line in env(&status).unwrap().lines() {
            assert!(
                line.starts_with("export ") && line.matches('\'').count() == 2,
                "{line}"
            );
        }
    }
}
