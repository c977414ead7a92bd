//! `claim-route`: one driver per delivery batch.
//!
//! `{"batch_id"?, "action"?}`; `action` is `claim` (the default), `renew`, `release`, `start` or
//! `complete`. Without `batch_id`, `claim` takes the next available batch.

use crate::fields::{Fields, Problems};
use crate::function::{Arguments, Function, Takes};
use crate::json::Value;
#[cfg(not(target_arch = "wasm32"))]
use crate::{
    errors::Code,
    function::{Sample, Told},
    shape::Shape::{Named, Object, Only, OrNull, Says, Text, Time, Uuid, Whole, Words},
};

/// The function `claim-route`.
pub const CLAIM_ROUTE: Function = Function {
    name: "claim-route",
    rpc: "claim_route",
    takes: Takes::Fields {
        keyed: true,
        by_shop: false,
        read,
    },
    route: None,
    note: None,
    third_party: None,
    versions: None,
    #[cfg(not(target_arch = "wasm32"))]
    told: Told {
        area: "delivery",
        purpose: "one driver per delivery batch",
        gated: false,
        summary: "One driver for each delivery batch",
        description: "Claims a batch, or the next available one; renews, releases, starts or completes one that the \
            driver holds. A claim is a lease.",
        fields: &[
            (
                "/batch_id",
                "The batch. Without it, `claim` takes the next available one.",
            ),
            (
                "/action",
                "What to do; `claim` if it is absent. All others need a `batch_id`.",
            ),
        ],
        between_fields: r#"{
            "if": {
                "required": ["action"],
                "properties": { "action": { "enum": ["renew", "release", "start", "complete"] } }
            },
            "then": { "required": ["batch_id"] }
        }"#,
        answer: "BatchAnswer",
        schemas: &[
            (
                "Batch",
                Object(
                    "A delivery batch, as the driver who holds it sees it.",
                    &[
                        ("id", Uuid),
                        (
                            "status",
                            Words(&[
                                "available",
                                "claimed",
                                "in_progress",
                                "completed",
                                "cancelled",
                            ]),
                        ),
                        ("driver_id", OrNull(&Uuid)),
                        ("claimed_at", OrNull(&Time)),
                        ("lease_expires_at", OrNull(&Time)),
                        ("started_at", OrNull(&Time)),
                        ("completed_at", OrNull(&Time)),
                        ("priority", Whole),
                        ("version", Says("Grows with every change.", &Whole)),
                        ("reference", OrNull(&Text)),
                        ("created_at", Time),
                    ],
                ),
            ),
            (
                "BatchAnswer",
                Object(
                    "It is done.",
                    &[("success", Only(true)), ("batch", Named("Batch"))],
                ),
            ),
        ],
        codes: &[
            Code::NotADriver,
            Code::BatchNotFound,
            Code::BatchUnavailable,
            Code::NoBatchAvailable,
            Code::DriverBusy,
            Code::LeaseExpired,
            Code::BatchNotHeld,
            Code::IdempotencyKeyReused,
        ],
        together: false,
        always: &["p_action"],
        // The next batch twice are two; what is released cannot be released again.
        acts_again: |arguments| {
            let action = arguments.get("p_action").and_then(Value::as_text);
            arguments.get("p_batch_id").is_none() || action == Some("release")
        },
        samples: &[
            Sample {
                name: "a batch",
                body: r#"{"batch_id":"ba7c4000-0000-4000-8000-00000000dead","action":"claim"}"#,
            },
            Sample {
                name: "the next batch",
                body: "{}",
            },
        ],
    },
};

const ACTIONS: [&str; 5] = ["claim", "renew", "release", "start", "complete"];

fn read(mut fields: Fields) -> Result<Arguments, Problems> {
    let names_batch = fields.has("batch_id");
    let batch_id = fields.uuid("batch_id");
    let action = fields.word("action", &ACTIONS).unwrap_or("claim");
    if action != "claim" && !names_batch {
        fields.problem("batch_id", "is required for this action");
    }
    fields.finish()?;

    // Claiming, starting or completing what one already holds answers the same again, and renewing
    // twice only renews. Claiming "the next" twice or releasing twice does not answer the same.
    let repeatable = batch_id.is_some() && action != "release";
    let arguments = [
        ("p_batch_id", batch_id.map(Value::from)),
        ("p_action", Some(action.into())),
    ];
    Ok(Arguments::new(arguments, repeatable))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::object;

    const BATCH: &str = "ba7c4000-0000-4000-8000-000000000001";

    fn read_body(body: Value) -> Result<Arguments, Vec<String>> {
        read(Fields::of_body(body)).map_err(|problems| {
            problems
                .into_iter()
                .map(|problem| problem.pointer)
                .collect()
        })
    }

    #[test]
    fn an_empty_object_claims_the_next_batch_and_is_not_repeatable() {
        let arguments = read_body(object([])).expect("valid");
        assert_eq!(arguments.json, object([("p_action", "claim".into())]));
        assert!(!arguments.repeatable);
    }

    #[test]
    fn a_given_batch_is_claimed_in_lower_case_and_repeatable() {
        let arguments =
            read_body(object([("batch_id", BATCH.to_uppercase().into())])).expect("valid");
        assert_eq!(
            arguments.json.get("p_batch_id").and_then(Value::as_text),
            Some(BATCH)
        );
        assert!(arguments.repeatable);
    }

    #[test]
    fn every_action_but_claim_needs_a_batch_and_release_is_not_repeated() {
        for action in ACTIONS {
            let named = read_body(object([
                ("batch_id", BATCH.into()),
                ("action", action.into()),
            ]))
            .expect("valid");
            assert_eq!(named.repeatable, action != "release", "{action}");
            let unnamed = read_body(object([("action", action.into())]));
            match action {
                "claim" => assert!(unnamed.is_ok()),
                _ => assert_eq!(unnamed, Err(vec!["/batch_id".to_owned()]), "{action}"),
            }
        }
    }

    #[test]
    fn all_problems_are_reported_together() {
        let body = object([
            ("batch_id", Value::Null),
            ("action", "steal".into()),
            ("driver_id", BATCH.into()),
        ]);
        let pointers = read_body(body).expect_err("three problems");
        assert_eq!(pointers, ["/batch_id", "/action", "/driver_id"]);
    }

    #[test]
    fn a_body_that_is_no_object_is_one_problem() {
        assert_eq!(read_body(Value::List(Vec::new())), Err(vec![String::new()]));
    }
}
