//! What a function needs once per isolate: the request template and the limits.
//!
//! postgrest-rs builds the RPC request once; each call then adds only its arguments and the
//! caller's authorization. Building it anew for every call costs about four times that overhead.

use crate::contract::{Settings, Start};
use crate::json::{HostJson, from_js};
use interlock_domain::exchange::misconfiguration;
use interlock_domain::function::{Function, Takes};
use interlock_domain::http::{ANSWER_HEADERS, MAX_ANSWER, MAX_BODY};
use interlock_domain::json::{MAX_DEPTH, Value};
use interlock_domain::third_party::{Api, Outlet};
use postgrest::Postgrest;
use serde::{Serialize, Serializer};
use std::borrow::Cow;
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
    #[serde(skip_serializing_if = "Option::is_none")]
    conditional: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    routed: Option<bool>,
    timeout_ms: u32,
    max_body_bytes: u32,
    max_answer_bytes: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    third_party: Option<Template>,
    #[serde(skip_serializing_if = "Option::is_none")]
    outlets: Option<Headers<&'static str, Template>>,
}

/// What every call of the third party has.
#[derive(Serialize)]
struct Template {
    url: String,
    headers: Headers<String>,
}

/// Pairs that cross as an object.
struct Headers<Text, Of = Text>(Vec<(Text, Of)>);

impl<Text: Serialize, Of: Serialize> Serialize for Headers<Text, Of> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

