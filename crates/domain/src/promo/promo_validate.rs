//! `promo-validate`: shows what a promo code takes off, and holds one use of it for the cart.
//!
//! `{"code", "cart_items" | "subtotal", "cart_id"?, "dry_run"?, "action"?}`; `action` is `apply` (the
//! default) or `release`, which gives the hold back and needs no cart lines.

use crate::fields::{Fields, Problems};
use crate::function::{Arguments, Function, Takes};
use crate::json::Value;
use crate::shop::cart;
use crate::shop::checkout::MAX_PROMO_CODE;
#[cfg(not(target_arch = "wasm32"))]
use crate::{
    errors::Code,
    function::{Sample, Told},
    shape::AMOUNT,
    shape::Shape::{
        Currency, Flag, List, Named, Null, Object, OneOf, Only, OrNull, Text, Time, Uuid, Words,
    },
};

/// The function `promo-validate`.
pub const PROMO_VALIDATE: Function = Function {
    name: "promo-validate",
    rpc: "validate_promo",
    takes: Takes::Fields {
        keyed: false,
        by_shop: false,
        read,
    },
    route: None,
    note: None,
    third_party: None,
    versions: None,
    #[cfg(not(target_arch = "wasm32"))]
    told: Told {
        area: "promo",
        purpose: "what a promo code takes off, and a hold on one use of it",
        gated: false,
        summary: "What a promo code takes off, and a hold on one use of it",
        description: "Holds one use for this user and cart; the same cart asking again refreshes its hold, and \
            checkout with the same cart_id redeems it. Where held_until is null nothing is held, and checkout takes \
            a use if one is left.",
        fields: &[
            (
                "/code",
                "The promo code, however it is typed: case, blanks and the Unicode form do not matter.",
            ),
            (
                "/cart_items",
                "The cart, priced by the database. Either this or `subtotal`.",
            ),
            ("/cart_items/product_id", "The product."),
            ("/cart_items/quantity", "How many of it."),
            (
                "/cart_items/expected_unit_price",
                "As in checkout, which compares it. Here it changes nothing: the answer's subtotal says what is charged.",
            ),
            (
                "/subtotal",
                "What the cart costs, in minor units. Either this or `cart_items`.",
            ),
            (
                "/cart_id",
                "The cart that holds the use; asking again refreshes its hold, for an hour in all.",
            ),
            (
                "/dry_run",
                "`true`: only asks, holds nothing. Not together with `release`.",
            ),
            (
                "/action",
                "`apply` if it is absent; `release` gives this cart's hold back.",
            ),
        ],
        between_fields: r#"{
            "if": { "required": ["action"], "properties": { "action": { "const": "release" } } },
            "then": { "properties": { "dry_run": { "const": false } } },
            "else": { "oneOf": [{ "required": ["cart_items"] }, { "required": ["subtotal"] }] }
        }"#,
        answer: "PromoAnswer",
        schemas: &[
            (
                "PromoApplied",
                Object(
                    "What a code takes off. Amounts are in minor units.",
                    &[
                        ("valid", Only(true)),
                        ("code", Text),
                        ("discount_type", Words(&["percentage", "fixed"])),
                        ("discount", AMOUNT),
                        ("subtotal", AMOUNT),
                        ("total", AMOUNT),
                        ("currency", OrNull(&Currency)),
                        ("held_until", OrNull(&Time)),
                        (
                            "lines",
                            OneOf(&[
                                Null,
                                List(&Object(
                                    "What is taken off the lines of a product.",
                                    &[("product_id", Uuid), ("discount", AMOUNT)],
                                )),
                            ]),
                        ),
                    ],
                ),
            ),
            (
                "PromoReleased",
                Object(
                    "Whether there was a hold to give back.",
                    &[("released", Flag), ("code", Text)],
                ),
            ),
            (
                "PromoAnswer",
                OneOf(&[Named("PromoApplied"), Named("PromoReleased")]),
            ),
        ],
        codes: &[
            Code::ProductNotFound,
            Code::PromoNotFound,
            Code::PromoExhausted,
            Code::PromoAlreadyApplied,
            Code::PromoExpired,
            Code::MixedCurrencies,
            Code::PromoNotApplicable,
            Code::PromoNotStarted,
            Code::TooManyAttempts,
        ],
        together: false,
        always: &["p_code"],
        // The same cart asking again refreshes its hold, and releasing twice releases.
        acts_again: |_| false,
        samples: &[
            Sample {
                name: "a cart's code, only asked for",
                body: r#"{"code":"test:harmless","cart_items":[{"product_id":"9d0d0000-0000-4000-8000-00000000dead",
                    "quantity":1,"expected_unit_price":700}],"cart_id":"ca470000-0000-4000-8000-00000000dead","dry_run":true,"action":"apply"}"#,
            },
            Sample {
                name: "a subtotal",
                body: r#"{"code":"test:harmless","subtotal":12000}"#,
            },
        ],
    },
};

