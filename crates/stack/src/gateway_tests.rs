//! Tests of the gateway's decisions; no socket is opened.

use super::*;
use crate::proxy_faults::{Fault, Faults};

const USER: &str = "Authorization";

fn gateway() -> Gateway {
    let keys = KeySet::new(keys::JWT_SECRET, None).unwrap();
    Gateway::new(keys, 1, 2, BTreeMap::new()).unwrap()
}

fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    pairs
        .iter()
        .map(|(name, value)| {
            (
                name.parse::<HeaderName>().unwrap(),
                HeaderValue::from_str(value).unwrap(),
            )
        })
        .collect()
}

#[test]
fn a_channel_is_told_who_its_token_is_for() {
    let gateway = gateway();
    for (key, role) in [
        (keys::PUBLISHABLE_KEY, "anon"),
        (keys::SECRET_KEY, "service_role"),
        (&keys::anon_key().unwrap(), "anon"),
        (user(60).trim_start_matches("Bearer "), "authenticated"),
    ] {
        assert_eq!(gateway.claims(key).unwrap()["role"], role);
    }
    let old = user(-60);
    let old = old.trim_start_matches("Bearer ");
    assert_eq!(gateway.claims(old), Err(Refused::Expired));
    assert_eq!(gateway.claims("sb_publishable_x"), Err(Refused::Invalid));
}

fn user(expires_in: i64) -> String {
    let token = keys::user_token(&keys::UserToken {
        user: "buyer",
        role: "authenticated",
        expires_in,
        claims: None,
        api_url: "http://127.0.0.1:1",
    });
    format!("Bearer {}", token.unwrap())
}

#[test]
fn paths_lead_to_the_api_and_to_functions() {
    assert_eq!(route("/rest/v1"), Route::Api("/"));
    assert_eq!(route("/rest/v1/rpc/x"), Route::Api("/rpc/x"));
    assert_eq!(route("/rest/v1x"), Route::Unknown);
    assert_eq!(
        route("/functions/v1/claim-route"),
        Route::Function {
            name: "claim-route",
            path: "/claim-route"
        }
    );
    assert_eq!(
        route("/functions/v1/claim-route/a/b"),
        Route::Function {
            name: "claim-route",
            path: "/claim-route/a/b"
        }
    );
    assert_eq!(route("/functions/v1/"), Route::Unknown);
    assert_eq!(route("/functions/v1"), Route::Unknown);
    assert_eq!(route("/functions/v12/x"), Route::Unknown);
    assert_eq!(route("/auth/v1/.well-known/jwks.json"), Route::Jwks);
    assert_eq!(route("/auth/v1/token"), Route::Auth("/token"));
    assert_eq!(route("/auth/v1"), Route::Unknown);
    assert_eq!(
        route("/storage/v1/object/b/a"),
        Route::Storage("/object/b/a")
    );
    assert_eq!(route("/auth/v12/token"), Route::Unknown);
    assert_eq!(route("/realtime/v1/websocket"), Route::Realtime);
    assert_eq!(route("/realtime/v1/api/broadcast"), Route::Unknown);
    assert_eq!(route("/health"), Route::Health);
    assert_eq!(route("/"), Route::Unknown);
}

#[test]
fn an_api_key_in_the_query_never_reaches_the_api() {
    let (query, key) = take_api_key(Some("select=id&apikey=k&id=eq.1"));
    assert_eq!(query.as_deref(), Some("select=id&id=eq.1"));
    assert_eq!(key.as_deref(), Some("k"));
    assert_eq!(take_api_key(Some("apikey=k")), (None, Some("k".into())));
    assert_eq!(take_api_key(None), (None, None));
}

#[test]
fn a_query_is_read_as_it_was_meant() {
    let query = read_query(Some("grant_type=password&x=a%20b+c&&flag&y=%4&z=%c3%a4"));
    let read = |name: &str| query.get(name).map(String::as_str);
    assert_eq!(read("grant_type"), Some("password"));
    assert_eq!(read("x"), Some("a b c"));
    assert_eq!(read("flag"), Some(""));
    assert_eq!(read("y"), Some("%4"));
    assert_eq!(read("z"), Some("ä"));
    assert!(read_query(None).is_empty());
    assert_eq!(decode("a+b%2Fc", false), "a+b/c");
}

#[tokio::test]
async fn a_body_is_read_up_to_its_bound_and_told_apart_from_one_that_is_larger() {
    let read = async |text: &'static str, limit| read_body(Body::from(text), limit).await;
    assert_eq!(read("1234", 4).await, Ok(b"1234".to_vec()));
    assert_eq!(read("", 0).await, Ok(Vec::new()));
    assert_eq!(read("12345", 4).await, Err(Unread::TooLarge));
}

