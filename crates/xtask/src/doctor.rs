//! `cargo xtask doctor`: what is wrong with an installation or with the shop on it, part by part, and what to do about it.
//! What the migrations make is looked at as `verify` does; what is overdue, as the jobs do (`interlock.queues`).

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use interlock_domain::FUNCTIONS;
use serde_json::{Value, json};

use crate::ensure;
use crate::repo::Repo;
use crate::supabase::{Supabase, Target};
use crate::verify;

/// Everything in the rows of a shop.
const SHOP: &str = "supabase/verify/doctor.sql";
/// The database's settings.
const SETTINGS: &str = "supabase/verify/settings.sql";
/// What pg_cron does.
const CRON: &str = "supabase/verify/cron.sql";
/// What decides about what else is asked.
fn facts(migration: &str) -> String {
    format!(
        "
select
  current_setting('server_version') as postgres,
  to_regclass('cron.job') is not null as cron,
  exists (select from interlock.settings s where 'card' = any (s.payment_methods)) as cards,
  extract(epoch from to_timestamp('{migration}', 'YYYYMMDDHH24MISS')::timestamp at time zone 'UTC')::bigint as written"
    )
}

/// Where, and how to tell.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    target: Target,
    /// Print the findings as JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    Warning,
    Problem,
}

impl Level {
    fn mark(self) -> char {
        match self {
            Self::Warning => '!',
            Self::Problem => '✗',
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Warning => "warning",
            Self::Problem => "problem",
        }
    }
}

struct Finding {
    level: Level,
    subject: String,
    todo: String,
}

/// A part of the installation or of the shop.
struct Part {
    name: &'static str,
    /// What it is about, where nothing is wrong with it.
    fine: String,
    findings: Vec<Finding>,
    /// Whether it could be looked at.
    looked_at: bool,
}

struct Report {
    parts: Vec<Part>,
}

/// Looks, and prints; an error means that there are problems.
pub(crate) fn run(repo: &Repo, args: &Args) -> Result<()> {
    ensure::run_all(repo)?;
    let target = args.target.or_local(repo);
    let report = look(repo, &target)?;
    if args.json {
        println!("{}", report.as_json());
    } else {
        print!("{}", report.as_text());
    }
    let problems = report.count(Level::Problem);
    if problems > 0 {
        bail!("{problems} problems in {}", target.shown());
    }
    Ok(())
}

fn look(repo: &Repo, target: &Target) -> Result<Report> {
    let supabase = Supabase::find(repo, target)?;
    let mut report = Report::new();
    let verified = match verify::look(repo, target) {
        Ok(verified) => verified,
        Err(error) => {
            report.add(
                "database",
                Level::Problem,
                format!("it cannot be looked at: {error:#}"),
                "check --project-ref or --db-url; with --project-ref set SUPABASE_DB_PASSWORD, or give --db-url the address that \
                 the dashboard shows under Connect, Session pooler"
                    .to_owned(),
            );
            return Ok(report);
        }
    };
    let mut complete = true;
    for finding in &verified.findings {
        complete &= !finding.is_missing_table();
        let part = match finding.kind.as_str() {
            "rows" => "books",
            "migration" => "migrations",
            _ => "schema",
        };
        report.add(part, Level::Problem, finding.shown(), finding.todo.clone());
    }
    report.looked_at("migrations", "all of this version are pushed");
    report.looked_at(
        "schema",
        &format!("{} things as the migrations make them", verified.things),
    );
    if !complete {
        // Rows can only be looked at where their tables are.
        return Ok(report);
    }
    report.looked_at(
        "books",
        "stock, wallets, codes and promo codes agree, and no finding of an audit is open",
    );
    let migration = newest_migration(repo)?;
    let facts = supabase
        .select(&facts(&migration))?
        .pop()
        .unwrap_or_default();
    let mut rows = verify::shops::rows(repo, &supabase, verified.many_shops, SHOP)?;
    rows.extend(supabase.rows(SETTINGS)?);
    let cron = facts["cron"] == true;
    if cron {
        rows.extend(supabase.rows(CRON)?);
    } else {
        report.add(
            "jobs",
            Level::Warning,
            "pg_cron is not there".to_owned(),
            "enable it and select interlock.schedule_jobs(), or have a scheduler call npm run jobs every minute".to_owned(),
        );
    }
    let version = facts["postgres"].as_str().unwrap_or_default();
    report.looked_at("database", &format!("Postgres {version}"));
    report.looked_at("jobs", "pg_cron does all of them, and nothing is overdue");
    for (part, fine) in [
        (
            "api",
            "as far as the database knows, public is exposed and interlock is not",
        ),
        ("secrets", "none is missing"),
        (
            "payments",
            "no proof, refund or flagged payment waits for too long",
        ),
        ("deliveries", "nothing is overdue, dead or switched off"),
        ("delivery", "no lease is over for long"),
    ] {
        report.looked_at(part, fine);
    }
    for row in &rows {
        report.add_row(row);
    }
    if target.project_ref.is_some() {
        functions(repo, &supabase, target, &facts, &mut report)?;
    }
    Ok(report)
}

