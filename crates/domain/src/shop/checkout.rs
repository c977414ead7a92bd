//! `checkout`: stock, order, payment and promo in one transaction.
//!
//! `{"cart_items": [{"product_id", "quantity", "expected_unit_price"?}], "promo_code"?, "cart_id"?, "payment_method"?,
//! "expected_total"?, "shipping_address"?, "contact"?, "metadata"?,
//! "shipping_method"?, "on_behalf_of"?, "reservation_id"?,
//! "wallet_amount"?}`. Prices are the database's; a client may say which ones were shown, and then no others are charged.

use crate::fields::{Fields, Problems};
use crate::function::{Arguments, Function, Takes};
use crate::json::Value;
use crate::shop::cart;
#[cfg(not(target_arch = "wasm32"))]
use crate::{
    errors::Code,
    function::{Sample, Told},
    shape::AMOUNT,
    shape::Shape::{
        Anything, AtLeast, Currency, List, Named, Object, Only, OrNull, Partly, Text, Time, Uuid,
        Words,
    },
};

/// The function `checkout`.
pub const CHECKOUT: Function = Function {
    name: "checkout",
    rpc: "checkout",
    takes: Takes::Fields {
        keyed: true,
        by_shop: false,
        read,
    },
    route: None,
    note: Some(|products| format!("✅ Atomically updated inventory for {products} products")),
    third_party: None,
    versions: None,
    #[cfg(not(target_arch = "wasm32"))]
    told: Told {
        area: "shop",
        purpose: "stock, order, payment and promo in one transaction",
        gated: true,
        summary: "Cart to order in one transaction",
        description: "Stock, order, payment, promo use, digital codes and the idempotency key: all or nothing. Prices \
            are the database's; `expected_total` and `expected_unit_price` say which ones were shown, and no others are \
            charged. Without an Idempotency-Key a second request is a second order.",
        fields: &[
            ("/cart_items", "The cart; lines of one product are summed."),
            ("/cart_items/product_id", "The product."),
            ("/cart_items/quantity", "How many of it."),
            (
                "/cart_items/expected_unit_price",
                "The price of one that was shown, in minor units; another one is answered with PRICE_CHANGED.",
            ),
            (
                "/promo_code",
                "A promo code, however it is typed: case, blanks and the Unicode form do not matter.",
            ),
            (
                "/cart_id",
                "The client's own name of the cart: a buyer has one live order of it at most. Finds the hold that \
                promo-validate made for it.",
            ),
            ("/payment_method", "`cash_on_delivery` if it is absent."),
            (
                "/expected_total",
                "The total that was shown, in minor units; another one is answered with PRICE_CHANGED.",
            ),
            (
                "/shipping_address",
                "Where the goods go: any members, 4096 bytes at most. Goes with the buyer's account.",
            ),
            (
                "/contact",
                "Whom to ask about the order: any members, 4096 bytes at most. Goes with the buyer's account.",
            ),
            (
                "/metadata",
                "What the app keeps with the order: at most 50 texts of at most 500 characters under keys of at most \
                40, and 4096 bytes in all. Not for what is about a person.",
            ),
            (
                "/shipping_method",
                "How the order is sent: the code of one of shipping_methods. The database has its price.",
            ),
            (
                "/wallet_amount",
                "So much of it, in minor units, is taken from the wallet at once, or all if the order costs less; \
                `payment_method` is how the rest is paid.",
            ),
            (
                "/on_behalf_of",
                "The customer for whom staff place the order; a buyer who names one is answered with FORBIDDEN.",
            ),
            (
                "/reservation_id",
                "What the RPC reserve_cart has kept for this buyer: it is sold first, and given back for what the cart \
                does not have. One that has ended is as none.",
            ),
        ],
        between_fields: "{}",
        answer: "OrderAnswer",
        schemas: &[
            (
                "Order",
                Partly(
                    "An order. Amounts are in minor units of its currency.",
                    &[
                        ("id", Uuid),
                        ("number", AtLeast(1)),
                        ("status", Words(ORDER_STATUSES)),
                        ("fulfillment", Words(FULFILLMENTS)),
                        ("currency", Currency),
                        ("subtotal", AMOUNT),
                        ("discount", AMOUNT),
                        ("shipping_method", OrNull(&Text)),
                        ("shipping", AMOUNT),
                        ("shipping_tax", AMOUNT),
                        ("tax", AMOUNT),
                        ("tax_included", AMOUNT),
                        ("total", AMOUNT),
                        ("payment_method", Words(&PAYMENT_METHODS)),
                        ("cart_id", OrNull(&Uuid)),
                        ("created_at", Time),
                        ("payment_expires_at", OrNull(&Time)),
                        ("paid_at", OrNull(&Time)),
                        ("shipped_at", OrNull(&Time)),
                        ("tracking", OrNull(&Text)),
                        ("fulfilled_at", OrNull(&Time)),
                        ("cancelled_at", OrNull(&Time)),
                        ("refunded_at", OrNull(&Time)),
                        (
                            "items",
                            List(&Partly(
                                "A product of the order.",
                                &[
                                    ("product_id", Uuid),
                                    ("name", Text),
                                    ("quantity", AtLeast(1)),
                                    ("unit_price", AMOUNT),
                                    ("discount", AMOUNT),
                                    ("tax", AMOUNT),
                                    ("total", AMOUNT),
                                    ("backordered", AtLeast(1)),
                                ],
                                // Only where some of them were not there when they were sold.
                                &["backordered"],
                            )),
                        ),
                        (
                            "codes",
                            List(&Object(
                                "A digital code that was bought.",
                                &[("product_id", Uuid), ("code", Text)],
                            )),
                        ),
                        ("shipping_address", Anything),
                        ("contact", Anything),
                        ("metadata", Anything),
                        ("wallet_amount", AMOUNT),
                    ],
                    // Codes only of digital products, and only once they are paid; the others where there are any.
                    &[
                        "codes",
                        "shipping_address",
                        "contact",
                        "metadata",
                        "wallet_amount",
                    ],
                ),
            ),
            (
                "OrderAnswer",
                Object(
                    "It is done.",
                    &[("success", Only(true)), ("order", Named("Order"))],
                ),
            ),
        ],
        codes: &[
            Code::InsufficientFunds,
            Code::ProductNotFound,
            Code::UserNotFound,
            Code::PromoNotFound,
            Code::InsufficientInventory,
            Code::ProductOrderLimit,
            Code::ProductCustomerLimit,
            Code::StockLimitExceeded,
            Code::PriceChanged,
            Code::CartAlreadyOrdered,
            Code::TooManyOpenOrders,
            Code::PromoExhausted,
            Code::PromoAlreadyApplied,
            Code::PromoChanged,
            Code::PromoExpired,
            Code::IdempotencyKeyReused,
            Code::PaymentMethodNotAllowed,
            Code::ShippingMethodNotAvailable,
            Code::MixedCurrencies,
            Code::CurrencyMismatch,
            Code::PromoNotApplicable,
            Code::PromoNotStarted,
            Code::TooManyAttempts,
        ],
        together: false,
        always: &["p_cart_items"],
        // A second order is a second effect.
        acts_again: |_| true,
        samples: &[
            Sample {
                name: "a cart with everything",
                body: r#"{"cart_items":[{"product_id":"9d0d0000-0000-4000-8000-00000000dead","quantity":1,
                    "expected_unit_price":700}],"promo_code":"test:harmless",
                    "cart_id":"ca470000-0000-4000-8000-00000000dead","payment_method":"wallet","expected_total":630,
                    "shipping_address":{"name":"test:harmless","country":"DE"},"contact":{"email":"test@example.com"},
                    "metadata":{"test":"harmless"},"shipping_method":"test-harmless",
                    "reservation_id":"9e5e0000-0000-4000-8000-00000000dead"}"#,
            },
            Sample {
                name: "a cart for a customer",
                body: r#"{"cart_items":[{"product_id":"9d0d0000-0000-4000-8000-00000000dead","quantity":1}],
                    "on_behalf_of":"a0000000-0000-4000-8000-00000000dead"}"#,
            },
            Sample {
                name: "a cart",
                body: r#"{"cart_items":[{"product_id":"9d0d0000-0000-4000-8000-00000000dead","quantity":1}]}"#,
            },
        ],
    },
};

