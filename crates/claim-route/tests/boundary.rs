//! The WASM boundary: what crosses it, absent fields and broken contracts included.
#![cfg(target_arch = "wasm32")]

use js_sys::{JSON, Reflect};
use wasm_bindgen::JsValue;
use wasm_bindgen_test::wasm_bindgen_test;

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
    let answer = claim_route::profile(js(
        r#"{"url":"http://127.0.0.1:54321/","key":"k","timeout":null}"#,
    ));
    assert!(get(&answer, "error").is_null());
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
    assert_eq!(get(&answer, "profile.timeout").as_f64(), Some(10_000.0));
    assert_eq!(get(&answer, "profile.maxBody").as_f64(), Some(65_536.0));
}

#[wasm_bindgen_test]
fn unusable_settings_are_named() {
    for (settings, error) in [
        (
            r#"{"url":null,"key":"k","timeout":null}"#,
            "SUPABASE_URL is not set",
        ),
        (
            r#"{"url":"nonsense","key":"k","timeout":null}"#,
            "SUPABASE_URL is not a URL",
        ),
        (
            r#"{"url":"http://h","key":"","timeout":null}"#,
            "neither SUPABASE_PUBLISHABLE_KEYS nor SUPABASE_ANON_KEY is set",
        ),
        (
            r#"{"url":"http://h","key":"a\nb","timeout":null}"#,
            "the API key has characters that no header can carry",
        ),
        (
            r#"{"url":"http://h","key":"k","timeout":"5"}"#,
            "INTERLOCK_UPSTREAM_TIMEOUT_MS must be a whole number from 100 to 120000",
        ),
        (
            r#"{"url":"http://h","key":"k","timeout":"soon"}"#,
            "INTERLOCK_UPSTREAM_TIMEOUT_MS must be a whole number from 100 to 120000",
        ),
        (r#"7"#, "SUPABASE_URL is not set"),
    ] {
        let answer = claim_route::profile(js(settings));
        assert!(get(&answer, "profile").is_null(), "{settings}");
        assert_eq!(text(&answer, "error"), error, "{settings}");
    }
}

#[wasm_bindgen_test]
fn a_broken_contract_is_an_answer_and_not_a_trap() {
    for value in [
        JsValue::NULL,
        JsValue::UNDEFINED,
        js("{}"),
        js("[]"),
        js(r#"{"method":7}"#),
    ] {
        let step = claim_route::begin(value.clone());
        assert_eq!(
            get(&step, "reply.status").as_f64(),
            Some(500.0),
            "{value:?}"
        );
        let step = claim_route::resume(value.clone(), value.clone(), value.clone());
        assert_eq!(
            get(&step, "reply.status").as_f64(),
            Some(500.0),
            "{value:?}"
        );
    }
}

#[wasm_bindgen_test]
fn absent_values_arrive_as_null() {
    let step = claim_route::crashed(None, "fresh".to_owned());
    let body = js(&text(&step, "reply.body"));
    assert!(get(&body, "details").is_null());
    assert_eq!(text(&body, "request_id"), "fresh");
    assert_eq!(text(&body, "error"), "INTERNAL");

    let preflight = claim_route::begin(js(
        r#"{"method":"OPTIONS","authorization":null,"contentType":null,"requestId":null,"body":null,
            "bodyFault":null,"host":{"now":0,"random":0,"id":"i","timeout":1}}"#,
    ));
    assert_eq!(get(&preflight, "reply.status").as_f64(), Some(204.0));
    assert!(get(&preflight, "reply.body").is_null());
    assert!(get(&preflight, "reply.log").is_null());
}

#[wasm_bindgen_test]
fn deep_json_is_refused_without_exhausting_the_stack() {
    let deep = "[".repeat(32_000) + &"]".repeat(32_000);
    let request = js_sys::Object::new();
    for (key, value) in [
        ("method", JsValue::from("POST")),
        (
            "authorization",
            JsValue::from(
                "Bearer e30.eyJzdWIiOiJiMDAwMDAwMC0wMDAwLTQwMDAtODAwMC0wMDAwMDAwMDAwMDEifQ.c2ln",
            ),
        ),
        ("contentType", JsValue::from("application/json")),
        ("requestId", JsValue::NULL),
        ("body", JsValue::from(deep)),
        ("bodyFault", JsValue::NULL),
        ("host", js(r#"{"now":0,"random":0,"id":"i","timeout":1}"#)),
    ] {
        Reflect::set(&request, &key.into(), &value).expect("an object");
    }
    let step = claim_route::begin(request.into());
    assert_eq!(get(&step, "reply.status").as_f64(), Some(400.0));
    assert!(text(&step, "reply.body").contains("nested too deeply"));
}
