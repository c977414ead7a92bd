//! `pack`: one scan at the packing table, for whoever works in the warehouse.
//!
//! `{"session_id", "order_id", "product_id" | "barcode", "quantity"?, "action"?}`, where `action` is `pack` (without one),
//! `unpack`, `short` or `complete`, which names no product. `PUT …/pack/sessions/ID` with `{"orderId", "productId"}` is the
//! incident report's way to ask the same.

use crate::fields::{Fields, Problems};
use crate::function::{Arguments, Function, Route, Takes};
use crate::json::Value;
#[cfg(not(target_arch = "wasm32"))]
use crate::{
    errors::Code,
    function::{Sample, Told},
    shape::{
        AMOUNT,
        Shape::{Flag, Named, Object, OneOf, Only, OrNull, Says, Text, Uuid, Words},
    },
};

/// The function `pack`.
pub const PACK: Function = Function {
    name: "pack",
    rpc: "pack_item",
    takes: Takes::Fields {
        keyed: true,
        by_shop: true,
        read,
    },
    route: Some(Route {
        segment: "sessions",
        field: "session_id",
        names: &[("orderId", "order_id"), ("productId", "product_id")],
    }),
    note: None,
    third_party: None,
    versions: None,
    #[cfg(not(target_arch = "wasm32"))]
    told: Told {
        area: "warehouse",
        purpose: "one scan at the packing table",
        gated: false,
        summary: "One scan at the packing table: pack, unpack, short, complete",
        description: "For packers and managers of the session's location, staff (`app_metadata` of their token) and the \
            service role. Packs a unit of what was picked into an order: never more than the order needs, and over all orders never \
            more than was picked, however many scan at once. Without an Idempotency-Key each request is a scan of its own; under one it counts \
            once. `complete` closes the order and sends what is packed as one parcel, however often it is asked for.",
        fields: &[
            ("/session_id", "The picking session."),
            ("/order_id", "The order, into whose box it goes."),
            ("/product_id", "The product."),
            ("/barcode", "What the scanner read, instead of the product."),
            ("/quantity", "How many units; 1 if it is absent."),
            (
                "/action",
                "`pack` into the box, `unpack` out of it, `short` for units that there will not be, `complete` for an order of \
                which every line is packed or short. `pack` if it is absent.",
            ),
            (
                "/tracking",
                "What the carrier calls the parcel; only with `complete`.",
            ),
        ],
        between_fields: r#"{
            "if": { "properties": { "action": { "const": "complete" } }, "required": ["action"] },
            "then": { "properties": { "product_id": false, "barcode": false, "quantity": false } },
            "else": {
                "oneOf": [{ "required": ["product_id"] }, { "required": ["barcode"] }],
                "properties": { "tracking": false }
            }
        }"#,
        answer: "PackAnswer",
        schemas: &[
            (
                "PackedOrder",
                Object(
                    "How far an order is.",
                    &[
                        ("units_packed", AMOUNT),
                        ("units_needed", AMOUNT),
                        ("units_short", AMOUNT),
                        ("is_order_complete", Flag),
                    ],
                ),
            ),
            (
                "Packed",
                Object(
                    "It is packed, or taken out again.",
                    &[
                        ("success", Only(true)),
                        ("progress_id", Uuid),
                        ("session_id", Uuid),
                        ("order_id", Uuid),
                        ("product_id", Uuid),
                        ("quantity_packed", AMOUNT),
                        ("quantity_needed", AMOUNT),
                        ("quantity_short", AMOUNT),
                        (
                            "is_item_complete",
                            Says("Whether every unit of it is packed or short.", &Flag),
                        ),
                        (
                            "version",
                            Says("Of the line: the higher one is the newer one.", &AMOUNT),
                        ),
                        ("order", Named("PackedOrder")),
                        (
                            "basket",
                            Object(
                                "What there is of the product in the session.",
                                &[
                                    ("quantity_picked", AMOUNT),
                                    ("quantity_packed", AMOUNT),
                                    (
                                        "available",
                                        Says("What is left to be packed, for all orders.", &AMOUNT),
                                    ),
                                    ("version", AMOUNT),
                                ],
                            ),
                        ),
                        (
                            "session",
                            Object(
                                "How far the session is.",
                                &[
                                    ("units_packed", AMOUNT),
                                    ("units_picked", AMOUNT),
                                    ("units_needed", AMOUNT),
                                ],
                            ),
                        ),
                    ],
                ),
            ),
            (
                "PackingCompleted",
                Object(
                    "The order is complete.",
                    &[
                        ("success", Only(true)),
                        ("session_id", Uuid),
                        ("order_id", Uuid),
                        ("status", Words(&["completed"])),
                        (
                            "shipment_id",
                            Says("The parcel; null if nothing was packed.", &OrNull(&Uuid)),
                        ),
                        ("tracking", OrNull(&Text)),
                        (
                            "fulfillment",
                            Says(
                                "Of the order from now on.",
                                &Words(&[
                                    "unfulfilled",
                                    "processing",
                                    "partly_shipped",
                                    "shipped",
                                    "delivered",
                                ]),
                            ),
                        ),
                        ("order", Named("PackedOrder")),
                        (
                            "session",
                            Object(
                                "What is left of the session.",
                                &[
                                    (
                                        "status",
                                        Words(&["picking", "packing", "completed", "abandoned"]),
                                    ),
                                    ("open_orders", AMOUNT),
                                    ("completed_orders", AMOUNT),
                                ],
                            ),
                        ),
                    ],
                ),
            ),
            (
                "PackAnswer",
                OneOf(&[Named("Packed"), Named("PackingCompleted")]),
            ),
        ],
        codes: &[
            Code::SessionNotFound,
            Code::SessionStateConflict,
            Code::BarcodeNotFound,
            Code::PackingLineNotFound,
            Code::WrongItem,
            Code::AlreadyFullyPacked,
            Code::NoUnitsToPack,
            Code::NothingPacked,
            Code::NotFullyPacked,
            Code::InsufficientInventory,
            Code::OrderStateConflict,
            Code::ShipmentExceedsOrder,
            Code::IdempotencyKeyReused,
        ],
        together: false,
        always: &["p_session_id", "p_order_id"],
        // A scan is another scan; what is complete stays so.
        acts_again: |arguments| {
            arguments.get("p_action").and_then(Value::as_text) != Some("complete")
        },
        samples: &[
            Sample {
                name: "a scan",
                body: r#"{"session_id":"5e550000-0000-4000-8000-00000000dead","order_id":"00de0000-0000-4000-8000-00000000dead",
                    "product_id":"9d0d0000-0000-4000-8000-00000000dead","quantity":2,"action":"pack"}"#,
            },
            Sample {
                name: "a barcode",
                body: r#"{"session_id":"5e550000-0000-4000-8000-00000000dead","order_id":"00de0000-0000-4000-8000-00000000dead",
                    "barcode":"4006381333931"}"#,
            },
            Sample {
                name: "units that there will not be",
                body: r#"{"session_id":"5e550000-0000-4000-8000-00000000dead","order_id":"00de0000-0000-4000-8000-00000000dead",
                    "product_id":"9d0d0000-0000-4000-8000-00000000dead","action":"short"}"#,
            },
            Sample {
                name: "an order that is complete",
                body: r#"{"session_id":"5e550000-0000-4000-8000-00000000dead","order_id":"00de0000-0000-4000-8000-00000000dead",
                    "action":"complete","tracking":"1Z 999"}"#,
            },
        ],
    },
};

