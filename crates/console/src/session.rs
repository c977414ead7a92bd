//! Who is signed in, by what the platform's auth server answers.

use serde_json::{Value, json};

/// So long before its end a token is not used any more: a call has to arrive, and clocks differ.
const MARGIN_S: f64 = 30.0;

/// A signed-in person.
#[derive(Clone, Debug, PartialEq)]
pub struct Session {
    /// What each call is made with.
    pub token: String,
    /// What the next token is asked for with, once.
    pub refresh_token: String,
    /// When the token ends, in seconds since 1970.
    pub expires_at: f64,
    /// Who it is, as people read it.
    pub email: String,
}

impl Session {
    /// Reads the answer of `/auth/v1/token`, or what [`Session::write`] wrote. `now` is in seconds since 1970.
    pub fn read(answer: &Value, now: f64) -> Option<Self> {
        let text = |name: &str| answer[name].as_str().map(str::to_owned);
        let expires_at = answer["expires_at"]
            .as_f64()
            .or_else(|| Some(now + answer["expires_in"].as_f64()?))?;
        Some(Self {
            token: text("access_token")?,
            refresh_token: text("refresh_token")?,
            expires_at,
            email: answer["user"]["email"]
                .as_str()
                .unwrap_or_default()
                .to_owned(),
        })
    }

    /// All of it, to be kept until the tab is closed.
    pub fn write(&self) -> String {
        json!({
            "access_token": self.token,
            "refresh_token": self.refresh_token,
            "expires_at": self.expires_at,
            "user": { "email": self.email },
        })
        .to_string()
    }

    /// Whether another token is needed before the next call.
    pub fn is_over(&self, now: f64) -> bool {
        now > self.expires_at - MARGIN_S
    }

    /// Whether the token says that its holder looks after the shop. The database asks the same of each call.
    pub fn is_staff(&self) -> bool {
        let payload = self.token.split('.').nth(1).and_then(decode);
        let claims = payload.and_then(|payload| serde_json::from_slice::<Value>(&payload).ok());
        claims.is_some_and(|claims| claims["app_metadata"]["role"] == "staff")
    }
}

/// Why nobody was signed in, by the answer's status and body.
pub fn refusal(status: u16, answer: &Value) -> Refusal {
    let code = answer["error_code"]
        .as_str()
        .or_else(|| answer["error"].as_str());
    match (status, code) {
        (_, Some("invalid_credentials" | "invalid_grant")) => Refusal::Unknown,
        (_, Some("email_not_confirmed")) => Refusal::Unconfirmed,
        (_, Some("user_banned")) => Refusal::Banned,
        (429, _) => Refusal::TooOften,
        // Auth servers of some years ago say 400 and nothing more that is of use.
        (400, None) => Refusal::Unknown,
        (404, _) => Refusal::NoAuth,
        _ => Refusal::Other(status),
    }
}

/// Why nobody was signed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// There is no such person, or the password is another one: nobody says which.
    Unknown,
    /// The address is not confirmed yet.
    Unconfirmed,
    /// The person is shut out.
    Banned,
    /// Too many tries.
    TooOften,
    /// There is no auth server.
    NoAuth,
    /// Something else, with this status.
    Other(u16),
}

/// Base64 as tokens have it.
fn decode(text: &str) -> Option<Vec<u8>> {
    let (mut bytes, mut bits, mut count) = (Vec::new(), 0_u32, 0);
    for byte in text.bytes() {
        let six = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'-' => 62,
            b'_' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(six);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count & 0xff) as u8);
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `{"sub":"x","app_metadata":{"role":"staff"}}`, and a cashier's.
    const STAFF: &str = "e30.eyJzdWIiOiJ4IiwiYXBwX21ldGFkYXRhIjp7InJvbGUiOiJzdGFmZiJ9fQ.c2ln";
    const CASHIER: &str = "e30.eyJhcHBfbWV0YWRhdGEiOnsicm9sZSI6ImNhc2hpZXIifX0.c2ln";

    fn answer(token: &str) -> Value {
        json!({
            "access_token": token, "token_type": "bearer", "expires_in": 3600, "expires_at": 5000, "refresh_token": "r",
            "user": { "id": "x", "email": "staff@example.com" },
        })
    }

    #[test]
    fn an_answer_is_a_session_until_its_end() {
        let session = Session::read(&answer(STAFF), 1400.0).expect("whole");
        assert_eq!(session.email, "staff@example.com");
        assert!(!session.is_over(4969.0) && session.is_over(4971.0));
        let kept = serde_json::from_str(&session.write()).expect("JSON");
        assert_eq!(Session::read(&kept, 0.0), Some(session));
        let mut without = answer(STAFF);
        without["expires_at"] = Value::Null;
        let session = Session::read(&without, 1400.0).expect("whole");
        assert_eq!(session.expires_at, 5000.0);
    }

    #[test]
    fn what_is_not_whole_is_none() {
        for missing in ["access_token", "refresh_token"] {
            let mut answer = answer(STAFF);
            answer[missing] = Value::Null;
            assert_eq!(Session::read(&answer, 0.0), None, "{missing}");
        }
        assert_eq!(Session::read(&json!("x"), 0.0), None);
    }

    #[test]
    fn rights_stand_in_the_token() {
        let is_staff =
            |token: &str| Session::read(&answer(token), 0.0).is_some_and(|one| one.is_staff());
        assert!(is_staff(STAFF));
        for other in [CASHIER, "", "a.b.c", "e30.e30.x", "e30.é.x"] {
            assert!(!is_staff(other), "{other}");
        }
    }

    #[test]
    fn a_refusal_has_a_reason() {
        let of = |status, code: &str| refusal(status, &json!({ "error_code": code }));
        assert_eq!(of(400, "invalid_credentials"), Refusal::Unknown);
        assert_eq!(of(400, "email_not_confirmed"), Refusal::Unconfirmed);
        assert_eq!(of(403, "user_banned"), Refusal::Banned);
        assert_eq!(of(429, "over_request_rate_limit"), Refusal::TooOften);
        assert_eq!(of(400, "validation_failed"), Refusal::Other(400));
        assert_eq!(
            refusal(400, &json!({ "error": "invalid_grant" })),
            Refusal::Unknown
        );
        assert_eq!(refusal(404, &Value::Null), Refusal::NoAuth);
        assert_eq!(refusal(502, &Value::Null), Refusal::Other(502));
    }
}
