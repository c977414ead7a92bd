//! The Supabase CLI, as `deploy`, `verify` and the tests call it. Nothing here prints an address with
//! a password in it.

use std::env;
use std::fmt;
use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, anyhow, bail};
use nix::sys::signal::kill;
use nix::unistd::Pid;
use serde_json::Value;

use crate::repo::Repo;

/// Where `npm start` says what is running.
const LOCAL_STATUS: &str = ".interlock/status.json";

/// Letters of a project's ref.
const REF_LENGTH: usize = 20;

/// Which database or project a command is about.
#[derive(clap::Args, Clone, Debug, Default)]
pub(crate) struct Target {
    /// The project's ref: the twenty letters in its address, https://REF.supabase.co.
    #[arg(long, value_name = "REF", value_parser = project_ref)]
    pub(crate) project_ref: Option<String>,
    /// Reach the database by this address rather than through the project: postgresql://….
    #[arg(long, value_name = "URL", value_parser = database_url, env = "INTERLOCK_DB_URL", hide_env_values = true)]
    pub(crate) db_url: Option<DatabaseUrl>,
    /// A profile of the CLI, for a Supabase that is not supabase.com.
    #[arg(long, value_name = "FILE")]
    pub(crate) profile: Option<String>,
}

/// An address that is never shown whole.
#[derive(Clone)]
pub(crate) struct DatabaseUrl(String);

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.shown())
    }
}

impl From<String> for DatabaseUrl {
    fn from(url: String) -> Self {
        Self(url)
    }
}

impl DatabaseUrl {
    /// Host, port and database.
    pub(crate) fn shown(&self) -> &str {
        let start = self.0.rfind('@').map_or_else(
            || self.0.find("://").map_or(0, |at| at + "://".len()),
            |at| at + 1,
        );
        self.0[start..].split('?').next().unwrap_or_default()
    }

    /// All of it, for whoever connects.
    pub(crate) fn whole(&self) -> &str {
        &self.0
    }

    /// What stands between the user's name and the host.
    fn password(&self) -> Option<&str> {
        let (_, rest) = self.0.split_once("://")?;
        let (user, _) = rest.rsplit_once('@')?;
        let (_, password) = user.split_once(':')?;
        (!password.is_empty()).then_some(password)
    }
}

impl Target {
    /// The flag by which commands about a database find theirs; without one it is the linked project.
    pub(crate) fn database(&self) -> String {
        match (&self.db_url, &self.project_ref) {
            (Some(url), _) => format!("--remote={}", url.0),
            (None, Some(project)) => format!("--remote={project}"),
            (None, None) => "--remote".to_owned(),
        }
    }

    /// The same, or the local stack if one is running and nothing else is named.
    pub(crate) fn or_local(&self, repo: &Repo) -> Self {
        let mut target = self.clone();
        if target.db_url.is_none() && target.project_ref.is_none() {
            target.db_url = local_database(&repo.root.join(LOCAL_STATUS)).map(DatabaseUrl);
        }
        target
    }

    /// The database in words.
    pub(crate) fn shown(&self) -> String {
        match (&self.db_url, &self.project_ref) {
            (Some(url), _) => format!("the database {}", url.shown()),
            (None, Some(project)) => format!("project {project}"),
            (None, None) => "the linked project".to_owned(),
        }
    }
}

/// The database of the stack that this file tells of, if it runs: what ended at once has left its file.
fn local_database(status: &Path) -> Option<String> {
    let status: Value = serde_json::from_slice(&fs::read(status).ok()?).ok()?;
    let supervisor = i32::try_from(status["pids"]["supervisor"].as_i64()?).ok()?;
    kill(Pid::from_raw(supervisor), None).ok()?;
    status["DB_URL"].as_str().map(str::to_owned)
}

fn project_ref(text: &str) -> Result<String, String> {
    if text.len() == REF_LENGTH && text.bytes().all(|byte| byte.is_ascii_lowercase()) {
        return Ok(text.to_owned());
    }
    Err(format!(
        "a project ref is {REF_LENGTH} lower-case letters, as in https://REF.supabase.co; the dashboard shows it under \
         Project Settings, General"
    ))
}

