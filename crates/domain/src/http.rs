//! The HTTP surface that all functions share: what is read of a request, and what a reply carries.

use crate::json::{Codec, Value, object};
use crate::retry::{MAX_WAIT_S, RETRY_AFTER_S};
use crate::upstream::Failure;
use std::borrow::Cow;

/// The most that is read of a request body, in bytes.
pub const MAX_BODY: u32 = 64 * 1024;

/// The most that is read of PostgREST's answer, in bytes.
pub const MAX_ANSWER: u32 = 1024 * 1024;

/// How long a browser may remember a preflight answer, in seconds.
const PREFLIGHT_MAX_AGE: &str = "86400";

const ALLOWED_METHODS: &str = "POST, OPTIONS";
const ROUTED_METHODS: &str = "POST, PUT, OPTIONS";
/// Those of ours; those that supabase-js sends: by itself, for a region, and for a trace that the page has begun.
const ALLOWED_HEADERS: &str = "authorization, x-client-info, apikey, content-type, idempotency-key, x-request-id, x-retry-count, x-region, traceparent, tracestate, baggage, if-match, x-shop";
const EXPOSED_HEADERS: &str = "idempotent-replayed, retry-after, x-request-id, etag";

/// What every answer with a body has in common.
pub const ANSWER_HEADERS: [(&str, &str); 4] = [
    ("content-type", "application/json"),
    ("cache-control", "no-store"),
    ("access-control-allow-origin", "*"),
    ("access-control-expose-headers", EXPOSED_HEADERS),
];

/// A request as the shim hands it over; `Text` is its [`Codec`]'s.
#[derive(Clone, Debug)]
pub struct Request<'a, Text = String> {
    /// The HTTP method, in upper case; of a PUT to a function that has a [`crate::function::Route`] with the path behind it.
    pub method: Cow<'a, str>,
    /// What says who calls: the header `authorization`, or the one that has the signature where a function takes a
    /// signed text ([`crate::function::Takes::Signed`]).
    pub authorization: Option<Cow<'a, str>>,
    /// The header `content-type`.
    pub content_type: Option<Cow<'a, str>>,
    /// The header `x-request-id`.
    pub request_id: Option<Cow<'a, str>>,
    /// The header `x-shop`; where a function takes a signed text, whose sender may have no say in its headers, else the
    /// query parameter `shop`. The shim passes it on to the database.
    pub shop: Option<Cow<'a, str>>,
    /// The header `if-match`, where the function is [`crate::function::Function::is_conditional`].
    pub if_match: Option<Cow<'a, str>>,
    /// The header `idempotency-key`.
    pub idempotency_key: Option<Cow<'a, str>>,
    /// The body, unless it could not be read.
    pub body: Option<Text>,
    /// Why there is no body.
    pub body_fault: Option<BodyFault>,
    /// A fresh unique id, for a request that brings none.
    pub id: Cow<'a, str>,
    /// When it came, in milliseconds since 1970. Only tokens are compared with it: a clock on the wall may be set.
    pub came_ms: f64,
    /// The budget for all upstream calls of it, in milliseconds.
    pub budget_ms: f64,
}

impl<'a, Text> Request<'a, Text> {
    /// Reads a request by its head, a text with a line for each of: the method, a fresh id, and the headers
    /// `x-request-id`, `content-type`, `authorization` (or the signature's), `x-shop` behind a `=`, `if-match` behind another
    /// where the function is `conditional`, and `idempotency-key`. An absent header is an empty line, but
    /// for the last one, which is no line: a key may be empty, and is refused then. No header has a line end in it.
    pub fn read(
        head: &'a str,
        conditional: bool,
        body: Result<Text, BodyFault>,
        came_ms: f64,
        budget_ms: f64,
    ) -> Self {
        let mut lines = head.split('\n');
        let mut line = || lines.next();
        let marked = |line: Option<&'a str>| line?.strip_prefix('=').map(Cow::from);
        Request {
            method: line().unwrap_or_default().into(),
            id: line().unwrap_or_default().into(),
            request_id: line().map(Cow::from),
            content_type: line().map(Cow::from),
            authorization: line().map(Cow::from),
            shop: marked(line()),
            if_match: conditional.then(&mut line).and_then(marked),
            idempotency_key: line().map(Cow::from),
            body_fault: body.as_ref().err().copied(),
            body: body.ok(),
            came_ms,
            budget_ms,
        }
    }
}

/// Why a request body could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyFault {
    /// It is larger than [`MAX_BODY`].
    TooLarge,
    /// It is not UTF-8.
    NotUtf8,
    /// The client went away or sent it too slowly.
    Aborted,
}

