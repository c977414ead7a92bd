//! What a function needs once per isolate: the request template and the limits.
//!
//! postgrest-rs builds the RPC request once; each call then adds only its arguments and the
//! caller's authorization. Building it anew for every call costs about four times that overhead.

use crate::contract::Start;
use crate::json::HostJson;
use interlock_domain::exchange::misconfiguration;
use interlock_domain::function::{Function, Takes};
use interlock_domain::http::{ANSWER_HEADERS, MAX_ANSWER, MAX_BODY};
use postgrest::Postgrest;
use serde::{Serialize, Serializer};
use wasm_bindgen::{JsCast as _, JsValue};

/// The budget for all upstream calls of one request if none is set, in milliseconds.
const DEFAULT_TIMEOUT: u32 = 10_000;
const TIMEOUT_RANGE: std::ops::RangeInclusive<u32> = 100..=120_000;

/// See contract.d.ts.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Outcome {
    profile: Option<Profile>,
    log: Option<String>,
    answer_headers: Headers<&'static str>,
}

/// See contract.d.ts.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Profile {
    url: String,
    method: String,
    headers: Headers<String>,
    signature_header: Option<&'static str>,
    timeout_ms: u32,
    max_body_bytes: u32,
    max_answer_bytes: u32,
}

/// Pairs that cross as an object.
struct Headers<Text>(Vec<(Text, Text)>);

impl<Text: Serialize> Serialize for Headers<Text> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

/// Builds the profile of a function from the isolate's settings: the project's URL, its publishable (or
/// legacy anon) key and never the service role's, and `INTERLOCK_UPSTREAM_TIMEOUT_MS`.
pub fn profile(
    function: &Function,
    url: Option<&str>,
    key: Option<&str>,
    timeout_ms: Option<&str>,
) -> Start {
    let (profile, log) = match build(function, url, key, timeout_ms) {
        Ok(profile) => (Some(profile), None),
        Err(reason) => (None, Some(misconfiguration(function, &HostJson, reason))),
    };
    let outcome = Outcome {
        profile,
        log,
        answer_headers: Headers(ANSWER_HEADERS.to_vec()),
    };
    // Plain data always serialises.
    let serializer = serde_wasm_bindgen::Serializer::json_compatible();
    let start: JsValue = outcome.serialize(&serializer).unwrap_or_default();
    start.unchecked_into()
}

/// A template rather than a request for each call: this is all that postgrest-rs is used for. It knows PostgREST's
/// URLs and headers; running it for every call would cost four times what the rest of the core does, and
/// it would send with reqwest, where Deno has `fetch`.
fn build(
    function: &Function,
    url: Option<&str>,
    key: Option<&str>,
    timeout_ms: Option<&str>,
) -> Result<Profile, &'static str> {
    let is_set = |setting: &&str| !setting.is_empty();
    let url = url.filter(is_set).ok_or("SUPABASE_URL is not set")?;
    check(url)?;
    let key = key
        .filter(is_set)
        .ok_or("neither SUPABASE_PUBLISHABLE_KEYS nor SUPABASE_ANON_KEY is set")?;
    let timeout_ms = match timeout_ms.filter(is_set) {
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
    let headers = headers.filter_map(|(name, value)| {
        Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
    });
    Ok(Profile {
        url: request.url().as_str().to_owned(),
        method: request.method().as_str().to_owned(),
        headers: Headers(headers.collect()),
        signature_header: match function.takes {
            Takes::Fields { .. } => None,
            Takes::Signed { header, .. } => Some(header),
        },
        timeout_ms,
        max_body_bytes: MAX_BODY,
        max_answer_bytes: MAX_ANSWER,
    })
}

/// Whether a URL is of the kind that projects have: a host of lower-case letters, digits, dots, hyphens
/// and underscores (as containers have), perhaps a port, and no query. What reads the other kinds is not in
/// the module (see silence.rs in the build), so each is refused here with the reason.
fn check(url: &str) -> Result<(), &'static str> {
    let rest = url.strip_prefix("https://").or(url.strip_prefix("http://"));
    let rest = rest.ok_or("SUPABASE_URL does not begin with https:// or http://")?;
    if rest.bytes().any(|byte| matches!(byte, b'?' | b'#')) {
        return Err("SUPABASE_URL has a query or a fragment");
    }
    // Where there is no host, the next part of the path would be read as one.
    let host = rest.split('/').next().unwrap_or_default();
    if host.is_empty() {
        return Err("SUPABASE_URL has no host");
    }
    for byte in host.bytes() {
        match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-' | b'_' | b':' => {}
            b'A'..=b'Z' => {
                return Err("SUPABASE_URL has a host in upper case: write it in lower case");
            }
            b'[' => return Err("SUPABASE_URL has an IPv6 address: give a name or an IPv4 address"),
            _ => {
                return Err(
                    "SUPABASE_URL has a host with characters other than a-z, 0-9, '.', '-' and '_'",
                );
            }
        }
    }
    // Punycode, the ASCII of other scripts.
    if host
        .split(['.', ':'])
        .any(|label| label.starts_with("xn--"))
    {
        return Err("SUPABASE_URL has an international (xn--) host: use the project's own URL");
    }
    Ok(())
}
