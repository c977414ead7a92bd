//! Hostile text in every field of every function and RPC, in headers and in PostgREST's own syntax.
//! It is data: refused or looked up, never run, and no error tells how the inside looks.

use super::endpoints;
use super::http::{CALLS_AT_ONCE, Call, Reply};
use super::people::Cast;
use crate::harness::stack::Bench;
use crate::prove::report::Section;
use anyhow::{Context, Result};
use futures::StreamExt;
use reqwest::header::HeaderValue;
use serde_json::{Value, json};

/// What is sent as text.
fn payloads(cast: &Cast) -> Vec<String> {
    let fixed = [
        "",
        " ",
        "' or '1'='1",
        "'; create table public.test_injected(); --",
        "\"; drop table public.test_injected; --",
        "$$; create table public.test_injected(); $$",
        "') returning (select 1); --",
        "1; update public.wallets set balance = 1; --",
        "pg_sleep(1)",
        "\\'; commit; --",
        "\u{0}",
        "a\u{0}b",
        "\\u0000",
        "\"}, {\"x\": \"",
        "{\"__proto__\": {\"x\": 1}}",
        "[[[[[[[[",
        "null",
        "1e400",
        "%s%n%x%p",
        "${7*7}{{7*7}}",
        "*)(uid=*))(|(uid=*",
        "<script>alert(1)</script>",
        "x\r\nx-injected: 1\r\n\r\nx",
        "x\nlevel=info forged=1",
        "\u{1b}[31mred",
        "../../../../etc/passwd",
        "..\\..\\x",
        "%2e%2e%2f",
        "eq.1,or(id.gt.0)",
        "*,orders(*)",
        "(select 1)",
        "a.b.c::text->>x",
        "\u{e9}",
        "e\u{301}",
        "\u{202e}evil\u{202c}",
        "\u{200b}\u{feff}",
        "\u{fffd}\u{10ffff}",
        "\u{130}\u{131}\u{df}",
    ];
    let mut payloads: Vec<String> = fixed.map(str::to_owned).to_vec();
    payloads.push("x".repeat(10_000));
    payloads.push("\u{1f600}".repeat(65));
    payloads.push(format!(
        "' union select code from product_codes where order_id = '{}' --",
        cast.open_order
    ));
    payloads
}

/// What is sent as a whole body, in place of a good one.
const BODIES: &[&str] = &[
    "",
    "{",
    "[]",
    "null",
    "\"x\"",
    "{\"a\":1,\"a\":2}",
    "{\"__proto__\":{\"admin\":true},\"constructor\":{\"prototype\":1}}",
    "{\"p_code\":\"\\ud800\",\"code\":\"\\ud800\",\"subtotal\":1,\"p_subtotal\":1}",
    "{\"p_code\":\"x\",\"code\":\"x\",\"subtotal\":1e400,\"p_subtotal\":1e400}",
    "{\"p_subtotal\":99999999999999999999,\"subtotal\":99999999999999999999,\"p_code\":\"x\",\"code\":\"x\"}",
    "{\"p_cart_items\":[{\"product_id\":\"00000000-0000-4000-8000-000000000000\",\"quantity\":1e131071}]}",
    "{\"cart_items\":[{\"product_id\":\"00000000-0000-4000-8000-000000000000\",\"quantity\":-1}]}",
    "{\"p_cart_items\":[{\"product_id\":{\"$ne\":null},\"quantity\":{\"$gt\":0}}]}",
    "{\"p_cart_items\":{\"0\":{\"product_id\":\"x\"}}}",
    "\u{feff}{}",
];

/// What an error must not tell, in lower case. No payload has any of it.
const INSIDES: &[&str] = &[
    "pl/pgsql",
    "sql statement",
    "syntax error at",
    "panicked",
    ".rs:",
    "node_modules",
    "file://",
    "at async ",
    "stack backtrace",
    "unterminated",
    "interlock.",
    "pg_catalog",
];

