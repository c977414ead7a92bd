//! What the database answers with status 200. The functions pass it on as it is, so no Rust type has
//! these fields: the tests hold every real answer against them, and a field too many or too few fails.

use serde_json::{Map, Value, json};

use super::reference;

/// The schemas of all answers, by name.
pub(super) fn schemas() -> Map<String, Value> {
    let schemas = [
        (
            "Batch",
            object(
                "A delivery batch, as the driver who holds it sees it.",
                json!({
                    "id": uuid(),
                    "status": { "enum": ["available", "claimed", "in_progress", "completed", "cancelled"] },
                    "driver_id": or_null(uuid()),
                    "claimed_at": or_null(time()),
                    "lease_expires_at": or_null(time()),
                    "started_at": or_null(time()),
                    "completed_at": or_null(time()),
                    "priority": { "type": "integer" },
                    "version": { "type": "integer", "description": "Grows with every change." },
                    "reference": { "type": ["string", "null"] },
                    "created_at": time(),
                }),
                &[],
            ),
        ),
        ("BatchAnswer", answer("batch", "Batch")),
        (
            "Order",
            object(
                "An order. Amounts are in minor units of its currency.",
                json!({
                    "id": uuid(),
                    "status": { "enum": ORDER_STATUSES },
                    "currency": currency(),
                    "subtotal": amount(),
                    "discount": amount(),
                    "total": amount(),
                    "payment_method": { "enum": ["wallet", "bank_transfer", "cash_on_delivery"] },
                    "cart_id": or_null(uuid()),
                    "created_at": time(),
                    "payment_expires_at": or_null(time()),
                    "paid_at": or_null(time()),
                    "fulfilled_at": or_null(time()),
                    "cancelled_at": or_null(time()),
                    "refunded_at": or_null(time()),
                    "items": list(object("A product of the order.", json!({
                        "product_id": uuid(),
                        "name": { "type": "string" },
                        "quantity": { "type": "integer", "minimum": 1 },
                        "unit_price": amount(),
                        "total": amount(),
                    }), &[])),
                    "codes": list(object("A digital code that was bought.", json!({
                        "product_id": uuid(),
                        "code": { "type": "string" },
                    }), &[])),
                }),
                // Only of digital products, and only once they are paid.
                &["codes"],
            ),
        ),
        ("OrderAnswer", answer("order", "Order")),
        (
            "PromoApplied",
            object(
                "What a code takes off. Amounts are in minor units.",
                json!({
                    "valid": { "const": true },
                    "code": { "type": "string" },
                    "discount_type": { "enum": ["percentage", "fixed"] },
                    "discount": amount(),
                    "subtotal": amount(),
                    "total": amount(),
                    "currency": or_null(currency()),
                    "held_until": or_null(time()),
                    "lines": { "oneOf": [
                        { "type": "null" },
                        list(object("What is taken off the lines of a product.", json!({
                            "product_id": uuid(),
                            "discount": amount(),
                        }), &[])),
                    ] },
                }),
                &[],
            ),
        ),
        (
            "PromoReleased",
            object(
                "Whether there was a hold to give back.",
                json!({ "released": { "type": "boolean" }, "code": { "type": "string" } }),
                &[],
            ),
        ),
        (
            "PromoAnswer",
            json!({ "oneOf": [reference("schemas", "PromoApplied"), reference("schemas", "PromoReleased")] }),
        ),
    ];
    schemas
        .into_iter()
        .map(|(name, schema)| (name.to_owned(), schema))
        .collect()
}

/// Every status that an order can have.
pub(super) const ORDER_STATUSES: [&str; 7] = [
    "pending_payment",
    "confirmed",
    "paid",
    "fulfilled",
    "cancelled",
    "expired",
    "refunded",
];

fn answer(member: &str, schema: &str) -> Value {
    let mut properties = Map::new();
    properties.insert("success".to_owned(), json!({ "const": true }));
    properties.insert(member.to_owned(), reference("schemas", schema));
    object("It is done.", Value::Object(properties), &[])
}

/// An object that has all these members but the optional ones.
pub(super) fn object(description: &str, properties: Value, optional: &[&str]) -> Value {
    let names = properties.as_object().into_iter().flat_map(Map::keys);
    let required: Vec<&String> = names
        .filter(|name| !optional.contains(&name.as_str()))
        .collect();
    json!({ "type": "object", "description": description, "required": required, "properties": properties })
}

pub(super) fn uuid() -> Value {
    json!({ "type": "string", "format": "uuid" })
}

pub(super) fn time() -> Value {
    json!({ "type": "string", "format": "date-time" })
}

pub(super) fn amount() -> Value {
    json!({ "type": "integer", "minimum": 0 })
}

pub(super) fn currency() -> Value {
    json!({ "type": "string", "description": "ISO 4217", "pattern": "^[A-Z]{3}$" })
}

/// The same, or null.
pub(super) fn or_null(mut schema: Value) -> Value {
    schema["type"] = json!([schema["type"], "null"]);
    schema
}

pub(super) fn list(items: Value) -> Value {
    json!({ "type": "array", "items": items })
}
