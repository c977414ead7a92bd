//! Runs pgTAP files, each in a session of its own, and counts what they say. It does what
//! `supabase test db` does with psql and pg_prove in a container. It also runs them as one shop of many.

mod many;
mod one_shop;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Parser;
use pgtap::Report;
use tokio_postgres::{Client, Config, NoTls};

/// Runs pgTAP files against a database.
#[derive(Parser)]
struct Cli {
    /// Where the tests run, as the role that runs migrations.
    #[arg(long, env = "DB_URL", hide_env_values = true)]
    url: Config,
    /// A superuser of the same database, who installs pgTAP first. Without one it must be there.
    #[arg(long, env = "INTERLOCK_ADMIN_DB_URL", hide_env_values = true)]
    admin_url: Option<Config>,
    /// Run them as one shop of many, in a database of its own on the same server, which the administrator makes; from the repository.
    #[arg(long)]
    as_shop_of_many: bool,
    /// The files, run in this order.
    #[arg(required = true)]
    files: Vec<PathBuf>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run_all(Cli::parse()).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Whether every file passes.
async fn run_all(cli: Cli) -> Result<bool> {
    if !cli.as_shop_of_many {
        if let Some(admin) = &cli.admin_url {
            install(admin).await?;
        }
        return run_files(&cli.url, &cli.files, |_, _| ()).await;
    }
    let Some(admin) = &cli.admin_url else {
        println!(
            "not as one shop of many: INTERLOCK_ADMIN_DB_URL does not say who may make a database"
        );
        return Ok(true);
    };
    println!("as one shop of many:");
    let tester = many::make(admin, &cli.url).await?;
    let passed = run_files(&tester, &cli.files, one_shop::settle).await?;
    if passed {
        many::remove(admin).await?;
    }
    Ok(passed)
}

/// As administrator.
async fn install(admin: &Config) -> Result<()> {
    let client = connect(admin).await.context("as administrator")?;
    client
        .batch_execute("create extension if not exists pgtap with schema extensions")
        .await
        .context("cannot install pgTAP")
}

async fn run_files(
    url: &Config,
    files: &[PathBuf],
    settle: impl Fn(&Path, &mut Report),
) -> Result<bool> {
    let (mut passed, mut failed) = (0, 0);
    for file in files {
        let mut report = run(url, file)
            .await
            .with_context(|| format!("{}", file.display()))?;
        settle(file, &mut report);
        print(file, &report);
        passed += report.passed;
        failed += report.failed + report.problems.len();
    }
    // As cargo's own tests end, so that one reader counts both.
    let word = if failed == 0 { "ok" } else { "FAILED" };
    println!("test result: {word}. {passed} passed; {failed} failed");
    Ok(failed == 0)
}

/// A fresh session, so that no file inherits a role or a setting.
async fn connect(config: &Config) -> Result<Client> {
    let (client, connection) = config
        .connect(NoTls)
        .await
        .context("cannot connect to the database")?;
    tokio::spawn(connection);
    Ok(client)
}

async fn run(config: &Config, file: &Path) -> Result<Report> {
    let sql = fs::read_to_string(file).context("cannot read it")?;
    pgtap::run(&connect(config).await?, &sql).await
}

/// One line for a file that passes; what failed, with its diagnosis, for one that does not.
fn print(file: &Path, report: &Report) {
    println!(
        "{}: {} ok, {} not ok",
        file.display(),
        report.passed,
        report.failed + report.problems.len()
    );
    for line in &report.failures {
        println!("  {line}");
    }
    for problem in &report.problems {
        println!("  not ok - {problem}");
    }
}
