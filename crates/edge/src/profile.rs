//! What a function needs once per isolate: the request template and the limits.
//!
//! postgrest-rs builds the RPC request once; each call then adds only its arguments and the
//! caller's authorization. Building it anew for every call costs about four times that overhead.

use interlock_domain::function::Function;
use interlock_domain::http::{ANSWER_HEADERS, MAX_ANSWER, MAX_BODY};
use interlock_domain::json::{Value, object};
use postgrest::Postgrest;
use serde::Serialize as _;
use serde_wasm_bindgen::Serializer;
use wasm_bindgen::JsValue;

/// The budget for all upstream calls of one request if none is set, in milliseconds.
const DEFAULT_TIMEOUT: u32 = 10_000;
const TIMEOUT_RANGE: std::ops::RangeInclusive<u32> = 100..=120_000;

/// Builds the profile of a function from the isolate's settings: the project's URL, its publishable (or
/// legacy anon) key and never the service role's, and `INTERLOCK_UPSTREAM_TIMEOUT_MS`. Returns
/// `{profile, error}`, one of them `null`, and `answerHeaders`, which every answer with a body has.
pub fn profile(
    function: &Function,
    url: Option<&str>,
    key: Option<&str>,
    timeout: Option<&str>,
) -> JsValue {
    let (profile, error) = match build(function, url, key, timeout) {
        Ok(profile) => (profile, Value::Null),
        Err(error) => (Value::Null, error.into()),
    };
    // Plain data always serialises.
    let headers = ANSWER_HEADERS.map(|(name, value)| (name, value.into()));
    object([
        ("profile", profile),
        ("error", error),
        ("answerHeaders", object(headers)),
    ])
    .serialize(&Serializer::json_compatible())
    .unwrap_or_default()
}

fn build(
    function: &Function,
    url: Option<&str>,
    key: Option<&str>,
    timeout: Option<&str>,
) -> Result<Value, &'static str> {
    let is_set = |setting: &&str| !setting.is_empty();
    let url = url.filter(is_set).ok_or("SUPABASE_URL is not set")?;
    if !is_plain(url) {
        return Err("SUPABASE_URL is not an http or https URL of a plain host");
    }
    let key = key
        .filter(is_set)
        .ok_or("neither SUPABASE_PUBLISHABLE_KEYS nor SUPABASE_ANON_KEY is set")?;
    let timeout = match timeout.filter(is_set) {
        None => DEFAULT_TIMEOUT,
        Some(text) => text
            .parse()
            .ok()
            .filter(|timeout| TIMEOUT_RANGE.contains(timeout))
            .ok_or("INTERLOCK_UPSTREAM_TIMEOUT_MS must be a whole number from 100 to 120000")?,
    };
    // postgrest-rs panics on a header that cannot be sent.
    if !key.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("the API key has characters that no header can carry");
    }
    let request = Postgrest::new(format!("{}/rest/v1", url.trim_end_matches('/')))
        .insert_header("apikey", key)
        .rpc(function.rpc, "")
        .build()
        .build()
        .map_err(|_| "SUPABASE_URL is not a URL")?;
    let headers = request.headers().iter();
    let headers = headers
        .filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.into())));
    Ok(object([
        ("url", request.url().as_str().into()),
        ("method", request.method().as_str().into()),
        ("headers", Value::Object(headers.collect())),
        ("timeout", timeout.into()),
        ("maxBody", MAX_BODY.into()),
        ("maxAnswer", MAX_ANSWER.into()),
    ]))
}

/// Whether a URL is of the kind that projects have: a host of lower-case letters, digits, dots, hyphens
/// and underscores (as containers have), perhaps a port, and no query. What reads the other kinds is not in the module: see crates/xtask/src/build/silence.rs.
fn is_plain(url: &str) -> bool {
    let rest = url.strip_prefix("https://").or(url.strip_prefix("http://"));
    let host = rest.and_then(|rest| rest.split('/').next());
    let has_query = url.bytes().any(|byte| matches!(byte, b'?' | b'#'));
    host.filter(|_| !has_query).is_some_and(|host| {
        let plain = |byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-' | b'_' | b':');
        // Punycode, the ASCII of other scripts.
        let coded = host
            .split(['.', ':'])
            .any(|label| label.starts_with("xn--"));
        // Where there is no host, the next part of the path would be read as one.
        !host.is_empty() && host.bytes().all(plain) && !coded
    })
}
