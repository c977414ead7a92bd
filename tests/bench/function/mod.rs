//! What an edge function costs by itself: `checkout` as it is shipped, and the same in TypeScript with
//! supabase-js and with `fetch` alone. All stand before one API that answers at once.

pub(crate) mod process;
mod size;
mod upstream;

use crate::figure::{Figure, Options, progress};
use crate::http::{Load, call_for};
use anyhow::{Context, Result, ensure};
use interlock_tests::harness::stack::{sign, user_claims};
use process::{Deno, Process};
use reqwest::{Client, Method, Request, header};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use upstream::Upstream;
use uuid::Uuid;

const SECTION: &str = "function";
/// The upstream looks at no key.
const KEY: &str = "sb_publishable_0123456789abcdefghijkl_mnopqrst";
/// Enough to keep the process busy without a break.
const CLIENTS: usize = 16;

/// One way to write the function.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Variant {
    /// As in the figures.
    name: &'static str,
    /// From the root of the repository.
    folder: &'static str,
}

const INTERLOCK: Variant = Variant {
    name: "interlock",
    folder: "functions/checkout",
};
const FETCH: Variant = Variant {
    name: "fetch",
    folder: "tests/bench/peers/functions/fetch",
};
const SUPABASE_JS: Variant = Variant {
    name: "supabase-js",
    folder: "tests/bench/peers/functions/supabase-js",
};
const VARIANTS: [Variant; 3] = [INTERLOCK, FETCH, SUPABASE_JS];
/// Answers and does nothing else: what is left is the price of Deno.
const EMPTY: Variant = Variant {
    name: "an empty function",
    folder: "tests/bench/peers/functions/empty",
};

/// Measures everything, in today's Deno and in the one that the platform is compatible with.
pub(crate) async fn run(options: &Options) -> Result<Vec<Figure>> {
    let upstream = Upstream::start().await?;
    let mut figures = size::figures()?;
    for deno in Deno::both()? {
        progress(SECTION, &format!("Deno {}", deno.version));
        figures.extend(serve(options, &deno, &upstream).await?);
        figures.extend(start(options, &deno, &upstream).await?);
    }
    Ok(figures)
}

/// CPU, throughput and latency.
async fn serve(options: &Options, deno: &Deno, upstream: &Upstream) -> Result<Vec<Figure>> {
    let figure = |what: &str, variant: Variant, unit| {
        let scenario = format!("{what}, Deno {}", deno.version);
        Figure::new(SECTION, scenario, variant.name, unit)
    };
    let mut series = Vec::new();
    for variant in VARIANTS {
        let process = Process::start(deno, variant.folder, &upstream.address, KEY).await?;
        // Until V8 has optimised what is called often: that takes some 20,000 requests.
        load(&process, CLIENTS, 8.0 * options.seconds).await?;
        let figures = [
            figure("CPU per request", variant, "µs"),
            figure("16 clients", variant, "per second"),
            figure("p50, 16 clients", variant, "ms"),
            figure("p99, 16 clients", variant, "ms"),
            figure("p50, 1 client", variant, "ms"),
            figure("p99, 1 client", variant, "ms"),
        ];
        series.push((process, figures));
    }
    for _ in 0..options.rounds {
        for (process, figures) in &mut series {
            let before = process.cpu()?;
            let busy = load(process, CLIENTS, options.seconds).await?;
            let cpu = process.cpu()? - before;
            let alone = load(process, 1, options.seconds / 2.0).await?;
            let samples = [
                cpu.as_secs_f64() * 1e6 / busy.times.len() as f64,
                busy.rate(),
                busy.quantile(0.5),
                busy.quantile(0.99),
                alone.quantile(0.5),
                alone.quantile(0.99),
            ];
            for (figure, sample) in figures.iter_mut().zip(samples) {
                figure.samples.push(sample);
            }
        }
    }
    for (process, _) in &mut series {
        process.stop().await?;
    }
    Ok(series
        .into_iter()
        .flat_map(|(_, figures)| figures)
        .collect())
}

/// From the start of the process to its first answer.
async fn start(options: &Options, deno: &Deno, upstream: &Upstream) -> Result<Vec<Figure>> {
    let variants = [INTERLOCK, FETCH, SUPABASE_JS, EMPTY];
    let scenario = format!("cold start, Deno {}", deno.version);
    let mut figures = variants.map(|variant| Figure::new(SECTION, &scenario, variant.name, "ms"));
    // Short and uneven: more rounds than elsewhere.
    for _ in 0..3 * options.rounds {
        for (variant, figure) in variants.iter().zip(&mut figures) {
            let started = Instant::now();
            let mut process = Process::start(deno, variant.folder, &upstream.address, KEY).await?;
            let answer = Client::new().execute(checkout(&process)?).await?;
            ensure!(answer.status().is_success(), "{}", answer.text().await?);
            answer.bytes().await?;
            figure
                .samples
                .push(started.elapsed().as_secs_f64() * 1000.0);
            process.stop().await?;
        }
    }
    Ok(figures.into())
}

async fn load(process: &Process, clients: usize, seconds: f64) -> Result<Load> {
    let time = Duration::from_secs_f64(seconds);
    call_for(clients, time, |_| checkout(process)).await
}

/// A cart of three lines under a key, as an app sends it.
fn checkout(process: &Process) -> Result<Request> {
    let lines: Vec<_> = upstream::PRODUCTS
        .iter()
        .map(|product| json!({ "product_id": product, "quantity": 2 }))
        .collect();
    let body = json!({ "cart_items": lines, "payment_method": "cash_on_delivery" });
    let mut request = Request::new(Method::POST, process.url.parse()?);
    let headers = request.headers_mut();
    let token = format!("Bearer {}", token());
    headers.insert(header::AUTHORIZATION, token.parse()?);
    headers.insert(header::CONTENT_TYPE, "application/json".parse()?);
    headers.insert("idempotency-key", Uuid::new_v4().to_string().parse()?);
    *request.body_mut() = Some(body.to_string().into());
    Ok(request)
}

/// Nobody here checks its signature.
fn token() -> String {
    static TOKEN: std::sync::LazyLock<String> =
        std::sync::LazyLock::new(|| sign(&user_claims(Uuid::new_v4()), "secret"));
    TOKEN.clone()
}

/// The root of the repository.
fn root() -> Result<PathBuf> {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = tests.parent().context("tests/ lies in the repository")?;
    Ok(root.to_owned())
}
