//! A local stack for the tests, on ports of its own, with an empty database.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::repo::Repo;
use crate::supabase::{Supabase, Target};

/// A stack of our own, with an empty database, on ports that were free. It stops when this is
/// dropped, or when this process ends in whatever way.
pub(crate) struct LocalStack {
    /// Its URLs and keys.
    pub(crate) variables: BTreeMap<String, String>,
    _running: Running,
}

impl LocalStack {
    /// Builds the stack and starts it in a folder of that name in the target directory.
    pub(crate) fn start(repo: &Repo, folder: &str) -> Result<Self> {
        Self::start_with(repo, &repo.root, folder, &["--no-seed", "--no-storage"])
    }

    /// The same whose database can count statements; it does so only for sessions that ask for it.
    pub(crate) fn start_counting(repo: &Repo, folder: &str) -> Result<Self> {
        let options = [
            "--no-seed",
            "--no-storage",
            "--db-setting=shared_preload_libraries=pg_stat_statements",
            "--db-setting=pg_stat_statements.track=none",
            "--db-setting=compute_query_id=off",
        ];
        Self::start_with(repo, &repo.root, folder, &options)
    }

    /// The same with PgBouncer between the API and the database, which the API has more connections to than that has to the database.
    pub(super) fn start_pooled(repo: &Repo, folder: &str) -> Result<Self> {
        super::debian::pgbouncer(repo)?;
        let options = [
            "--no-seed",
            "--no-storage",
            "--with=pgbouncer",
            "--api-pool=100",
        ];
        Self::start_with(repo, &repo.root, folder, &options)
    }

    /// The same with the seed and with files, as a reader of the documentation has it.
    pub(super) fn start_seeded(repo: &Repo, folder: &str) -> Result<Self> {
        Self::start_with(repo, &repo.root, folder, &[])
    }

    /// The same with the console, whose lab has a schema of its own.
    pub(super) fn start_with_console(repo: &Repo, folder: &str) -> Result<Self> {
        Self::start_with(
            repo,
            &repo.root,
            folder,
            &["--no-storage", "--console-port=0"],
        )
    }

    /// The same beside a replica.
    pub(super) fn start_with_console_and_replica(repo: &Repo, folder: &str) -> Result<Self> {
        Self::start_with(
            repo,
            &repo.root,
            folder,
            &["--no-storage", "--console-port=0", "--with=replica"],
        )
    }

    /// From now on it serves many shops, of which the second one has this handle.
    pub(crate) fn serve_shops(&self, repo: &Repo, second: &str) -> Result<()> {
        let url = self.variables.get("DB_URL");
        let target = Target {
            db_url: Some(url.context("the stack has no DB_URL")?.clone().into()),
            ..Target::default()
        };
        let supabase = Supabase::find(repo, &target)?;
        supabase.execute("select interlock.serve_shops()")?;
        supabase.execute(&format!("select interlock.add_shop('{second}')"))
    }

    /// The same for the project in another directory.
    pub(crate) fn start_project(repo: &Repo, project: &Path, folder: &str) -> Result<Self> {
        Self::start_with(repo, project, folder, &["--no-seed", "--no-storage"])
    }

    fn start_with(repo: &Repo, project: &Path, folder: &str, options: &[&str]) -> Result<Self> {
        let binary = crate::stack::binary(repo, true)?;
        let with_redis = project == repo.root;
        if with_redis {
            super::debian::redis(repo)?;
        }
        let folder = repo.target.join(folder);
        let (running, variables) = start(project, &binary, &folder, with_redis, options)?;
        Ok(Self {
            variables,
            _running: running,
        })
    }
}

struct Running {
    child: Child,
    // Kept open: a stack that cannot write stops.
    _stdout: BufReader<ChildStdout>,
}

/// Returns when the stack answers, with the variables that describe it.
fn start(
    root: &Path,
    binary: &Path,
    folder: &Path,
    with_redis: bool,
    options: &[&str],
) -> Result<(Running, BTreeMap<String, String>)> {
    let log = folder.with_extension("log");
    if let Some(parent) = log.parent() {
        fs::create_dir_all(parent)?;
    }
    // The guard stops the stack when our end of its input closes, however this process ends.
    let mut child = Command::new(binary)
        .current_dir(root)
        .args(["guard", "--stop", "term", "--pid-file"])
        .arg(folder.with_extension("pid"))
        .arg("--lock-file")
        .arg(folder.with_extension("lock"))
        .arg("--")
        .arg(binary)
        .args(["up", "--fresh", "--json", "--inject-faults"])
        .args(with_redis.then_some("--with=redis"))
        .args(options)
        .args(["--api-port=0", "--db-port=0", "--dir"])
        .arg(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(File::create(&log)?)
        .spawn()
        .with_context(|| format!("cannot start {}", binary.display()))?;
    let mut stdout = BufReader::new(
        child
            .stdout
            .take()
            .context("the stack's output is not piped")?,
    );
    let mut line = String::new();
    stdout.read_line(&mut line)?;
    let running = Running {
        child,
        _stdout: stdout,
    };
    match variables(&line) {
        Ok(variables) => Ok((running, variables)),
        Err(error) => {
            drop(running);
            let said = fs::read_to_string(&log).unwrap_or_default();
            bail!("the stack did not start ({error}); it said:\n{said}")
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        // It ends by itself; how is no longer of interest.
        let _ = self.child.wait();
    }
}

fn variables(line: &str) -> Result<BTreeMap<String, String>> {
    if line.trim().is_empty() {
        bail!("it ended before it was ready");
    }
    let value: Value = serde_json::from_str(line)
        .with_context(|| format!("its first line is not JSON: {line}"))?;
    let object = value.as_object().context("its first line is no object")?;
    Ok(object
        .iter()
        .filter_map(|(name, value)| {
            let text = match value {
                Value::String(text) => text.clone(),
                Value::Number(number) => number.to_string(),
                _ => return None,
            };
            Some((name.clone(), text))
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_numbers_become_variables() {
        let found = variables(r#"{"API_URL":"http://x","PORT":1,"parts":[]}"#).expect("JSON");
        assert_eq!(found["API_URL"], "http://x");
        assert_eq!(found["PORT"], "1");
        assert_eq!(found.len(), 2);
    }

    #[test]
    fn a_stack_that_says_nothing_did_not_start() {
        assert!(variables("").is_err());
    }
}
