//! One call over HTTP with exactly the credentials that a check wants, and its whole answer.

use crate::harness::stack::Stack;
use reqwest::Method;
use reqwest::header::HeaderMap;
use serde_json::Value;

/// Calls that depend on nothing are made side by side.
pub(super) const CALLS_AT_ONCE: usize = 8;

/// A call that is made as it stands.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) method: Method,
    /// Path and query.
    pub(super) path: String,
    /// The API key, as header `apikey`.
    pub(super) key: Option<String>,
    /// The bearer token.
    pub(super) token: Option<String>,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Option<String>,
}

/// What came back, as text: a leak may stand anywhere.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: String,
}

impl Call {
    /// Reads.
    pub(super) fn get(path: impl Into<String>) -> Self {
        Call {
            method: Method::GET,
            path: path.into(),
            key: None,
            token: None,
            headers: Vec::new(),
            body: None,
        }
    }

    /// Sends a JSON body.
    pub(super) fn post(path: impl Into<String>, body: impl ToString) -> Self {
        Call {
            method: Method::POST,
            body: Some(body.to_string()),
            ..Call::get(path)
        }
    }

    /// With the API key and, if there is one, the token of a user.
    pub(super) fn by(mut self, key: &str, token: Option<&str>) -> Self {
        self.key = Some(key.to_owned());
        self.token = token.map(str::to_owned);
        self
    }

    /// With one more header.
    pub(super) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Makes the call.
    pub(super) async fn send(&self, stack: &Stack) -> Reply {
        let url = format!("{}{}", stack.api_url, self.path);
        let mut request = stack.http.request(self.method.clone(), url);
        if let Some(key) = &self.key {
            request = request.header("apikey", key);
        }
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        if let Some(body) = &self.body {
            request = request
                .header("content-type", "application/json")
                .body(body.clone());
        }
        let response = request.send().await.expect("the stack answers");
        Reply {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            body: response.text().await.expect("an answer arrives whole"),
        }
    }
}

impl Reply {
    /// The code of an error, whoever it comes from: the catalogue's, the SQLSTATE or PostgREST's.
    pub(super) fn code(&self) -> String {
        let body: Value = serde_json::from_str(&self.body).unwrap_or_default();
        let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
        match text("code") {
            // The catalogue's code is the message of an error that a function raised.
            raised if raised.starts_with("PT") => text("message"),
            code => code,
        }
    }

    /// Everything that the caller gets to see.
    pub(super) fn text(&self) -> String {
        format!("{:?} {}", self.headers, self.body)
    }

    /// The start of it, for a failure's text.
    pub(super) fn brief(&self) -> String {
        let body: String = self.body.chars().take(300).collect();
        format!("{} {body}", self.status)
    }
}
