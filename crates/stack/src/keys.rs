//! The well-known development keys of `supabase start`, and tokens for people.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::people;

/// The secret that signs every HS256 token of a development project.
pub(crate) const JWT_SECRET: &str = "super-secret-jwt-token-with-at-least-32-characters-long";
/// The key that web and mobile apps carry.
pub(crate) const PUBLISHABLE_KEY: &str = "sb_publishable_ACJWlzQHlZjBrEguHvfOxg_3BJgxAaH";
/// The key that servers carry; it passes row security.
pub(crate) const SECRET_KEY: &str = "sb_secret_N7UND0UgjKTVK-Uodkm0Hg_xSvEMPvz";

// Serialised by hand: the bytes must equal the well-known tokens, so field order counts.
const HEADER: &str = r#"{"alg":"HS256","typ":"JWT"}"#;

/// The legacy `anon` key.
pub(crate) fn anon_key() -> Result<String> {
    sign(r#"{"iss":"supabase-demo","role":"anon","exp":1983812996}"#)
}

/// The legacy `service_role` key.
pub(crate) fn service_role_key() -> Result<String> {
    sign(r#"{"iss":"supabase-demo","role":"service_role","exp":1983812996}"#)
}

/// What a token for a person says.
#[derive(Debug)]
pub(crate) struct UserToken<'a> {
    /// A uuid, or one of the seeded people by name.
    pub(crate) user: &'a str,
    /// The database role of the request.
    pub(crate) role: &'a str,
    /// Seconds until the token expires; negative for one that already has.
    pub(crate) expires_in: i64,
    /// A JSON object whose members replace or extend the usual claims.
    pub(crate) claims: Option<&'a str>,
    /// The root of the API, which names the issuer.
    pub(crate) api_url: &'a str,
}

/// Mints a token like the one Supabase Auth gives after a sign-in.
pub(crate) fn user_token(token: &UserToken<'_>) -> Result<String> {
    let person = people::find(token.user);
    let (id, email) = match person {
        Some(person) => (person.id.to_owned(), person.email()),
        None => {
            let id = Uuid::parse_str(token.user).with_context(|| {
                format!(
                    "{:?} is neither a uuid nor one of {}",
                    token.user,
                    people::names()
                )
            })?;
            (id.to_string(), String::new())
        }
    };
    let mut app_metadata = json!({"provider": "email", "providers": ["email"]});
    if let Some(role) = person.and_then(|person| person.role) {
        app_metadata["role"] = role.into();
    }
    let now = unix_now()?;
    let mut claims = json!({
        "iss": format!("{}/auth/v1", token.api_url),
        "sub": id,
        "aud": "authenticated",
        "exp": now + token.expires_in,
        "iat": now,
        "email": email,
        "phone": "",
        "app_metadata": app_metadata,
        "user_metadata": {},
        "role": token.role,
        "aal": "aal1",
        "amr": [{"method": "password", "timestamp": now}],
        "session_id": Uuid::new_v4().to_string(),
        "is_anonymous": false,
    });
    if let Some(extra) = token.claims {
        let extra: Map<String, Value> =
            serde_json::from_str(extra).context("--claims is not a JSON object")?;
        match claims.as_object_mut() {
            Some(claims) => claims.extend(extra),
            None => bail!("the claims are not an object"),
        }
    }
    sign(&claims.to_string())
}

/// Signs a payload as it is, with the development secret.
pub(crate) fn sign(payload: &str) -> Result<String> {
    let message = format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(HEADER),
        URL_SAFE_NO_PAD.encode(payload)
    );
    let key = EncodingKey::from_secret(JWT_SECRET.as_bytes());
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &key, Algorithm::HS256)?;
    Ok(format!("{message}.{signature}"))
}

fn unix_now() -> Result<i64> {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .context("the clock stands before 1970")?;
    Ok(i64::try_from(since.as_secs())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn legacy_keys_equal_the_well_known_ones() {
        assert_eq!(
            anon_key().unwrap(),
            "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJzdXBhYmFzZS1kZW1vIiwicm9sZSI6ImFub24iLCJleHAiOjE5ODM4MTI5OTZ9.CRXP1A7WOeoJeXxjNni43kdQwgnWNReilDMblYTn_I0"
        );
        assert_eq!(
            service_role_key().unwrap(),
            "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJzdXBhYmFzZS1kZW1vIiwicm9sZSI6InNlcnZpY2Vfcm9sZSIsImV4cCI6MTk4MzgxMjk5Nn0.EGIM96RAZx35lJzdJsyH-qQwv8Hdp7fsn3W0YpN81IU"
        );
    }

    fn claims_of(token: &str) -> Value {
        let payload = token.split('.').nth(1).unwrap();
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
    }

    fn token(user: &str, claims: Option<&str>) -> Result<String> {
        user_token(&UserToken {
            user,
            role: "authenticated",
            expires_in: 60,
            claims,
            api_url: "http://127.0.0.1:54321",
        })
    }

    #[test]
    fn a_seeded_name_stands_for_its_user() {
        let claims = claims_of(&token("driver-b", None).unwrap());
        assert_eq!(claims["sub"], "a0000000-0000-4000-8000-00000000000b");
        assert_eq!(claims["email"], "driver-b@example.com");
        assert_eq!(claims["aud"], "authenticated");
        assert_eq!(claims["iss"], "http://127.0.0.1:54321/auth/v1");
        assert_eq!(claims["app_metadata"].get("role"), None);
        let claims = claims_of(&token("staff", None).unwrap());
        assert_eq!(claims["app_metadata"]["role"], "staff");
    }

    #[test]
    fn extra_claims_replace_usual_ones() {
        let claims = claims_of(&token("buyer", Some(r#"{"aal":"aal2","x":1}"#)).unwrap());
        assert_eq!((&claims["aal"], &claims["x"]), (&json!("aal2"), &json!(1)));
        assert!(token("buyer", Some("[]")).is_err());
    }

    #[test]
    fn an_unknown_name_is_refused_with_the_known_ones() {
        let error = token("driver-z", None).unwrap_err().to_string();
        assert!(error.contains("driver-a"), "{error}");
    }
}
