//! Runs the SQL of a pgTAP file in a session and reads what it says.

mod tap;

use anyhow::{Result, bail};
pub use tap::Report;
use tokio_postgres::{Client, SimpleQueryMessage};

/// Runs a file of SQL in a session: one transaction that it begins and rolls back itself.
pub async fn run(client: &Client, sql: &str) -> Result<Report> {
    if let Some(line) = sql.lines().position(|line| line.starts_with('\\')) {
        bail!("line {} is a command of psql; write SQL only", line + 1);
    }
    let mut report = Report::default();
    match client.simple_query(sql).await {
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
        Err(error) => report.problems.push(describe(&error, sql)),
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
