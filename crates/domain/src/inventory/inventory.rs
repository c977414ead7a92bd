//! `inventory`: what is in stock, where, for the shop's staff and its own code: read, changed, set, counted, moved and
//! received.
//!
//! `{"action", "lines", …}`; each action has fields of its own. A line names a row by `inventory_id`, or by `product_id` and
//! `location_id` (without one: the online location). Quantities are numbers with at most three decimals.
//!
//! A `set` counts on what it expects to find. One that says `"rebase": true` means the difference: where others came
//! first, it is sent again on what they have left, a few times and after a pause.

use crate::fields::{Fields, Problems};
use crate::function::{Arguments, Function, Takes, Versions};
use crate::json::Value;
use crate::rule::{Bound, DECIMALS};
#[cfg(not(target_arch = "wasm32"))]
use crate::{
    errors::Code,
    function::{Sample, Told},
    shape::{
        AMOUNT,
        Shape::{List, Named, Number, Object, OneOf, Only, OrNull, Partly, Says, Uuid, Words},
    },
};

/// The function `inventory`.
pub const INVENTORY: Function = Function {
    name: "inventory",
    rpc: "manage_inventory",
    takes: Takes::Fields {
        keyed: true,
        by_shop: true,
        read,
    },
    route: None,
    note: None,
    third_party: None,
    versions: Some(Versions { of: version, again }),
    #[cfg(not(target_arch = "wasm32"))]
    told: Told {
        area: "inventory",
        purpose: "what is in stock, by location",
        gated: true,
        summary: "What is in stock, by location: read, changed, set, counted, moved, received",
        description: "For staff and the service role. Up to 100 lines, all or nothing; every conflict and every shortage \
            in one answer. A line names a row by `inventory_id`, or by `product_id` and `location_id`, which is the \
            online location if it is absent; the inventory id of online stock is the product's. Lines that name the same \
            row are added up before anything is checked. Whatever the stock is beside it, a relative change is never in \
            conflict; `set` is answered with VERSION_CONFLICT unless it finds what it expects.",
        fields: &[
            ("/action", "What to do."),
            ("/lines", "Of which rows; of a transfer, which products."),
            (
                "/lines/inventory_id",
                "The row: the id of an inventory row, or a product's id for its online stock.",
            ),
            ("/lines/product_id", "The product."),
            (
                "/lines/location_id",
                "The location of the product's row; the online location if it is absent.",
            ),
            (
                "/lines/delta",
                "What came (more than 0) or went (less), relative to whatever is there.",
            ),
            (
                "/lines/quantity",
                "How much: of `set` what there is from now on, else how much is received, moved or lost.",
            ),
            (
                "/lines/expected_version",
                "The version that the row must have, as it was answered or stood in `ETag`; 0 of a row that there is not \
                yet.",
            ),
            (
                "/lines/expected_quantity",
                "What the row must hold; less than 0 where buyers are owed more than there is.",
            ),
            ("/lines/counted", "What was counted."),
            (
                "/lines/began_at",
                "When counting this row began: what moved since then is added to what was counted.",
            ),
            ("/lines/from_location_id", "Where it comes from."),
            ("/lines/to_location_id", "Where it goes."),
            (
                "/began_at",
                "When counting began, of lines that do not say it themselves.",
            ),
            (
                "/rebase",
                "Whether the difference is meant: where the rows are no longer what each line expects by \
                `expected_quantity`, it is applied to what they are, three times at most.",
            ),
            (
                "/in_transit",
                "Whether it is only sent: `receive` with the `transfer_id` puts it on the shelf of its destination.",
            ),
            ("/transfer_id", "The transfer that was sent."),
            (
                "/reason",
                "Why, for the ledger; a word for the action if it is absent.",
            ),
            (
                "/reference",
                "A name of the shop's own making under which it is done once, for the ledger too.",
            ),
        ],
        between_fields: r##"{
            "allOf": [
                {
                    "if": { "properties": { "action": { "enum": ["get", "adjust", "set", "count"] } } },
                    "then": { "properties": { "lines": { "items": {
                        "oneOf": [{ "required": ["inventory_id"] }, { "required": ["product_id"] }],
                        "dependentRequired": { "location_id": ["product_id"] }
                    } } } }
                },
                {
                    "if": { "properties": { "action": { "const": "receive" } } },
                    "then": {
                        "if": { "required": ["transfer_id"] },
                        "then": { "properties": { "lines": { "items": {
                            "required": ["product_id"],
                            "properties": { "inventory_id": false, "location_id": false }
                        } } } },
                        "else": { "properties": { "lines": { "items": {
                            "oneOf": [{ "required": ["inventory_id"] }, { "required": ["product_id"] }],
                            "dependentRequired": { "location_id": ["product_id"] }
                        } } } }
                    }
                },
                {
                    "if": { "properties": { "action": { "const": "set" } } },
                    "then": {
                        "properties": { "lines": { "items": {
                            "anyOf": [{ "required": ["expected_version"] }, { "required": ["expected_quantity"] }]
                        } } },
                        "if": { "required": ["rebase"], "properties": { "rebase": { "const": true } } },
                        "then": { "properties": { "lines": { "items": { "required": ["expected_quantity"] } } } }
                    }
                },
                {
                    "if": { "properties": { "action": { "const": "count" } } },
                    "then": {
                        "if": { "not": { "required": ["began_at"] } },
                        "then": { "properties": { "lines": { "items": { "required": ["began_at"] } } } }
                    }
                }
            ]
        }"##,
        answer: "InventoryAnswer",
        schemas: &[
            (
                "InventoryRow",
                Object(
                    "What is in stock of a product at a location.",
                    &[
                        (
                            "inventory_id",
                            Says("Null if there is no row yet.", &OrNull(&Uuid)),
                        ),
                        ("product_id", Uuid),
                        ("location_id", Uuid),
                        ("quantity", Number),
                        ("version", Says("Grows with every change.", &AMOUNT)),
                    ],
                ),
            ),
            (
                "InventoryChange",
                Object(
                    "What has become of a row.",
                    &[
                        ("inventory_id", Uuid),
                        ("product_id", Uuid),
                        ("location_id", Uuid),
                        ("old_quantity", Number),
                        ("new_quantity", Number),
                        ("version", AMOUNT),
                    ],
                ),
            ),
            (
                "InventoryLevels",
                Object(
                    "What there is.",
                    &[
                        ("success", Only(true)),
                        ("lines", List(&Named("InventoryRow"))),
                    ],
                ),
            ),
            (
                "InventoryChanged",
                Partly(
                    "It is done.",
                    &[
                        ("success", Only(true)),
                        ("action", Words(WRITING)),
                        ("transfer_id", Uuid),
                        ("lines", List(&Named("InventoryChange"))),
                    ],
                    // Only of what is in transit.
                    &["transfer_id"],
                ),
            ),
            (
                "InventoryAnswer",
                OneOf(&[Named("InventoryLevels"), Named("InventoryChanged")]),
            ),
        ],
        codes: &[
            Code::InventoryNotFound,
            Code::LocationNotFound,
            Code::ProductNotFound,
            Code::InsufficientInventory,
            Code::StockLimitExceeded,
            Code::VersionConflict,
            Code::StockTransferNotFound,
            Code::TransferExceeded,
            Code::TransferEnded,
            Code::IdempotencyKeyReused,
        ],
        together: false,
        always: &["p_action"],
        // Whatever is written is, a second time; a set would be in conflict with itself.
        acts_again: |arguments| {
            let action = arguments.get("p_action").and_then(Value::as_text);
            action != Some("get") && arguments.get("p_reference").is_none()
        },
        samples: &[
            Sample {
                name: "a set that is rebased",
                body: r#"{"action":"set","lines":[{"inventory_id":"14e40000-0000-4000-8000-00000000dead","quantity":6.52,
                    "expected_version":3,"expected_quantity":11.52}],"rebase":true,"reason":"test:harmless",
                    "reference":"test:harmless"}"#,
            },
            Sample {
                name: "levels",
                body: r#"{"action":"get","lines":[{"inventory_id":"14e40000-0000-4000-8000-00000000dead"},
                    {"product_id":"9d0d0000-0000-4000-8000-00000000dead",
                    "location_id":"10c40000-0000-4000-8000-00000000dead"}]}"#,
            },
            Sample {
                name: "an adjustment",
                body: r#"{"action":"adjust","lines":[{"product_id":"9d0d0000-0000-4000-8000-00000000dead","delta":-1.5}]}"#,
            },
            Sample {
                name: "a count",
                body: r#"{"action":"count","lines":[{"product_id":"9d0d0000-0000-4000-8000-00000000dead","counted":7,
                    "began_at":"2026-01-01T09:00:00Z"}],"began_at":"2026-01-01T08:00:00.5+02:00"}"#,
            },
            Sample {
                name: "a transfer",
                body: r#"{"action":"transfer","lines":[{"product_id":"9d0d0000-0000-4000-8000-00000000dead",
                    "from_location_id":"10c40000-0000-4000-8000-00000000dead",
                    "to_location_id":"10c40000-0000-4000-8000-00000001dead","quantity":10}],"in_transit":true}"#,
            },
            Sample {
                name: "a part of a transfer",
                body: r#"{"action":"receive","lines":[{"product_id":"9d0d0000-0000-4000-8000-00000000dead","quantity":4}],
                    "transfer_id":"74a40000-0000-4000-8000-00000000dead"}"#,
            },
            Sample {
                name: "goods that came in",
                body: r#"{"action":"receive","lines":[{"inventory_id":"14e40000-0000-4000-8000-00000000dead","quantity":0.25}]}"#,
            },
            Sample {
                name: "a loss",
                body: r#"{"action":"lose","lines":[{"product_id":"9d0d0000-0000-4000-8000-00000000dead","quantity":1}],
                    "transfer_id":"74a40000-0000-4000-8000-00000000dead","reason":"test:harmless"}"#,
            },
            Sample {
                name: "a transfer that is called back",
                body: r#"{"action":"cancel","transfer_id":"74a40000-0000-4000-8000-00000000dead"}"#,
            },
        ],
    },
};

