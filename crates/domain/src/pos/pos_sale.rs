//! `pos-sale`: a sale at a till, for whoever works at one.
//!
//! `{"register_id", "lines": [{"inventory_id" | "product_id" | "barcode", "quantity", "unit_price"?, "discount"?}], "tenders",
//! "returns"?: [{"sale_id", "line" | "inventory_id" | "product_id" | "barcode", "quantity", "restock"?, "reason"}],
//! "customer"?, "promo_code"?, "client_time"?, "shift_id"?, "expected_total"?}`. Lines may be left out where something comes back. A
//! line names its product in one of three ways; quantities are numbers with at most three decimals, for goods that are weighed.
//! What a discount and a customer say is checked by the database, which knows prices and countries.

use crate::fields::{Fields, Problems};
use crate::function::{Arguments, Function, Takes};
use crate::json::Value;
use crate::rule::Bound;
#[cfg(not(target_arch = "wasm32"))]
use crate::{
    errors::Code,
    function::{Sample, Told},
    shape::{
        AMOUNT,
        Shape::{
            AtLeast, Currency, Flag, List, Named, Number, Object, Only, OrNull, Says, Text, Time,
            Uuid, Words,
        },
    },
};

/// The function `pos-sale`.
pub const POS_SALE: Function = Function {
    name: "pos-sale",
    rpc: "pos_sale",
    takes: Takes::Fields {
        keyed: true,
        by_shop: true,
        read,
    },
    route: None,
    note: None,
    third_party: None,
    versions: None,
    #[cfg(not(target_arch = "wasm32"))]
    told: Told {
        area: "pos",
        purpose: "a sale at a till, in one transaction",
        gated: false,
        summary: "A sale at a till, in one transaction",
        description: "For cashiers, managers and staff (`app_metadata.role` of their token) and the service role. Stock of \
            every line, tenders, change, drawer and receipt number: all or nothing. A register sells from the stock of its \
            location; at the online location that is the very stock of `checkout`. Prices and taxes are the database's. \
            Without an Idempotency-Key a second request is a second sale; a key counts for its register for ever. With `client_time` \
            it is a sale that has happened at a till that was cut off: it is recorded, whatever the stock says.",
        fields: &[
            ("/register_id", "The till, which must have an open shift."),
            (
                "/lines",
                "What is sold; each line names its product in one of three ways.",
            ),
            (
                "/lines/inventory_id",
                "The stock: the id of an inventory row of the register's location, or a product's id for online stock.",
            ),
            ("/lines/product_id", "The product."),
            (
                "/lines/barcode",
                "What the scanner read; one scan may be several units (`product_barcodes`).",
            ),
            (
                "/lines/quantity",
                "How much, in the unit of the product, with as many decimals as it has; of a barcode how many scans.",
            ),
            (
                "/lines/unit_price",
                "What the customer paid for one unit, in minor units; only with `client_time`.",
            ),
            (
                "/lines/discount",
                "What is taken off the line: `amount` in minor units or `percent`, and the `reason`. A cashier may take off \
                up to `settings.max_cashier_discount` per cent.",
            ),
            (
                "/tenders",
                "What it is paid with. More than the total is given back of the cash. If the total is below nothing, what is paid \
                out, in the ways in which it was paid.",
            ),
            (
                "/returns",
                "What comes back: so much of lines of one sale, or, without a receipt, of products at their present price (managers \
                and staff only). With `lines` it is an exchange.",
            ),
            (
                "/returns/sale_id",
                "The sale by which it was sold, the same in every entry.",
            ),
            ("/returns/line", "The line of that sale, counted from 0."),
            ("/returns/inventory_id", "Without a receipt: as in `lines`."),
            ("/returns/product_id", "Without a receipt: the product."),
            (
                "/returns/barcode",
                "Without a receipt: what the scanner read.",
            ),
            ("/returns/quantity", "How much of it comes back."),
            (
                "/returns/restock",
                "Whether it goes back to the stock, that of the register where it is returned; `true` if left out.",
            ),
            ("/returns/reason", "Why."),
            (
                "/tenders/type",
                "How. `wallet` and `points` are the customer's: of points the amount is what they are worth.",
            ),
            (
                "/tenders/amount",
                "How much, in minor units; of cash what was handed over.",
            ),
            (
                "/tenders/reference",
                "What names it; that of a card payment pays once.",
            ),
            (
                "/customer",
                "Who buys: `{\"id\"}`, `{\"phone\"}` or `{\"email\"}` of a customer, or `{\"create\": {\"name\", \"phone\", \"email\", \
                \"marketing\"}}`, who is found by phone or e-mail or else written down: two tills at once get one customer. \
                Without it whoever has bought what comes back, or a walk-in.",
            ),
            (
                "/promo_code",
                "A code of the web shop, by the same rules. A use is the customer's.",
            ),
            (
                "/client_time",
                "When it was sold at a till that was cut off: in the last 30 days, and not in the future. It needs an Idempotency-Key.",
            ),
            (
                "/shift_id",
                "The shift, which must be open; with `client_time` it may be closed by now.",
            ),
            (
                "/parked_sale_id",
                "The parked sale that it was: it ends, and what it has kept is sold.",
            ),
            (
                "/approval_id",
                "What a manager has allowed (`approve_sale`); it counts once.",
            ),
            (
                "/expected_total",
                "The total that the till has shown, in minor units, below nothing if it pays out; another one is answered with \
                PRICE_CHANGED.",
            ),
        ],
        between_fields: r##"{
            "allOf": [{ "properties": { "lines": { "items": {
                "oneOf": [{ "required": ["inventory_id"] }, { "required": ["product_id"] }, { "required": ["barcode"] }]
            } } } }, { "properties": { "returns": { "items": { "oneOf": [
                { "required": ["sale_id", "line"], "properties": { "inventory_id": false, "product_id": false, "barcode": false } },
                { "required": ["inventory_id"], "properties": { "sale_id": false, "line": false } },
                { "required": ["product_id"], "properties": { "sale_id": false, "line": false } },
                { "required": ["barcode"], "properties": { "sale_id": false, "line": false } }
            ] } } } }, { "anyOf": [{ "required": ["lines"] }, { "required": ["returns"] }] }]
        }"##,
        answer: "SaleAnswer",
        schemas: &[
            (
                "Sale",
                Object(
                    "A sale at a till. Amounts are in minor units of its currency.",
                    &[
                        ("id", Uuid),
                        ("register_id", Uuid),
                        ("shift_id", Uuid),
                        ("location_id", Uuid),
                        (
                            "receipt_number",
                            Says("Without gaps, of its register.", &AtLeast(1)),
                        ),
                        ("receipt", Says("As people read it.", &Text)),
                        ("status", Words(&["completed", "voided"])),
                        ("currency", Currency),
                        (
                            "lines",
                            List(&Object(
                                "What was sold.",
                                &[
                                    ("line", AMOUNT),
                                    ("product_id", Uuid),
                                    (
                                        "inventory_id",
                                        Says(
                                            "Null of what is untracked and has never been there.",
                                            &OrNull(&Uuid),
                                        ),
                                    ),
                                    ("name", Text),
                                    ("quantity", Number),
                                    ("unit_price", AMOUNT),
                                    ("subtotal", AMOUNT),
                                    ("discount", AMOUNT),
                                    ("promo_discount", AMOUNT),
                                    ("tax", AMOUNT),
                                    ("total", AMOUNT),
                                ],
                            )),
                        ),
                        (
                            "returns",
                            List(&Object(
                                "What came back.",
                                &[
                                    ("n", AMOUNT),
                                    ("sale_id", Says("Null without a receipt.", &OrNull(&Uuid))),
                                    ("line", OrNull(&AMOUNT)),
                                    ("product_id", Uuid),
                                    (
                                        "inventory_id",
                                        Says(
                                            "The stock to which it went; null if to none.",
                                            &OrNull(&Uuid),
                                        ),
                                    ),
                                    ("name", Text),
                                    ("quantity", Number),
                                    ("unit_price", AMOUNT),
                                    ("tax", AMOUNT),
                                    ("amount", Says("What it was worth, with tax.", &AMOUNT)),
                                    ("restock", Flag),
                                    ("reason", Text),
                                ],
                            )),
                        ),
                        ("subtotal", AMOUNT),
                        ("discount", AMOUNT),
                        ("tax", AMOUNT),
                        ("tax_included", AMOUNT),
                        ("returned", AMOUNT),
                        ("total", Says("Below nothing it was paid out.", &Number)),
                        (
                            "tenders",
                            List(&Object(
                                "What it was paid with.",
                                &[
                                    ("type", Words(TENDERS)),
                                    ("amount", AtLeast(1)),
                                    ("reference", OrNull(&Text)),
                                ],
                            )),
                        ),
                        ("change_due", AMOUNT),
                        (
                            "customer",
                            OrNull(&Object(
                                "Who bought.",
                                &[
                                    ("id", Uuid),
                                    ("name", OrNull(&Text)),
                                    ("phone", OrNull(&Text)),
                                    ("email", OrNull(&Text)),
                                    ("marketing", Flag),
                                    ("points", Says("What they have now.", &AMOUNT)),
                                    ("tier", OrNull(&Text)),
                                ],
                            )),
                        ),
                        ("promo_code", OrNull(&Text)),
                        (
                            "loyalty",
                            OrNull(&Object(
                                "Points of the customer.",
                                &[
                                    ("earned", AMOUNT),
                                    ("spent", AMOUNT),
                                    (
                                        "given_back",
                                        Says("Those that what was paid out in points is.", &AMOUNT),
                                    ),
                                    (
                                        "taken_back",
                                        Says("Those that what came back had earned.", &AMOUNT),
                                    ),
                                    ("balance", Says("What was left after this sale.", &AMOUNT)),
                                    ("tier", OrNull(&Text)),
                                    ("tier_before", OrNull(&Text)),
                                ],
                            )),
                        ),
                        (
                            "approved_by",
                            Says("The manager who allowed it.", &OrNull(&Uuid)),
                        ),
                        ("sold_at", Time),
                        ("recorded_at", Says("When it came.", &Time)),
                        (
                            "offline",
                            Says("Whether it was sold by a till that was cut off.", &Flag),
                        ),
                        (
                            "late",
                            Says(
                                "Whether its shift was closed when it came: it is not in the closing report.",
                                &Flag,
                            ),
                        ),
                        (
                            "needs_review",
                            List(&Object(
                                "What the database would have said otherwise.",
                                &[
                                    ("line", Says("Null of the total.", &OrNull(&AMOUNT))),
                                    ("reason", Words(&["discount", "inactive", "price", "total"])),
                                ],
                            )),
                        ),
                        (
                            "shortfalls",
                            List(&Object(
                                "What was sold and was not there.",
                                &[
                                    ("product_id", Uuid),
                                    ("inventory_id", OrNull(&Uuid)),
                                    ("location_id", Uuid),
                                    ("sold", Number),
                                    ("quantity", Number),
                                ],
                            )),
                        ),
                    ],
                ),
            ),
            (
                "SaleAnswer",
                Object(
                    "It is sold.",
                    &[("success", Only(true)), ("sale", Named("Sale"))],
                ),
            ),
        ],
        codes: &[
            Code::RegisterNotFound,
            Code::BarcodeNotFound,
            Code::InventoryNotFound,
            Code::ProductNotFound,
            Code::CustomerNotFound,
            Code::PromoNotFound,
            Code::SaleNotFound,
            Code::ParkedSaleNotFound,
            Code::ParkedSaleTaken,
            Code::ParkedSaleEnded,
            Code::ApprovalNotFound,
            Code::DiscountNotAllowed,
            Code::ReturnNotAllowed,
            Code::SaleVoided,
            Code::ReturnExceedsSold,
            Code::RefundExceedsPaid,
            Code::StockLimitExceeded,
            Code::StockElsewhere,
            Code::InsufficientInventory,
            Code::PriceChanged,
            Code::ShiftNotFound,
            Code::ShiftNotOpen,
            Code::TenderReferenceUsed,
            Code::CustomersDiffer,
            Code::InsufficientPoints,
            Code::InsufficientFunds,
            Code::CurrencyMismatch,
            Code::PromoNotApplicable,
            Code::PromoNotStarted,
            Code::PromoExpired,
            Code::PromoAlreadyApplied,
            Code::PromoExhausted,
            Code::PromoChanged,
            Code::IdempotencyKeyReused,
            Code::MixedCurrencies,
            Code::Underpaid,
            Code::Overpaid,
        ],
        together: true,
        always: &["p_register_id"],
        acts_again: |_| true,
        samples: &[
            Sample {
                name: "goods that are weighed",
                body: r#"{"register_id":"4e600000-0000-4000-8000-00000000dead","lines":[
                    {"inventory_id":"14e40000-0000-4000-8000-00000000dead","quantity":1.52,"discount":{"percent":10,"reason":"test:harmless"}}],
                    "tenders":[{"type":"card","amount":1299,"reference":"test:harmless"}],"expected_total":1299}"#,
            },
            Sample {
                name: "a scan and a product",
                body: r#"{"register_id":"4e600000-0000-4000-8000-00000000dead","lines":[{"barcode":"4006381333931","quantity":1},
                    {"product_id":"9d0d0000-0000-4000-8000-00000000dead","quantity":2}],
                    "tenders":[{"type":"cash","amount":1000},{"type":"card","amount":500}]}"#,
            },
            Sample {
                name: "of a till that was cut off",
                body: r#"{"register_id":"4e600000-0000-4000-8000-00000000dead","lines":[
                    {"product_id":"9d0d0000-0000-4000-8000-00000000dead","quantity":1,"unit_price":1000}],
                    "tenders":[{"type":"cash","amount":1000}],"client_time":"2026-11-28T09:30:00Z",
                    "shift_id":"5417f700-0000-4000-8000-00000000dead"}"#,
            },
            Sample {
                name: "an exchange",
                body: r#"{"register_id":"4e600000-0000-4000-8000-00000000dead","lines":[{"barcode":"4006381333931","quantity":1}],
                    "returns":[{"sale_id":"5a1e0000-0000-4000-8000-00000000dead","line":0,"quantity":2,"restock":false,"reason":"test:harmless"}],
                    "tenders":[{"type":"cash","amount":500}],"expected_total":-500}"#,
            },
            Sample {
                name: "without a receipt",
                body: r#"{"register_id":"4e600000-0000-4000-8000-00000000dead",
                    "returns":[{"barcode":"4006381333931","quantity":1,"reason":"test:harmless"}],
                    "tenders":[{"type":"cash","amount":500}]}"#,
            },
        ],
    },
};

