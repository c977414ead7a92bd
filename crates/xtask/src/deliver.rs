//! `cargo xtask deliver`: has the function `deliver` send what is due, once or again and again, where pg_cron does not.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::jobs::{stop_signal, stopped};
use crate::shop::Shop;

/// Where the local stack has it.
const LOCAL: &str = "http://127.0.0.1:54321/functions/v1/deliver";

/// More than the function takes.
const PATIENCE_SECONDS: &str = "60";

/// Where it is, and how often.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The function's URL; that of the local stack, if none is given.
    #[arg(long, env = "INTERLOCK_DELIVER_URL", default_value = LOCAL)]
    url: String,
    /// The secret that `set_deliver_secret` was given.
    #[arg(long, env = "DELIVER_SECRET", hide_env_values = true)]
    secret: String,
    #[command(flatten)]
    shop: Shop,
    /// Go on, with so many seconds between two rounds, until SIGINT or SIGTERM.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=86400))]
    every: Option<u64>,
}

/// Delivers; once, an error means that the function did not do it.
pub(crate) fn run(args: &Args) -> Result<()> {
    if args.secret.chars().any(|letter| !letter.is_ascii_graphic()) {
        bail!("the secret has characters that no header can carry");
    }
    let Some(pause) = args.every.map(Duration::from_secs) else {
        let (delivered, failed) = drain(args)?;
        println!("{delivered} delivered, {failed} to be tried again or given up");
        return Ok(());
    };
    let stop = stop_signal()?;
    loop {
        let round = Instant::now();
        match drain(args) {
            Ok((0, 0)) => {}
            Ok((delivered, failed)) => println!("{delivered} delivered, {failed} failed"),
            Err(error) => eprintln!("error: {error:#}"),
        }
        if stopped(&stop, pause.saturating_sub(round.elapsed()))? {
            return Ok(());
        }
    }
}

/// Calls it until nothing is due; answers how many were accepted and how many were not.
fn drain(args: &Args) -> Result<(u64, u64)> {
    let (mut delivered, mut failed) = (0, 0);
    loop {
        let answer = call(args)?;
        let count = |name: &str| answer[name].as_u64().unwrap_or_default();
        delivered += count("delivered");
        failed += count("failed");
        if count("claimed") == 0 {
            return Ok((delivered, failed));
        }
    }
}

/// By curl: nothing else here speaks HTTP. The secret goes in by a pipe, so that no list of processes shows it.
fn call(args: &Args) -> Result<Value> {
    let mut curl = Command::new("curl")
        .args([
            "--silent",
            "--show-error",
            "--request",
            "POST",
            "--config",
            "-",
        ])
        .args(["--max-time", PATIENCE_SECONDS, "--", &args.url])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("curl cannot be started")?;
    let mut input = curl.stdin.take().context("curl takes its settings")?;
    let secret = args.secret.replace('\\', "\\\\").replace('"', "\\\"");
    writeln!(input, "header = \"x-deliver-secret: {secret}\"")
        .context("curl takes its settings")?;
    if let Some(shop) = args.shop.name() {
        writeln!(input, "header = \"x-shop: {shop}\"").context("curl takes its settings")?;
    }
    drop(input);
    let output = curl.wait_with_output().context("curl has not ended")?;
    if !output.status.success() {
        bail!("{} does not answer", args.url);
    }
    let answer: Value = serde_json::from_slice(&output.stdout)
        .with_context(|| format!("{} does not answer as deliver does", args.url))?;
    match answer["error"].as_str() {
        None if answer["success"] == true => Ok(answer),
        Some(code) => bail!(
            "{code}: {}",
            answer["hint"].as_str().unwrap_or("see docs/errors.md")
        ),
        None => bail!("{} does not answer as deliver does", args.url),
    }
}
