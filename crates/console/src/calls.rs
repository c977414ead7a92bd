//! HTTP from the page, by way of many names of this machine.

use std::cell::RefCell;

use js_sys::Promise;
use postgrest::{Builder, Postgrest};
use serde_json::Value;
use wasm_bindgen::JsCast as _;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{Headers, RequestInit, Response};

use crate::dom::window;

/// Why a call has no answer that is of use.
#[derive(Clone, Debug)]
pub(crate) struct Trouble(pub(crate) String);

impl From<JsValue> for Trouble {
    fn from(error: JsValue) -> Self {
        let error: js_sys::Error = error.unchecked_into();
        Self(String::from(error.message()))
    }
}

/// Somebody who takes part.
#[derive(Clone, Debug)]
pub(crate) struct Racer {
    pub(crate) id: String,
    pub(crate) token: String,
}

/// Where the API is, and its public key.
#[derive(Clone, Debug)]
pub(crate) struct Api {
    pub(crate) port: u16,
    pub(crate) key: String,
    /// Whether the browser finds this machine by any name below `localhost`.
    pub(crate) many_names: bool,
}

/// A browser has no more connections to one name than this; the rest would wait in it instead of racing.
pub(crate) const CONNECTIONS: usize = 6;

impl Api {
    /// A name of the API by which the racer of that number calls it.
    pub(crate) fn base(&self, racer: usize) -> String {
        match self.many_names {
            true => format!("http://lab-{}.localhost:{}", racer / CONNECTIONS, self.port),
            false => format!("http://127.0.0.1:{}", self.port),
        }
    }
}

/// One request on its way through its calls.
pub(crate) struct Lane {
    base: String,
    key: String,
    racer: Racer,
    answered: RefCell<Vec<f64>>,
}

/// A call of a function.
pub(crate) struct Call {
    pub(crate) method: &'static str,
    pub(crate) path: String,
    pub(crate) body: Value,
}

impl Lane {
    pub(crate) fn new(api: &Api, number: usize, racer: &Racer) -> Self {
        Self {
            base: api.base(number),
            key: api.key.clone(),
            racer: racer.clone(),
            answered: RefCell::default(),
        }
    }

    /// Who sends it.
    pub(crate) fn user(&self) -> &str {
        &self.racer.id
    }

    /// When each of its calls was answered, by the page's clock.
    pub(crate) fn answered(&self) -> Vec<f64> {
        self.answered.borrow().clone()
    }

    fn rest(&self) -> Postgrest {
        Postgrest::new(format!("{}/rest/v1", self.base))
            .schema("race_lab")
            .insert_header("apikey", &self.key)
            .insert_header("authorization", format!("Bearer {}", self.racer.token))
    }

    /// A table of the lab.
    pub(crate) fn from(&self, table: &str) -> Builder {
        self.rest().from(table)
    }

    /// Calls a function of the lab.
    pub(crate) async fn rpc(&self, name: &str, arguments: &Value) -> Result<Value, Trouble> {
        let call = self.rest().rpc(name, arguments.to_string());
        self.send(call).await
    }

    /// Sends a request to PostgREST; an error of it is trouble.
    pub(crate) async fn send(&self, request: Builder) -> Result<Value, Trouble> {
        let trouble = |error: &dyn std::fmt::Display| Trouble(error.to_string());
        let response = request.execute().await.map_err(|error| trouble(&error))?;
        let status = response.status();
        let text = response.text().await.map_err(|error| trouble(&error))?;
        self.answered.borrow_mut().push(now());
        if !status.is_success() {
            return Err(Trouble(format!("{} {text}", status.as_u16())));
        }
        if text.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_str(&text).map_err(|error| trouble(&error))
    }

    /// Calls a function; its status and answer.
    pub(crate) async fn call(&self, call: &Call) -> Result<(u16, Value), Trouble> {
        let headers = Headers::new()?;
        headers.set("apikey", &self.key)?;
        headers.set("authorization", &format!("Bearer {}", self.racer.token))?;
        headers.set("content-type", "application/json")?;
        headers.set("idempotency-key", &fresh_id())?;
        let request = RequestInit::new();
        request.set_method(call.method);
        request.set_headers(&headers);
        request.set_body(&call.body.to_string().into());
        let url = format!("{}{}", self.base, call.path);
        let (status, answer) = fetch(&url, &request).await?;
        self.answered.borrow_mut().push(now());
        Ok((status, answer))
    }
}

/// Fetches JSON.
pub(crate) async fn fetch(url: &str, request: &RequestInit) -> Result<(u16, Value), Trouble> {
    let response = JsFuture::from(window().fetch_with_str_and_init(url, request)).await?;
    let response: Response = response.dyn_into()?;
    let text = JsFuture::from(response.text()?).await?;
    let text = text.as_string().unwrap_or_default();
    let answer = serde_json::from_str(&text).unwrap_or_default();
    Ok((response.status(), answer))
}

/// A UUID that nobody has had.
pub(crate) fn fresh_id() -> String {
    window()
        .crypto()
        .map_or_else(|_| String::new(), |crypto| crypto.random_uuid())
}

/// Milliseconds since the page was loaded, with what is behind the point.
pub(crate) fn now() -> f64 {
    window().performance().map_or(0.0, |clock| clock.now())
}

/// Waits.
pub(crate) async fn pause(milliseconds: u32) {
    let milliseconds = i32::try_from(milliseconds).unwrap_or(i32::MAX);
    let promise = Promise::new(&mut |resolve, _| {
        // Without a timer nobody would wait.
        let _ =
            window().set_timeout_with_callback_and_timeout_and_arguments_0(&resolve, milliseconds);
    });
    let _ = JsFuture::from(promise).await;
}
