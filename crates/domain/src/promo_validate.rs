//! `promo-validate`: shows what a promo code takes off, and holds one use of it for the cart.
//!
//! `{"code", "cart_items" | "subtotal", "cart_id"?, "dry_run"?, "action"?}`; `action` is `apply` (the
//! default) or `release`, which gives the hold back and needs no cart lines.

use crate::cart;
use crate::checkout::MAX_PROMO_CODE;
use crate::fields::{Fields, Problems};
use crate::function::{Arguments, Function};
use crate::json::Value;

/// The function `promo-validate`.
pub const PROMO_VALIDATE: Function = Function {
    name: "promo-validate",
    rpc: "validate_promo",
    keyed: false,
    read,
    note: None,
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