const TENDERS: &[&str] = &["cash", "card", "wallet", "points"];

/// Lines of a sale at the most.
const MAX_LINES: usize = 100;

/// The last line that a sale can have.
const MAX_LINE: u32 = 99;

/// Entries of what comes back at the most.
const MAX_RETURNS: usize = 100;

/// Tenders of a sale at the most.
const MAX_TENDERS: usize = 20;

/// A reference at the longest, in characters.
const MAX_REFERENCE: usize = 200;

/// A promo code at the longest, in characters.
const MAX_PROMO_CODE: usize = 64;

/// How a line may name its product.
const NAMES: [&str; 3] = ["inventory_id", "product_id", "barcode"];

fn read(mut fields: Fields) -> Result<Arguments, Problems> {
    fields.require("register_id");
    let register_id = fields.uuid("register_id");
    if !fields.has("lines") && !fields.has("returns") {
        fields.problem("lines", "is required, or else returns");
    }
    let lines = fields.list("lines", 1..=MAX_LINES, read_line);
    let tenders = fields.list("tenders", 0..=MAX_TENDERS, read_tender);
    let customer = fields.object("customer");
    let promo_code = fields.line("promo_code", MAX_PROMO_CODE);
    let returns = fields.list("returns", 1..=MAX_RETURNS, read_return);
    let client_time = fields.time("client_time");
    let shift_id = fields.uuid("shift_id");
    let parked_sale_id = fields.uuid("parked_sale_id");
    let approval_id = fields.uuid("approval_id");
    let expected_total = fields.balance("expected_total");
    fields.finish()?;

    let arguments = [
        ("p_register_id", register_id.map(Value::from)),
        ("p_lines", lines.map(Value::List)),
        ("p_tenders", tenders.map(Value::List)),
        ("p_customer", customer),
        ("p_promo_code", promo_code.map(Value::from)),
        ("p_returns", returns.map(Value::List)),
        ("p_client_time", client_time.map(Value::from)),
        ("p_shift_id", shift_id.map(Value::from)),
        ("p_parked_sale_id", parked_sale_id.map(Value::from)),
        ("p_approval_id", approval_id.map(Value::from)),
        ("p_expected_total", expected_total.map(Value::from)),
    ];
    // A second sale is a second effect, unless an idempotency key says that it is the same.
    Ok(Arguments::new(arguments, false))
}

