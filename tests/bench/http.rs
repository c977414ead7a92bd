//! Clients that call as fast as they are answered, and stay away for a while when they are told to.

use anyhow::{Result, ensure};
use futures::future::try_join_all;
use reqwest::{Client, Request, Response, StatusCode};
use serde_json::Value;
use std::time::{Duration, Instant};

/// What the clients of one sample saw.
#[derive(Debug, Default)]
pub(crate) struct Load {
    /// How long each success took, in milliseconds.
    pub(crate) times: Vec<f64>,
    /// Refusals that ask the client to come again later.
    pub(crate) refused: usize,
    /// Successes before the time was over.
    done: usize,
    seconds: f64,
}

impl Load {
    /// Successes per second.
    pub(crate) fn rate(&self) -> f64 {
        self.done as f64 / self.seconds
    }

    /// Refusals per second.
    pub(crate) fn refusal_rate(&self) -> f64 {
        self.refused as f64 / self.seconds
    }

    /// A quantile of the successes' times, in milliseconds.
    pub(crate) fn quantile(&self, share: f64) -> f64 {
        crate::stats::quantile(&self.times, share)
    }
}

/// So many clients call for so long, each with one request at a time; `request` makes the next one of
/// a client. Any refusal but one that passes fails the benchmark.
pub(crate) async fn call_for(
    clients: usize,
    time: Duration,
    request: impl Fn(usize) -> Result<Request>,
) -> Result<Load> {
    let http = Client::new();
    let end = Instant::now() + time;
    let request = &request;
    let calls = (0..clients).map(|client| call_until(&http, end, move || request(client)));
    let mut all = Load {
        seconds: time.as_secs_f64(),
        ..Load::default()
    };
    for load in try_join_all(calls).await? {
        all.times.extend(load.times);
        all.refused += load.refused;
        all.done += load.done;
    }
    Ok(all)
}

async fn call_until(
    http: &Client,
    end: Instant,
    request: impl Fn() -> Result<Request>,
) -> Result<Load> {
    let mut load = Load::default();
    loop {
        let request = request()?;
        let started = Instant::now();
        let response = http.execute(request).await?;
        let (status, wait) = (response.status(), retry_after(&response));
        let body = response.bytes().await?;
        let now = Instant::now();
        if status == StatusCode::OK {
            load.times.push((now - started).as_secs_f64() * 1000.0);
            load.done += usize::from(now <= end);
        } else {
            let text = String::from_utf8_lossy(&body);
            ensure!(passes(status, &body), "{status}: {text}");
            load.refused += 1;
            if now + wait < end {
                tokio::time::sleep(wait).await;
            }
        }
        if now + wait >= end {
            return Ok(load);
        }
    }
}

/// How long the client shall stay away: a second where a refusal does not say.
fn retry_after(response: &Response) -> Duration {
    if response.status() == StatusCode::OK {
        return Duration::ZERO;
    }
    let header = response.headers().get("retry-after");
    let seconds = header.and_then(|value| value.to_str().ok()?.parse().ok());
    Duration::from_secs(seconds.unwrap_or(1))
}

/// Whether the same request may work later. The API itself has other words for it than our functions:
/// no lock to be had, a deadlock, a statement that took too long; no connection to be had.
fn passes(status: StatusCode, body: &[u8]) -> bool {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let code = body["code"].as_str().unwrap_or_default();
    matches!(
        status,
        StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT
    ) || ["55P03", "40P01", "57014", "PGRST003"].contains(&code)
}
