//! Which tokens the gateway accepts: HS256 with the project's secret, ES256 and RS256
//! with the keys of an optional JWK set.

use anyhow::{Context, Result, bail};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::{Value, json};

/// One key and the only algorithm it may be used with.
struct Key {
    kid: Option<String>,
    // The plain secret has no name and answers to any, as in PostgREST; a key of a set does not.
    any_kid: bool,
    algorithm: Algorithm,
    key: DecodingKey,
}

/// The keys of a project.
pub(crate) struct KeySet {
    keys: Vec<Key>,
    secret: String,
    // The public halves as they were given, without private members.
    public: Vec<Value>,
}

/// Why a token was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    /// The token was good once.
    Expired,
    /// Not a token, or signed by nobody we know.
    Invalid,
}

impl KeySet {
    /// The secret, and the keys of `jwks` (a JWK set as JSON) when there is one.
    pub(crate) fn new(secret: &str, jwks: Option<&str>) -> Result<Self> {
        let mut keys = vec![Key {
            kid: None,
            any_kid: jwks.is_none(),
            algorithm: Algorithm::HS256,
            key: DecodingKey::from_secret(secret.as_bytes()),
        }];
        let mut public = Vec::new();
        if let Some(text) = jwks {
            let set: Value = serde_json::from_str(text).context("the JWK set is not JSON")?;
            let Some(list) = set.get("keys").and_then(Value::as_array) else {
                bail!("the JWK set has no list \"keys\"");
            };
            for jwk in list {
                let (key, shown) = asymmetric(jwk)?;
                keys.push(key);
                public.push(shown);
            }
        }
        Ok(Self {
            keys,
            secret: secret.to_owned(),
            public,
        })
    }

    /// Whether a token is signed by one of our keys and is valid now.
    pub(crate) fn verify(&self, token: &str) -> Result<(), Refused> {
        self.claims(token).map(|_| ())
    }

    /// What a token says, if it is signed by one of our keys and is valid now.
    pub(crate) fn claims(&self, token: &str) -> Result<Value, Refused> {
        let header = jsonwebtoken::decode_header(token).map_err(|_| Refused::Invalid)?;
        let mut outcome = Err(Refused::Invalid);
        for key in &self.keys {
            // The key decides the algorithm, never the token: a public key must not
            // serve as an HMAC secret.
            let named = match &header.kid {
                Some(kid) => key.any_kid || key.kid.as_ref() == Some(kid),
                None => true,
            };
            if key.algorithm != header.alg || !named {
                continue;
            }
            let mut validation = Validation::new(key.algorithm);
            validation.leeway = 0;
            validation.validate_nbf = true;
            validation.validate_aud = false;
            validation.required_spec_claims.clear();
            match jsonwebtoken::decode::<Value>(token, &key.key, &validation) {
                Ok(token) => return Ok(token.claims),
                Err(error) => {
                    if *error.kind() == jsonwebtoken::errors::ErrorKind::ExpiredSignature {
                        outcome = Err(Refused::Expired);
                    }
                }
            }
        }
        outcome
    }

    /// The set that may be shown to anybody.
    pub(crate) fn public_jwks(&self) -> Value {
        json!({"keys": self.public})
    }

    /// What `PGRST_JWT_SECRET` must hold so that the API accepts the same tokens.
    pub(crate) fn api_secret(&self) -> String {
        if self.public.is_empty() {
            return self.secret.clone();
        }
        let mut keys = vec![json!({
            "kty": "oct",
            "alg": "HS256",
            "k": URL_SAFE_NO_PAD.encode(&self.secret),
        })];
        keys.extend(self.public.iter().cloned());
        json!({"keys": keys}).to_string()
    }
}

/// The role that a token is for; whoever gets the token checks it.
pub(crate) fn role(token: &str) -> Option<String> {
    let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    let claims: Value = serde_json::from_slice(&claims).ok()?;
    claims["role"].as_str().map(str::to_owned)
}

fn asymmetric(jwk: &Value) -> Result<(Key, Value)> {
    let text = |name: &str| jwk.get(name).and_then(Value::as_str);
    let need = |name: &'static str| {
        text(name).with_context(|| format!("a key of the JWK set has no {name:?}"))
    };
    let (algorithm, key, members): (_, _, &[&str]) = match (need("kty")?, text("crv")) {
        ("EC", Some("P-256")) => (
            Algorithm::ES256,
            DecodingKey::from_ec_components(need("x")?, need("y")?)?,
            &["kty", "crv", "x", "y"],
        ),
        ("RSA", _) => (
            Algorithm::RS256,
            DecodingKey::from_rsa_components(need("n")?, need("e")?)?,
            &["kty", "n", "e"],
        ),
        (kty, _) => bail!("the JWK set has a key of kind {kty:?}; ES256 and RS256 keys are known"),
    };
    let mut shown = json!({});
    for name in members.iter().chain(&["kid"]) {
        if let Some(value) = text(name) {
            shown[*name] = value.into();
        }
    }
    shown["alg"] = format!("{algorithm:?}").into();
    shown["use"] = "sig".into();
    shown["key_ops"] = json!(["verify"]);
    let key = Key {
        kid: text("kid").map(str::to_owned),
        any_kid: false,
        algorithm,
        key,
    };
    Ok((key, shown))
}

#[cfg(test)]
#[path = "jwt_tests.rs"]
mod tests;