fn read_line(line: &mut Fields) -> Value {
    if NAMES.iter().filter(|name| line.has(name)).count() != 1 {
        line.problem(
            "inventory_id",
            "is required, or else one of product_id and barcode",
        );
    }
    line.require("quantity");
    members([
        ("inventory_id", line.uuid("inventory_id").map(Value::from)),
        ("product_id", line.uuid("product_id").map(Value::from)),
        ("barcode", line.barcode("barcode").map(Value::from)),
        (
            "quantity",
            line.quantity("quantity", Bound::Positive).map(Value::from),
        ),
        ("unit_price", line.amount("unit_price").map(Value::from)),
        ("discount", line.object("discount")),
    ])
}

fn read_return(entry: &mut Fields) -> Value {
    let named = NAMES.iter().filter(|name| entry.has(name)).count();
    if named + usize::from(entry.has("sale_id")) != 1 {
        entry.problem(
            "sale_id",
            "is required, or else one of inventory_id, product_id and barcode",
        );
    }
    if entry.has("sale_id") != entry.has("line") {
        entry.problem("line", "goes with sale_id");
    }
    entry.require("quantity");
    entry.require("reason");
    members([
        ("sale_id", entry.uuid("sale_id").map(Value::from)),
        ("line", entry.integer("line", 0..=MAX_LINE).map(Value::from)),
        ("inventory_id", entry.uuid("inventory_id").map(Value::from)),
        ("product_id", entry.uuid("product_id").map(Value::from)),
        ("barcode", entry.barcode("barcode").map(Value::from)),
        (
            "quantity",
            entry.quantity("quantity", Bound::Positive).map(Value::from),
        ),
        ("restock", entry.flag("restock").map(Value::from)),
        (
            "reason",
            entry.line("reason", MAX_REFERENCE).map(Value::from),
        ),
    ])
}