/// Every status that an order can have.
#[cfg(not(target_arch = "wasm32"))]
pub(crate) const ORDER_STATUSES: &[&str] = &[
    "pending_payment",
    "confirmed",
    "paid",
    "fulfilled",
    "cancelled",
    "expired",
    "refunded",
];

/// Where the goods of an order are.
#[cfg(not(target_arch = "wasm32"))]
pub(crate) const FULFILLMENTS: &[&str] = &[
    "unfulfilled",
    "processing",
    "partly_shipped",
    "shipped",
    "delivered",
];

/// How an order can be paid, if the shop takes it.
pub(crate) const PAYMENT_METHODS: [&str; 4] =
    ["wallet", "bank_transfer", "cash_on_delivery", "card"];

/// Longer than any code that a person types.
pub(crate) const MAX_PROMO_CODE: usize = 64;

/// As long as a code of a shipping method can be.
const MAX_SHIPPING_METHOD: usize = 40;

fn read(mut fields: Fields) -> Result<Arguments, Problems> {
    fields.require("cart_items");
    let lines = cart::read_lines(&mut fields, "cart_items");
    let promo_code = fields.line("promo_code", MAX_PROMO_CODE);
    let cart_id = fields.uuid("cart_id");
    let payment_method = fields.word("payment_method", &PAYMENT_METHODS);
    let expected_total = fields.amount("expected_total");
    let shipping_address = fields.object("shipping_address");
    let contact = fields.object("contact");
    let metadata = fields.object("metadata");
    let shipping_method = fields.line("shipping_method", MAX_SHIPPING_METHOD);
    let wallet_amount = fields.amount("wallet_amount");
    let on_behalf_of = fields.uuid("on_behalf_of");
    let reservation_id = fields.uuid("reservation_id");
    fields.finish()?;

    let lines = lines.unwrap_or(Value::Null);
    let products = cart::count_products(&lines);
    let arguments = [
        ("p_cart_items", Some(lines)),
        ("p_promo_code", promo_code.map(Value::from)),
        ("p_cart_id", cart_id.map(Value::from)),
        ("p_payment_method", payment_method.map(Value::from)),
        ("p_expected_total", expected_total.map(Value::from)),
        ("p_shipping_address", shipping_address),
        ("p_contact", contact),
        ("p_metadata", metadata),
        ("p_shipping_method", shipping_method.map(Value::from)),
        ("p_wallet_amount", wallet_amount.map(Value::from)),
        ("p_on_behalf_of", on_behalf_of.map(Value::from)),
        ("p_reservation_id", reservation_id.map(Value::from)),
    ];
    Ok(Arguments {
        count: products as u32,
        // A second order is a second effect, unless an idempotency key says that it is the same.
        ..Arguments::new(arguments, false)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::{Codec, SerdeJson};

    const PRODUCT: &str = "9d0d0000-0000-4000-8000-000000000001";

    fn read_text(body: &str) -> Result<Arguments, Vec<String>> {
        let body = SerdeJson.parse(body).expect("JSON");
        let pointers = |problems: Problems| problems.into_iter().map(|problem| problem.pointer);
        read(Fields::of_body(body)).map_err(|problems| pointers(problems).collect())
    }

    fn line(quantity: &str) -> String {
        format!(r#"{{"product_id":"{PRODUCT}","quantity":{quantity}}}"#)
    }

    #[test]
    fn a_cart_is_passed_on_and_its_products_counted_once() {
        let body = format!(r#"{{"cart_items":[{},{}]}}"#, line("3"), line("2.0"));
        let arguments = read_text(&body).expect("valid");
        assert_eq!(
            SerdeJson.write(&arguments.json),
            format!(r#"{{"p_cart_items":[{},{}]}}"#, line("3"), line("2"))
        );
        assert_eq!(arguments.count, 1);
        assert!(!arguments.repeatable);
    }

    #[test]
    fn quantities_are_whole_numbers_from_1_to_10_000() {
        for quantity in ["1", "10000", "1e3"] {
            let body = format!(r#"{{"cart_items":[{}]}}"#, line(quantity));
            assert!(read_text(&body).is_ok(), "{quantity}");
        }
        for quantity in [
            "0", "-1", "1.5", "10001", "1e300", r#""3""#, "null", "[]", "true",
        ] {
            let body = format!(r#"{{"cart_items":[{}]}}"#, line(quantity));
            let pointers = read_text(&body).expect_err(quantity);
            assert_eq!(pointers, ["/cart_items/0/quantity"], "{quantity}");
        }
    }

    #[test]
    fn prices_that_were_shown_are_passed_on() {
        let body = format!(
            r#"{{"cart_items":[{{"product_id":"{PRODUCT}","quantity":2,"expected_unit_price":1299}}],"expected_total":2598}}"#
        );
        let arguments = read_text(&body).expect("valid");
        assert_eq!(
            SerdeJson.write(&arguments.json),
            format!(
                r#"{{"p_cart_items":[{{"product_id":"{PRODUCT}","quantity":2,"expected_unit_price":1299}}],"p_expected_total":2598}}"#
            )
        );
        for price in ["-1", "1.5", r#""1299""#, "null", "9007199254740992"] {
            let body = body.replace("1299", price).replace("2598", price);
            assert_eq!(
                read_text(&body).expect_err(price),
                ["/cart_items/0/expected_unit_price", "/expected_total"],
                "{price}"
            );
        }
    }

    #[test]
    fn what_is_said_about_an_order_is_passed_on() {
        let lines = line("1");
        let body = format!(
            r#"{{"cart_items":[{lines}],"shipping_address":{{"a":["b",{{"c":null}}]}},"contact":{{}},"metadata":{{"k":"v"}}}}"#
        );
        let arguments = read_text(&body).expect("valid");
        assert_eq!(
            SerdeJson.write(&arguments.json),
            format!(
                r#"{{"p_cart_items":[{lines}],"p_shipping_address":{{"a":["b",{{"c":null}}]}},"p_contact":{{}},"p_metadata":{{"k":"v"}}}}"#
            )
        );
        for other in [
            "null",
            "[]",
            r#""x""#,
            "1",
            "true",
            r#"{"a":"\u0000"}"#,
            r#"{"a\u0000":1}"#,
            r#"{"a":[{"b":"c\u0000"}]}"#,
        ] {
            let body = format!(
                r#"{{"cart_items":[{lines}],"shipping_address":{other},"contact":{other},"metadata":{other}}}"#
            );
            assert_eq!(
                read_text(&body).expect_err(other),
                ["/shipping_address", "/contact", "/metadata"],
                "{other}"
            );
        }
    }

    #[test]
    fn the_part_of_the_wallet_is_passed_on() {
        let body =
            |part: &str| format!(r#"{{"cart_items":[{}],"wallet_amount":{part}}}"#, line("1"));
        let arguments = read_text(&body("500")).expect("valid");
        assert_eq!(
            SerdeJson.write(&arguments.json),
            format!(
                r#"{{"p_cart_items":[{}],"p_wallet_amount":500}}"#,
                line("1")
            )
        );
        for part in ["-1", "1.5", r#""500""#, "null", "true"] {
            assert_eq!(read_text(&body(part)).expect_err(part), ["/wallet_amount"]);
        }
    }

    #[test]
    fn the_customer_of_an_order_is_passed_on() {
        let body =
            |whom: &str| format!(r#"{{"cart_items":[{}],"on_behalf_of":{whom}}}"#, line("1"));
        let arguments = read_text(&body(&format!(r#""{PRODUCT}""#))).expect("valid");
        assert_eq!(
            SerdeJson.write(&arguments.json),
            format!(
                r#"{{"p_cart_items":[{}],"p_on_behalf_of":"{PRODUCT}"}}"#,
                line("1")
            )
        );
        for whom in [r#""me""#, "null", "1", "{}"] {
            assert_eq!(read_text(&body(whom)).expect_err(whom), ["/on_behalf_of"]);
        }
    }

    #[test]
    fn a_cart_has_1_to_100_lines() {
        let cart =
            |lines: usize| format!(r#"{{"cart_items":[{}]}}"#, vec![line("1"); lines].join(","));
        assert!(read_text(&cart(100)).is_ok());
        for lines in [0, 101] {
            assert_eq!(read_text(&cart(lines)), Err(vec!["/cart_items".to_owned()]));
        }
        for body in ["{}", r#"{"cart_items":null}"#, r#"{"cart_items":{}}"#] {
            assert_eq!(
                read_text(body),
                Err(vec!["/cart_items".to_owned()]),
                "{body}"
            );
        }
    }

    #[test]
    fn all_problems_of_a_cart_are_reported_together() {
        let body = r#"{"cart_items":[{"product_id":"x","quantity":0,"price":1},7,{}],
            "promo_code":"  ","cart_id":"c","payment_method":"gold","total":1}"#;
        assert_eq!(
            read_text(body).expect_err("many problems"),
            [
                "/cart_items/0/product_id",
                "/cart_items/0/quantity",
                "/cart_items/0/price",
                "/cart_items/1",
                "/cart_items/1/product_id",
                "/cart_items/1/quantity",
                "/cart_items/2/product_id",
                "/cart_items/2/quantity",
                "/promo_code",
                "/cart_id",
                "/payment_method",
                "/total",
            ]
        );
    }
}
