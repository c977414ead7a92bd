//! What a whole request takes: a cart of three lines through the function, the gateway, the API and the database, all on this
//! machine, beside the same with supabase-js and the reports' SQL.

mod parts;

use crate::figure::{Figure, Options, progress};
use crate::function::process::{Deno, Process};
use crate::http::{Load, call_for};
use crate::storm::shop::Shop;
use anyhow::{Context, Result};
use parts::Parts;
use reqwest::{Method, Request, header};
use serde_json::json;
use std::time::Duration;
use uuid::Uuid;

const SECTION: &str = "request";
/// More than the API has connections.
const CLIENTS: usize = 16;
const LINES: usize = 3;

/// A function's name in the figures, and its folder. All of them are called as they are, without the gateway before them,
/// and call the API through it.
const VARIANTS: [(&str, &str); 3] = [
    ("interlock", "functions/checkout"),
    (
        "supabase-js, one call",
        "tests/bench/peers/functions/one-call",
    ),
    (
        "supabase-js, the report's calls",
        "tests/bench/peers/functions/reported",
    ),
];

/// Measures all of them, in today's Deno.
pub(crate) async fn run(options: &Options) -> Result<Vec<Figure>> {
    let shop = Shop::open(CLIENTS).await?;
    shop.add_reported().await?;
    let deno = Deno::both()?;
    let deno = deno.first().context("today's Deno comes first")?;
    let api = shop.told("API_URL")?;
    let address = api.split_once("://").context("a URL")?.1;
    let mut series = Vec::new();
    for (name, folder) in VARIANTS {
        progress(SECTION, name);
        let key = shop.told("PUBLISHABLE_KEY")?;
        let process = Process::start(deno, folder, address, key).await?;
        // Until V8 has optimised what is called often.
        load(&shop, &process, CLIENTS, 8.0 * options.seconds).await?;
        let figure = |what: &str, unit| Figure::new(SECTION, what, name, unit);
        let mut figures = vec![
            figure("whole request, 16 clients, 2 ms commit", "per second"),
            figure("p50 of a whole request, 16 clients", "ms"),
            figure("p99 of a whole request, 16 clients", "ms"),
            figure("p50 of a whole request, 1 client", "ms"),
        ];
        figures.extend(parts::NAMES.map(|part| figure(&format!("CPU per request, {part}"), "µs")));
        series.push((process, figures));
    }
    for _ in 0..options.rounds {
        for (process, figures) in &mut series {
            let before = Parts::now(&shop, process)?;
            let busy = load(&shop, process, CLIENTS, 2.0 * options.seconds).await?;
            let spent = Parts::now(&shop, process)?.since(&before, busy.times.len());
            let alone = load(&shop, process, 1, options.seconds).await?;
            let times = [
                busy.rate(),
                busy.quantile(0.5),
                busy.quantile(0.99),
                alone.quantile(0.5),
            ];
            for (figure, sample) in figures.iter_mut().zip(times.into_iter().chain(spent)) {
                figure.samples.push(sample);
            }
        }
    }
    for (process, _) in &mut series {
        process.stop().await?;
    }
    shop.close().await?;
    Ok(by_scenario(series.into_iter().map(|(_, figures)| figures)))
}

/// What is compared stands together.
fn by_scenario(series: impl Iterator<Item = Vec<Figure>>) -> Vec<Figure> {
    let mut series: Vec<_> = series.map(Vec::into_iter).collect();
    let mut figures = Vec::new();
    loop {
        let row: Vec<Figure> = series.iter_mut().filter_map(Iterator::next).collect();
        if row.is_empty() {
            return figures;
        }
        figures.extend(row);
    }
}

async fn load(shop: &Shop, process: &Process, clients: usize, seconds: f64) -> Result<Load> {
    let time = Duration::from_secs_f64(seconds);
    call_for(clients, time, |client| checkout(shop, process, client)).await
}

/// A cart of products of which there is enough, under a key of its own.
fn checkout(shop: &Shop, process: &Process, client: usize) -> Result<Request> {
    let first = Uuid::new_v4().as_u128() as usize % (shop.cold.len() - LINES);
    let lines: Vec<_> = shop.cold[first..first + LINES]
        .iter()
        .map(|product| json!({ "product_id": product, "quantity": 1 }))
        .collect();
    let mut request = Request::new(Method::POST, process.url.parse()?);
    let headers = request.headers_mut();
    let token = format!("Bearer {}", shop.tokens[client]);
    headers.insert(header::AUTHORIZATION, token.parse()?);
    headers.insert(header::CONTENT_TYPE, "application/json".parse()?);
    headers.insert("idempotency-key", Uuid::new_v4().to_string().parse()?);
    let body = json!({ "cart_items": lines }).to_string();
    *request.body_mut() = Some(body.into());
    Ok(request)
}