const ACTIONS: &[&str] = &["pack", "unpack", "short", "complete"];

/// Units of a scan at the most.
const MAX_QUANTITY: u32 = 1000;

/// A tracking number at the longest, in characters.
const MAX_TRACKING: usize = 200;

fn read(mut fields: Fields) -> Result<Arguments, Problems> {
    fields.require("session_id");
    let session_id = fields.uuid("session_id");
    fields.require("order_id");
    let order_id = fields.uuid("order_id");
    let has_action = fields.has("action");
    let action = fields.word("action", ACTIONS);
    let is_complete = action == Some("complete");
    if is_complete {
        for name in ["product_id", "barcode", "quantity"] {
            if fields.has(name) {
                fields.problem(name, "cannot go with complete");
            }
        }
    } else if action.is_some() || !has_action {
        if fields.has("product_id") == fields.has("barcode") {
            fields.problem("product_id", "is required, or else barcode");
        }
        if fields.has("tracking") {
            fields.problem("tracking", "goes only with complete");
        }
    }
    let product_id = fields.uuid("product_id");
    let barcode = fields.barcode("barcode");
    let quantity = fields.integer("quantity", 1..=MAX_QUANTITY);
    let tracking = fields.line("tracking", MAX_TRACKING);
    fields.finish()?;
    // Another scan is another unit, unless an idempotency key says that it is the same.
    Ok(Arguments::new(
        [
            ("p_session_id", session_id.map(Value::from)),
            ("p_order_id", order_id.map(Value::from)),
            ("p_product_id", product_id.map(Value::from)),
            ("p_barcode", barcode.map(Value::from)),
            ("p_quantity", quantity.map(Value::from)),
            ("p_action", action.map(Value::from)),
            ("p_tracking", tracking.map(Value::from)),
        ],
        is_complete,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::{Codec, SerdeJson};

    const ID: &str = "5e550000-0000-4000-8000-00000000dead";

    fn read_with(rest: &str) -> Result<Arguments, Vec<String>> {
        let body = format!(r#"{{"session_id":"{ID}","order_id":"{ID}"{rest}}}"#);
        let body = SerdeJson.parse(&body).expect("JSON");
        let pointers = |problems: Problems| problems.into_iter().map(|problem| problem.pointer);
        read(Fields::of_body(body)).map_err(|problems| pointers(problems).collect())
    }

    #[test]
    fn a_scan_is_passed_on_and_not_repeated() {
        let arguments = read_with(r#","barcode":"4006","quantity":2"#).expect("valid");
        assert_eq!(
            SerdeJson.write(&arguments.json),
            format!(
                r#"{{"p_session_id":"{ID}","p_order_id":"{ID}","p_barcode":"4006","p_quantity":2}}"#
            )
        );
        assert!(!arguments.repeatable);
        let arguments = read_with(r#","action":"complete","tracking":"1Z""#).expect("valid");
        assert!(arguments.repeatable);
    }

    #[test]
    fn each_action_has_its_fields() {
        for (rest, pointers) in [
            ("", &["/product_id"][..]),
            (
                r#","barcode":"1","product_id":"x""#,
                &["/product_id", "/product_id"],
            ),
            (r#","barcode":"1","tracking":"1Z""#, &["/tracking"]),
            (r#","action":"complete","quantity":1"#, &["/quantity"]),
            (r#","action":"burn""#, &["/action"]),
            (r#","barcode":"1","quantity":0"#, &["/quantity"]),
            (r#","barcode":"a mug""#, &["/barcode"]),
        ] {
            assert_eq!(read_with(rest).expect_err(rest), pointers, "{rest}");
        }
    }
}
