//! Tests of token verification.

use jsonwebtoken::{EncodingKey, Header};

use super::*;

const SECRET: &str = "super-secret-jwt-token-with-at-least-32-characters-long";
const KID: &str = "key-1";

/// A fresh P-256 key pair: the private half as PKCS#8, the public half as a JWK.
fn key_pair(kid: &str) -> (EncodingKey, Value) {
    use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
    let random = ring::rand::SystemRandom::new();
    let der = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
    let pair =
        EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der.as_ref(), &random).unwrap();
    // 0x04, x, y.
    let point = pair.public_key().as_ref();
    let jwk = json!({
        "kty": "EC", "crv": "P-256", "kid": kid,
        "x": URL_SAFE_NO_PAD.encode(&point[1..33]),
        "y": URL_SAFE_NO_PAD.encode(&point[33..]),
        "d": "private",
    });
    (EncodingKey::from_ec_der(der.as_ref()), jwk)
}

fn set_of(jwk: &Value) -> KeySet {
    KeySet::new(SECRET, Some(&json!({"keys": [jwk]}).to_string())).unwrap()
}

fn token(algorithm: Algorithm, kid: Option<&str>, key: &EncodingKey, exp: i64) -> String {
    let mut header = Header::new(algorithm);
    header.kid = kid.map(str::to_owned);
    jsonwebtoken::encode(&header, &json!({"sub": "u", "exp": exp}), key).unwrap()
}

const LATER: i64 = 4_000_000_000;

fn hmac(secret: &[u8]) -> EncodingKey {
    EncodingKey::from_secret(secret)
}

#[test]
fn a_token_signed_with_the_secret_is_accepted() {
    let set = KeySet::new(SECRET, None).unwrap();
    let key = hmac(SECRET.as_bytes());
    assert_eq!(
        set.verify(&token(Algorithm::HS256, None, &key, LATER)),
        Ok(())
    );
    // The plain secret has no name, so a name means nothing.
    assert_eq!(
        set.verify(&token(Algorithm::HS256, Some("x"), &key, LATER)),
        Ok(())
    );
}

#[test]
fn a_forged_signature_is_refused() {
    let set = KeySet::new(SECRET, None).unwrap();
    let forged = token(Algorithm::HS256, None, &hmac(b"another secret"), LATER);
    assert_eq!(set.verify(&forged), Err(Refused::Invalid));
}

#[test]
fn an_expired_token_is_told_from_a_forged_one() {
    let set = KeySet::new(SECRET, None).unwrap();
    let old = token(
        Algorithm::HS256,
        None,
        &hmac(SECRET.as_bytes()),
        1_000_000_000,
    );
    assert_eq!(set.verify(&old), Err(Refused::Expired));
    let forged_and_old = token(Algorithm::HS256, None, &hmac(b"x"), 1_000_000_000);
    assert_eq!(set.verify(&forged_and_old), Err(Refused::Invalid));
}

#[test]
fn a_token_that_is_not_valid_yet_is_refused() {
    let set = KeySet::new(SECRET, None).unwrap();
    let claims = json!({"sub": "u", "exp": LATER, "nbf": LATER - 10});
    let early =
        jsonwebtoken::encode(&Header::default(), &claims, &hmac(SECRET.as_bytes())).unwrap();
    assert_eq!(set.verify(&early), Err(Refused::Invalid));
}

#[test]
fn algorithm_none_is_refused() {
    let set = KeySet::new(SECRET, None).unwrap();
    for header in [r#"{"alg":"none","typ":"JWT"}"#, r#"{"typ":"JWT"}"#] {
        let unsigned = format!(
            "{}.{}.",
            URL_SAFE_NO_PAD.encode(header),
            URL_SAFE_NO_PAD.encode(r#"{"sub":"u","exp":4000000000}"#)
        );
        assert_eq!(set.verify(&unsigned), Err(Refused::Invalid));
    }
}

#[test]
fn other_hmac_algorithms_are_refused() {
    let set = KeySet::new(SECRET, None).unwrap();
    let other = token(Algorithm::HS512, None, &hmac(SECRET.as_bytes()), LATER);
    assert_eq!(set.verify(&other), Err(Refused::Invalid));
}

#[test]
fn a_signing_key_of_the_set_is_accepted() {
    let (private, jwk) = key_pair(KID);
    let set = set_of(&jwk);
    assert_eq!(
        set.verify(&token(Algorithm::ES256, Some(KID), &private, LATER)),
        Ok(())
    );
    assert_eq!(
        set.verify(&token(Algorithm::ES256, None, &private, LATER)),
        Ok(())
    );
    // Tokens of the secret, such as the legacy keys, stay good.
    let legacy = token(Algorithm::HS256, None, &hmac(SECRET.as_bytes()), LATER);
    assert_eq!(set.verify(&legacy), Ok(()));
}

#[test]
fn a_forged_token_with_the_real_key_id_is_refused() {
    let (_, jwk) = key_pair(KID);
    let (other, _) = key_pair(KID);
    let forged = token(Algorithm::ES256, Some(KID), &other, LATER);
    assert_eq!(set_of(&jwk).verify(&forged), Err(Refused::Invalid));
}

#[test]
fn a_key_of_another_name_is_not_tried() {
    let (private, jwk) = key_pair(KID);
    let other = token(Algorithm::ES256, Some("key-2"), &private, LATER);
    assert_eq!(set_of(&jwk).verify(&other), Err(Refused::Invalid));
}

#[test]
fn a_public_key_is_no_hmac_secret() {
    let (_, jwk) = key_pair(KID);
    let x = jwk["x"].as_str().unwrap().to_owned();
    let set = set_of(&jwk);
    for secret in [x.clone().into_bytes(), URL_SAFE_NO_PAD.decode(x).unwrap()] {
        let confused = token(Algorithm::HS256, Some(KID), &hmac(&secret), LATER);
        assert_eq!(set.verify(&confused), Err(Refused::Invalid));
    }
}

#[test]
fn only_public_members_are_shown() {
    let (_, jwk) = key_pair(KID);
    let set = set_of(&jwk);
    let shown = set.public_jwks().to_string();
    assert!(shown.contains(KID));
    assert!(
        !shown.contains("\"d\"") && !shown.contains("oct"),
        "{shown}"
    );
    assert!(set.api_secret().contains("\"oct\""));
    assert_eq!(KeySet::new(SECRET, None).unwrap().api_secret(), SECRET);
}

#[test]
fn an_unknown_kind_of_key_is_refused_at_the_start() {
    for set in [
        "{",
        "{}",
        r#"{"keys":[{"kty":"oct","k":"eA"}]}"#,
        r#"{"keys":[{}]}"#,
    ] {
        assert!(KeySet::new(SECRET, Some(set)).is_err(), "{set}");
    }
}