const ACTIONS: &[&str] = &[
    "get", "adjust", "set", "count", "receive", "transfer", "cancel", "lose",
];

/// All but the one that reads.
#[cfg(not(target_arch = "wasm32"))]
const WRITING: &[&str] = ACTIONS.split_at(1).1;

/// Lines of a request at the most.
const MAX_LINES: usize = 100;

/// A reason at the longest, in characters.
const MAX_REASON: usize = 100;

type Members = Vec<(String, Value)>;

fn read(mut fields: Fields) -> Result<Arguments, Problems> {
    let read = fields.by_word("action", ACTIONS, read_action);
    fields.finish()?;
    let mut arguments = read.unwrap_or_default();
    let action = arguments.action;
    arguments
        .members
        .insert(0, ("p_action".to_owned(), action.into()));
    Ok(Arguments {
        json: Value::Object(arguments.members),
        count: 0,
        repeatable: action == "get" || arguments.has_reference,
        remembered: arguments.is_rebased,
    })
}

/// What an action asks of the database.
#[derive(Default)]
struct Read {
    action: &'static str,
    members: Members,
    has_reference: bool,
    is_rebased: bool,
}

fn read_action(fields: &mut Fields, action: &'static str) -> Read {
    let mut members = Members::new();
    let guard = read_guard(fields, action);
    // Of what was sent, only the product is named.
    let is_transfer = action == "lose" || action == "receive" && fields.has("transfer_id");
    let transfer_id = match action {
        "cancel" | "lose" => {
            fields.require("transfer_id");
            fields.uuid("transfer_id")
        }
        "receive" => fields.uuid("transfer_id"),
        _ => None,
    };
    let is_rebased = action == "set" && fields.flag("rebase") == Some(true);
    if action != "cancel" {
        fields.require("lines");
    }
    let has_begun = fields.has("began_at");
    let lines = match action {
        "cancel" => None,
        _ => fields.list("lines", 1..=MAX_LINES, |line| {
            let mut read = Members::new();
            read_line(line, &mut read, action, is_transfer);
            read_numbers(line, &mut read, action, is_rebased, guard);
            if action == "count" {
                if !has_begun && !line.has("began_at") {
                    line.problem("began_at", "is required: when counting began");
                }
                add(&mut read, "began_at", line.time("began_at"));
            }
            Value::Object(read)
        }),
    };
    add(&mut members, "p_lines", lines.map(Value::List));
    add(&mut members, "p_transfer_id", transfer_id);
    if action == "transfer" {
        add(&mut members, "p_in_transit", fields.flag("in_transit"));
    }
    if action == "count" {
        add(&mut members, "p_began_at", fields.time("began_at"));
    }
    add(&mut members, "p_rebase", is_rebased.then_some(true));
    let mut has_reference = false;
    if action != "get" {
        add(&mut members, "p_reason", fields.line("reason", MAX_REASON));
        let reference = fields.reference("reference");
        has_reference = reference.is_some();
        add(&mut members, "p_reference", reference);
    }
    Read {
        action,
        members,
        has_reference,
        is_rebased,
    }
}

