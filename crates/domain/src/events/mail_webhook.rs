//! `mail-webhook`: what Resend tells of mails. To whom a mail cannot be brought, or who complains of it, none is sent any more.
//!
//! The body is passed on as it came, and so are the headers of its signature: the database looks at them, so there is no secret here, and
//! whoever forges an event has no right to anything.

use crate::function::{Arguments, Function, Takes};
#[cfg(not(target_arch = "wasm32"))]
use crate::{
    errors::Code,
    function::{Sample, Told},
    shape::Shape::{Object, Only, Says, Words},
};

/// The function `mail-webhook`.
pub const MAIL_WEBHOOK: Function = Function {
    name: "mail-webhook",
    rpc: "mail_webhook",
    takes: Takes::Signed {
        header: "svix-id svix-timestamp svix-signature",
        arguments,
    },
    route: None,
    note: None,
    third_party: None,
    versions: None,
    #[cfg(not(target_arch = "wasm32"))]
    told: Told {
        area: "events",
        purpose: "what Resend tells of mails: who cannot be reached, and who complains",
        gated: false,
        summary: "What the sender of mails tells of them",
        description: "Resend calls it with an event and the headers of Svix's signature; nobody is signed in. To an address that has \
            bounced for good, or whose reader has complained, nothing is sent from then on, as after `suppress_email`. All else is \
            answered with success too, so that it is not sent again for days; a passing failure is not, and the event comes again.",
        fields: &[],
        between_fields: "{}",
        answer: "MailEventAnswer",
        schemas: &[(
            "MailEventAnswer",
            Object(
                "The event is taken.",
                &[
                    ("success", Only(true)),
                    (
                        "outcome",
                        Says(
                            "Whether somebody gets no mails any more.",
                            &Words(&["suppressed", "ignored"]),
                        ),
                    ),
                ],
            ),
        )],
        codes: &[Code::WebhookSignatureInvalid],
        together: false,
        always: &["p_body", "p_signature"],
        // Told twice it is the same.
        acts_again: |_| false,
        samples: &[Sample {
            name: "a bounce",
            body: r#"{"type":"email.bounced","created_at":"2026-11-29T12:00:00.000Z","data":{"email_id":"56761188-7520-42d8-8898-ff6fc54ce618","to":["nobody@test.example"],"bounce":{"type":"Permanent","subType":"General","message":"No such user."}}}"#,
        }],
    },
};

fn arguments(body: &str, signature: &str) -> Arguments {
    let arguments = [
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
        let arguments = arguments(body, "msg 1 v1,x v1,y");
        let expected = [
            ("p_body", body.into()),
            ("p_signature", "msg 1 v1,x v1,y".into()),
        ];
        assert_eq!(arguments.json, object(expected));
        assert!(arguments.repeatable);
    }
}
