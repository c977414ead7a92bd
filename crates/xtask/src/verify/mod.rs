//! `cargo xtask verify`: whether everything that the migrations make is in place in a database, and what
//! to do about what is not.

mod advice;
mod compare;
pub(crate) mod shops;

use std::fs;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

pub(crate) use self::compare::Thing;
use self::compare::{Finding, compare};
use crate::ensure;
use crate::repo::Repo;
use crate::supabase::{Supabase, Target};

/// Lists what is in a database.
pub(crate) const INVENTORY: &str = "supabase/verify/inventory.sql";
/// What that list is after the migrations.
pub(crate) const EXPECTED: &str = "supabase/verify/expected.json";
/// What of it is otherwise where there are many shops.
pub(crate) const SHOPS: &str = "supabase/verify/shops.json";
/// Looks once at what is all shops': the parts of histories.
const INSTALLATION: &str = "supabase/verify/installation.sql";
/// Looks at the rows: whether the books agree, and what a shop should know.
const HEALTH: &str = "supabase/verify/health.sql";

/// Which database, and how to tell.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    target: Target,
    /// Print the findings as JSON.
    #[arg(long)]
    json: bool,
}

/// What was found.
pub(crate) struct Report {
    /// Things that are compared.
    pub(crate) things: usize,
    /// What is not as it should be.
    pub(crate) findings: Vec<Finding>,
    /// What a shop should know; nothing to mend.
    pub(crate) notes: Vec<String>,
    /// Whether there are many shops.
    pub(crate) many_shops: bool,
}

/// Looks, and prints; an error means that something is not in place.
pub(crate) fn run(repo: &Repo, args: &Args) -> Result<()> {
    ensure::run_all(repo)?;
    let report = look(repo, &args.target)?;
    if args.json {
        println!("{}", report.as_json());
    } else {
        println!("{}", report.as_text(&args.target));
    }
    if !report.findings.is_empty() {
        bail!(
            "{} of {} things are not as the migrations make them",
            report.findings.len(),
            report.things
        );
    }
    Ok(())
}

/// Compares a database with what the migrations make.
pub(crate) fn look(repo: &Repo, target: &Target) -> Result<Report> {
    let supabase = Supabase::find(repo, target)?;
    let one = expected(repo)?;
    let found = inventory(&supabase)?;
    let many_shops = shops::are_many(&found);
    let expected = if many_shops {
        shops::expected(&one, &read(repo, SHOPS)?)
    } else {
        one.clone()
    };
    let mut findings = compare(&expected, &found);
    let migrations = advice::Migrations::read(repo)?;
    for finding in &mut findings {
        finding.todo = many_shops
            .then(|| shops::todo(finding, &one))
            .flatten()
            .unwrap_or_else(|| advice::todo(finding, &migrations));
    }
    let mut notes = Vec::new();
    // The rows can only be looked at where their tables are.
    if findings.iter().any(Finding::is_missing_table) {
        notes.push("the rows were not looked at, because tables are missing".to_owned());
    } else {
        let mut rows = shops::rows(repo, &supabase, many_shops, HEALTH)?;
        rows.extend(supabase.rows(INSTALLATION)?);
        for row in rows {
            let text = |key: &str| row[key].as_str().unwrap_or_default().to_owned();
            match text("level").as_str() {
                "problem" => findings.push(Finding::in_rows(text("subject"), text("todo"))),
                _ => notes.push(format!("{}: {}", text("subject"), text("todo"))),
            }
        }
    }
    Ok(Report {
        things: expected.len(),
        findings,
        notes,
        many_shops,
    })
}

/// What the migrations make, as this repository keeps it.
pub(crate) fn expected(repo: &Repo) -> Result<Vec<Thing>> {
    read(repo, EXPECTED)
}

fn read(repo: &Repo, path: &str) -> Result<Vec<Thing>> {
    let text = fs::read_to_string(repo.root.join(path))
        .with_context(|| format!("cannot read {path}; `cargo xtask snapshot` writes it"))?;
    let rows: Vec<Value> =
        serde_json::from_str(&text).with_context(|| format!("{path} is not valid JSON"))?;
    rows.iter().map(Thing::read).collect()
}

/// What is in a database.
pub(crate) fn inventory(supabase: &Supabase<'_>) -> Result<Vec<Thing>> {
    supabase.rows(INVENTORY)?.iter().map(Thing::read).collect()
}

impl Report {
    fn as_json(&self) -> Value {
        json!({
            "in_place": self.findings.is_empty(),
            "things": self.things,
            "findings": self.findings.iter().map(Finding::as_json).collect::<Vec<_>>(),
            "notes": self.notes,
        })
    }

    /// For people: one line for each finding, and below it what to do.
    pub(crate) fn as_text(&self, target: &Target) -> String {
        let mut text = String::new();
        for finding in &self.findings {
            text += &format!("✗ {}\n    → {}\n", finding.shown(), finding.todo);
        }
        for note in &self.notes {
            text += &format!("· {note}\n");
        }
        let verdict = if self.findings.is_empty() {
            "everything is in place"
        } else {
            "not everything is in place"
        };
        text + &format!(
            "{verdict}: {} things looked at in {}",
            self.things,
            target.shown()
        )
    }
}
