//! Who is calling, as far as a function needs to know it.
//!
//! The platform's gateway verifies tokens, and so does PostgREST; the signature is theirs to check.
//! But the gateway also lets a bare API key pass, so "it came through the gateway" is not "signed
//! in". This reads the claims (RFC 7519) to refuse such calls before the database is asked.

use crate::fields::is_uuid;
use crate::json::{Claims, Codec};

/// Clocks differ a little; PostgREST allows the same.
const LEEWAY_MS: f64 = 30_000.0;

/// Longer than any real access token.
const MAX_LENGTH: usize = 16 * 1024;

/// Why a request has no user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anonymous {
    /// There is no bearer token.
    NoToken,
    /// The token is an API key or another token without a user.
    NotAUser,
    /// The token is not a JWT.
    Malformed,
    /// The token's time is over.
    Expired,
}

impl Anonymous {
    /// The reason as it stands in the error's `details`.
    pub fn reason(self) -> &'static str {
        match self {
            Anonymous::NoToken => "no_token",
            Anonymous::NotAUser => "not_a_user_token",
            Anonymous::Malformed => "malformed_token",
            Anonymous::Expired => "expired_token",
        }
    }
}

/// Checks that an `authorization` header carries a user's access token that is not over yet; or, if `by_shop`, one of
/// the service role.
pub fn check(
    codec: &impl Codec,
    authorization: Option<&str>,
    now: f64,
    by_shop: bool,
) -> Result<(), Anonymous> {
    let token = authorization.and_then(bearer).ok_or(Anonymous::NoToken)?;
    // The platform's opaque API keys are no JWTs; say what they are rather than "malformed".
    if token.starts_with("sb_") {
        return Err(Anonymous::NotAUser);
    }
    let claims = claims(codec, token).ok_or(Anonymous::Malformed)?;
    // Tokens of other sign-in services may name their users otherwise; `auth.uid()` fails on those.
    let is_user =
        claims.sub.as_deref().is_some_and(is_uuid) && claims.role.as_deref() != Some("anon");
    let is_shop = by_shop && claims.role.as_deref() == Some("service_role");
    if !is_user && !is_shop {
        return Err(Anonymous::NotAUser);
    }
    match claims.exp {
        Some(expires) if expires * 1000.0 + LEEWAY_MS < now => Err(Anonymous::Expired),
        _ => Ok(()),
    }
}

