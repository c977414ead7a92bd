//! `payment-webhook`: what Stripe tells of payments and refunds, applied once.
//!
//! The body is passed on as it came, and so is the header `stripe-signature`: the database looks at the signature, so
//! there is no secret here, and whoever forges an event has no right to anything.

use crate::function::{Arguments, Function, Takes};
#[cfg(not(target_arch = "wasm32"))]
use crate::{
    errors::Code,
    function::{Sample, Told},
    shape::Shape::{Flag, Object, Only, Says, Text, Words},
};

/// The function `payment-webhook`.
pub const PAYMENT_WEBHOOK: Function = Function {
    name: "payment-webhook",
    rpc: "payment_webhook",
    takes: Takes::Signed {
        header: "stripe-signature",
        arguments,
    },
    route: None,
    note: None,
    third_party: None,
    versions: None,
    #[cfg(not(target_arch = "wasm32"))]
    told: Told {
        area: "shop",
        purpose: "the payment provider's signed events, each applied once",
        gated: false,
        summary: "What the payment provider tells, applied once",
        description: "Stripe calls it with an event and the header `Stripe-Signature`; nobody is signed in. Each event \
            counts once by its id, however often and in whatever order events come. What this shop cannot use is answered \
            with success too, so that it is not sent again for days; a passing failure is not, and the event comes again.",
        fields: &[],
        between_fields: "{}",
        answer: "EventAnswer",
        schemas: &[(
            "EventAnswer",
            Object(
                "The event is taken.",
                &[
                    ("success", Only(true)),
                    ("event_id", Text),
                    (
                        "outcome",
                        Says(
                            "What came of it.",
                            &Words(&[
                                "paid",
                                "reopened",
                                "refund_due",
                                "flagged",
                                "noted",
                                "ignored",
                            ]),
                        ),
                    ),
                    (
                        "repeated",
                        Says("Whether it had come before; nothing is done then.", &Flag),
                    ),
                ],
            ),
        )],
        codes: &[Code::WebhookSignatureInvalid],
        together: false,
        always: &["p_provider", "p_body", "p_signature"],
        // An event counts once by its id.
        acts_again: |_| false,
        samples: &[Sample {
            name: "an event",
            body: r#"{"id":"evt_1","type":"payment_intent.succeeded","created":1800000000,"data":{"object":{"id":"pi_1","amount_received":1000,"currency":"eur","metadata":{"order_id":"00000000-0000-4000-8000-00000000dead"}}}}"#,
        }],
    },
};

fn arguments(body: &str, signature: &str) -> Arguments {
    let arguments = [
        ("p_provider", Some("stripe".into())),
        ("p_body", Some(body.into())),
        ("p_signature", Some(signature.into())),
    ];
    Arguments::new(arguments, true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::object;

    #[test]
    fn what_was_signed_is_passed_on_as_it_came() {
        let body = " {\"a\" : \"\\u00e9 é\"}\n";
        let arguments = arguments(body, "t=1,v1=00");
        let expected = [
            ("p_provider", "stripe".into()),
            ("p_body", body.into()),
            ("p_signature", "t=1,v1=00".into()),
        ];
        assert_eq!(arguments.json, object(expected));
        assert!(arguments.repeatable);
    }
}