/// Builds the profile of a function from the isolate's settings: the project's URL, its publishable (or
/// legacy anon) key and never the service role's, and `INTERLOCK_UPSTREAM_TIMEOUT_MS`; and those of the third party, if it
/// asks one.
pub fn profile(function: &Function, settings: &Settings) -> Start {
    let settings = from_js(settings, MAX_DEPTH).unwrap_or(Value::Null);
    let (profile, log) = match build(function, &settings) {
        Ok(profile) => (Some(profile), None),
        Err(reason) => (None, Some(misconfiguration(function, &HostJson, &reason))),
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
fn build(function: &Function, settings: &Value) -> Result<Profile, Cow<'static, str>> {
    let setting = |name| {
        let text = settings.get(name).and_then(Value::as_text);
        text.filter(|text| !text.is_empty())
    };
    let url = setting("url").ok_or("SUPABASE_URL is not set")?;
    check(url).map_err(|reason| ["SUPABASE_URL", reason].concat())?;
    let key =
        setting("key").ok_or("neither SUPABASE_PUBLISHABLE_KEYS nor SUPABASE_ANON_KEY is set")?;
    let asked = function.third_party.as_ref();
    let timeout_ms = match setting("timeoutMs") {
        None => asked.map_or(DEFAULT_TIMEOUT, |third_party| third_party.budget_ms),
        Some(text) => text
            .parse()
            .ok()
            .filter(|timeout| TIMEOUT_RANGE.contains(timeout))
            .ok_or("INTERLOCK_UPSTREAM_TIMEOUT_MS must be a whole number from 100 to 120000")?,
    };
    // postgrest-rs panics on a header that cannot be sent.
    if !can_be_sent(key) {
        return Err("the API key has characters that no header can carry".into());
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
    let third_party = match asked.and_then(|third_party| third_party.api.as_ref()) {
        None => None,
        Some(api) => {
            let (url, key) = (setting("thirdPartyUrl"), setting("thirdPartyKey"));
            Some(template(api, url, key)?)
        }
    };
    let outlets = asked.map_or(&[][..], |third_party| third_party.outlets);
    let outlets = outlets.iter().filter_map(|outlet| {
        let named = settings.get("outlets")?.get(outlet.name)?;
        outlet_template(outlet, named).transpose()
    });
    let outlets = outlets.collect::<Result<Vec<_>, _>>()?;
    Ok(Profile {
        url: request.url().as_str().to_owned(),
        method: request.method().as_str().to_owned(),
        headers: Headers(headers.collect()),
        signature_header: match function.takes {
            Takes::Fields { .. } => None,
            Takes::Signed { header, .. } => Some(header),
        },
        conditional: function.is_conditional().then_some(true),
        routed: function.route.is_some().then_some(true),
        timeout_ms,
        max_body_bytes: MAX_BODY,
        max_answer_bytes: MAX_ANSWER,
        third_party,
        outlets: (!outlets.is_empty()).then_some(Headers(outlets)),
    })
}

fn can_be_sent(key: &str) -> bool {
    key.bytes().all(|byte| byte.is_ascii_graphic())
}

/// What each call of the third party has.
fn template(api: &Api, url: Option<&str>, key: Option<&str>) -> Result<Template, String> {
    let name = api.name;
    let url = url.unwrap_or(api.url);
    check(url).map_err(|reason| [name, "_API_URL", reason].concat())?;
    let key = key.ok_or_else(|| format!("{name}_SECRET_KEY is not set"))?;
    if !can_be_sent(key) {
        return Err(format!(
            "{name}_SECRET_KEY has characters that no header can carry"
        ));
    }
    let own = api.headers.iter();
    let own = own.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let authorization = ("authorization".to_owned(), format!("Bearer {key}"));
    Ok(Template {
        url: url.trim_end_matches('/').to_owned(),
        headers: Headers(own.chain([authorization]).collect()),
    })
}

/// What each call of an outlet has; `None` without its key.
fn outlet_template(
    outlet: &Outlet,
    settings: &Value,
) -> Result<Option<(&'static str, Template)>, String> {
    let setting = |name| {
        let text = settings.get(name).and_then(Value::as_text);
        text.filter(|text| !text.is_empty())
    };
    let Some(key) = setting("key") else {
        return Ok(None);
    };
    let name = outlet.name;
    if !can_be_sent(key) {
        return Err(format!(
            "{name}_API_KEY has characters that no header can carry"
        ));
    }
    let url = setting("url").unwrap_or(outlet.url);
    if url.is_empty() {
        return Ok(None);
    }
    check(url).map_err(|reason| [name, "_API_URL", reason].concat())?;
    let header = match setting("header") {
        None => (outlet.header.to_owned(), [outlet.before, key].concat()),
        Some(header) => {
            let (header, before) = header.split_once(':').unwrap_or((header, ""));
            let (header, before) = (header.trim(), before.trim());
            let is_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
            if header.is_empty() || !header.bytes().all(is_name) || !can_be_sent(before) {
                return Err([name, "_API_HEADER is no name of a header"].concat());
            }
            let before = [before, if before.is_empty() { "" } else { " " }];
            (header.to_owned(), [before[0], before[1], key].concat())
        }
    };
    let template = Template {
        url: url.trim_end_matches('/').to_owned(),
        headers: Headers(vec![header]),
    };
    Ok(Some((name, template)))
}

/// Whether a URL is of the kind that projects have: a host of lower-case letters, digits, dots, hyphens
/// and underscores (as containers have), perhaps a port, and no query. What reads the other kinds is not in
/// the module (see silence.rs in the build), so each is refused here with the reason.
fn check(url: &str) -> Result<(), &'static str> {
    let rest = url.strip_prefix("https://").or(url.strip_prefix("http://"));
    let rest = rest.ok_or(" does not begin with https:// or http://")?;
    if rest.bytes().any(|byte| matches!(byte, b'?' | b'#')) {
        return Err(" has a query or a fragment");
    }
    // Where there is no host, the next part of the path would be read as one.
    let host = rest.split('/').next().unwrap_or_default();
    if host.is_empty() {
        return Err(" has no host");
    }
    for byte in host.bytes() {
        match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-' | b'_' | b':' => {}
            b'A'..=b'Z' => {
                return Err(" has a host in upper case: write it in lower case");
            }
            b'[' => return Err(" has an IPv6 address: give a name or an IPv4 address"),
            _ => {
                return Err(" has a host with characters other than a-z, 0-9, '.', '-' and '_'");
            }
        }
    }
    // Punycode, the ASCII of other scripts.
    if host
        .split(['.', ':'])
        .any(|label| label.starts_with("xn--"))
    {
        return Err(" has an international (xn--) host: use the project's own URL");
    }
    Ok(())
}