/// The token of a `Bearer` header (RFC 6750 §2.1); the scheme's case does not matter.
fn bearer(header: &str) -> Option<&str> {
    let (scheme, token) = header.trim().split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

fn claims(codec: &impl Codec, token: &str) -> Option<Claims> {
    let mut parts = token.split('.');
    let (_, payload, _) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() || token.len() > MAX_LENGTH {
        return None;
    }
    codec.claims(&String::from_utf8(decode(payload)?).ok()?)
}

/// Decodes base64url without padding (RFC 7515 §2). By hand: the crate's tables and its speed on long
/// inputs would cost each function 5 KB.
fn decode(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut bits = 0_u32;
    let mut count = 0;
    for byte in text.bytes() {
        let digit = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'-' => 62,
            b'_' => 63,
            _ => return None,
        };
        bits = (bits << 6) + u32::from(digit);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
        }
    }
    // A byte needs two digits, and the last one's spare bits have one spelling only.
    let spare = bits & ((1 << count) - 1);
    (count < 6 && spare == 0).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::SerdeJson;
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    const NOW: f64 = 1_800_000_000_000.0;
    const USER: &str = "b0000000-0000-4000-8000-000000000001";

    fn token(claims: &str) -> String {
        format!("Bearer e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims))
    }

    fn check_header(header: &str) -> Result<(), Anonymous> {
        check(&SerdeJson, Some(header), NOW, false)
    }

    #[test]
    fn the_service_role_is_nobody_and_passes_where_the_shop_may_call() {
        let shop = token(r#"{"role":"service_role"}"#);
        let over = token(r#"{"role":"service_role","exp":1}"#);
        let check = |header: &str, by_shop| super::check(&SerdeJson, Some(header), NOW, by_shop);
        assert_eq!(check(&shop, true), Ok(()));
        assert_eq!(check(&shop, false), Err(Anonymous::NotAUser));
        assert_eq!(check(&over, true), Err(Anonymous::Expired));
        let key = token(r#"{"role":"anon"}"#);
        assert_eq!(check(&key, true), Err(Anonymous::NotAUser));
    }

    #[test]
    fn a_users_token_passes_until_it_is_over() {
        let with_expiry = |exp: i64| {
            token(&format!(
                r#"{{"sub":"{USER}","role":"authenticated","exp":{exp}}}"#
            ))
        };
        assert_eq!(check_header(&with_expiry(1_800_000_001)), Ok(()));
        assert_eq!(check_header(&with_expiry(1_799_999_970)), Ok(()));
        assert_eq!(
            check_header(&with_expiry(1_799_999_969)),
            Err(Anonymous::Expired)
        );
    }

    #[test]
    fn an_api_key_is_not_a_user() {
        assert_eq!(
            check_header("Bearer sb_publishable_abc"),
            Err(Anonymous::NotAUser)
        );
        assert_eq!(
            check_header(&token(r#"{"role":"anon","exp":1983812996}"#)),
            Err(Anonymous::NotAUser)
        );
        assert_eq!(
            check_header(&token(r#"{"role":"service_role"}"#)),
            Err(Anonymous::NotAUser)
        );
        assert_eq!(
            check_header(&token(&format!(r#"{{"role":"anon","sub":"{USER}"}}"#))),
            Err(Anonymous::NotAUser)
        );
    }

    #[test]
    fn a_subject_that_is_no_uuid_is_not_a_user() {
        for subject in [
            r#""""#,
            r#""user_2abc""#,
            r#""x' or 1=1 --""#,
            "7",
            "null",
            "{}",
        ] {
            assert_eq!(
                check_header(&token(&format!(
                    r#"{{"sub":{subject},"role":"authenticated"}}"#
                ))),
                Err(Anonymous::NotAUser),
                "{subject}"
            );
        }
    }

    #[test]
    fn what_is_no_bearer_token_is_none() {
        assert_eq!(check(&SerdeJson, None, NOW, false), Err(Anonymous::NoToken));
        for header in ["", "Bearer", "Bearer ", "Basic dTpw", "token"] {
            assert_eq!(check_header(header), Err(Anonymous::NoToken), "{header}");
        }
        assert_eq!(
            check_header(&token(&format!(r#"{{"sub":"{USER}"}}"#)).replace("Bearer", "bearer")),
            Ok(())
        );
    }

    #[test]
    fn what_is_no_jwt_is_malformed() {
        for header in [
            "Bearer x",
            "Bearer a.b",
            "Bearer a.b.c.d",
            "Bearer e30.*.c2ln",
            "Bearer e30.WzFd.c2ln",
        ] {
            assert_eq!(check_header(header), Err(Anonymous::Malformed), "{header}");
        }
    }

    #[test]
    fn a_token_has_at_most_16_kib() {
        let whole = token(&format!(r#"{{"sub":"{USER}"}}"#));
        let padding = 16_384 + "Bearer ".len() - whole.len();
        let longest = format!("{whole}{}", "x".repeat(padding));
        assert_eq!(check_header(&longest), Ok(()));
        assert_eq!(
            check_header(&format!("{longest}x")),
            Err(Anonymous::Malformed)
        );
    }

    #[test]
    fn a_rest_of_base64url_that_is_no_byte_is_refused() {
        for text in ["A", "AAAAA", "AB", "AAB"] {
            assert_eq!(decode(text), None, "{text}");
        }
        assert_eq!(decode("AA"), Some(vec![0]));
    }

    proptest::proptest! {
        #[test]
        fn base64url_is_decoded_as_its_reference_does(
            bytes in proptest::collection::vec(0_u8.., 0..80),
            text in "[A-Za-z0-9_=+/-]{0,12}",
        ) {
            let encoded = URL_SAFE_NO_PAD.encode(&bytes);
            proptest::prop_assert_eq!(decode(&encoded), Some(bytes));
            proptest::prop_assert_eq!(decode(&text), URL_SAFE_NO_PAD.decode(&text).ok());
        }
    }
}