fn read_tender(tender: &mut Fields) -> Value {
    tender.require("type");
    tender.require("amount");
    members([
        ("type", tender.word("type", TENDERS).map(Value::from)),
        ("amount", tender.amount("amount").map(Value::from)),
        (
            "reference",
            tender.line("reference", MAX_REFERENCE).map(Value::from),
        ),
    ])
}

/// An object of what is there.
fn members<const N: usize>(members: [(&str, Option<Value>); N]) -> Value {
    Arguments::new(members, false).json
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::{Codec, SerdeJson};

    const ID: &str = "4e600000-0000-4000-8000-00000000dead";

    fn read_text(body: &str) -> Result<Arguments, Vec<String>> {
        let body = SerdeJson.parse(body).expect("JSON");
        let pointers = |problems: Problems| problems.into_iter().map(|problem| problem.pointer);
        read(Fields::of_body(body)).map_err(|problems| pointers(problems).collect())
    }

    fn with_line(line: &str) -> String {
        format!(r#"{{"register_id":"{ID}","lines":[{line}]}}"#)
    }

    #[test]
    fn a_sale_is_passed_on() {
        let body = format!(
            r#"{{"register_id":"{ID}","lines":[{{"barcode":"4006","quantity":1.5,"unit_price":70,"discount":{{"amount":5}}}}],
               "tenders":[{{"type":"cash","amount":100}}],"client_time":"2026-11-28T09:30:00Z","shift_id":"{ID}","expected_total":95}}"#
        );
        let arguments = read_text(&body).expect("valid");
        assert_eq!(
            SerdeJson.write(&arguments.json),
            format!(
                r#"{{"p_register_id":"{ID}","p_lines":[{{"barcode":"4006","quantity":1.5,"unit_price":70,"discount":{{"amount":5}}}}],"p_tenders":[{{"type":"cash","amount":100}}],"p_client_time":"2026-11-28T09:30:00Z","p_shift_id":"{ID}","p_expected_total":95}}"#
            )
        );
        assert!(!arguments.repeatable);
    }

    #[test]
    fn a_line_names_its_product_once() {
        for names in [
            "",
            r#""barcode":"4006","product_id":"4e600000-0000-4000-8000-00000000dead","#,
        ] {
            let pointers =
                read_text(&with_line(&format!(r#"{{{names}"quantity":1}}"#))).expect_err(names);
            assert_eq!(pointers, ["/lines/0/inventory_id"], "{names}");
        }
    }

    #[test]
    fn what_comes_back_needs_no_lines() {
        let body = format!(
            r#"{{"register_id":"{ID}","returns":[{{"sale_id":"{ID}","line":2,"quantity":1.5,"restock":false,"reason":"torn"}}],"expected_total":-95}}"#
        );
        let arguments = read_text(&body).expect("valid");
        assert_eq!(
            SerdeJson.write(&arguments.json),
            format!(
                r#"{{"p_register_id":"{ID}","p_returns":[{{"sale_id":"{ID}","line":2,"quantity":1.5,"restock":false,"reason":"torn"}}],"p_expected_total":-95}}"#
            )
        );
        for (entry, pointers) in [
            ("{}", &["/sale_id", "/quantity", "/reason"][..]),
            (
                r#"{"barcode":"4006","line":1,"quantity":1,"reason":"torn"}"#,
                &["/line"],
            ),
            (
                r#"{"barcode":"4006","sale_id":"4e600000-0000-4000-8000-00000000dead","line":100,"quantity":0,"reason":""}"#,
                &["/sale_id", "/line", "/quantity", "/reason"],
            ),
        ] {
            let body = format!(r#"{{"register_id":"{ID}","returns":[{entry}]}}"#);
            let pointers: Vec<String> = pointers.iter().map(|p| format!("/returns/0{p}")).collect();
            assert_eq!(read_text(&body).expect_err(entry), pointers, "{entry}");
        }
        let neither = format!(r#"{{"register_id":"{ID}"}}"#);
        assert_eq!(read_text(&neither).expect_err("neither"), ["/lines"]);
    }

    #[test]
    fn where_nothing_is_paid_there_may_be_no_tender() {
        let body = |tenders: &str| {
            format!(
                r#"{{"register_id":"{ID}","lines":[{{"barcode":"4006","quantity":1}}],"tenders":[{tenders}]}}"#
            )
        };
        let arguments = read_text(&body("")).expect("valid");
        assert!(
            SerdeJson
                .write(&arguments.json)
                .contains(r#""p_tenders":[]"#)
        );
        let tender = r#"{"type":"cash","amount":1}"#;
        assert!(read_text(&body(&[tender; MAX_TENDERS].join(","))).is_ok());
        let too_many = read_text(&body(&[tender; MAX_TENDERS + 1].join(",")));
        assert_eq!(too_many.expect_err("too many"), ["/tenders"]);
    }

    #[test]
    fn every_problem_is_told() {
        let body = r#"{"lines":[{"barcode":"4006","quantity":-1,"gift":true}],"tenders":[{"type":"gold","amount":1.5}]}"#;
        assert_eq!(
            read_text(body).expect_err("bad"),
            [
                "/register_id",
                "/lines/0/quantity",
                "/lines/0/gift",
                "/tenders/0/type",
                "/tenders/0/amount",
            ]
        );
    }
}
