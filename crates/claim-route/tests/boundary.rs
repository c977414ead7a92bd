//! The WASM boundary: what crosses it, absent values included.
#![cfg(target_arch = "wasm32")]

use interlock_domain::function::Function;
use interlock_domain::json::{Codec as _, SerdeJson, Value, object};
use interlock_domain::third_party::{Api, Next, ThirdParty};
use js_sys::{JSON, Reflect};
use wasm_bindgen::{JsCast as _, JsValue};
use wasm_bindgen_test::wasm_bindgen_test;

const USER: &str = "Bearer e30.eyJzdWIiOiJiMDAwMDAwMC0wMDAwLTQwMDAtODAwMC0wMDAwMDAwMDAwMDEifQ.c2ln";

fn profile(url: Option<&str>, key: Option<&str>, timeout: Option<&str>) -> JsValue {
    let [url, key, timeout_ms] = [url, key, timeout].map(|setting| match setting {
        Some(text) => Value::from(text),
        None => Value::Null,
    });
    let settings = object([("url", url), ("key", key), ("timeoutMs", timeout_ms)]);
    claim_route::profile(js(&SerdeJson.write(&settings)).unchecked_ref()).into()
}

fn begin(method: &str, authorization: Option<&str>, body: Option<&str>) -> JsValue {
    let authorization = authorization.unwrap_or_default();
    let head = format!("{method}\nid\n\napplication/json\n{authorization}");
    claim_route::begin(&head, body.unwrap_or_default().into(), 0.0, 1.0).into()
}

fn js(text: &str) -> JsValue {
    JSON::parse(text).expect("JSON")
}

fn get(value: &JsValue, path: &str) -> JsValue {
    path.split('.').fold(value.clone(), |value, key| {
        Reflect::get(&value, &key.into()).expect("an object")
    })
}

fn text(value: &JsValue, path: &str) -> String {
    get(value, path)
        .as_string()
        .unwrap_or_else(|| panic!("{path} is no string in {:?}", JSON::stringify(value)))
}

#[wasm_bindgen_test]
fn the_profile_is_the_rpc_request_of_postgrest_rs() {
    let answer = profile(Some("http://127.0.0.1:54321/"), Some("k"), None);
    assert!(get(&answer, "log").is_null());
    assert_eq!(
        text(&answer, "profile.url"),
        "http://127.0.0.1:54321/rest/v1/rpc/claim_route"
    );
    assert_eq!(text(&answer, "profile.method"), "POST");
    assert_eq!(text(&answer, "profile.headers.apikey"), "k");
    assert_eq!(
        text(&answer, "profile.headers.content-type"),
        "application/json"
    );
    assert_eq!(text(&answer, "profile.headers.accept"), "application/json");
    assert_eq!(get(&answer, "profile.timeoutMs").as_f64(), Some(10_000.0));
    assert_eq!(
        get(&answer, "profile.maxBodyBytes").as_f64(),
        Some(65_536.0)
    );
}

#[wasm_bindgen_test]
fn unusable_settings_are_named() {
    let no_url = "SUPABASE_URL is not set";
    let no_key = "neither SUPABASE_PUBLISHABLE_KEYS nor SUPABASE_ANON_KEY is set";
    let timeout = "INTERLOCK_UPSTREAM_TIMEOUT_MS must be a whole number from 100 to 120000";
    let (url, key) = (Some("http://h"), Some("k"));
    for (url, key, set_timeout, error) in [
        (None, key, None, no_url),
        (Some(""), key, None, no_url),
        (url, None, None, no_key),
        (url, Some(""), None, no_key),
        (
            url,
            Some("a\nb"),
            None,
            "the API key has characters that no header can carry",
        ),
        (url, key, Some("5"), timeout),
        (url, key, Some("soon"), timeout),
        (
            Some("nonsense"),
            key,
            None,
            "SUPABASE_URL does not begin with https:// or http://",
        ),
        (
            Some("http://H"),
            key,
            None,
            "SUPABASE_URL has a host in upper case: write it in lower case",
        ),
        (
            Some("http://[::1]:54321"),
            key,
            None,
            "SUPABASE_URL has an IPv6 address: give a name or an IPv4 address",
        ),
        (
            Some("http://a.xn--4ca"),
            key,
            None,
            "SUPABASE_URL has an international (xn--) host: use the project's own URL",
        ),
        (
            Some("http://h:65536"),
            key,
            None,
            "SUPABASE_URL is not a URL",
        ),
    ] {
        let answer = profile(url, key, set_timeout);
        assert!(get(&answer, "profile").is_null(), "{error}");
        assert_eq!(text(&js(&text(&answer, "log")), "reason"), error);
    }
}

