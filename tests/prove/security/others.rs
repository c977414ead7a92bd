//! Nothing of others is ever readable: every way to ask, with the owner's own ids, asked by others.

use super::endpoints::{self, Argument, Rpc, Table};
use super::http::{CALLS_AT_ONCE, Call};
use super::people::Cast;
use crate::harness::stack::Bench;
use crate::prove::report::Section;
use anyhow::Result;
use futures::StreamExt;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// Asks everything as a stranger and as nobody; first as the owner, who must see it all, so that it
/// is known that the questions find what is there to be found.
pub(super) async fn check(bench: &Bench, cast: &Cast, section: &mut Section) -> Result<()> {
    let (reads, calls) = (reads(bench, cast).await?, calls(bench, cast).await?);
    control(bench, cast, &reads, section).await?;

    let before = fingerprint(bench, cast).await?;
    let mut probes = 0;
    for (who, role, key, token) in cast.everybody(bench.stack) {
        if !["anon", "a stranger"].contains(&who) {
            continue;
        }
        let asked: Vec<Call> = reads
            .iter()
            .chain(&calls)
            .map(|call| call.clone().by(&key, token.as_deref()))
            .collect();
        probes += asked.len() as u64;
        section
            .failures
            .extend(leaks(bench, cast, who, asked).await);
        section
            .failures
            .extend(counted(bench, cast, who, role, &key, token.as_deref()).await?);
    }
    section.count("questions about another user's rows", probes);

    if fingerprint(bench, cast).await? != before {
        section
            .failures
            .push("a stranger has changed the owner's rows".to_owned());
    }
    section.failures.extend(as_if_not_there(bench, cast).await);
    Ok(())
}

/// What each answer tells that it must not.
pub(super) async fn leaks(bench: &Bench, cast: &Cast, who: &str, asked: Vec<Call>) -> Vec<String> {
    let stack = bench.stack;
    let answers = asked.into_iter().map(|call| async move {
        let reply = call.send(stack).await;
        (call, reply)
    });
    let answers: Vec<_> = futures::stream::iter(answers)
        .buffer_unordered(CALLS_AT_ONCE)
        .collect()
        .await;
    let mut leaks = Vec::new();
    for (call, reply) in answers {
        let sent = format!("{call:?}");
        let read = cast.secrets_in(&reply.text(), &sent);
        if !read.is_empty() {
            let (method, path) = (&call.method, &call.path);
            leaks.push(format!(
                "{who} reads {read:?} of another user with {method} {path} {}: {}",
                call.body.as_deref().unwrap_or_default(),
                reply.brief()
            ));
        }
        if reply.status >= 500 {
            leaks.push(format!(
                "{who}: {} {} {} is answered {}",
                call.method,
                call.path,
                call.body.as_deref().unwrap_or_default(),
                reply.brief()
            ));
        }
    }
    leaks
}

/// Every way to read: whole tables, embedded ones, filters with the owner's values.
pub(super) async fn reads(bench: &Bench, cast: &Cast) -> Result<Vec<Call>> {
    let mut reads = vec![Call::get("/rest/v1/")];
    let tables = endpoints::tables(&bench.db).await?;
    for table in tables.iter().filter(|table| table.schema == "public") {
        let path = format!("/rest/v1/{}", table.name);
        let all = Call::get(format!("{path}?select=*"));
        reads.push(all.clone());
        reads.push(all.clone().header("prefer", "count=exact"));
        let key = &table.columns[0];
        reads.push(Call::get(format!(
            "{path}?or=({key}.is.null,{key}.not.is.null)"
        )));
        reads.push(all.clone().header("accept", "text/csv"));
        reads.push(all.header("accept", "application/vnd.pgrst.object+json"));
        for column in &table.columns {
            // The answer may tell only what the question has told already.
            reads.push(Call::get(format!("{path}?{column}=eq.{}", cast.owner)));
            reads.push(Call::get(format!("{path}?{column}=eq.{}", cast.open_order)));
            reads.push(Call::get(format!(
                "{path}?select={column}&{column}=not.is.null&order={column}.desc"
            )));
        }
    }
    for (child, parent) in endpoints::references(&bench.db).await? {
        for (outer, inner) in [(&child, &parent), (&parent, &child)] {
            for join in ["", "!inner", "!left"] {
                reads.push(Call::get(format!(
                    "/rest/v1/{outer}?select=*,{inner}{join}(*)"
                )));
            }
            reads.push(Call::get(format!(
                "/rest/v1/{outer}?select=...{inner}(*)&order={inner}(id)"
            )));
        }
    }
    Ok(reads)
}

