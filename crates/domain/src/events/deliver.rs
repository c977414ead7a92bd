//! `deliver`: events on their way to the shop's endpoints, to customers by mail, and to the CRM.
//!
//! A scheduler calls it with the worker's secret. The database leases it deliveries that are due, each signed and ready to
//! be sent; the key of who sends mails is added here, and whatever leads to an address that is not public stays here; all are sent at once, and what comes of each is recorded as soon as it is known. Whatever it has claimed and
//! not recorded, because it was killed, is claimed again a minute later.

use crate::addresses::is_public;
use crate::function::{Arguments, Function, Takes};
use crate::json::{Value, object};
use crate::third_party::{Body, Next, NextCall, Outlet, Target, ThirdParty, Turn};
#[cfg(not(target_arch = "wasm32"))]
use crate::{
    errors::Code,
    function::{Sample, Told},
    shape::{
        AMOUNT,
        Shape::{Object, Only, Says},
    },
};

/// The function `deliver`.
pub const DELIVER: Function = Function {
    name: "deliver",
    rpc: "claim_deliveries",
    takes: Takes::Signed {
        header: "x-deliver-secret",
        arguments,
    },
    route: None,
    note: None,
    third_party: Some(ThirdParty {
        api: None,
        outlets: &[
            Outlet {
                name: "RESEND",
                url: "https://api.resend.com",
                header: "authorization",
                before: "Bearer ",
            },
            Outlet {
                name: "ALPINE_IQ",
                url: "https://lab.alpineiq.com",
                header: "x-apikey",
                before: "",
            },
            Outlet {
                name: CRM,
                url: "",
                header: "authorization",
                before: "Bearer ",
            },
        ],
        budget_ms: 25_000,
        next,
    }),
    versions: None,
    #[cfg(not(target_arch = "wasm32"))]
    told: Told {
        area: "events",
        purpose: "events on their way to the shop's endpoints",
        gated: false,
        summary: "Events that are due, sent to the shop's endpoints",
        description: "A scheduler calls it with the worker's secret (`set_deliver_secret`) in `x-deliver-secret`; nobody is \
            signed in, and the body counts for nothing. It claims up to 20 deliveries, sends them at once, and records what \
            came of each. Any number may run at a time. Where `claimed` is not 0 there may be more: call it again.",
        fields: &[],
        between_fields: "{}",
        answer: "DeliverAnswer",
        schemas: &[(
            "DeliverAnswer",
            Object(
                "What was due is sent.",
                &[
                    ("success", Only(true)),
                    ("claimed", Says("How many were sent.", &AMOUNT)),
                    (
                        "delivered",
                        Says("How many of them were accepted.", &AMOUNT),
                    ),
                    (
                        "failed",
                        Says(
                            "How many were not, and are tried again or are dead.",
                            &AMOUNT,
                        ),
                    ),
                ],
            ),
        )],
        codes: &[Code::DeliverSecretInvalid],
        together: false,
        always: &["p_secret"],
        // What a lost answer has claimed is claimed again when its lease is over.
        acts_again: |_| false,
        samples: &[Sample {
            name: "what is due",
            body: "{}",
        }],
    },
};

/// The addresses of where it goes are known.
const FOUND: u32 = 4;
/// It is sent.
const SENT: u32 = 1;
/// What came of it is recorded.
const RECORDED: u32 = 2;
/// All are.
const ALL: u32 = 3;

/// The outlet of which only the shop knows where it is.
const CRM: &str = "CRM";

/// Whose key a delivery needs, by what its settings begin with.
const OUTLET: &str = "outlet";

fn arguments(_: &str, secret: &str) -> Arguments {
    Arguments::new([("p_secret", Some(secret.into()))], true)
}

/// What comes of an answer. The memo of a delivery is its id, its lease, and whose key it needs.
fn next(turn: Turn) -> Next {
    match turn.step {
        0 => send(&turn.answer),
        FOUND => send_if_public(turn),
        SENT => record(turn.memo, turn.answer),
        RECORDED => Next::Pass,
        ALL => count(&turn.answer),
        _ => Next::Unexpected,
    }
}

/// Sends all that was claimed.
fn send(answer: &Value) -> Next {
    let Some(Value::List(deliveries)) = answer.get("deliveries") else {
        return Next::Unexpected;
    };
    if deliveries.is_empty() {
        return reply(0, 0);
    }
    let first = |delivery: &Value| match delivery.get("public") {
        Some(public) if *public == true.into() => look_up(delivery),
        _ => post(delivery),
    };
    match deliveries.iter().map(first).collect() {
        Some(calls) => Next::Each { step: ALL, calls },
        None => Next::Unexpected,
    }
}

