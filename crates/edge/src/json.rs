//! The host's own `JSON`, as the domain's codec.

use interlock_domain::json::{Claims, Codec, MAX_DEPTH, Malformed, Value};
use js_sys::{Array, JSON, JsString, Object};
use wasm_bindgen::prelude::*;

/// Reads with V8's `JSON`. A body is a JavaScript string and stays one.
pub(crate) struct HostJson;

#[wasm_bindgen]
extern "C" {
    /// `JSON.parse` of a string that is JavaScript's already.
    #[wasm_bindgen(catch, js_namespace = JSON, js_name = parse)]
    fn parse_kept(text: &JsString) -> Result<JsValue, JsValue>;

    /// The document of an access token.
    type Token;
    #[wasm_bindgen(method, getter)]
    fn sub(this: &Token) -> JsValue;
    #[wasm_bindgen(method, getter)]
    fn role(this: &Token) -> JsValue;
    #[wasm_bindgen(method, getter)]
    fn exp(this: &Token) -> JsValue;
}

impl Codec for HostJson {
    type Text = JsString;

    fn parse(&self, text: &str) -> Result<Value, Malformed> {
        value(JSON::parse(text))
    }

    fn read(&self, text: &JsString) -> Result<Value, Malformed> {
        value(parse_kept(text))
    }

    fn is_object(&self, text: &JsString) -> bool {
        parse_kept(text).is_ok_and(|value| is_object(&value))
    }

    fn claims(&self, text: &str) -> Option<Claims> {
        let token: Token = JSON::parse(text).ok().filter(is_object)?.unchecked_into();
        Some(Claims {
            sub: token.sub().as_string(),
            role: token.role().as_string(),
            exp: token.exp().as_f64(),
        })
    }

    fn take(&self, text: &JsString) -> String {
        text.into()
    }

    fn keep(&self, text: String) -> JsString {
        text.into()
    }

    fn fraction(&self, number: f64) -> String {
        // A number always serialises.
        JSON::stringify(&number.into()).map_or_else(|_| String::new(), String::from)
    }
}

fn is_object(value: &JsValue) -> bool {
    value.is_object() && !Array::is_array(value)
}

fn value(parsed: Result<JsValue, JsValue>) -> Result<Value, Malformed> {
    let parsed = parsed.map_err(|_| Malformed::NotJson)?;
    from_js(&parsed, MAX_DEPTH).ok_or(Malformed::TooDeep)
}

/// What `JSON.parse` gave, as ours; `None` if it is nested more than `depth` levels deep, which bounds the
/// recursion. Each question is a call into JavaScript, so what is seen most often is asked first.
pub(crate) fn from_js(value: &JsValue, depth: usize) -> Option<Value> {
    if let Some(text) = value.as_string() {
        Some(text.into())
    } else if let Some(number) = value.as_f64() {
        Some(number.into())
    } else if Array::is_array(value) {
        let depth = depth.checked_sub(1)?;
        let items: &Array = value.unchecked_ref();
        let items = (0..items.length()).map(|index| from_js(&items.get(index), depth));
        items.collect::<Option<_>>().map(Value::List)
    } else if value.is_object() {
        let depth = depth.checked_sub(1)?;
        let object: &Object = value.unchecked_ref();
        let (names, values) = (Object::keys(object), Object::values(object));
        let members = (0..names.length()).map(|index| {
            let name = names.get(index).as_string()?;
            Some((name, from_js(&values.get(index), depth)?))
        });
        members.collect::<Option<_>>().map(Value::Object)
    } else {
        Some(value.as_bool().map_or(Value::Null, Value::from))
    }
}