/// A finished HTTP response and its log line; `Text` is its [`Codec`]'s.
#[derive(Clone, Debug, PartialEq)]
pub struct Reply<Text = String> {
    /// The HTTP status.
    pub status: u16,
    /// The headers.
    pub headers: Vec<(&'static str, String)>,
    /// The body; none with a preflight answer.
    pub body: Option<Text>,
    /// One line of JSON for the log; none with a preflight answer.
    pub log: Option<String>,
}

/// The id that a request is known by: the client's own where it is usable, else the fresh one. Were
/// that unusable too, which only a broken shim could bring about, the answer could still be sent.
pub fn request_id(given: Option<&str>, fresh: &str) -> String {
    let usable =
        |id: &&str| (1..=128).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic());
    let mut ids = given.into_iter().chain([fresh]);
    ids.find(usable).unwrap_or("unknown").to_owned()
}

/// Whether a key may name a submission: 1 to 255 printable ASCII characters.
pub fn is_idempotency_key(key: &str) -> bool {
    (1..=255).contains(&key.len()) && key.bytes().all(|byte| (0x20..0x7f).contains(&byte))
}

/// Whether a text may name a shop: by its id, or by its handle.
pub fn is_shop(name: &str) -> bool {
    let mut bytes = name.bytes();
    match bytes.next() {
        Some(b'1'..=b'9') => name.len() <= 9 && bytes.all(|byte| byte.is_ascii_digit()),
        Some(b'a'..=b'z') => {
            name.len() <= 63 && bytes.all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
        }
        _ => false,
    }
}

/// Whether a `content-type` header says JSON.
pub fn is_json(content_type: Option<&str>) -> bool {
    content_type
        .and_then(|value| value.split(';').next())
        .is_some_and(|essence| essence.trim().eq_ignore_ascii_case("application/json"))
}

/// The answer to a CORS preflight; a function that has a [`crate::function::Route`] is asked by PUT, too.
pub fn preflight<Text>(is_routed: bool) -> Reply<Text> {
    let methods = if is_routed {
        ROUTED_METHODS
    } else {
        ALLOWED_METHODS
    };
    Reply {
        status: 204,
        headers: vec![
            ("access-control-allow-origin", "*".to_owned()),
            ("access-control-allow-methods", methods.to_owned()),
            ("access-control-allow-headers", ALLOWED_HEADERS.to_owned()),
            ("access-control-max-age", PREFLIGHT_MAX_AGE.to_owned()),
        ],
        body: None,
        log: None,
    }
}

/// The headers of every answer with a body.
pub fn headers(request_id: &str) -> Vec<(&'static str, String)> {
    let common = ANSWER_HEADERS.into_iter();
    common
        .chain([("x-request-id", request_id)])
        .map(|(name, value)| (name, value.to_owned()))
        .collect()
}

/// The header that tells the version of what is answered.
pub(crate) fn etag(version: f64) -> (&'static str, String) {
    ("etag", format!("\"{}\"", version as u64))
}

/// The version that an `if-match` names: as [`etag`] tells it, and nothing else.
pub(crate) fn version_of(etag: &str) -> Option<f64> {
    let digits = etag.strip_prefix('"')?.strip_suffix('"')?;
    // As many as a number has that is held exactly.
    let is_version = (1..=15).contains(&digits.len())
        && digits.bytes().all(|byte| byte.is_ascii_digit())
        && (digits == "0" || !digits.starts_with('0'));
    is_version.then(|| {
        digits
            .bytes()
            .fold(0.0, |number, digit| number * 10.0 + f64::from(digit - b'0'))
    })
}

/// The headers of an error answer. Its details may have `retry_after`, in seconds; else upstream may have said it.
pub fn error_headers(failure: &Failure, request_id: &str) -> Vec<(&'static str, String)> {
    let mut headers = headers(request_id);
    if failure.retryable {
        let told = failure.details.get("retry_after");
        let seconds = told.and_then(Value::as_number).or(failure.retry_after_s);
        let seconds = seconds.unwrap_or(RETRY_AFTER_S);
        let seconds = seconds.clamp(1.0, MAX_WAIT_S).ceil() as u32;
        headers.push(("retry-after", seconds.to_string()));
    }
    if failure.status == 405 {
        headers.push(("allow", ALLOWED_METHODS.to_owned()));
    }
    headers
}

