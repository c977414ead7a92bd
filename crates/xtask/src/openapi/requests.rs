//! Request bodies as JSON Schema, from what the functions themselves tell of their fields.

use anyhow::{Context, Result, bail};
use interlock_domain::describe::{self, Field};
use interlock_domain::function::Function;
use interlock_domain::json::MAX_SAFE_INTEGER;
use interlock_domain::rule::{Bound, QUANTITY_END, Rule, Special};
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
    let mut schema = body(function, &fields)?;
    let between: Map<String, Value> = serde_json::from_str(function.told.between_fields)
        .context("what its fields say about each other is no JSON object")?;
    schema.extend(between);
    Ok(Value::Object(schema))
}

/// The body. Where a word says how the rest is read, it is one of as many objects.
fn body(function: &Function, fields: &[Field]) -> Result<Map<String, Value>> {
    let variants = describe::variants(function);
    if variants.is_empty() {
        return object(function, fields, "");
    }
    let by = fields.first().context("a word is read")?;
    let meaning = meaning(function, &place_of(by))?;
    let mut bodies = Vec::new();
    for variant in variants {
        let mut body = object(function, &variant.fields, "")?;
        let word = json!({ "type": "string", "enum": [variant.word], "description": meaning });
        body["properties"][&by.name] = word;
        let required = body.entry("required").or_insert(json!([]));
        required
            .as_array_mut()
            .context("a list")?
            .insert(0, json!(by.name));
        bodies.push(Value::Object(body));
    }
    Ok(Map::from_iter([("oneOf".to_owned(), json!(bodies))]))
}

fn meaning(function: &Function, place: &str) -> Result<&'static str> {
    let told = function.told.fields;
    let found = told.iter().find(|(at, _)| *at == place);
    let (_, meaning) =
        found.with_context(|| format!("{place} is read and has no meaning in its record"))?;
    Ok(meaning)
}

/// The object at `parent`, which is empty for the body and the list's place for its items.
fn object(function: &Function, fields: &[Field], parent: &str) -> Result<Map<String, Value>> {
    let own = fields.iter().filter(|field| field.parent == parent);
    let mut properties = Map::new();
    let mut required = Vec::new();
    for field in own {
        let place = place_of(field);
        let meaning = meaning(function, &place)?;
        let mut property = rule(field.rule);
        if let Rule::List(..) = field.rule {
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
        Rule::Special(Special::Quantity(bound), _) => {
            let most = json!(QUANTITY_END - 0.001);
            let mut schema = json!({ "type": "number", "multipleOf": 0.001, "maximum": most });
            match bound {
                Bound::Any => schema["minimum"] = json!(0.001 - QUANTITY_END),
                Bound::NotZero => {
                    schema["minimum"] = json!(0.001 - QUANTITY_END);
                    schema["not"] = json!({ "const": 0 });
                }
                Bound::Positive => schema["exclusiveMinimum"] = json!(0),
                Bound::NotNegative => schema["minimum"] = json!(0),
            }
            schema
        }
        Rule::Special(Special::Version, _) => {
            json!({ "type": "integer", "minimum": 0, "maximum": MAX_SAFE_INTEGER as u64 })
        }
        Rule::Special(Special::Balance, _) => {
            let most = MAX_SAFE_INTEGER as i64;
            json!({ "type": "integer", "minimum": -most, "maximum": most })
        }
        Rule::Special(Special::Time, _) => {
            json!({ "type": "string", "format": "date-time", "pattern": time() })
        }
        Rule::Special(Special::Reference, _) => {
            json!({ "type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[\\x20-\\x7e]{1,255}$" })
        }
        Rule::Special(Special::Barcode, _) => {
            json!({ "type": "string", "minLength": 1, "maxLength": 64, "pattern": "^[\\x21-\\x7e]{1,64}$" })
        }
        Rule::Line(max) => json!({ "type": "string", "minLength": 1, "pattern": line(max) }),
        Rule::Object => json_object(),
        Rule::List(least, most) => json!({ "type": "array", "minItems": least, "maxItems": most }),
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

/// A time of RFC 3339 that there is: the days of each month, and of February in the years that are leap years.
fn time() -> String {
    let years = "[1-9][0-9]{3}";
    let leap = "(?:[1-9][0-9](?:0[48]|[2468][048]|[13579][26])|(?:[2468][048]|[13579][26])00)";
    let days = [
        "(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])",
        "(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)",
        "02-(?:0[1-9]|1[0-9]|2[0-8])",
    ];
    let day = format!("(?:{years}-(?:{})|{leap}-02-29)", days.join("|"));
    let zone = "(?:Z|[+-](?:0[0-9]|1[0-4]):[0-5][0-9])";
    format!("^{day}T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\\.[0-9]{{1,6}})?{zone}$")
}
