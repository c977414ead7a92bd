//! The host's own `JSON`, as the domain's codec, and its values as ours.

use interlock_domain::json::{Codec, MAX_DEPTH, Malformed, Value};
use js_sys::{Array, JSON, Object};
use serde::Serialize;
use serde_wasm_bindgen::Serializer;
use wasm_bindgen::{JsCast, JsValue};

/// Reads and writes with V8's `JSON`.
pub(crate) struct HostJson;

impl Codec for HostJson {
    fn parse(&self, text: &str) -> Result<Value, Malformed> {
        let value = JSON::parse(text).map_err(|_| Malformed::NotJson)?;
        from_js(&value).ok_or(Malformed::TooDeep)
    }

    fn write(&self, value: &Value) -> String {
        // A document of plain values always serialises, and so does its JavaScript twin.
        JSON::stringify(&to_js(value))
            .map(String::from)
            .unwrap_or_default()
    }

    fn is_object(&self, text: &str) -> bool {
        JSON::parse(text).is_ok_and(|value| value.is_object() && !value.is_array())
    }
}

/// A value as plain JavaScript: objects rather than maps, `null` for what is absent.
pub(crate) fn to_js(value: &Value) -> JsValue {
    value
        .serialize(&Serializer::json_compatible())
        .unwrap_or(JsValue::NULL)
}

/// A plain JavaScript value as ours; `None` if it is nested too deeply or no JSON. By hand, since
/// serde-wasm-bindgen's deserialiser brings in 30 KB of error texts that nobody reads.
pub(crate) fn from_js(value: &JsValue) -> Option<Value> {
    nested_from_js(value, MAX_DEPTH)
}

/// `depth` is how many more levels there may be; it bounds the recursion.
fn nested_from_js(value: &JsValue, depth: usize) -> Option<Value> {
    if value.is_null() || value.is_undefined() {
        Some(Value::Null)
    } else if let Some(text) = value.as_string() {
        Some(text.into())
    } else if let Some(number) = value.as_f64() {
        Some(number.into())
    } else if let Some(truth) = value.as_bool() {
        Some(truth.into())
    } else if let Some(items) = value.dyn_ref::<Array>() {
        let depth = depth.checked_sub(1)?;
        items
            .iter()
            .map(|item| nested_from_js(&item, depth))
            .collect::<Option<_>>()
            .map(Value::List)
    } else {
        let depth = depth.checked_sub(1)?;
        let entries = Object::entries(value.dyn_ref()?);
        let member = |entry: JsValue| {
            let entry = entry.dyn_ref::<Array>()?;
            Some((
                entry.get(0).as_string()?,
                nested_from_js(&entry.get(1), depth)?,
            ))
        };
        entries
            .iter()
            .map(member)
            .collect::<Option<_>>()
            .map(Value::Object)
    }
}
