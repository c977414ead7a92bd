//! Runs pgTAP files, each in a session of its own, and counts what they say. It does what
//! `supabase test db` does with psql and pg_prove in a container.

mod tap;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::Parser;
use tap::Report;
use tokio_postgres::{Client, Config, NoTls, SimpleQueryMessage};

/// Runs pgTAP files against a database.
#[derive(Parser)]
struct Cli {
    /// Where the tests run, as the role that runs migrations.
    #[arg(long, env = "DB_URL", hide_env_values = true)]
    url: Config,
    /// A superuser of the same database, who installs pgTAP first. Without one it must be there.
    #[arg(long, env = "INTERLOCK_ADMIN_DB_URL", hide_env_values = true)]
    admin_url: Option<Config>,
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
    if let Some(admin) = &cli.admin_url {
        let client = connect(admin).await.context("as administrator")?;
        client
            .batch_execute("create extension if not exists pgtap with schema extensions")
            .await
            .context("cannot install pgTAP")?;
    }
    let (mut passed, mut failed) = (0, 0);
    for file in &cli.files {
        let report = run(&cli.url, file)
            .await
            .with_context(|| format!("{}", file.display()))?;
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
    if let Some(line) = sql.lines().position(|line| line.starts_with('\\')) {
        bail!("line {} is a command of psql; write SQL only", line + 1);
    }
    let client = connect(config).await?;
    let mut report = Report::default();
    match client.simple_query(&sql).await {
        Ok(messages) => {
            for message in messages {
                if let SimpleQueryMessage::Row(row) = message {
                    (0..row.len())
                        .filter_map(|column| row.get(column))
                        .for_each(|text| report.read(text));
                }
            }
            report.finish();
        }
        Err(error) => report.problems.push(describe(&error, &sql)),
    }
    Ok(report)
}

/// The error as psql shows it, with its line in the file.
fn describe(error: &tokio_postgres::Error, sql: &str) -> String {
    let Some(error) = error.as_db_error() else {
        return error.to_string();
    };
    let line = match error.position() {
        Some(tokio_postgres::error::ErrorPosition::Original(position)) => {
            let before: String = sql.chars().take(*position as usize).collect();
            format!(" at line {}", before.lines().count())
        }
        _ => String::new(),
    };
    let mut text = format!(
        "the file stopped{line}: {} {}",
        error.code().code(),
        error.message()
    );
    for (label, part) in [
        ("detail", error.detail()),
        ("hint", error.hint()),
        ("where", error.where_()),
    ] {
        if let Some(part) = part {
            text.push_str(&format!("\n#   {label}: {part}"));
        }
    }
    text
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