#[test]
fn auth_wants_a_key_and_is_told_whose_the_token_is() {
    let gateway = gateway();
    let status = |pairs: &[(&str, &str)], query| {
        let checked = gateway.check_key(&headers(pairs), query);
        checked.map_err(|refusal| refusal.status)
    };
    assert_eq!(status(&[("apikey", keys::PUBLISHABLE_KEY)], None), Ok(()));
    assert_eq!(status(&[], Some(keys::PUBLISHABLE_KEY)), Ok(()));
    for bad in [
        vec![],
        vec![("apikey", "x")],
        vec![(USER, user(60).as_str())],
    ] {
        assert_eq!(status(&bad, None), Err(StatusCode::UNAUTHORIZED), "{bad:?}");
    }
    let role = |pairs: &[(&str, &str)]| {
        let caller = gateway.caller(&headers(pairs));
        caller.map(|claims| claims.map(|claims| claims["role"].as_str().unwrap().to_owned()))
    };
    let anon = keys::anon_key().unwrap();
    assert_eq!(role(&[("apikey", &anon)]), None);
    assert_eq!(
        role(&[("apikey", keys::SECRET_KEY)]),
        Some(Ok("service_role".to_owned()))
    );
    let mine = [("apikey", keys::SECRET_KEY), (USER, &user(60))];
    assert_eq!(role(&mine), Some(Ok("authenticated".to_owned())));
    let old = [("apikey", keys::SECRET_KEY), (USER, &user(-60))];
    assert_eq!(role(&old), Some(Err(Refused::Expired)));
}

#[test]
fn a_function_takes_a_user_or_a_bare_key() {
    let gateway = gateway();
    let anon = format!("Bearer {}", keys::anon_key().unwrap());
    let publishable = format!("bearer {}", keys::PUBLISHABLE_KEY);
    for good in [
        [(USER, user(60).as_str())],
        [(USER, anon.as_str())],
        [(USER, publishable.as_str())],
        [("apikey", keys::PUBLISHABLE_KEY)],
        [("apikey", keys::SECRET_KEY)],
    ] {
        assert!(
            gateway.check_function_call(&headers(&good)).is_ok(),
            "{good:?}"
        );
    }
}

#[test]
fn a_function_refuses_everything_else() {
    let gateway = gateway();
    for bad in [
        vec![],
        vec![(USER, "Bearer x")],
        vec![(USER, "Basic eDp5")],
        vec![(USER, "Bearer sb_publishable_other")],
        vec![("apikey", "sb_publishable_other")],
        // A good key does not excuse a bad token.
        vec![("apikey", keys::PUBLISHABLE_KEY), (USER, "Bearer x")],
    ] {
        let refusal = gateway.check_function_call(&headers(&bad)).unwrap_err();
        assert_eq!(refusal.status, StatusCode::UNAUTHORIZED, "{bad:?}");
    }
    let expired = user(-1);
    let refusal = gateway
        .check_function_call(&headers(&[(USER, &expired)]))
        .unwrap_err();
    assert_eq!(refusal.message, "The token has expired.");
}

#[test]
fn keys_become_the_role_they_stand_for() {
    let gateway = gateway();
    let anon = format!("Bearer {}", keys::anon_key().unwrap());
    let service = format!("Bearer {}", keys::service_role_key().unwrap());
    let publishable = format!("Bearer {}", keys::PUBLISHABLE_KEY);
    let seen = |pairs: &[(&str, &str)]| {
        gateway
            .api_authorization(&headers(pairs), None)
            .map(|value| value.map(|value| value.to_str().unwrap().to_owned()))
            .map_err(|refusal| refusal.status)
    };
    assert_eq!(
        seen(&[("apikey", keys::PUBLISHABLE_KEY)]),
        Ok(Some(anon.clone()))
    );
    assert_eq!(seen(&[("apikey", keys::SECRET_KEY)]), Ok(Some(service)));
    // supabase-js repeats the key as the bearer.
    assert_eq!(
        seen(&[("apikey", keys::PUBLISHABLE_KEY), (USER, &publishable)]),
        Ok(Some(anon))
    );
    // A person stays who they are.
    assert_eq!(
        seen(&[("apikey", keys::PUBLISHABLE_KEY), (USER, &user(60))]),
        Ok(None)
    );
    let refused = Err(StatusCode::UNAUTHORIZED);
    assert_eq!(seen(&[]), refused);
    assert_eq!(seen(&[(USER, &user(60))]), refused);
    assert_eq!(seen(&[("apikey", "sb_secret_x")]), refused);
    assert_eq!(
        seen(&[("apikey", "sb_secret_x"), (USER, &publishable)]),
        refused
    );
    assert_eq!(
        seen(&[
            ("apikey", keys::PUBLISHABLE_KEY),
            (USER, "Bearer sb_secret_x")
        ]),
        refused
    );
}