/// The one shape of an error body. `error` and `code` are the same: supabase-py reads the first,
/// PostgREST clients the second.
pub fn error_body(codec: &impl Codec, failure: Failure, request_id: &str) -> String {
    let code = failure.code.as_ref();
    codec.write(&object([
        ("error", code.into()),
        ("code", code.into()),
        ("message", failure.message.as_ref().into()),
        ("details", failure.details),
        ("hint", failure.hint.map(Cow::into_owned).into()),
        ("retryable", failure.retryable.into()),
        ("request_id", request_id.into()),
    ]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_read_to_64_kib_and_answers_to_a_mebibyte() {
        assert_eq!((MAX_BODY, MAX_ANSWER), (65_536, 1_048_576));
    }

    #[test]
    fn a_head_has_its_lines_in_order_and_an_absent_key_is_none() {
        let read = |head| Request::read(head, false, Ok(String::new()), 1.0, 2.0);
        let request = read("POST\nfresh\nid\ntext/plain\nBearer x\n\n");
        assert_eq!(request.method, "POST");
        assert_eq!(request.id, "fresh");
        assert_eq!(request.request_id.as_deref(), Some("id"));
        assert_eq!(request.content_type.as_deref(), Some("text/plain"));
        assert_eq!(request.authorization.as_deref(), Some("Bearer x"));
        assert_eq!(request.shop, None);
        assert_eq!(request.idempotency_key.as_deref(), Some(""));
        assert_eq!(read("POST\nfresh\n\n\n\n").idempotency_key, None);
    }

    #[test]
    fn a_shop_may_be_empty_and_that_is_not_absent() {
        for (line, shop) in [("", None), ("=", Some("")), ("=7", Some("7"))] {
            for (conditional, rest) in [(false, "key"), (true, "=\"5\"\nkey")] {
                let head = format!("POST\nfresh\nid\n\nBearer x\n{line}\n{rest}");
                let request = Request::read(&head, conditional, Ok(String::new()), 1.0, 2.0);
                assert_eq!(request.shop.as_deref(), shop, "{line:?}");
                assert_eq!(request.idempotency_key.as_deref(), Some("key"));
            }
        }
    }

    #[test]
    fn a_shop_is_named_by_its_id_or_its_handle() {
        let longest = format!("s{}", "-".repeat(62));
        for good in ["1", "7", "100", "999999999", "b", "berlin", "b-2", &longest] {
            assert!(is_shop(good), "{good}");
        }
        let longer = format!("{longest}x");
        for bad in [
            "",
            "0",
            "07",
            "-1",
            "1000000000",
            "7a",
            "7-",
            "7, 8",
            " 7",
            "7 ",
            "7\n",
            "-b",
            "Berlin",
            "bErlin",
            "b_2",
            "b.2",
            "köln",
            "b,c",
            &longer,
        ] {
            assert!(!is_shop(bad), "{bad:?}");
        }
    }

    #[test]
    fn a_guard_is_read_where_the_function_has_any_and_may_be_empty() {
        let head = "POST\nfresh\nid\n\nBearer x\n\n";
        for (line, guard, key) in [
            ("", None, None),
            ("\nkey", None, Some("key")),
            ("=", Some(""), None),
            ("=\"5\"\nkey", Some("\"5\""), Some("key")),
        ] {
            let head = format!("{head}{line}");
            let request = Request::read(&head, true, Ok(String::new()), 1.0, 2.0);
            assert_eq!(request.if_match.as_deref(), guard, "{line:?}");
            assert_eq!(request.idempotency_key.as_deref(), key, "{line:?}");
            let request = Request::read(&head, false, Ok(String::new()), 1.0, 2.0);
            assert_eq!(request.if_match, None);
        }
    }

    #[test]
    fn a_clients_request_id_is_kept_only_if_it_is_safe_in_a_header_and_a_log() {
        assert_eq!(request_id(Some("checkout-42"), "fresh"), "checkout-42");
        let long = "x".repeat(129);
        for bad in [
            None,
            Some(""),
            Some("two words"),
            Some("a\nb"),
            Some("é"),
            Some(long.as_str()),
        ] {
            assert_eq!(request_id(bad, "fresh"), "fresh", "{bad:?}");
            assert_eq!(
                request_id(bad, bad.unwrap_or_default()),
                "unknown",
                "{bad:?}"
            );
        }
    }

    #[test]
    fn json_is_recognised_by_its_essence() {
        for good in [
            "application/json",
            "Application/JSON; charset=utf-8",
            "application/json;",
        ] {
            assert!(is_json(Some(good)), "{good}");
        }
        for bad in [
            "",
            "text/plain",
            "application/jsonp",
            "application/x-www-form-urlencoded",
        ] {
            assert!(!is_json(Some(bad)), "{bad}");
        }
        assert!(!is_json(None));
    }
}