/// Every function and RPC with the owner's ids.
pub(super) async fn calls(bench: &Bench, cast: &Cast) -> Result<Vec<Call>> {
    let mut calls = Vec::new();
    for rpc in endpoints::rpcs(&bench.db).await? {
        for secret in &cast.secrets {
            let arguments = owners(&rpc, cast, &secret.text);
            calls.push(Call::post(rpc.path(), json!(arguments)));
            let query: Vec<String> = arguments
                .iter()
                .filter_map(|(name, value)| Some(format!("{name}={}", value.as_str()?)))
                .collect();
            calls.push(Call::get(format!("{}?{}", rpc.path(), query.join("&"))));
        }
    }
    for action in ["claim", "renew", "release", "start", "complete"] {
        calls.push(Call::post(
            "/functions/v1/claim-route",
            json!({ "batch_id": cast.batch, "action": action }),
        ));
    }
    for function in endpoints::functions() {
        for secret in &cast.secrets {
            let mut body = function.body.clone();
            for field in ["batch_id", "cart_id", "order_id", "promo_code", "code"] {
                if body.get(field).is_some() {
                    body[field] = json!(secret.text);
                }
            }
            calls.push(Call::post(function.path(), body));
        }
    }
    Ok(calls)
}

/// The arguments of an RPC, all naming what is the owner's.
fn owners(rpc: &Rpc, cast: &Cast, secret: &str) -> Map<String, Value> {
    let value = |argument: &Argument| match (argument.kind.as_str(), argument.name.as_str()) {
        ("uuid" | "text", name) if name != "p_currency" && !argument.is_a_choice() => {
            Some(json!(secret))
        }
        ("jsonb", _) => Some(json!([{ "product_id": cast.product, "quantity": 1_000 }])),
        ("integer", _) if argument.name == "p_limit" => Some(json!(50)),
        ("integer", _) => Some(json!(0)),
        ("bigint", _) if rpc.name != "validate_promo" => Some(json!(0)),
        _ => None,
    };
    rpc.arguments
        .iter()
        .filter_map(|argument| Some((argument.name.clone(), value(argument)?)))
        .collect()
}

/// The owner sees everything, and staff with `list_orders` the orders but neither wallets nor codes.
async fn control(bench: &Bench, cast: &Cast, reads: &[Call], section: &mut Section) -> Result<()> {
    for (who, _, key, token) in cast.everybody(bench.stack) {
        let needed: &[&str] = match who {
            "the owner" => &[
                "the user's id",
                "a batch that is held",
                "the reference of a top-up",
                "a product code",
                "the id of a promo",
                "a cart",
                "a paid order",
                "an order that waits",
                "the path of a payment proof",
            ],
            "staff" => &["a paid order", "the path of a payment proof"],
            _ => continue,
        };
        let mut seen = BTreeSet::new();
        for call in reads.iter().filter(|call| call.path.ends_with("select=*")) {
            let mut call = call.clone();
            // The API gives a thousand rows, and other sections leave many orders.
            if call.path.starts_with("/rest/v1/orders?") {
                call.path.push_str("&order=created_at.desc");
            }
            let reply = call.by(&key, token.as_deref()).send(bench.stack).await;
            seen.extend(cast.secrets_in(&reply.body, ""));
        }
        let orders = Call::post(
            "/rest/v1/rpc/list_orders",
            json!({ "p_user_id": cast.owner }),
        )
        .by(&key, token.as_deref())
        .send(bench.stack)
        .await;
        if (orders.status == 200) != (who == "staff") {
            section
                .failures
                .push(format!("{who} lists orders: {}", orders.brief()));
        }
        seen.extend(cast.secrets_in(&orders.body, ""));
        for what in needed.iter().filter(|what| !seen.contains(**what)) {
            section
                .failures
                .push(format!("{who} does not see {what}, so this proves nothing"));
        }
        for what in ["a product code", "the reference of a top-up"] {
            if who == "staff" && seen.contains(what) {
                section.failures.push(format!("staff reads {what}"));
            }
        }
    }
    Ok(())
}

