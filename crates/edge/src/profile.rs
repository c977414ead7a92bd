//! What a function needs once per isolate: the request template and the limits.
//!
//! postgrest-rs builds the RPC request once; each call then adds only its arguments and the
//! caller's authorization. Building it anew for every call costs about four times that overhead.

use crate::json::{from_js, to_js};
use interlock_domain::function::Function;
use interlock_domain::http::{MAX_ANSWER, MAX_BODY};
use interlock_domain::json::{Value, object};
use postgrest::Postgrest;
use wasm_bindgen::JsValue;

/// The budget for all upstream calls of one request if none is set, in milliseconds.
const DEFAULT_TIMEOUT: u32 = 10_000;
const TIMEOUT_RANGE: std::ops::RangeInclusive<u32> = 100..=120_000;

/// Builds the profile of a function from the isolate's settings `{url, key, timeout}`: the project's
/// URL, its publishable (or legacy anon) key and never the service role's, and
/// `INTERLOCK_UPSTREAM_TIMEOUT_MS`. Returns `{profile, error}`, one of them `null`.
pub fn profile(function: &Function, settings: JsValue) -> JsValue {
    let (profile, error) = match build(function, settings) {
        Ok(profile) => (profile, Value::Null),
        Err(error) => (Value::Null, error.into()),
    };
    to_js(&object([("profile", profile), ("error", error)]))
}

fn build(function: &Function, settings: JsValue) -> Result<Value, &'static str> {
    let settings = from_js(&settings).unwrap_or(Value::Null);
    let setting = |name| {
        settings
            .get(name)
            .and_then(Value::as_text)
            .filter(|text| !text.is_empty())
    };
    let url = setting("url").ok_or("SUPABASE_URL is not set")?;
    let key =
        setting("key").ok_or("neither SUPABASE_PUBLISHABLE_KEYS nor SUPABASE_ANON_KEY is set")?;
    let timeout = match setting("timeout") {
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