fn tells_of_findings(error: &tokio_postgres::Error) -> bool {
    let error = error.as_db_error();
    error.is_some_and(|error| error.message().contains("findings are open"))
}

/// Sends everything everywhere.
pub(super) async fn check(bench: &Bench, cast: &Cast, section: &mut Section) -> Result<()> {
    // A call with nothing sweeps: what there is to sweep goes first, and then what became old enough by that.
    for _ in 0..2 {
        for job in bench
            .db
            .query("select name, command from interlock.jobs()", &[])
            .await?
        {
            let done = bench.db.batch_execute(job.get("command")).await;
            // The rows that stages are made of have no ledger: what an audit finds there stays found.
            if !done.as_ref().is_err_and(tells_of_findings) {
                done.with_context(|| format!("the job {}", job.get::<_, &str>("name")))?;
            }
        }
    }
    let before = endpoints::row_counts(&bench.db).await?;
    let calls = calls(bench, cast).await?;
    section.count("hostile calls", calls.len() as u64);
    let stack = bench.stack;
    let codes = catalogue();
    let answers = calls.into_iter().map(|call| async move {
        let reply = call.send(stack).await;
        (call, reply)
    });
    let mut answers = futures::stream::iter(answers).buffer_unordered(CALLS_AT_ONCE);
    while let Some((call, reply)) = answers.next().await {
        for problem in problems(&call, &reply, &codes, cast) {
            let body: String = call
                .body
                .iter()
                .flat_map(|body| body.chars())
                .take(300)
                .collect();
            section.failures.push(format!(
                "{problem}: {} {} {:?} {body} is answered {}",
                call.method,
                call.path,
                call.headers,
                reply.brief()
            ));
        }
    }
    for ((table, before), (_, after)) in before.iter().zip(endpoints::row_counts(&bench.db).await?)
    {
        // A guess at a promo code is counted and an audit writes down that it was, and that is all that may come of any of it.
        let is_expected =
            ["interlock.promo_attempts", "interlock.inventory_audits"].contains(&table.as_str());
        if *before != after && !is_expected {
            section.failures.push(format!(
                "hostile calls have changed the number of rows of {table} from {before} to {after}"
            ));
        }
    }
    let created: bool = bench
        .db
        .query_one(
            "select to_regclass('public.test_injected') is not null",
            &[],
        )
        .await?
        .get(0);
    if created {
        section
            .failures
            .push("SQL in a field was run: it has created a table".to_owned());
    }
    Ok(())
}

