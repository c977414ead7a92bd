//! Request bodies as JSON Schema, from what the functions themselves tell of their fields.

use anyhow::{Context, Result, bail};
use interlock_domain::describe::{self, Field};
use interlock_domain::function::Function;
use interlock_domain::json::MAX_SAFE_INTEGER;
use interlock_domain::rule::Rule;
use serde_json::{Map, Value, json};

/// The schema of a function's request body. A field without a meaning, and a meaning without its field, stop the
/// generation.
pub(super) fn schema(function: &Function) -> Result<Value> {
    let fields = describe::fields(function);
    for (place, meaning) in function.told.fields {
        if !fields.iter().any(|field| place_of(field) == *place) {
            bail!("{place} has a meaning and is not read");
        }
        if meaning.trim().is_empty() {
            bail!("{place} has no meaning in its record");
        }
    }
    let mut schema = object(function, &fields, "")?;
    let between: Map<String, Value> = serde_json::from_str(function.told.between_fields)
        .context("what its fields say about each other is no JSON object")?;
    schema.extend(between);
    Ok(Value::Object(schema))
}

/// The object at `parent`, which is empty for the body and the list's place for its items.
fn object(function: &Function, fields: &[Field], parent: &str) -> Result<Map<String, Value>> {
    let own = fields.iter().filter(|field| field.parent == parent);
    let mut properties = Map::new();
    let mut required = Vec::new();
    for field in own {
        let place = place_of(field);
        let told = function.told.fields;
        let (_, meaning) = told
            .iter()
            .find(|(at, _)| *at == place)
            .with_context(|| format!("{place} is read and has no meaning in its record"))?;
        let mut property = rule(field.rule);
        if let Rule::List(_) = field.rule {
            property["items"] = Value::Object(object(function, fields, &place)?);
        }
        property["description"] = json!(meaning);
        properties.insert(field.name.clone(), property);
        if field.required {
            required.push(field.name.as_str());
        }
    }
    let mut object = Map::new();
    object.insert("type".to_owned(), json!("object"));
    object.insert("properties".to_owned(), Value::Object(properties));
    if !required.is_empty() {
        object.insert("required".to_owned(), json!(required));
    }
    object.insert("additionalProperties".to_owned(), json!(false));
    Ok(object)
}

fn place_of(field: &Field) -> String {
    format!("{}/{}", field.parent, field.name)
}

fn rule(rule: Rule) -> Value {
    match rule {
        Rule::Uuid => json!({
            "type": "string",
            "format": "uuid",
            "pattern": "^[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}$",
        }),
        Rule::Word(words) => json!({ "type": "string", "enum": words }),
        Rule::Flag => json!({ "type": "boolean" }),
        Rule::Integer(start, end) => json!({ "type": "integer", "minimum": start, "maximum": end }),
        Rule::Amount => {
            json!({ "type": "integer", "minimum": 0, "maximum": MAX_SAFE_INTEGER as u64 })
        }
        Rule::Line(max) => json!({ "type": "string", "minLength": 1, "pattern": line(max) }),
        Rule::Object => json_object(),
        Rule::List(max) => json!({ "type": "array", "minItems": 1, "maxItems": max }),
    }
}

/// Any JSON that the database can keep.
pub(super) fn json() -> Value {
    json!({
        "description": "Any JSON whose texts have no NUL.",
        "anyOf": [
            { "type": ["null", "boolean", "number"] },
            { "type": "string", "pattern": WITHOUT_NUL },
            { "type": "array", "items": { "$ref": "#/components/schemas/Json" } },
            json_object(),
        ],
    })
}

fn json_object() -> Value {
    json!({
        "type": "object",
        "propertyNames": { "pattern": WITHOUT_NUL },
        "additionalProperties": { "$ref": "#/components/schemas/Json" },
    })
}

const WITHOUT_NUL: &str = "^[^\\u0000]*$";

/// One to `max` characters without control characters, between blanks that do not count. The blanks
/// are Unicode's, spelled out because `\s` means others in every language.
fn line(max: usize) -> String {
    let blank = "\\u0009-\\u000d\\u0020\\u0085\\u00a0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000";
    let control = "\\u0000-\\u001f\\u007f-\\u009f";
    let edge = format!("[^{blank}{control}]");
    let inner = max.saturating_sub(2);
    format!("^[{blank}]*{edge}(?:[^{control}]{{0,{inner}}}{edge})?[{blank}]*$")
}
