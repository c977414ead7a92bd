//! `npm run prove`: shows that the promises hold on a running stack, whose URL and keys are in the
//! environment under the names of `supabase status -o env`. `npm run prove` starts one of its own if
//! there are none. docs/proof.md says what each section checks.

mod faults;
pub(crate) mod histories;
pub(crate) mod interleavings;
pub(crate) mod invariants;
pub(crate) mod model;
mod own_stack;
mod report;
mod scale;
mod security;
mod shops;

use crate::harness::stack::Stack;
use crate::prove::report::{Report, Section};
use anyhow::Result;
use clap::{Parser, ValueEnum};
use std::process::ExitCode;
use std::time::Duration;

/// Shows that the promises hold: interleavings, histories, faults, permissions, shops that move; scale if it is asked for.
#[derive(Debug, Parser)]
#[command(name = "prove")]
struct Cli {
    /// How long to search, in minutes. What is searched in full takes the time that it needs.
    #[arg(long, default_value_t = 6.0, value_parser = minutes)]
    minutes: f64,
    /// Where the random choices begin: the same seed makes the same ones.
    #[arg(long)]
    seed: Option<u64>,
    /// Print one JSON object on stdout, and progress on stderr.
    #[arg(long)]
    json: bool,
    /// Only these sections.
    #[arg(long, value_enum, value_name = "SECTION")]
    only: Vec<Topic>,
    /// Write docs/permissions.md as the database has it, and prove nothing.
    #[arg(long)]
    write_permissions: bool,
}

/// A section of the proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Topic {
    /// Every order of the steps of two operations.
    Interleavings,
    /// Random operations of many sessions against the model.
    Histories,
    /// Crashes, cuts, delays and repeats, with one effect per key.
    Faults,
    /// Who may do what.
    Security,
    /// Many shops on two databases, which are moved while they sell.
    Shops,
    /// A pooler before the database, a replica beside it, shops on two servers. Only if it is asked for: its five hundred clients want the machine for themselves.
    Scale,
}

impl Topic {
    /// The part of the time that this section may search, in hundredths.
    fn share(self) -> u32 {
        match self {
            Self::Interleavings => 35,
            Self::Histories => 35,
            Self::Faults => 30,
            // Complete, and quick.
            Self::Security | Self::Shops | Self::Scale => 0,
        }
    }
}

/// What every section is given.
pub(crate) struct Search {
    stack: &'static Stack,
    seed: u64,
    /// How long it may search.
    budget: Duration,
}

fn minutes(text: &str) -> Result<f64, String> {
    let minutes: f64 = text
        .parse()
        .map_err(|_| "must be a number of minutes".to_owned())?;
    if (0.1..=24.0 * 60.0).contains(&minutes) {
        Ok(minutes)
    } else {
        Err("must be from 0.1 to 1440 minutes".to_owned())
    }
}

#[tokio::main]
/// The whole program, with the arguments of the command line.
pub async fn main() -> ExitCode {
    match prove(&Cli::parse()).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Whether everything held.
async fn prove(cli: &Cli) -> Result<bool> {
    if cli.write_permissions {
        security::write_permissions(Stack::get()).await?;
        return Ok(true);
    }
    let seed = cli.seed.unwrap_or_else(rand::random);
    let mut report = Report::new(seed);
    let stack = Stack::get();
    let topics = Topic::value_variants()
        .iter()
        .filter(|topic| match cli.only.as_slice() {
            [] => **topic != Topic::Scale,
            only => only.contains(topic),
        });
    for topic in topics {
        let search = Search {
            stack,
            seed,
            budget: Duration::from_secs_f64(cli.minutes * 60.0) * topic.share() / 100,
        };
        let section: Section = match topic {
            Topic::Interleavings => interleavings::run(&search).await?,
            Topic::Histories => histories::run(&search).await?,
            Topic::Faults => faults::run(&search).await?,
            Topic::Security => security::run(&search).await?,
            Topic::Shops => shops::run(&search).await?,
            Topic::Scale => scale::run(&search).await?,
        };
        section.print();
        report.sections.push(section);
    }
    report.print(cli.json)?;
    Ok(report.holds())
}