/// Asks where one leads, as it may go to the public internet only.
fn look_up(delivery: &Value) -> Option<NextCall> {
    let url = delivery.get("url")?.as_text()?;
    let host = url.split_once("://")?.1;
    let host = host.split(['/', '?', '#', ':']).next()?;
    Some(NextCall {
        step: FOUND,
        memo: delivery.clone(),
        target: Target::Names(host.to_owned()),
        body: Body::Text(String::new()),
    })
}

/// Sends one if all of the addresses that its name has are public: whoever connects may take any of them. Where names cannot be looked up it is
/// sent, as the platform that runs us is outside of everybody's network.
fn send_if_public(turn: Turn) -> Next {
    let Some(call) = post(&turn.memo) else {
        return Next::Unexpected;
    };
    let (found, error) = (turn.answer.get("answer"), turn.answer.get("error"));
    let unfit = match (
        found.and_then(Value::as_text),
        error.and_then(Value::as_text),
    ) {
        (Some(found), _) => found
            .split(' ')
            .find(|address| !is_public(address))
            .map(|address| ["its name leads to ", address, ", which is not public"].concat()),
        (None, Some("unset")) => None,
        (None, Some("timed_out")) => Some("its name was not found in time".to_owned()),
        (None, _) => Some("its name was not found".to_owned()),
    };
    match unfit {
        None => Next::Call(call),
        Some(unfit) => record(call.memo, object([("error", unfit.as_str().into())])),
    }
}

/// Sends one.
fn post(delivery: &Value) -> Option<NextCall> {
    let text = |name| delivery.get(name)?.as_text().map(str::to_owned);
    let Value::Object(signed) = delivery.get("headers")? else {
        return None;
    };
    let signed = signed
        .iter()
        .map(|(name, value)| Some((name.clone(), value.as_text()?.to_owned())));
    let own = [
        ("content-type", "application/json"),
        ("user-agent", "Interlock-Webhooks/1"),
    ];
    let outlet = text(OUTLET);
    let own = own.map(|(name, value)| Some((name.to_owned(), value.to_owned())));
    Some(NextCall {
        step: SENT,
        memo: object([
            ("p_delivery_id", delivery.get("id")?.clone()),
            ("p_lease", delivery.get("lease")?.clone()),
            (OUTLET, outlet.clone().into()),
        ]),
        target: Target::Anybody {
            outlet,
            method: match text("method").as_deref() {
                Some("PUT") => "PUT",
                Some("PATCH") => "PATCH",
                _ => "POST",
            },
            url: text("url")?,
            headers: own.into_iter().chain(signed).collect::<Option<_>>()?,
        },
        body: Body::Text(text("body")?),
    })
}

/// Records what came of one.
fn record(memo: Value, outcome: Value) -> Next {
    let (Value::Object(mut arguments), Value::Object(outcome)) = (memo, outcome) else {
        return Next::Unexpected;
    };
    // Whoever reads the log knows what to do.
    let unset = arguments.iter().find(|(name, _)| name == OUTLET);
    let unset = unset.and_then(|(_, outlet)| {
        let name = outlet.as_text()?;
        let what = if name == CRM {
            "_API_URL or CRM_API_KEY is not set"
        } else {
            "_API_KEY is not set"
        };
        Some([name, what].concat())
    });
    arguments.retain(|(name, _)| name != OUTLET);
    arguments.extend(outcome.into_iter().map(|(name, value)| {
        let value = match (&unset, name.as_str(), value.as_text()) {
            (Some(unset), "error", Some("unset")) => unset.as_str().into(),
            _ => value,
        };
        (["p_", &name].concat(), value)
    }));
    Next::Call(NextCall {
        step: RECORDED,
        memo: Value::Null,
        target: Target::Rpc("record_delivery"),
        body: Body::Json(Value::Object(arguments)),
    })
}

/// Counts what came of all.
fn count(answer: &Value) -> Next {
    let Some(Value::List(replies)) = answer.get("replies") else {
        return Next::Unexpected;
    };
    let state = |reply: &&Value| reply.get("state").and_then(Value::as_text) == Some("delivered");
    reply(replies.len(), replies.iter().filter(state).count())
}

fn reply(claimed: usize, delivered: usize) -> Next {
    let number = |count: usize| Value::Number(count as f64);
    Next::Reply(object([
        ("success", true.into()),
        ("claimed", number(claimed)),
        ("delivered", number(delivered)),
        ("failed", number(claimed - delivered)),
    ]))
}