fn add(members: &mut Members, name: &str, value: Option<impl Into<Value>>) {
    if let Some(value) = value {
        members.push((name.to_owned(), value.into()));
    }
}

/// The version of `If-Match`, which counts for the single line of a `set` or an `adjust`.
fn read_guard(fields: &mut Fields, action: &str) -> Option<f64> {
    if !fields.has_if_match() {
        return None;
    }
    if !matches!(action, "set" | "adjust") || fields.count("lines") != Some(1) {
        fields.refuse_if_match("counts only for a single line of set or adjust");
        return None;
    }
    fields.if_match()
}

/// The row of a line, or the product and its ways.
fn read_line(line: &mut Fields, read: &mut Members, action: &str, is_transfer: bool) {
    if action == "transfer" || is_transfer {
        line.require("product_id");
    }
    if !is_transfer && action != "transfer" {
        let (by_id, by_product) = (line.has("inventory_id"), line.has("product_id"));
        if by_id && (by_product || line.has("location_id")) {
            line.problem("inventory_id", "cannot go with product_id or location_id");
        } else if !by_id && !by_product {
            line.problem("inventory_id", "is required, or product_id");
        }
        add(read, "inventory_id", line.uuid("inventory_id"));
    }
    add(read, "product_id", line.uuid("product_id"));
    if action == "transfer" {
        for name in ["from_location_id", "to_location_id"] {
            line.require(name);
            add(read, name, line.uuid(name));
        }
    } else if !is_transfer {
        add(read, "location_id", line.uuid("location_id"));
    }
}