/// A count in a header tells of rows, too: of the owner's rows it is none.
async fn counted(
    bench: &Bench,
    cast: &Cast,
    who: &str,
    role: &str,
    key: &str,
    token: Option<&str>,
) -> Result<Vec<String>> {
    let mut told = Vec::new();
    for table in endpoints::tables(&bench.db).await? {
        let Some(filter) = owners_rows(&table, cast).filter(|_| table.schema == "public") else {
            continue;
        };
        let call = Call {
            method: reqwest::Method::HEAD,
            ..Call::get(format!("/rest/v1/{}?{filter}", table.name))
        };
        let reply = call
            .by(key, token)
            .header("prefer", "count=exact")
            .send(bench.stack)
            .await;
        let range = reply
            .headers
            .get("content-range")
            .and_then(|range| range.to_str().ok())
            .unwrap_or("*/0");
        if !range.ends_with("/0") && !range.ends_with("/*") {
            told.push(format!(
                "{who} ({role}) is told how many rows of {} are another user's: {range}",
                table.name
            ));
        }
    }
    Ok(told)
}

/// A filter on the rows of a table that are the owner's.
fn owners_rows(table: &Table, cast: &Cast) -> Option<String> {
    let has = |column: &str| table.columns.iter().any(|name| name == column);
    let owner = cast.owner;
    if has("user_id") {
        Some(format!("user_id=eq.{owner}"))
    } else if has("driver_id") {
        Some(format!("driver_id=eq.{owner}"))
    } else if has("order_id") {
        Some(format!("order_id=eq.{}", cast.open_order))
    } else {
        None
    }
}

/// Everything that is the owner's, as text.
pub(super) async fn fingerprint(bench: &Bench, cast: &Cast) -> Result<String> {
    let mut all = String::new();
    for table in endpoints::tables(&bench.db).await? {
        let Some(filter) = owners_rows(&table, cast).filter(|_| !table.is_view) else {
            continue;
        };
        let (column, value) = filter.split_once("=eq.").expect("the filter has one form");
        let query = format!(
            "select coalesce(jsonb_agg(to_jsonb(t) order by to_jsonb(t)::text)::text, '')
             from {}.{} t where t.{column} = '{value}'",
            table.schema, table.name
        );
        all += &bench.db.query_one(&query, &[]).await?.get::<_, String>(0);
    }
    Ok(all)
}

/// To a stranger what is the owner's is not there: neither forbidden nor in another state. That is
/// also true of the stored answer to a request of the owner's.
pub(super) async fn as_if_not_there(bench: &Bench, cast: &Cast) -> Vec<String> {
    let (order, stranger) = (cast.open_order, cast.stranger);
    let promo = &cast.promo;
    let (key, request) = &cast.used_key;
    let with_promo = json!({
        "cart_items": [{ "product_id": cast.product, "quantity": 1 }], "promo_code": promo,
        "payment_method": "bank_transfer"
    });
    let cases = [
        (
            Call::post("/rest/v1/rpc/cancel_order", json!({ "p_order_id": order })),
            "ORDER_NOT_FOUND",
        ),
        (
            Call::post(
                "/rest/v1/rpc/submit_payment_proof",
                json!({ "p_order_id": order, "p_object_path": format!("{stranger}/{order}/test.pdf") }),
            ),
            "ORDER_NOT_FOUND",
        ),
        (
            Call::post(
                "/functions/v1/promo-validate",
                json!({ "code": promo, "subtotal": 1 }),
            ),
            "PROMO_NOT_FOUND",
        ),
        (
            Call::post("/functions/v1/checkout", with_promo),
            "PROMO_NOT_FOUND",
        ),
        (
            Call::post("/functions/v1/checkout", request).header("idempotency-key", key),
            "PROMO_NOT_FOUND",
        ),
    ];
    let token = bench.stack.user_token(stranger);
    let mut told = Vec::new();
    for (call, expected) in cases {
        let call = call.by(&bench.stack.anon_key, Some(&token));
        let reply = call.send(bench.stack).await;
        if reply.status != 404 || reply.code() != expected {
            told.push(format!(
                "a stranger sends {} {:?} {} and is answered {}, not {expected}",
                call.path,
                call.headers,
                call.body.as_deref().unwrap_or_default(),
                reply.brief()
            ));
        }
    }
    told
}