/// Every field of everything with every payload, each by a user of its own: guesses are limited.
async fn calls(bench: &Bench, cast: &Cast) -> Result<Vec<Call>> {
    let stack = bench.stack;
    let payloads = payloads(cast);
    let mut calls = Vec::new();
    let service = &stack.service_role_key;
    for rpc in endpoints::rpcs(&bench.db).await? {
        let place = |body: String| {
            let call = Call::post(rpc.path(), body);
            if rpc.for_users {
                call
            } else {
                call.by(service, Some(service))
            }
        };
        for argument in &rpc.arguments {
            // What is parsed before anything is asked needs few.
            let is_text = ["text", "jsonb"].contains(&argument.kind.as_str());
            for payload in payloads.iter().take(if is_text { usize::MAX } else { 12 }) {
                let mut body = rpc.harmless();
                body.insert(argument.name.clone(), json!(payload));
                calls.push(place(json!(body).to_string()));
                if argument.kind == "jsonb" {
                    for nested in hostile_lines(payload) {
                        body.insert(argument.name.clone(), nested);
                        calls.push(place(json!(body).to_string()));
                    }
                }
            }
        }
        calls.extend(BODIES.iter().map(|body| place((*body).to_owned())));
    }
    for function in endpoints::functions() {
        let fields: Vec<String> = function
            .body
            .as_object()
            .map(|body| body.keys().cloned().collect())
            .unwrap_or_default();
        for payload in &payloads {
            for field in &fields {
                let mut body = function.body.clone();
                body[field] = json!(payload);
                calls.push(Call::post(function.path(), body));
            }
            if fields.iter().any(|field| field == "cart_items") {
                for nested in hostile_lines(payload) {
                    let mut body = function.body.clone();
                    body["cart_items"] = nested;
                    calls.push(Call::post(function.path(), body));
                }
            }
            let mut body = function.body.clone();
            body[payload] = json!(1);
            calls.push(Call::post(function.path(), body));
            for header in ["x-request-id", "idempotency-key"] {
                // What is no header at all cannot be sent by any client.
                if HeaderValue::from_str(payload).is_ok() {
                    calls.push(
                        Call::post(function.path(), &function.body).header(header, payload.clone()),
                    );
                }
            }
        }
        calls.extend(BODIES.iter().map(|body| Call::post(function.path(), body)));
    }
    // NUL stands for no character of an address that a database could be asked for.
    for payload in payloads.iter().filter(|payload| !payload.contains('\0')) {
        let text = in_a_query(payload);
        for query in [
            format!("id=eq.{text}"),
            format!("status=in.({text})"),
            format!("{text}=eq.1"),
            format!("select={text}"),
            format!("order={text}"),
            format!("or=({text})"),
            format!("limit={text}"),
            format!("columns={text}"),
        ] {
            calls.push(Call::get(format!("/rest/v1/orders?{query}")));
        }
        calls.push(Call::get(format!("/rest/v1/{}", text.replace("%2F", "/"))));
        calls.push(Call::post(format!("/rest/v1/rpc/{text}"), "{}"));
    }
    let users = bench.users(calls.len() / 10 + 1).await;
    let tokens: Vec<String> = users.iter().map(|user| stack.user_token(*user)).collect();
    for (call, token) in calls.iter_mut().zip(tokens.iter().cycle()) {
        if call.key.is_none() {
            call.key = Some(stack.anon_key.clone());
            call.token = Some(token.clone());
        }
    }
    Ok(calls)
}

/// A cart with the payload at each place, and an object of it.
fn hostile_lines(payload: &str) -> [Value; 4] {
    [
        json!([{ "product_id": payload, "quantity": 1 }]),
        json!([{ "product_id": "00000000-0000-4000-8000-000000000000", "quantity": payload }]),
        json!([{ "product_id": "00000000-0000-4000-8000-000000000000", "quantity": 1, payload: 1 }]),
        json!({ payload: payload }),
    ]
}

/// The same text inside an address.
fn in_a_query(text: &str) -> String {
    text.bytes()
        .take(2_000)
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'*' | b'(' | b')' | b',' => {
                char::from(byte).to_string()
            }
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

/// The codes that docs/errors.md lists.
fn catalogue() -> Vec<&'static str> {
    include_str!("../../../docs/errors.md")
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next())
        .collect()
}

fn problems(call: &Call, reply: &Reply, codes: &[&str], cast: &Cast) -> Vec<String> {
    let mut problems = Vec::new();
    let body: Value = serde_json::from_str(&reply.body).unwrap_or_default();
    let lower = reply.body.to_lowercase();
    if reply.status >= 500 {
        problems.push("a hostile text is an error of ours".to_owned());
    }
    if reply.status >= 400 && !body.is_object() {
        problems.push("an error is no JSON object".to_owned());
    }
    if reply.status >= 400
        && call.path.starts_with("/functions/")
        && !codes.contains(&body["error"].as_str().unwrap_or_default())
    {
        problems.push("an error is not in the catalogue".to_owned());
    }
    if let Some(inside) = INSIDES.iter().find(|inside| lower.contains(**inside)) {
        problems.push(format!("an error tells of the inside ({inside:?})"));
    }
    if reply.headers.contains_key("x-injected") {
        problems.push("a text has made a header".to_owned());
    }
    let read = cast.secrets_in(&reply.text(), &format!("{call:?}"));
    if !read.is_empty() {
        problems.push(format!("a stranger reads {read:?}"));
    }
    problems
}
