//! Runs the Supabase CLI and our own commands, as a user's shell would.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::Value;
use tokio::process::{Child, Command};

/// How a command ended, and what it printed.
pub(crate) struct Finished {
    pub(crate) success: bool,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Finished {
    /// Everything it said.
    pub(crate) fn said(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }

    /// The same, once it is sure that it succeeded.
    pub(crate) fn succeeded(self) -> Self {
        assert!(self.success, "{}", self.said());
        self
    }

    /// The same, once it is sure that it failed.
    pub(crate) fn failed(self) -> Self {
        assert!(!self.success, "this should have failed: {}", self.said());
        self
    }

    /// Its standard output as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("{error} in {}", self.said()))
    }
}

/// The repository.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("tests/ lies in the repository")
}

/// Where these tests may write: below cargo's target directory.
pub(crate) fn work_folder(name: &str) -> PathBuf {
    let folder = built("..").join("ship").join(name);
    std::fs::create_dir_all(&folder).expect("the target directory can be written");
    folder
}

/// A program of the workspace, which cargo puts two folders above a test.
fn built(program: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a test knows its own file");
    let folder = test
        .parent()
        .and_then(Path::parent)
        .expect("cargo puts tests into target/PROFILE/deps");
    folder.join(program)
}

/// The Supabase CLI in a project's folder.
pub(crate) async fn supabase(project: &Path, arguments: &[&str]) -> Finished {
    supabase_with(project, arguments, &[]).await
}

/// The same, with more variables.
pub(crate) async fn supabase_with(
    project: &Path,
    arguments: &[&str],
    variables: &[(&str, &str)],
) -> Finished {
    let mut command = Command::new("node");
    command
        .arg(root().join("node_modules/supabase/dist/supabase.js"))
        .args(arguments);
    finish(command, project, variables).await
}

/// `cargo xtask …`, with more variables.
pub(crate) async fn xtask(arguments: &[&str], variables: &[(&str, &str)]) -> Finished {
    finish(xtask_command(arguments), root(), variables).await
}

/// The same while it goes on, with its standard output to be read.
pub(crate) fn xtask_running(arguments: &[&str]) -> Child {
    let mut command = xtask_command(arguments);
    command.stdout(Stdio::piped());
    among_ourselves(&mut command, root(), &[])
        .spawn()
        .expect("the program starts")
}

fn xtask_command(arguments: &[&str]) -> Command {
    let program = built("xtask");
    assert!(program.is_file(), "run `cargo build --package xtask` first");
    let mut command = Command::new(program);
    command.args(arguments);
    command
}

/// The SQL that gives a plain database what the platform gives.
pub(crate) async fn platform_sql() -> String {
    let program = built("interlock-stack");
    assert!(
        program.is_file(),
        "run `cargo build --package interlock-stack` first"
    );
    let mut command = Command::new(program);
    command.args(["platform-sql", "--default-privileges", "legacy"]);
    finish(command, root(), &[]).await.succeeded().stdout
}

/// Nobody's login, settings or notices have a part in this.
fn among_ourselves<'a>(
    command: &'a mut Command,
    folder: &Path,
    variables: &[(&str, &str)],
) -> &'a mut Command {
    command
        .current_dir(folder)
        .env("SUPABASE_HOME", work_folder("supabase-home"))
        .env("DO_NOT_TRACK", "1")
        .env("SUPABASE_TELEMETRY_DISABLED", "1")
        .env("SUPABASE_NO_UPDATE_NOTIFIER", "1")
        .env("SUPABASE_NO_KEYRING", "1")
        .env_remove("SUPABASE_ACCESS_TOKEN")
        .env_remove("INTERLOCK_DB_URL")
        .env("NO_COLOR", "1")
        .envs(variables.iter().copied())
        .stdin(Stdio::null())
        .kill_on_drop(true)
}

async fn finish(mut command: Command, folder: &Path, variables: &[(&str, &str)]) -> Finished {
    let output = among_ourselves(&mut command, folder, variables)
        .output()
        .await
        .expect("the program starts");
    Finished {
        success: output.status.success(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}
