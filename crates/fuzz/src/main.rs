//! `npm run fuzz`: the sans-IO exchange under arbitrary input. No panic, always an answer of the
//! contract, bounded time and memory. docs/proof.md says what is checked.

mod contract;
mod corpus;
mod coverage;
mod engine;
mod memory;
mod mutate;
mod probe;
mod report;
mod shrink;
mod targets;

use crate::corpus::Corpus;
use crate::engine::{Budget, search};
use crate::report::Report;
use crate::targets::{TARGETS, Target};
use anyhow::Result;
use clap::Parser;
use std::collections::hash_map::RandomState;
use std::fs::{self, File};
use std::hash::{BuildHasher as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

/// Feeds the sans-IO exchange with arbitrary input, guided by the code that it reaches.
#[derive(Debug, Parser)]
#[command(name = "fuzz")]
struct Cli {
    /// Search so long, in minutes, shared by the targets.
    #[arg(long, value_parser = minutes, conflicts_with = "executions")]
    minutes: Option<f64>,
    /// Make so many executions, shared by the targets.
    #[arg(long, default_value_t = 400_000)]
    executions: u64,
    /// Where the random choices begin: the same seed makes the same ones.
    #[arg(long)]
    seed: Option<u64>,
    /// Only this target.
    #[arg(long, value_name = "TARGET", value_parser = TARGETS.each_ref().map(|target| target.name))]
    only: Vec<String>,
    /// Print one JSON object on stdout, and progress on stderr.
    #[arg(long)]
    json: bool,
    /// Run only the input in this file, which an earlier run has written.
    #[arg(long, value_name = "FILE")]
    replay: Option<PathBuf>,
    /// Where findings are written.
    #[arg(long, value_name = "DIR", default_value = "target/fuzz-findings")]
    findings: PathBuf,
}

fn minutes(text: &str) -> Result<f64, String> {
    let minutes: f64 = text
        .parse()
        .map_err(|_| "must be a number of minutes".to_owned())?;
    if (0.01..=24.0 * 60.0).contains(&minutes) {
        Ok(minutes)
    } else {
        Err("must be from 0.01 to 1440 minutes".to_owned())
    }
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    engine::catch_panics();
    let held = match &cli.replay {
        Some(file) => replay(file),
        None => fuzz(&cli),
    };
    match held {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Whether that one input is answered as it must be.
fn replay(file: &Path) -> Result<bool> {
    let (target, input) = corpus::read_entry(file)?;
    let result = engine::run(target, &input);
    match &result {
        Ok(answer) => println!("holds: {answer}"),
        Err(message) => println!("FAILED: {message}"),
    }
    Ok(result.is_ok())
}

/// What the standard library has of randomness: the keys of its hash maps.
fn any_seed() -> u64 {
    RandomState::new().build_hasher().finish() >> 32
}

/// Whether everything held.
fn fuzz(cli: &Cli) -> Result<bool> {
    let corpus = Corpus::read()?;
    let chosen: Vec<&Target> = TARGETS
        .iter()
        .filter(|target| cli.only.is_empty() || cli.only.iter().any(|name| name == target.name))
        .collect();
    let parts = chosen.len();
    let budget = match cli.minutes {
        Some(minutes) => Budget::Time(Duration::from_secs_f64(minutes * 60.0 / parts as f64)),
        None => Budget::Executions(cli.executions / parts as u64),
    };
    let mut report = Report::new(cli.seed.unwrap_or_else(any_seed));
    fs::create_dir_all(&cli.findings)?;
    let running_path = cli.findings.join("running.json");
    let mut running = File::create(&running_path)?;
    eprintln!(
        "if an input ends this process, to repeat it: cargo xtask fuzz --replay {}",
        running_path.display()
    );
    for target in chosen {
        let mut progress = report::progress(target);
        let searched = search(
            target,
            &corpus,
            report.seed,
            budget,
            &mut running,
            &mut progress,
        )?;
        report.add(target, searched, &cli.findings)?;
    }
    fs::remove_file(running_path)?;
    Ok(report.print(cli.json))
}