/// The version of our newest migration, which says when it was written.
fn newest_migration(repo: &Repo) -> Result<String> {
    let things = verify::expected(repo)?;
    let versions = things.iter().filter(|thing| thing.kind == "migration");
    let newest = versions.map(|thing| thing.name.as_str()).max();
    newest
        .map(str::to_owned)
        .with_context(|| format!("{} names no migration", verify::EXPECTED))
}

/// What only the platform knows of a project.
fn functions(
    repo: &Repo,
    supabase: &Supabase<'_>,
    target: &Target,
    facts: &Value,
    report: &mut Report,
) -> Result<()> {
    let project = target.project_ref.as_deref().unwrap_or_default();
    let remote = format!("--remote={project}");
    let (deployed, secrets) = match (
        supabase.json(&["functions", "list", &remote]),
        supabase.json(&["secrets", "list", &remote]),
    ) {
        (Ok(deployed), Ok(secrets)) => (deployed, secrets),
        (Err(error), _) | (_, Err(error)) => {
            report.add(
                "functions",
                Level::Warning,
                format!("the platform does not tell of them: {error:#}"),
                "npx supabase login, or set SUPABASE_ACCESS_TOKEN".to_owned(),
            );
            return Ok(());
        }
    };
    report.looked_at(
        "functions",
        "all are deployed, and none is older than the migrations",
    );
    let written = facts["written"].as_i64().unwrap_or_default();
    for (name, wrong) in wrong_functions(&repo.functions()?, &deployed, written) {
        report.add(
            "functions",
            Level::Problem,
            format!("{name} {wrong}"),
            "npm run deploy -- --project-ref REF".to_owned(),
        );
    }
    let set: Vec<&str> = list(&secrets, "secrets")
        .filter_map(|secret| secret["name"].as_str())
        .collect();
    // What a function asks a third party with; without cards nobody calls the one that there is.
    let wanted = FUNCTIONS
        .iter()
        .filter(|_| facts["cards"] == true)
        .filter_map(|function| function.third_party.as_ref()?.api.as_ref())
        .map(|api| format!("{}_SECRET_KEY", api.name));
    for name in wanted.filter(|name| !set.contains(&name.as_str())) {
        report.add(
            "secrets",
            Level::Problem,
            format!("the functions' secret {name} is not set"),
            format!("npx supabase secrets set --remote={project} {name}=…"),
        );
    }
    Ok(())
}

/// What is not deployed, does not run, or was deployed before the newest migration was written.
fn wrong_functions(ours: &[String], deployed: &Value, written: i64) -> BTreeMap<String, String> {
    let deployed: BTreeMap<&str, &Value> = list(deployed, "functions")
        .filter_map(|function| Some((function["slug"].as_str()?, function)))
        .collect();
    let mut wrong = BTreeMap::new();
    for name in ours {
        let told = match deployed.get(name.as_str()) {
            None => Some("is not deployed".to_owned()),
            Some(function) if function["status"] != "ACTIVE" => Some("does not run".to_owned()),
            Some(function) => function["updated_at"]
                .as_i64()
                .filter(|at| (1..written * 1000).contains(at))
                .map(|_| "is older than the newest migration".to_owned()),
        };
        if let Some(told) = told {
            wrong.insert(name.clone(), told);
        }
    }
    wrong
}

/// The CLI has answered with lists, and with lists in objects.
fn list<'a>(answer: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    let list = answer[name].as_array().or_else(|| answer.as_array());
    list.into_iter().flatten()
}

