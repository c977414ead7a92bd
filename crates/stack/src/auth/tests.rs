//! What is decided before the database is asked.

use super::*;

fn auth() -> Auth {
    let settings = AuthSettings::default();
    Auth::new(
        "postgres://nobody@127.0.0.1:1/none",
        "http://127.0.0.1:1",
        settings,
    )
    .unwrap()
}

fn call<'a>(method: &'a Method, path: &'a str, headers: &'a HeaderMap, body: &'a str) -> Call<'a> {
    Call {
        method,
        path,
        query: BTreeMap::new(),
        headers,
        body: body.as_bytes(),
        caller: None,
    }
}

async fn refused(method: Method, path: &str, body: &str, caller: Option<Value>) -> Refusal {
    let headers = HeaderMap::new();
    let mut call = call(&method, path, &headers, body);
    call.caller = caller.map(Ok);
    auth().dispatch(&call).await.unwrap_err()
}

#[tokio::test]
async fn what_is_not_here_says_so() {
    for path in [
        "/otp",
        "/recover",
        "/verify",
        "/authorize",
        "/factors",
        "/user/identities/authorize",
        "/sso",
    ] {
        let refusal = refused(Method::POST, path, "{}", None).await;
        let told = (refusal.status, refusal.code);
        assert_eq!(
            told,
            (StatusCode::NOT_FOUND, "not_in_local_stack"),
            "{path}"
        );
        assert!(refusal.message.starts_with("The local stack"), "{path}");
    }
    let shop = Some(json!({"role": "service_role"}));
    let refusal = refused(Method::POST, "/admin/generate_link", "{}", shop).await;
    assert_eq!(refusal.code, "not_in_local_stack");
    let refusal = refused(Method::POST, "/nothing", "{}", None).await;
    assert_eq!(
        (refusal.status, refusal.code),
        (StatusCode::NOT_FOUND, "not_found")
    );
}

#[tokio::test]
async fn accounts_are_administered_by_the_shop_alone() {
    let refusal = refused(Method::GET, "/admin/users", "", None).await;
    assert_eq!(
        (refusal.status, refusal.code),
        (StatusCode::UNAUTHORIZED, "no_authorization")
    );
    for role in ["anon", "authenticated"] {
        let somebody = Some(json!({"role": role, "sub": Uuid::new_v4()}));
        let refusal = refused(Method::GET, "/admin/users", "", somebody).await;
        assert_eq!(
            (refusal.status, refusal.code),
            (StatusCode::FORBIDDEN, "not_admin")
        );
    }
}

#[tokio::test]
async fn a_key_is_no_user() {
    let anon = Some(json!({"role": "anon", "iss": "supabase-demo"}));
    for (method, path) in [(Method::GET, "/user"), (Method::POST, "/logout")] {
        let refusal = refused(method, path, "{}", anon.clone()).await;
        assert_eq!(
            (refusal.status, refusal.code),
            (StatusCode::FORBIDDEN, "bad_jwt")
        );
    }
}

#[tokio::test]
async fn a_sign_up_is_checked_before_anything_is_written() {
    let long = format!(
        r#"{{"email": "a@b.example", "password": "{}"}}"#,
        "x".repeat(73)
    );
    for (body, code) in [
        ("", "bad_json"),
        ("[]", "bad_json"),
        (r#"{"email": "a@b.example", "data": []}"#, "bad_json"),
        (r#"{"email": "a@b.example"}"#, "validation_failed"),
        (
            r#"{"email": "a@b.example", "password": "short"}"#,
            "weak_password",
        ),
        (long.as_str(), "validation_failed"),
        (
            r#"{"email": "a b@c.example", "password": "long enough"}"#,
            "validation_failed",
        ),
        (
            r#"{"phone": "+49", "password": "long enough"}"#,
            "phone_provider_disabled",
        ),
        ("{}", "anonymous_provider_disabled"),
    ] {
        assert_eq!(
            refused(Method::POST, "/signup", body, None).await.code,
            code,
            "{body}"
        );
    }
}

#[test]
fn addresses_are_checked_and_made_small() {
    assert_eq!(
        checked_email("Ann.B+1@Shop.Example"),
        Ok("ann.b+1@shop.example".to_owned())
    );
    for bad in [
        "",
        "a",
        "@b.example",
        "a@",
        "a@b..example",
        "a@b@c.example",
        "a@b_c",
        "a\n@b.example",
    ] {
        assert!(checked_email(bad).is_err(), "{bad:?}");
    }
}

#[tokio::test]
async fn a_refresh_token_of_another_form_is_asked_of_nobody() {
    for token in ["", "short", "ABCDEFGHIJKL", "abcdefghijklm"] {
        let headers = HeaderMap::new();
        let body = json!({"refresh_token": token}).to_string();
        let mut call = call(&Method::POST, "/token", &headers, &body);
        call.query
            .insert("grant_type".to_owned(), "refresh_token".to_owned());
        let refusal = auth().dispatch(&call).await.unwrap_err();
        assert_eq!(refusal.code, "validation_failed", "{token:?}");
    }
}

#[tokio::test]
async fn a_body_that_says_how_to_sign_in_in_another_way_is_refused() {
    let headers = HeaderMap::new();
    let mut call = call(&Method::POST, "/token", &headers, "{}");
    for (grant, status) in [("pkce", 404), ("password", 400), ("magic", 400)] {
        call.query.insert("grant_type".to_owned(), grant.to_owned());
        let refusal = auth().dispatch(&call).await.unwrap_err();
        assert_eq!(refusal.status.as_u16(), status, "{grant}");
    }
}