/// Reads an address from the command line.
pub(crate) fn database_url(text: &str) -> Result<DatabaseUrl, String> {
    if text.starts_with("postgresql://") || text.starts_with("postgres://") {
        return Ok(DatabaseUrl(text.to_owned()));
    }
    Err(
        "an address looks like postgresql://postgres:PASSWORD@HOST:5432/postgres; the dashboard shows yours under Connect"
            .to_owned(),
    )
}

/// The CLI of package.json, for one target.
pub(crate) struct Supabase<'a> {
    repo: &'a Repo,
    target: &'a Target,
    program: PathBuf,
}

impl<'a> Supabase<'a> {
    /// Finds it among the npm packages.
    pub(crate) fn find(repo: &'a Repo, target: &'a Target) -> Result<Self> {
        Ok(Self {
            repo,
            target,
            program: program(repo)?,
        })
    }

    /// Runs a command and gives what it reports.
    pub(crate) fn json(&self, arguments: &[&str]) -> Result<Value> {
        let printed = self.run(arguments)?;
        serde_json::from_str(&printed)
            .with_context(|| format!("`supabase {}` did not report in JSON", plain(arguments)))
    }

    /// TypeScript types of a schema.
    pub(crate) fn types(&self, schema: &str) -> Result<String> {
        self.run(&[
            "gen",
            "types",
            "--lang",
            "typescript",
            "--schema",
            schema,
            &self.target.database(),
        ])
    }

    /// A failure is told in the CLI's own words.
    fn run(&self, arguments: &[&str]) -> Result<String> {
        self.finish(Command::new("node"), arguments)
    }

    fn finish(&self, mut command: Command, arguments: &[&str]) -> Result<String> {
        command
            .current_dir(&self.repo.root)
            .arg(&self.program)
            .args(arguments)
            // `no`: the same answers whoever starts it.
            .args(["--output-format", "json", "--agent", "no"])
            .env("SUPABASE_NO_UPDATE_NOTIFIER", "1")
            .env("NO_COLOR", "1")
            .stdin(Stdio::null());
        if let Some(profile) = &self.target.profile {
            command.args(["--profile", profile]);
        }
        let output = command
            .output()
            .context("cannot start node; Interlock needs Node.js 20 or later on PATH")?;
        let printed = String::from_utf8_lossy(&output.stdout);
        if output.status.success() {
            return Ok(printed.into_owned());
        }
        let report = serde_json::from_str(&printed).ok();
        let told = report.as_ref().and_then(failure).unwrap_or_else(|| {
            let said = String::from_utf8_lossy(&output.stderr);
            format!("{printed}{said}").trim().to_owned()
        });
        Err(anyhow!(
            "`supabase {}` on {} failed: {}",
            plain(arguments),
            self.target.shown(),
            self.without_secrets(&told)
        ))
    }

    /// The rows of a query that only reads.
    pub(crate) fn rows(&self, file: &str) -> Result<Vec<Value>> {
        let found = self.json(&[
            "db",
            "query",
            "--read-only",
            "--file",
            file,
            &self.target.database(),
        ])?;
        rows_of(found, file)
    }

    /// The same, of a query that is not in a file.
    pub(crate) fn select(&self, sql: &str) -> Result<Vec<Value>> {
        let database = self.target.database();
        let found = self.json(&["db", "query", "--read-only", sql, &database])?;
        rows_of(found, sql)
    }

    /// Runs a statement that writes. Once begun it ends: Ctrl-C is not for its process.
    pub(crate) fn execute(&self, sql: &str) -> Result<()> {
        let mut command = Command::new("node");
        command.process_group(0);
        let database = self.target.database();
        self.finish(command, &["db", "query", "--yes", sql, &database])?;
        Ok(())
    }

    /// Runs a file that writes.
    pub(crate) fn execute_file(&self, file: &str) -> Result<()> {
        let database = self.target.database();
        self.run(&["db", "query", "--yes", "--file", file, &database])?;
        Ok(())
    }