impl Report {
    fn new() -> Self {
        let names = [
            "database",
            "migrations",
            "schema",
            "api",
            "jobs",
            "functions",
            "secrets",
            "books",
            "payments",
            "deliveries",
            "delivery",
        ];
        Self {
            parts: names
                .into_iter()
                .map(|name| Part {
                    name,
                    fine: String::new(),
                    findings: Vec::new(),
                    looked_at: false,
                })
                .collect(),
        }
    }

    fn part(&mut self, name: &str) -> Option<&mut Part> {
        self.parts.iter_mut().find(|part| part.name == name)
    }

    fn looked_at(&mut self, name: &str, fine: &str) {
        if let Some(part) = self.part(name) {
            part.looked_at = true;
            fine.clone_into(&mut part.fine);
        }
    }

    fn add(&mut self, name: &str, level: Level, subject: String, todo: String) {
        if let Some(part) = self.part(name) {
            part.looked_at = true;
            part.findings.push(Finding {
                level,
                subject,
                todo,
            });
        }
    }

    fn add_row(&mut self, row: &Value) {
        let text = |key: &str| row[key].as_str().unwrap_or_default().to_owned();
        let level = match text("level").as_str() {
            "warning" => Level::Warning,
            _ => Level::Problem,
        };
        self.add(&text("part"), level, text("subject"), text("todo"));
    }

    fn count(&self, level: Level) -> usize {
        let findings = self.parts.iter().flat_map(|part| &part.findings);
        findings.filter(|finding| finding.level == level).count()
    }

    /// A line for each part, and two for each finding.
    fn as_text(&self) -> String {
        let mut text = String::new();
        for part in &self.parts {
            match part.worst() {
                None if part.looked_at => text += &format!("✓ {:<11} {}\n", part.name, part.fine),
                None => text += &format!("· {:<11} not looked at\n", part.name),
                Some(level) => text += &format!("{} {}\n", level.mark(), part.name),
            }
            for finding in &part.findings {
                text += &format!("    {} {}\n", finding.level.mark(), finding.subject);
                if !finding.todo.is_empty() {
                    text += &format!("      → {}\n", finding.todo);
                }
            }
        }
        text
    }

    fn as_json(&self) -> Value {
        json!({
            "ok": self.count(Level::Problem) == 0,
            "parts": self.parts.iter().map(Part::as_json).collect::<Vec<_>>(),
        })
    }
}

impl Part {
    fn worst(&self) -> Option<Level> {
        self.findings.iter().map(|finding| finding.level).max()
    }

    fn as_json(&self) -> Value {
        let state = match self.worst() {
            _ if !self.looked_at => "unknown",
            None => "ok",
            Some(level) => level.name(),
        };
        json!({
            "name": self.name,
            "state": state,
            "findings": self.findings.iter().map(|finding| json!({
                "level": finding.level.name(), "subject": finding.subject, "todo": finding.todo,
            })).collect::<Vec<_>>(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_is_missing_stopped_or_too_old() {
        let deployed = json!([
            {"slug": "new", "status": "ACTIVE", "updated_at": 1_764_000_000_000_i64},
            {"slug": "old", "status": "ACTIVE", "updated_at": 1_000_000_000_000_i64},
            {"slug": "stopped", "status": "REMOVED", "updated_at": 1_764_000_000_000_i64},
            {"slug": "unknown", "status": "ACTIVE", "updated_at": 0},
        ]);
        let ours = ["missing", "new", "old", "stopped", "unknown"].map(str::to_owned);
        let wrong = wrong_functions(&ours, &deployed, 1_763_000_000);
        assert_eq!(
            wrong.into_iter().collect::<Vec<_>>(),
            [
                ("missing", "is not deployed"),
                ("old", "is older than the newest migration"),
                ("stopped", "does not run"),
            ]
            .map(|(name, told)| (name.to_owned(), told.to_owned()))
        );
    }

    #[test]
    fn each_part_has_a_line_and_each_finding_says_what_to_do() {
        let mut report = Report::new();
        report.looked_at("database", "Postgres 17");
        report.add("jobs", Level::Warning, "a".into(), "b".into());
        report.add("books", Level::Problem, "c".into(), "d".into());
        let text = report.as_text();
        assert!(
            text.starts_with("✓ database    Postgres 17\n· migrations  not looked at\n"),
            "{text}"
        );
        assert!(text.contains("! jobs\n    ! a\n      → b\n"), "{text}");
        assert!(text.contains("✗ books\n    ✗ c\n      → d\n"), "{text}");
        assert_eq!(report.as_json()["ok"], false);
    }
}
