//! Promo codes cannot be guessed: whatever way there is to ask, a guess counts, or the answer is the
//! same whether there is such a code or not.

use super::http::Call;
use crate::harness::stack::Bench;
use crate::prove::report::Section;
use anyhow::Result;
use reqwest::Method;
use serde_json::json;
use uuid::Uuid;

/// A way to ask PostgREST: its name, the method, the query, a header.
type Way = (
    &'static str,
    Method,
    &'static str,
    Option<(&'static str, &'static str)>,
);

/// Ways that change how, or whether, the transaction ends.
#[rustfmt::skip]
const WAYS: &[Way] = &[
    ("POST",               Method::POST, "", None),
    ("GET",                Method::GET,  "", None),
    ("HEAD",               Method::HEAD, "", None),
    ("no rows wanted",     Method::POST, "?limit=0", None),
    ("another column",     Method::POST, "?select=test_no_such_column", None),
    ("rollback preferred", Method::POST, "", Some(("prefer", "tx=rollback"))),
    ("nothing back",       Method::POST, "", Some(("prefer", "return=minimal"))),
    ("no row affected",    Method::POST, "", Some(("prefer", "handling=strict, max-affected=0"))),
    ("out of range",       Method::POST, "", Some(("range", "5-9"))),
    ("CSV",                Method::POST, "", Some(("accept", "text/csv"))),
    ("a plan",             Method::POST, "", Some(("accept", "application/vnd.pgrst.plan"))),
    ("a plan that runs",   Method::POST, "", Some(("accept", "application/vnd.pgrst.plan; options=analyze"))),
    ("an unknown type",    Method::POST, "", Some(("accept", "application/x-test"))),
    ("one object",         Method::POST, "", Some(("accept", "application/vnd.pgrst.object+json"))),
];

/// Asks in every way for a code that there is and for one that there is not, applied or as a dry run
/// or to be released.
pub(super) async fn check(bench: &Bench, section: &mut Section) -> Result<()> {
    let known = bench.promo(None, None).await;
    let unknown = format!("T{}", Uuid::new_v4().simple()).to_uppercase();
    let mut asked = 0;
    for (way, method, query, header) in WAYS {
        for (mode, arguments) in [
            ("applied", json!({ "p_subtotal": 100 })),
            ("dry run", json!({ "p_subtotal": 100, "p_dry_run": true })),
            ("released", json!({ "p_action": "release" })),
        ] {
            let user = bench.users(1).await[0];
            let mut answers = Vec::new();
            for code in [&unknown, &known] {
                asked += 1;
                let mut arguments = arguments.clone();
                arguments["p_code"] = json!(code);
                let path = format!("/rest/v1/rpc/validate_promo{query}");
                let mut call = if *method == Method::POST {
                    Call::post(path, &arguments)
                } else {
                    let arguments = arguments.as_object().expect("an object is written above");
                    let pairs: Vec<String> = arguments
                        .iter()
                        .map(|(name, value)| {
                            format!("{name}={}", value.to_string().trim_matches('"'))
                        })
                        .collect();
                    Call {
                        method: method.clone(),
                        ..Call::get(format!("{path}?{}", pairs.join("&")))
                    }
                };
                if let Some((name, value)) = header {
                    call = call.header(name, *value);
                }
                let token = bench.stack.user_token(user);
                let reply = call
                    .by(&bench.stack.anon_key, Some(&token))
                    .send(bench.stack)
                    .await;
                answers.push((reply.status, reply.body.replace(code.as_str(), "CODE")));
            }
            let counted: i64 = bench
                .db
                .query_one(
                    "select coalesce(sum(cardinality(attempted_at)), 0)::bigint
                     from interlock.promo_attempts where user_id = $1",
                    &[&user],
                )
                .await?
                .get(0);
            if counted == 0 && answers[0] != answers[1] {
                section.failures.push(format!(
                    "promo codes can be guessed without end ({way}, {mode}): an unknown one is answered \
                     {:?}, a known one {:?}",
                    answers[0], answers[1]
                ));
            }
        }
    }
    section.count("guesses at promo codes", asked);
    Ok(())
}
