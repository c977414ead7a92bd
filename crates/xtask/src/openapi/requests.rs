//! Request bodies as JSON Schema, from what the functions themselves tell of their fields.

use anyhow::{Context, Result, bail};
use interlock_domain::describe::{self, Field};
use interlock_domain::function::Function;
use interlock_domain::json::MAX_SAFE_INTEGER;
use interlock_domain::rule::Rule;
use serde_json::{Map, Value, json};

/// What each field means, by function, list and name. A field without a meaning here, and a meaning
/// without its field, stop the generation.
const MEANINGS: [(&str, &str, &str); 16] = [
    (
        "claim-route",
        "/batch_id",
        "The batch. Without it, `claim` takes the next available one.",
    ),
    (
        "claim-route",
        "/action",
        "What to do; `claim` if it is absent. All others need a `batch_id`.",
    ),
    (
        "checkout",
        "/cart_items",
        "The cart; lines of one product are summed.",
    ),
    ("checkout", "/cart_items/product_id", "The product."),
    ("checkout", "/cart_items/quantity", "How many of it."),
    (
        "checkout",
        "/promo_code",
        "A promo code, in any case; outer blanks do not count.",
    ),
    (
        "checkout",
        "/cart_id",
        "Finds the hold that promo-validate made for this cart.",
    ),
    (
        "checkout",
        "/payment_method",
        "`cash_on_delivery` if it is absent.",
    ),
    (
        "promo-validate",
        "/code",
        "The promo code, in any case; outer blanks do not count.",
    ),
    (
        "promo-validate",
        "/cart_items",
        "The cart, priced by the database. Either this or `subtotal`.",
    ),
    ("promo-validate", "/cart_items/product_id", "The product."),
    ("promo-validate", "/cart_items/quantity", "How many of it."),
    (
        "promo-validate",
        "/subtotal",
        "What the cart costs, in minor units. Either this or `cart_items`.",
    ),
    (
        "promo-validate",
        "/cart_id",
        "The cart that holds the use; asking again refreshes its hold.",
    ),
    (
        "promo-validate",
        "/dry_run",
        "`true`: only asks, holds nothing. Not together with `release`.",
    ),
    (
        "promo-validate",
        "/action",
        "`apply` if it is absent; `release` gives this cart's hold back.",
    ),
];

/// The schema of a function's request body.
pub(super) fn schema(function: &Function) -> Result<Value> {
    let fields = describe::fields(function);
    let meanings = MEANINGS.iter().filter(|(name, ..)| *name == function.name);
    for (_, place, _) in meanings {
        if !fields.iter().any(|field| place_of(field) == *place) {
            bail!("{place} has a meaning and is not read");
        }
    }
    let mut schema = object(function.name, &fields, "")?;
    schema.extend(between_fields(function.name));
    Ok(Value::Object(schema))
}

/// What the fields say about each other.
fn between_fields(function: &str) -> Map<String, Value> {
    let rule = match function {
        "claim-route" => json!({
            "if": {
                "required": ["action"],
                "properties": { "action": { "enum": ["renew", "release", "start", "complete"] } },
            },
            "then": { "required": ["batch_id"] },
        }),
        "promo-validate" => json!({
            "if": { "required": ["action"], "properties": { "action": { "const": "release" } } },
            "then": { "properties": { "dry_run": { "const": false } } },
            "else": { "oneOf": [{ "required": ["cart_items"] }, { "required": ["subtotal"] }] },
        }),
        _ => json!({}),
    };
    match rule {
        Value::Object(rule) => rule,
        _ => Map::new(),
    }
}

/// The object at `parent`, which is empty for the body and the list's place for its items.
fn object(function: &str, fields: &[Field], parent: &str) -> Result<Map<String, Value>> {
    let own = fields.iter().filter(|field| field.parent == parent);
    let mut properties = Map::new();
    let mut required = Vec::new();
    for field in own {
        let place = place_of(field);
        let (.., meaning) = MEANINGS
            .iter()
            .find(|(name, at, _)| *name == function && *at == place)
            .with_context(|| format!("{place} is read and has no meaning in MEANINGS"))?;
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
        Rule::List(max) => json!({ "type": "array", "minItems": 1, "maxItems": max }),
    }
}

/// One to `max` characters without control characters, between blanks that do not count. The blanks
/// are Unicode's, spelled out because `\s` means others in every language.
fn line(max: usize) -> String {
    let blank = "\\u0009-\\u000d\\u0020\\u0085\\u00a0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000";
    let control = "\\u0000-\\u001f\\u007f-\\u009f";
    let edge = format!("[^{blank}{control}]");
    let inner = max.saturating_sub(2);
    format!("^[{blank}]*{edge}(?:[^{control}]{{0,{inner}}}{edge})?[{blank}]*$")
}