#[wasm_bindgen_test]
fn who_asks_a_third_party_has_its_key_and_nobody_else() {
    let asking = Function {
        third_party: Some(ThirdParty {
            api: Some(Api {
                name: "PROVIDER",
                url: "https://api.provider.example",
                headers: &[("provider-version", "1")],
            }),
            outlets: &[],
            budget_ms: 10_000,
            next: |_| Next::Unexpected,
        }),
        ..interlock_domain::delivery::claim_route::CLAIM_ROUTE
    };
    let settings = |own: &str| js(&format!(r#"{{"url":"http://h","key":"k"{own}}}"#));
    let answer = |own| {
        let settings = settings(own);
        JsValue::from(interlock_edge::profile(&asking, settings.unchecked_ref()))
    };
    let key = r#","thirdPartyKey":"sk_1""#;
    let plain = claim_route::profile(settings(key).unchecked_ref()).into();
    assert!(get(&plain, "profile.thirdParty").is_undefined());
    let profile = answer(key);
    assert_eq!(
        text(&profile, "profile.thirdParty.url"),
        "https://api.provider.example"
    );
    let headers = "profile.thirdParty.headers";
    assert_eq!(
        text(&profile, &format!("{headers}.authorization")),
        "Bearer sk_1"
    );
    assert_eq!(text(&profile, &format!("{headers}.provider-version")), "1");
    assert!(get(&profile, "profile.headers.authorization").is_undefined());
    let elsewhere = answer(r#","thirdPartyKey":"sk_1","thirdPartyUrl":"http://127.0.0.1:9/""#);
    assert_eq!(
        text(&elsewhere, "profile.thirdParty.url"),
        "http://127.0.0.1:9"
    );
    for (own, reason) in [
        ("", "PROVIDER_SECRET_KEY is not set"),
        (
            r#","thirdPartyKey":"a b""#,
            "PROVIDER_SECRET_KEY has characters that no header can carry",
        ),
        (
            r#","thirdPartyKey":"sk_1","thirdPartyUrl":"h""#,
            "PROVIDER_API_URL does not begin with https:// or http://",
        ),
    ] {
        let answer = answer(own);
        assert!(get(&answer, "profile").is_null(), "{reason}");
        assert_eq!(text(&js(&text(&answer, "log")), "reason"), reason);
    }
}

/// What reads these URLs is not in the module that is deployed.
#[wasm_bindgen_test]
fn a_url_of_another_kind_is_refused_before_it_is_read() {
    for url in [
        "file:///etc/passwd",
        "ftp://h",
        "h",
        "//h",
        "HTTP://h",
        " http://h",
        "http:h",
        "http://H",
        "http://é",
        "http://%c3%a9",
        "http://xn--4ca.example",
        "http://a.xn--4ca",
        "http://[::1]:54321",
        "http://user@h",
        "http://h?",
        "http://h#",
        "http://h/a?b",
        "http://h/a#b",
        "http:///h\\..",
        "http://h\\xn--4ca",
        "http://x\tn--4ca",
    ] {
        let answer = profile(Some(url), Some("k"), None);
        assert!(get(&answer, "profile").is_null(), "{url}");
        let reason = text(&js(&text(&answer, "log")), "reason");
        assert!(reason.starts_with("SUPABASE_URL"), "{url}");
    }
}

#[wasm_bindgen_test]
fn absent_values_are_undefined() {
    let step = claim_route::trapped("POST\nfresh", "RangeError").into();
    let body = js(&text(&step, "3"));
    assert!(get(&body, "details").is_null());
    assert_eq!(text(&body, "request_id"), "fresh");
    assert_eq!(text(&body, "error"), "INTERNAL");

    let preflight = begin("OPTIONS", None, None);
    assert_eq!(get(&preflight, "1").as_f64(), Some(204.0));
    assert!(get(&preflight, "3").is_undefined());
    assert!(get(&preflight, "4").is_undefined());
}

/// The request's body stays a string of JavaScript's, so this is how deep it reads one.
#[wasm_bindgen_test]
fn deep_json_is_refused_without_exhausting_the_stack() {
    for (open, close) in [("[", "]"), (r#"{"a":"#, "}")] {
        let deep = format!("{}1{}", open.repeat(12_000), close.repeat(12_000));
        let step = begin("POST", Some(USER), Some(&deep));
        assert_eq!(get(&step, "1").as_f64(), Some(400.0));
        assert!(text(&step, "3").contains("nested too deeply"));
    }
}

/// A claim that is not asked for is not read, however deep it is.
#[wasm_bindgen_test]
fn other_claims_of_a_token_do_not_matter() {
    // {"sub":"b0000000-0000-4000-8000-000000000001","x":[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]}
    let user = "Bearer e30.eyJzdWIiOiJiMDAwMDAwMC0wMDAwLTQwMDAtODAwMC0wMDAwMDAwMDAwMDEiLCJ4IjpbW1tbW1tbW1tbW1tbW1tbW1sxXV1dXV1dXV1dXV1dXV1dXV1dfQ.c2ln";
    let step = begin("POST", Some(user), Some("{}"));
    assert!(get(&step, "0").is_truthy(), "a call");
    // [1]
    let step = begin("POST", Some("Bearer e30.WzFd.c2ln"), Some("{}"));
    assert!(text(&step, "3").contains("malformed_token"));
}

/// Numbers with a fraction are the host's to write.
#[wasm_bindgen_test]
fn details_come_back_as_they_were_raised() {
    let details = r#"{"a":0.1,"b":-1e+300,"c":[1,"\u0007\n\"é"],"d":9007199254740991}"#;
    let answer = SerdeJson.write(&object([
        ("code", "PT409".into()),
        ("message", "BATCH_UNAVAILABLE".into()),
        ("details", details.into()),
    ]));
    let state = "0 0 0 1000 0 id";
    let step = claim_route::resume(state, 409, answer.into(), false, None, 1.0, 0.5).into();
    let body = text(&step, "3");
    assert!(body.contains(&format!(r#""details":{details},"#)), "{body}");
}

#[wasm_bindgen_test]
fn a_key_may_be_empty_and_that_is_not_absent() {
    let head = format!("POST\nid\n\napplication/json\n{USER}\n");
    let step = claim_route::begin(&head, "{}".into(), 0.0, 1.0).into();
    assert!(get(&step, "0").is_truthy(), "a call");
    let step = claim_route::begin(&format!("{head}\n"), "{}".into(), 0.0, 1.0).into();
    assert!(text(&step, "3").contains("/headers/idempotency-key"));
}

#[wasm_bindgen_test]
fn a_shop_may_be_named_and_has_to_be_one_then() {
    let head = format!("POST\nid\n\napplication/json\n{USER}\n");
    for (line, is_good) in [("", true), ("=7", true), ("=berlin", true), ("=", false)] {
        let step = claim_route::begin(&format!("{head}{line}"), "{}".into(), 0.0, 1.0).into();
        assert_eq!(get(&step, "0").is_truthy(), is_good, "{line:?}");
        let told = is_good || text(&step, "3").contains("/headers/x-shop");
        assert!(told, "{line:?}");
    }
}

#[wasm_bindgen_test]
fn a_damaged_state_is_answered() {
    let step = claim_route::resume("oops", 200, "{}".into(), false, None, 1.0, 0.5).into();
    assert_eq!(get(&step, "1").as_f64(), Some(500.0));
    assert!(text(&step, "3").contains(r#""request_id":"unknown""#));
}