/// How much it is, and what is expected.
fn read_numbers(
    line: &mut Fields,
    read: &mut Members,
    action: &str,
    is_rebased: bool,
    guard: Option<f64>,
) {
    let (name, bound) = match action {
        "get" => return,
        "adjust" => ("delta", Bound::NotZero),
        "set" => ("quantity", Bound::NotNegative),
        "count" => ("counted", Bound::NotNegative),
        _ => ("quantity", Bound::Positive),
    };
    line.require(name);
    add(read, name, line.quantity(name, bound));
    if !matches!(action, "set" | "adjust") {
        return;
    }
    let is_expected = line.has("expected_version") || line.has("expected_quantity");
    if guard.is_some() && is_expected {
        line.problem("expected_version", "stands in If-Match already");
    }
    if action == "set" {
        if is_rebased {
            line.require("expected_quantity");
        } else if !is_expected && guard.is_none() {
            line.problem("expected_version", "is required, or an expected_quantity");
        }
        let expected = line.quantity("expected_quantity", Bound::Any);
        add(read, "expected_quantity", expected);
    }
    let expected = line.version("expected_version");
    add(read, "expected_version", expected.or(guard));
}

/// The version of the only row that an answer tells of.
fn version(answer: &Value) -> Option<f64> {
    match answer.get("lines") {
        Some(Value::List(lines)) if lines.len() == 1 => {
            lines[0].get("version").and_then(Value::as_number)
        }
        _ => None,
    }
}

/// The same differences on what others have left; `None` if that is nothing that a row can be.
fn again(code: &str, conflict: &Value, arguments: Value) -> Option<Value> {
    let Value::Object(mut arguments) = arguments else {
        return None;
    };
    let (_, lines) = arguments.iter_mut().find(|(name, _)| name == "p_lines")?;
    let conflicts = conflict
        .get("conflicts")
        .filter(|_| code == "VERSION_CONFLICT");
    let (Value::List(lines), Some(Value::List(conflicts))) = (lines, conflicts) else {
        return None;
    };
    for conflict in conflicts {
        let number = |name| conflict.get(name).and_then(Value::as_number);
        let line = lines.get_mut(number("line")? as usize)?;
        let (version, present) = (number("version")?, number("quantity")?);
        let of_line = |name| line.get(name).and_then(Value::as_number);
        let difference = of_line("quantity")? - of_line("expected_quantity")?;
        let quantity = rounded(present + difference);
        if !Bound::NotNegative.admits(quantity) {
            return None;
        }
        let Value::Object(members) = line else {
            return None;
        };
        for (name, number) in [
            ("quantity", quantity),
            ("expected_quantity", present),
            ("expected_version", version),
        ] {
            members.retain(|(member, _)| member != name);
            add(members, name, Some(number));
        }
    }
    Some(Value::Object(arguments))
}

