//! The shapes that crates/domain tells of as JSON Schema.

use interlock_domain::shape::Shape;
use serde_json::{Map, Value, json};

use super::reference;

/// A shape as a schema.
pub(super) fn schema(shape: &Shape) -> Value {
    match shape {
        Shape::Null => json!({ "type": "null" }),
        Shape::Uuid => json!({ "type": "string", "format": "uuid" }),
        Shape::Time => json!({ "type": "string", "format": "date-time" }),
        Shape::Text => json!({ "type": "string" }),
        Shape::Flag => json!({ "type": "boolean" }),
        Shape::Only(truth) => json!({ "const": truth }),
        Shape::Currency => {
            json!({ "type": "string", "description": "ISO 4217", "pattern": "^[A-Z]{3}$" })
        }
        Shape::Whole => json!({ "type": "integer" }),
        Shape::Number => json!({ "type": "number" }),
        Shape::AtLeast(least) => json!({ "type": "integer", "minimum": least }),
        Shape::Words(words) => json!({ "enum": words }),
        Shape::OrNull(shape) => or_null(schema(shape)),
        Shape::Says(what, shape) => {
            let mut schema = schema(shape);
            schema["description"] = json!(what);
            schema
        }
        Shape::List(items) => json!({ "type": "array", "items": schema(items) }),
        Shape::Object(about, members) => object(about, properties(members), &[]),
        Shape::Partly(about, members, optional) => object(about, properties(members), optional),
        Shape::Anything => json!({ "type": "object", "additionalProperties": true }),
        Shape::Named(name) => reference("schemas", name),
        Shape::OneOf(shapes) => {
            // Not `oneOf`: more members may come, so what is one of them may be another one, too.
            json!({ "anyOf": shapes.iter().map(schema).collect::<Vec<_>>() })
        }
    }
}

fn properties(members: &[(&str, Shape)]) -> Value {
    let properties = members
        .iter()
        .map(|(name, shape)| ((*name).to_owned(), schema(shape)));
    Value::Object(properties.collect())
}

/// An object that has all these members but the optional ones.
pub(super) fn object(description: &str, properties: Value, optional: &[&str]) -> Value {
    let names = properties.as_object().into_iter().flat_map(Map::keys);
    let required: Vec<&String> = names
        .filter(|name| !optional.contains(&name.as_str()))
        .collect();
    json!({ "type": "object", "description": description, "required": required, "properties": properties })
}

/// The same, or null.
pub(super) fn or_null(mut schema: Value) -> Value {
    schema["type"] = json!([schema["type"], "null"]);
    schema
}