const ACTIONS: [&str; 2] = ["apply", "release"];

fn read(mut fields: Fields) -> Result<Arguments, Problems> {
    fields.require("code");
    let (by_lines, by_subtotal) = (fields.has("cart_items"), fields.has("subtotal"));
    let code = fields.line("code", MAX_PROMO_CODE);
    let lines = cart::read_lines(&mut fields, "cart_items");
    let subtotal = fields.amount("subtotal");
    let cart_id = fields.uuid("cart_id");
    let dry_run = fields.flag("dry_run");
    let action = fields.word("action", &ACTIONS);
    match action {
        Some("release") if dry_run == Some(true) => {
            fields.problem("dry_run", "must not be true with the action release")
        }
        Some("release") => {}
        _ if by_lines && by_subtotal => {
            fields.problem("subtotal", "must not stand beside cart_items")
        }
        _ if !by_lines && !by_subtotal => fields.problem("cart_items", "is required, or subtotal"),
        _ => {}
    }
    fields.finish()?;

    let arguments = [
        ("p_code", code.map(Value::from)),
        ("p_cart_items", lines),
        ("p_subtotal", subtotal.map(Value::from)),
        ("p_cart_id", cart_id.map(Value::from)),
        ("p_dry_run", dry_run.map(Value::from)),
        ("p_action", action.map(Value::from)),
    ];
    // The same cart asking again refreshes its hold, and releasing twice releases.
    Ok(Arguments::new(arguments, true))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::{Codec, SerdeJson};

    fn read_text(body: &str) -> Result<String, Vec<String>> {
        let body = SerdeJson.parse(body).expect("JSON");
        let pointers = |problems: Problems| problems.into_iter().map(|problem| problem.pointer);
        read(Fields::of_body(body))
            .map(|arguments| SerdeJson.write(&arguments.json))
            .map_err(|problems| pointers(problems).collect())
    }

    #[test]
    fn a_code_is_trimmed_and_needs_exactly_one_basis() {
        assert_eq!(
            read_text(r#"{"code":" save50 ","subtotal":12000}"#),
            Ok(r#"{"p_code":"save50","p_subtotal":12000}"#.to_owned())
        );
        assert_eq!(
            read_text(r#"{"code":"A"}"#),
            Err(vec!["/cart_items".to_owned()])
        );
        let both = r#"{"code":"A","subtotal":1,"cart_items":[
            {"product_id":"9d0d0000-0000-4000-8000-000000000001","quantity":1}]}"#;
        assert_eq!(read_text(both), Err(vec!["/subtotal".to_owned()]));
        assert!(read_text(r#"{"code":"A","action":"release"}"#).is_ok());
        assert_eq!(
            read_text(r#"{"code":"A","action":"release","dry_run":true}"#),
            Err(vec!["/dry_run".to_owned()])
        );
    }

    #[test]
    fn codes_and_subtotals_are_checked() {
        let long = "x".repeat(MAX_PROMO_CODE + 1);
        for code in [
            r#""""#,
            r#""  ""#,
            "null",
            "7",
            r#""a\nb""#,
            &format!(r#""{long}""#),
        ] {
            let body = format!(r#"{{"code":{code},"subtotal":1}}"#);
            assert_eq!(read_text(&body), Err(vec!["/code".to_owned()]), "{code}");
        }
        for subtotal in ["-1", "0.5", "1e17", r#""1""#, "null"] {
            let body = format!(r#"{{"code":"A","subtotal":{subtotal}}}"#);
            assert_eq!(
                read_text(&body),
                Err(vec!["/subtotal".to_owned()]),
                "{subtotal}"
            );
        }
        assert!(read_text(r#"{"code":"A","subtotal":0}"#).is_ok());
        assert_eq!(
            read_text(r#"{"subtotal":1}"#),
            Err(vec!["/code".to_owned()])
        );
    }
}