/// The quantity that a sum of a few quantities is meant to be: exact up to the limit, by far. Never -0.
fn rounded(sum: f64) -> f64 {
    let scale = f64::from(10_u32.pow(DECIMALS));
    (sum * scale).round_ties_even() / scale + 0.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::{Codec, SerdeJson, object};

    const ROW: &str = r#""inventory_id":"14e40000-0000-4000-8000-000000000001""#;
    const PRODUCT: &str = r#""product_id":"9d0d0000-0000-4000-8000-000000000001""#;
    const LOCATION: &str = r#""location_id":"10c40000-0000-4000-8000-000000000001""#;
    const TRANSFER: &str = r#""transfer_id":"74a40000-0000-4000-8000-000000000001""#;

    fn read_with(body: &str, if_match: Option<&str>) -> Result<Arguments, Vec<String>> {
        let mut fields = Fields::of_body(SerdeJson.parse(body).expect(body));
        fields.take_if_match(if_match);
        let pointers = |problems: Problems| problems.into_iter().map(|problem| problem.pointer);
        read(fields).map_err(|problems| pointers(problems).collect())
    }

    fn written(body: &str) -> String {
        let arguments = read_with(body, None);
        SerdeJson.write(
            &arguments
                .unwrap_or_else(|problems| panic!("{body}: {problems:?}"))
                .json,
        )
    }

    fn refused(body: &str) -> Vec<String> {
        read_with(body, None).expect_err(body)
    }

    fn of(action: &str, line: &str, more: &str) -> String {
        format!(r#"{{"action":"{action}","lines":[{{{line}}}]{more}}}"#)
    }

    #[test]
    fn each_action_is_passed_on_with_its_own_fields() {
        let reason = r#","reason":"why","reference":"r 1""#;
        let passed = r#","p_reason":"why","p_reference":"r 1""#;
        for (action, line, more, passed) in [
            ("get", ROW.to_owned(), "", String::new()),
            ("get", format!("{PRODUCT},{LOCATION}"), "", String::new()),
            (
                "adjust",
                format!(r#"{ROW},"delta":-0.001"#),
                reason,
                passed.to_owned(),
            ),
            (
                "receive",
                format!(r#"{PRODUCT},"quantity":99999999999.999"#),
                reason,
                passed.to_owned(),
            ),
            (
                "set",
                format!(r#"{ROW},"quantity":0,"expected_version":3"#),
                reason,
                passed.to_owned(),
            ),
            (
                "set",
                format!(r#"{ROW},"quantity":6.52,"expected_quantity":-2,"expected_version":0"#),
                r#","rebase":true"#,
                r#","p_rebase":true"#.to_owned(),
            ),
            (
                "count",
                format!(r#"{ROW},"counted":0,"began_at":"2026-01-01T09:00:00Z""#),
                r#","began_at":"2026-01-01T08:00:00Z""#,
                r#","p_began_at":"2026-01-01T08:00:00Z""#.to_owned(),
            ),
            (
                "transfer",
                format!(
                    r#"{PRODUCT},{},{},"quantity":1.5"#,
                    LOCATION.replacen("location", "from_location", 1),
                    LOCATION.replacen("location", "to_location", 1)
                ),
                r#","in_transit":true"#,
                r#","p_in_transit":true"#.to_owned(),
            ),
            (
                "receive",
                format!(r#"{PRODUCT},"quantity":10"#),
                &format!(",{TRANSFER}"),
                format!(",\"p_{}", &TRANSFER[1..]),
            ),
            (
                "lose",
                format!(r#"{PRODUCT},"quantity":10"#),
                &format!(",{TRANSFER}"),
                format!(",\"p_{}", &TRANSFER[1..]),
            ),
        ] {
            let body = of(action, &line, more);
            assert_eq!(
                written(&body),
                format!(r#"{{"p_action":"{action}","p_lines":[{{{line}}}]{passed}}}"#)
            );
        }
        assert_eq!(
            written(&format!(r#"{{"action":"cancel",{TRANSFER}}}"#)),
            format!(r#"{{"p_action":"cancel","p_{}}}"#, &TRANSFER[1..])
        );
    }

    #[test]
    fn what_is_another_actions_is_refused_by_name() {
        for (body, pointers) in [
            (of("get", ROW, r#","reason":"why""#), vec!["/reason"]),
            (of("get", ROW, r#","reference":"r""#), vec!["/reference"]),
            (
                of("get", &format!(r#"{ROW},"quantity":1"#), ""),
                vec!["/lines/0/quantity"],
            ),
            (
                of("adjust", &format!(r#"{ROW},"delta":1,"quantity":1"#), ""),
                vec!["/lines/0/quantity"],
            ),
            (
                of(
                    "adjust",
                    &format!(r#"{ROW},"delta":1,"expected_quantity":1"#),
                    "",
                ),
                vec!["/lines/0/expected_quantity"],
            ),
            (
                of(
                    "adjust",
                    &format!(r#"{ROW},"delta":1"#),
                    r#","rebase":true"#,
                ),
                vec!["/rebase"],
            ),
            (
                of(
                    "receive",
                    &format!(r#"{ROW},"quantity":1,"expected_version":1"#),
                    "",
                ),
                vec!["/lines/0/expected_version"],
            ),
            (
                of(
                    "receive",
                    &format!(r#"{ROW},"quantity":1"#),
                    &format!(",{TRANSFER}"),
                ),
                vec!["/lines/0/product_id", "/lines/0/inventory_id"],
            ),
            (
                of(
                    "set",
                    &format!(r#"{ROW},"quantity":1,"expected_version":1,"counted":1"#),
                    &format!(r#",{TRANSFER}"#),
                ),
                vec!["/lines/0/counted", "/transfer_id"],
            ),
            (
                of(
                    "count",
                    &format!(r#"{ROW},"counted":1"#),
                    r#","began_at":"2026-01-01T08:00:00Z","in_transit":true"#,
                ),
                vec!["/in_transit"],
            ),
            (
                of(
                    "transfer",
                    &format!(r#"{PRODUCT},{LOCATION},"quantity":1"#),
                    "",
                ),
                vec![
                    "/lines/0/from_location_id",
                    "/lines/0/to_location_id",
                    "/lines/0/location_id",
                ],
            ),
            (
                of("cancel", PRODUCT, &format!(",{TRANSFER}")),
                vec!["/lines"],
            ),
            (of("steal", ROW, r#","whatever":1"#), vec!["/action"]),
            (r#"{"lines":1}"#.to_owned(), vec!["/action"]),
            ("[]".to_owned(), vec!["", "/action"]),
        ] {
            assert_eq!(refused(&body), pointers, "{body}");
        }
    }

    #[test]
    fn what_is_needed_is_asked_for_by_name() {
        for (body, pointers) in [
            (r#"{"action":"get"}"#.to_owned(), vec!["/lines"]),
            (r#"{"action":"cancel"}"#.to_owned(), vec!["/transfer_id"]),
            (
                of("lose", PRODUCT, ""),
                vec!["/transfer_id", "/lines/0/quantity"],
            ),
            (of("get", "", ""), vec!["/lines/0/inventory_id"]),
            (of("get", LOCATION, ""), vec!["/lines/0/inventory_id"]),
            (
                of("get", &format!("{ROW},{PRODUCT}"), ""),
                vec!["/lines/0/inventory_id"],
            ),
            (
                of("get", &format!("{ROW},{LOCATION}"), ""),
                vec!["/lines/0/inventory_id"],
            ),
            (of("adjust", ROW, ""), vec!["/lines/0/delta"]),
            (
                of("set", &format!(r#"{ROW},"quantity":1"#), ""),
                vec!["/lines/0/expected_version"],
            ),
            (
                of(
                    "set",
                    &format!(r#"{ROW},"quantity":1,"expected_version":1"#),
                    r#","rebase":true"#,
                ),
                vec!["/lines/0/expected_quantity"],
            ),
            (
                of("count", &format!(r#"{ROW},"counted":1"#), ""),
                vec!["/lines/0/began_at"],
            ),
        ] {
            assert_eq!(refused(&body), pointers, "{body}");
        }
        let many = |lines: usize| {
            format!(
                r#"{{"action":"get","lines":[{}]}}"#,
                vec![format!("{{{ROW}}}"); lines].join(",")
            )
        };
        assert!(read_with(&many(100), None).is_ok());
        assert_eq!(refused(&many(101)), ["/lines"]);
        assert_eq!(refused(&many(0)), ["/lines"]);
    }

    #[test]
    fn numbers_are_exact_or_refused_by_name() {
        for (action, name, more, least, zero) in [
            ("adjust", "delta", "", "-99999999999.999", false),
            ("receive", "quantity", "", "0.001", false),
            ("set", "quantity", r#","expected_version":1"#, "0.001", true),
            (
                "count",
                "counted",
                r#","began_at":"2026-01-01T08:00:00Z""#,
                "0.001",
                true,
            ),
            (
                "set",
                "expected_quantity",
                r#","quantity":1"#,
                "-99999999999.999",
                true,
            ),
        ] {
            let body = |number: &str| of(action, &format!(r#"{ROW},"{name}":{number}{more}"#), "");
            for number in [least, "11.52", "6.5", "7", "0.1", "99999999999.999"] {
                let sent = format!(r#""{name}":{number}"#);
                let ends_so = |text: &str| {
                    let (_, after) = text.split_once(&sent).unwrap_or_default();
                    after.starts_with([',', '}'])
                };
                assert!(
                    ends_so(&written(&body(number))),
                    "{}",
                    written(&body(number))
                );
            }
            assert_eq!(read_with(&body("0"), None).is_ok(), zero, "{name}");
            for number in [
                "-0",
                "-0.0",
                "0.0004",
                "1.0001",
                "1e-4",
                "100000000000",
                "1e300",
                r#""1""#,
                "null",
                "true",
                "[1]",
                r#""NaN""#,
                r#""Infinity""#,
            ] {
                assert_eq!(
                    refused(&body(number)),
                    [format!("/lines/0/{name}")],
                    "{number}"
                );
            }
        }
        for version in ["-1", "1.5", r#""1""#, "null", "9007199254740992"] {
            let line = format!(r#"{ROW},"quantity":1,"expected_version":{version}"#);
            assert_eq!(
                refused(&of("set", &line, "")),
                ["/lines/0/expected_version"]
            );
        }
        for time in ["1", r#""now""#, r#""2026-02-30T08:00:00Z""#, "null"] {
            let line = format!(r#"{ROW},"counted":1,"began_at":{time}"#);
            assert_eq!(
                refused(&of("count", &line, &format!(r#","began_at":{time}"#))),
                ["/lines/0/began_at", "/began_at"]
            );
        }
    }

    #[test]
    fn a_guard_is_what_a_single_line_expects() {
        let set = of("set", &format!(r#"{ROW},"quantity":1"#), "");
        let adjust = of("adjust", &format!(r#"{ROW},"delta":1"#), "");
        for body in [&set, &adjust] {
            let arguments = read_with(body, Some("\"7\"")).expect("valid");
            let Some(Value::List(lines)) = arguments.json.get("p_lines") else {
                panic!("it has lines")
            };
            assert_eq!(lines[0].get("expected_version"), Some(&Value::Number(7.0)));
            assert_eq!(
                read_with(body, Some("7")).expect_err("no version"),
                ["/headers/if-match"]
                    .into_iter()
                    .chain((body == &set).then_some("/lines/0/expected_version"))
                    .collect::<Vec<_>>()
            );
        }
        let expected = of(
            "set",
            &format!(r#"{ROW},"quantity":1,"expected_version":7"#),
            "",
        );
        let twice = vec!["/lines/0/expected_version".to_owned()];
        assert_eq!(read_with(&expected, Some("\"7\"")), Err(twice.clone()));
        let expected = of(
            "set",
            &format!(r#"{ROW},"quantity":1,"expected_quantity":7"#),
            "",
        );
        assert_eq!(read_with(&expected, Some("\"7\"")), Err(twice));
        let two = adjust.replace("}]", &format!(r#"}},{{{ROW},"delta":1}}]"#));
        for body in [
            two,
            of("get", ROW, ""),
            of("receive", &format!(r#"{ROW},"quantity":1"#), ""),
            r#"{"action":"get"}"#.to_owned(),
        ] {
            let pointers = read_with(&body, Some("\"7\"")).expect_err("not for this one");
            assert_eq!(pointers[0], "/headers/if-match");
        }
    }

    #[test]
    fn only_what_has_a_reference_or_writes_nothing_may_be_made_twice() {
        let adjust = |more| read_with(&of("adjust", &format!(r#"{ROW},"delta":1"#), more), None);
        assert!(!adjust("").expect("valid").repeatable);
        assert!(adjust(r#","reference":"r""#).expect("valid").repeatable);
        assert!(
            read_with(&of("get", ROW, ""), None)
                .expect("valid")
                .repeatable
        );
    }

    /// What is sent after a conflict; `None` if nothing is.
    fn after(lines: &str, conflicts: &str) -> Option<String> {
        let arguments = SerdeJson.parse(&format!(
            r#"{{"p_action":"set","p_lines":{lines},"p_rebase":true}}"#
        ));
        let conflict = SerdeJson.parse(&format!(r#"{{"conflicts":{conflicts}}}"#));
        let again = again(
            "VERSION_CONFLICT",
            &conflict.expect("JSON"),
            arguments.expect("JSON"),
        )?;
        Some(SerdeJson.write(again.get("p_lines")?))
    }

    #[test]
    fn the_difference_is_applied_to_what_others_have_left() {
        let lines = r#"[{"quantity":6.52,"expected_quantity":11.52},{"expected_version":4,"quantity":2,"expected_quantity":1.999}]"#;
        assert_eq!(
            after(lines, r#"[{"line":1,"version":9,"quantity":0.3}]"#).as_deref(),
            Some(
                r#"[{"quantity":6.52,"expected_quantity":11.52},{"quantity":0.301,"expected_quantity":0.3,"expected_version":9}]"#
            )
        );
        // To nothing at all, and not to less.
        let left = |present: &str| {
            after(
                lines,
                &format!(r#"[{{"line":0,"version":9,"quantity":{present}}}]"#),
            )
        };
        let nothing = left("5").expect("nothing is left");
        assert!(
            nothing.starts_with(r#"[{"quantity":0,"expected_quantity":5,"#),
            "{nothing}"
        );
        assert_eq!(left("4.999"), None);
        // As exact as far up as it goes.
        let far = r#"[{"quantity":99999999999.998,"expected_quantity":99999999999.997}]"#;
        let up = after(
            far,
            r#"[{"line":0,"version":1,"quantity":99999999999.998}]"#,
        );
        assert!(
            up.expect("it fits")
                .starts_with(r#"[{"quantity":99999999999.999,"#)
        );
        assert_eq!(
            after(
                far,
                r#"[{"line":0,"version":1,"quantity":99999999999.999}]"#
            ),
            None
        );
    }

    #[test]
    fn what_is_no_such_conflict_is_the_reply() {
        let lines = r#"[{"quantity":1,"expected_quantity":1}]"#;
        for conflicts in [
            "null",
            "{}",
            "[{}]",
            r#"[{"line":1,"version":1,"quantity":1}]"#,
            r#"[{"line":0,"quantity":1}]"#,
            r#"[{"line":-1e9,"version":null,"quantity":1}]"#,
        ] {
            assert_eq!(after(lines, conflicts), None, "{conflicts}");
        }
        let conflict = object([("conflicts", Value::List(Vec::new()))]);
        for arguments in [Value::Null, object([]), object([("p_lines", Value::Null)])] {
            assert_eq!(again("VERSION_CONFLICT", &conflict, arguments), None);
        }
        let arguments = object([("p_lines", Value::List(Vec::new()))]);
        assert!(again("VERSION_CONFLICT", &conflict, arguments.clone()).is_some());
        assert_eq!(again("INSUFFICIENT_INVENTORY", &conflict, arguments), None);
    }

    #[test]
    fn the_version_of_a_single_row_is_told() {
        let of = |answer: &str| version(&SerdeJson.parse(answer).expect("JSON"));
        assert_eq!(of(r#"{"lines":[{"version":7}]}"#), Some(7.0));
        for other in [
            r#"{"lines":[{"version":7},{"version":7}]}"#,
            r#"{"lines":[]}"#,
            r#"{"lines":[{}]}"#,
            "{}",
            "null",
        ] {
            assert_eq!(of(other), None, "{other}");
        }
    }
}