    /// The rows of a statement that writes.
    pub(crate) fn write(&self, sql: &str) -> Result<Vec<Value>> {
        let database = self.target.database();
        let found = self.json(&["db", "query", "--yes", sql, &database])?;
        rows_of(found, sql)
    }

    fn without_secrets(&self, text: &str) -> String {
        let secrets = [
            self.target
                .db_url
                .as_ref()
                .and_then(DatabaseUrl::password)
                .map(str::to_owned),
            env::var("SUPABASE_ACCESS_TOKEN").ok(),
            env::var("SUPABASE_DB_PASSWORD").ok(),
        ];
        secrets
            .into_iter()
            .flatten()
            // A shorter one would take letters out of words.
            .filter(|secret| secret.len() >= 4)
            .fold(text.to_owned(), |text, secret| text.replace(&secret, "…"))
    }
}

fn rows_of(found: Value, query: &str) -> Result<Vec<Value>> {
    match found {
        Value::Array(rows) => Ok(rows),
        Value::Object(mut object) => match object.remove("rows") {
            Some(Value::Array(rows)) => Ok(rows),
            _ => bail!("the CLI did not answer {query} with rows"),
        },
        _ => bail!("the CLI did not answer {query} with rows"),
    }
}

/// A command without what may hold a password.
fn plain(arguments: &[&str]) -> String {
    let words = arguments
        .iter()
        .filter(|word| !word.starts_with("--remote"));
    words.copied().collect::<Vec<_>>().join(" ")
}

/// npm's start script of the CLI.
pub(crate) fn program(repo: &Repo) -> Result<PathBuf> {
    repo.npm_file("supabase/dist/supabase.js")
        .context("the Supabase CLI is missing; it is one of the npm packages of this repository")
}

/// The message and the advice of a failure.
fn failure(report: &Value) -> Option<String> {
    let error = report.get("error")?;
    let message = error["message"].as_str()?;
    Some(match error["suggestion"].as_str() {
        Some(suggestion) => format!("{message}\n{suggestion}"),
        None => message.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_without_its_password() {
        let url =
            DatabaseUrl("postgresql://postgres:p@ss:w@db.example.com:5432/postgres?x=1".into());
        assert_eq!(url.shown(), "db.example.com:5432/postgres");
        assert_eq!(format!("{url:?}"), url.shown());
        assert_eq!(url.password(), Some("p@ss:w"));
        let plain = DatabaseUrl("postgresql://localhost/postgres".into());
        assert_eq!(
            (plain.shown(), plain.password()),
            ("localhost/postgres", None)
        );
    }

    #[test]
    fn only_twenty_letters_are_a_ref() {
        assert!(project_ref("abcdefghijklmnopqrst").is_ok());
        for wrong in ["", "abc", "ABCDEFGHIJKLMNOPQRST", "https://abcdefghijk.s"] {
            assert!(project_ref(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_address_is_preferred_to_the_project() {
        let target = Target {
            project_ref: Some("abcdefghijklmnopqrst".into()),
            db_url: Some(DatabaseUrl("postgresql://u:secret@h/d".into())),
            profile: None,
        };
        assert_eq!(target.database(), "--remote=postgresql://u:secret@h/d");
        assert_eq!(target.shown(), "the database h/d");
    }

    #[test]
    fn only_a_stack_that_runs_has_a_database() {
        let file = env::temp_dir().join(format!("interlock-status-{}", std::process::id()));
        assert_eq!(local_database(&file), None, "there is none");
        let status =
            |pid: u32| format!(r#"{{"pids":{{"supervisor":{pid}}},"DB_URL":"postgresql://h/d"}}"#);
        fs::write(&file, status(std::process::id())).unwrap();
        assert_eq!(local_database(&file).as_deref(), Some("postgresql://h/d"));
        fs::write(&file, status(i32::MAX.unsigned_abs())).unwrap();
        assert_eq!(local_database(&file), None, "it has ended");
        fs::remove_file(&file).unwrap();
    }

    #[test]
    fn a_failure_is_told_with_its_advice() {
        let report = serde_json::json!({"error": {"message": "no", "suggestion": "do"}});
        assert_eq!(failure(&report).as_deref(), Some("no\ndo"));
    }
}
