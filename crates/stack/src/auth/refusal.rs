//! What a call that fails is answered, in the words of Supabase Auth.

use axum::response::Response;
use hyper::StatusCode;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};

use crate::gateway::json_response;

/// From this version on an error is `{code, message}`; before, `{code, error_code, msg}`.
const NEW_ERRORS: &str = "2024-01-01";
const API_VERSION: HeaderName = HeaderName::from_static("x-supabase-api-version");
const ERROR_CODE: HeaderName = HeaderName::from_static("x-sb-error-code");

/// An error as the platform tells it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) code: &'static str,
    pub(super) message: String,
    /// What a password lacks.
    weak: Option<&'static str>,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            weak: None,
        }
    }

    /// 400: the request is not what it has to be.
    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "validation_failed", message)
    }

    /// 422: nobody would guess that password, but everybody could try it.
    pub(super) fn weak_password(least: usize) -> Self {
        Self {
            weak: Some("length"),
            ..Self::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "weak_password",
                format!("Password should be at least {least} characters."),
            )
        }
    }

    /// 403: the token is not one of a user whom we know.
    pub(super) fn bad_token(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, code, message)
    }

    /// 500: the database refused it, or was not reached.
    pub(super) fn database(message: &str) -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "unexpected_failure",
            message,
        )
    }

    /// 404: the platform has it, and the local stack does not. (A 501 would be one to try again to supabase-js.)
    pub(super) fn not_here(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_in_local_stack", message)
    }

    /// The answer to a request with these headers.
    pub(super) fn into_response(self, request: &HeaderMap) -> Response {
        let version = request.get(API_VERSION).and_then(|v| v.to_str().ok());
        let new = version.is_some_and(|version| is_date(version) && version >= NEW_ERRORS);
        let mut response = json_response(self.status, &self.body(new));
        let headers = response.headers_mut();
        headers.insert(ERROR_CODE, HeaderValue::from_static(self.code));
        if new {
            headers.insert(API_VERSION, HeaderValue::from_static(NEW_ERRORS));
        }
        response
    }

    fn body(&self, new: bool) -> Value {
        let mut body = match new {
            true => json!({"code": self.code, "message": self.message}),
            false => {
                json!({"code": self.status.as_u16(), "error_code": self.code, "msg": self.message})
            }
        };
        if let Some(reason) = self.weak {
            body["weak_password"] = json!({"reasons": [reason]});
        }
        body
    }
}

/// Such as 2024-01-01; what is not one is a version that nobody knows.
fn is_date(text: &str) -> bool {
    text.len() == 10
        && text.bytes().enumerate().all(|(at, byte)| match at {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn told(refusal: Refusal, version: Option<&str>) -> (HeaderMap, Value) {
        let mut request = HeaderMap::new();
        if let Some(version) = version {
            request.insert(API_VERSION, HeaderValue::from_str(version).unwrap());
        }
        let (parts, body) = refusal.into_response(&request).into_parts();
        let body = axum::body::to_bytes(body, 10_000).await.unwrap();
        (parts.headers, serde_json::from_slice(&body).unwrap())
    }

    #[tokio::test]
    async fn an_error_is_told_in_the_version_that_is_asked_for() {
        let refusal = || Refusal::invalid("no");
        let old = json!({"code": 400, "error_code": "validation_failed", "msg": "no"});
        for version in [None, Some("2023-12-31"), Some("tomorrow")] {
            let (headers, body) = told(refusal(), version).await;
            assert_eq!(body, old, "{version:?}");
            assert!(!headers.contains_key(API_VERSION));
            assert_eq!(headers[ERROR_CODE], "validation_failed");
        }
        for version in ["2024-01-01", "2026-11-29"] {
            let (headers, body) = told(refusal(), Some(version)).await;
            assert_eq!(body, json!({"code": "validation_failed", "message": "no"}));
            assert_eq!(headers[API_VERSION], NEW_ERRORS);
        }
    }

    #[tokio::test]
    async fn a_weak_password_is_told_with_what_it_lacks() {
        let (_, body) = told(Refusal::weak_password(6), Some(NEW_ERRORS)).await;
        assert_eq!(body["code"], "weak_password");
        assert_eq!(body["weak_password"]["reasons"], json!(["length"]));
    }
}
