//! `npm run bench`: what the race-free shop costs and how fast it is, against the incident reports'
//! own approaches. It fills a database with millions of rows and changes its settings, so it runs on
//! a stack of its own, which `cargo xtask bench` starts; docs/benchmarks.md says what is compared.

mod database;
mod docs;
mod figure;
mod flame;
mod function;
mod goals;
mod growth;
mod http;
mod load;
mod machine;
mod plot;
mod profile;
mod report;
mod request;
mod rows;
mod series;
mod server;
mod stats;
mod storm;
mod table;

use crate::figure::{Figure, Options};
use crate::flame::Flame;
use crate::machine::Machine;
use crate::report::Report;
use anyhow::{Result, ensure};
use clap::{Parser, ValueEnum};
use std::process::ExitCode;

/// Measures Interlock against its peers, in one run on one machine.
#[derive(Debug, Parser)]
#[command(name = "bench")]
struct Cli {
    /// Only these sections.
    #[arg(long, value_enum, value_name = "SECTION")]
    only: Vec<Topic>,
    /// Only series in whose `scenario: variant` this text occurs.
    #[arg(long, value_name = "TEXT")]
    series: Option<String>,
    /// Print one JSON document on stdout instead of tables.
    #[arg(long)]
    json: bool,
    /// A short run that shows the direction; its figures are no evidence.
    #[arg(long)]
    quick: bool,
    /// Grow to 10 M orders and 50 M ledger rows as well: 36 GB of disk, and a quarter of an hour more.
    #[arg(long)]
    huge: bool,
    /// How many times each series is measured; the median counts.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=100))]
    rounds: Option<u16>,
    /// Fail if a goal is missed.
    #[arg(long)]
    check: bool,
    /// Write the tables of docs/benchmarks.md and the plots of docs/bench/; with `--only profile` its flame graphs alone.
    #[arg(long, conflicts_with_all = ["series", "quick"])]
    write_docs: bool,
}

/// A section of the benchmark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Topic {
    /// A function of ours and the same by hand, without a database.
    Function,
    /// Checkouts, claims and promo codes in the database alone.
    Database,
    /// Where the database's time of a checkout goes.
    Profile,
    /// Whole requests: function, gateway, API and database, and what each takes of them.
    Request,
    /// Checkouts and claims in a shop with a large catalogue and a long history.
    Growth,
    /// What is left for the others while everybody wants one product.
    Storm,
}

impl Topic {
    async fn run(self, options: &Options, found: &mut Found) -> Result<()> {
        let figures = match self {
            Self::Function => function::run(options).await?,
            Self::Database => database::run(options).await?,
            Self::Growth => growth::run(options).await?,
            Self::Request => request::run(options).await?,
            Self::Storm => storm::run(options).await?,
            Self::Profile => {
                found.flames = profile::run(options).await?;
                return Ok(());
            }
        };
        found.figures.extend(figures);
        Ok(())
    }
}

/// What the sections have found.
#[derive(Debug, Default)]
struct Found {
    figures: Vec<Figure>,
    flames: Vec<Flame>,
}

impl Cli {
    /// Documentation shows a whole run, and the profile of any.
    fn refuse_parts(&self) -> Result<()> {
        ensure!(
            !self.write_docs || self.only.is_empty() || self.only == [Topic::Profile],
            "--write-docs takes a whole run, or --only profile"
        );
        Ok(())
    }

    fn options(&self) -> Options {
        let rounds = if self.quick { 2 } else { 5 };
        Options {
            rounds: self.rounds.map_or(rounds, usize::from),
            seconds: if self.quick { 0.1 } else { 0.6 },
            quick: self.quick,
            huge: self.huge,
            series: self.series.clone(),
        }
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    match bench(&Cli::parse()).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Whether that is good enough: a report always is, unless it was to be checked.
async fn bench(cli: &Cli) -> Result<bool> {
    cli.refuse_parts()?;
    let options = cli.options();
    let machine = Machine::before_run(server::version().await.ok());
    let mut found = Found::default();
    for topic in Topic::value_variants() {
        if cli.only.is_empty() || cli.only.contains(topic) {
            topic.run(&options, &mut found).await?;
        }
    }
    let report = Report::new(&options, machine, found);
    report.print(cli.json)?;
    if cli.write_docs {
        docs::write(&report)?;
    }
    Ok(!cli.check || report.reaches_goals())
}