#[test]
fn connection_headers_end_here() {
    let mut given = headers(&[
        ("connection", "keep-alive, x-hop"),
        ("x-hop", "1"),
        ("transfer-encoding", "chunked"),
        ("idempotency-key", "k"),
    ]);
    strip_hop_by_hop(&mut given);
    assert_eq!(given.len(), 1);
    assert!(given.contains_key("idempotency-key"));
}

#[tokio::test]
async fn a_refusal_has_the_shape_of_every_error() {
    let response = Refusal::outcome_unknown("late", true).into_response("r-1");
    assert_eq!(response.status(), StatusCode::GATEWAY_TIMEOUT);
    assert_eq!(response.headers()["x-request-id"], "r-1");
    assert_eq!(response.headers()["retry-after"], "1");
    assert_eq!(response.headers()["access-control-allow-origin"], "*");
    let body = axum::body::to_bytes(response.into_body(), 10_000)
        .await
        .unwrap();
    let body: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(body["error"], body["code"]);
    assert_eq!(body["retryable"], true);
    assert_eq!(body["details"], Value::Null);
    assert_eq!(body["request_id"], "r-1");
}

#[test]
fn an_unknown_outcome_may_be_repeated_only_where_that_cannot_act_twice() {
    let keyed = HeaderMap::from_iter([(
        HeaderName::from_static("idempotency-key"),
        HeaderValue::from_static("k"),
    )]);
    assert!(is_repeatable(&Method::GET, &HeaderMap::new()));
    assert!(is_repeatable(&Method::POST, &keyed));
    assert!(!is_repeatable(&Method::POST, &HeaderMap::new()));
    assert!(!Refusal::outcome_unknown("late", false).retryable);
}

#[tokio::test]
async fn a_missing_right_is_403_for_who_is_signed_in() {
    let answered = async |status: StatusCode, code: &str, sender: &str| {
        let mut response = json_response(status, &json!({"code": code}));
        response
            .headers_mut()
            .insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        let sender = HeaderValue::from_str(sender).unwrap();
        let response = forbid(response, Some(&sender)).await;
        let asks = response.headers().contains_key(WWW_AUTHENTICATE);
        let status = response.status().as_u16();
        let body = axum::body::to_bytes(response.into_body(), 1_000).await;
        assert!(String::from_utf8_lossy(&body.unwrap()).contains(code));
        (status, asks)
    };
    let unauthorized = StatusCode::UNAUTHORIZED;
    let service = format!("Bearer {}", keys::service_role_key().unwrap());
    for somebody in [&user(60), &service] {
        assert_eq!(
            answered(unauthorized, "42501", somebody).await,
            (403, false)
        );
        assert_eq!(
            answered(unauthorized, "PGRST301", somebody).await,
            (401, true)
        );
        assert_eq!(
            answered(StatusCode::NOT_FOUND, "42501", somebody).await,
            (404, true)
        );
    }
    let anon = format!("Bearer {}", keys::anon_key().unwrap());
    for nobody in [anon.as_str(), "Bearer x", ""] {
        assert_eq!(answered(unauthorized, "42501", nobody).await, (401, true));
    }
}

#[test]
fn faults_are_for_those_they_were_injected_for_and_end() {
    let fault = json!({
        "times": 2, "path": "/rest/v1/rpc/", "authorization": "Bearer a", "status": 503, "retry_after": "7",
        "acts": false,
    });
    let fault: Fault = serde_json::from_value(fault).unwrap();
    let faults = Faults::default();
    faults.inject(fault);
    let take = |method: Method, path, whose| {
        let headers = headers(&[(USER, whose)]);
        faults.take(&method, path, &headers)
    };
    let (post, path) = (Method::POST, "/rest/v1/rpc/checkout");
    assert!(take(post.clone(), path, "Bearer b").is_none());
    assert!(take(post.clone(), "/rest/v1/orders", "Bearer a").is_none());
    assert!(take(Method::OPTIONS, path, "Bearer a").is_none());
    let answer = take(post.clone(), path, "Bearer a").unwrap().answer();
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.headers()["retry-after"], "7");
    assert!(take(post.clone(), path, "Bearer a").is_some());
    assert!(take(post, path, "Bearer a").is_none());
    assert_eq!((faults.end(), faults.end()), (2, 0));
}
