//! A stack of a section's own, which it may strike, kill and rebuild.

use anyhow::{Context, Result};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::Mutex;
use tokio_postgres::{Client, NoTls};

/// What the program `interlock-stack` is called in the environment; `cargo xtask prove` sets it.
const PROGRAM: &str = "INTERLOCK_STACK";

/// The program `interlock-stack`, if the environment says which it is.
pub(crate) fn program() -> Option<PathBuf> {
    std::env::var_os(PROGRAM).map(PathBuf::from)
}

/// A running stack. It stops when this process ends, however that is.
pub(crate) struct OwnStack {
    /// Its URLs and keys.
    pub(crate) variables: BTreeMap<String, String>,
    folder: PathBuf,
    // The stack's guard stops it when this closes, however this process ends.
    running: Mutex<(Option<ChildStdin>, Child)>,
}

impl OwnStack {
    /// Ports that nobody listens at, for what must know the stack's before it starts.
    pub(crate) async fn free_ports(program: &Path, count: usize) -> Result<Vec<u16>> {
        let said = Command::new(program)
            .args(["free-port", &count.to_string()])
            .output()
            .await?;
        let ports: Vec<u16> = String::from_utf8(said.stdout)?
            .lines()
            .map(str::parse)
            .collect::<Result<_, _>>()?;
        anyhow::ensure!(
            ports.len() == count,
            "{} gives no free ports",
            program.display()
        );
        Ok(ports)
    }

    /// Starts one with an empty database in a folder of that name in the target directory.
    pub(crate) async fn start(
        program: &Path,
        folder: &str,
        options: &[OsString],
        environment: &[(&str, &str)],
    ) -> Result<Self> {
        let folder = program
            .ancestors()
            .nth(2)
            .context("the stack's program lies in the target directory")?
            .join(folder);
        let log = folder.with_extension("log");
        let mut guard = Command::new(program)
            .args(["guard", "--stop", "term", "--pid-file"])
            .arg(folder.with_extension("pid"))
            .arg("--lock-file")
            .arg(folder.with_extension("lock"))
            .arg("--")
            .arg(program)
            .args(["up", "--fresh", "--no-seed", "--no-storage", "--json"])
            .arg("--dir")
            .arg(&folder)
            .args(options)
            .envs(environment.iter().copied())
            .env_remove(PROGRAM)
            // It has a payment provider of its own.
            .env_remove("STRIPE_SECRET_KEY")
            .env_remove("STRIPE_API_URL")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(File::create(&log).with_context(|| format!("cannot write {}", log.display()))?)
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        let leash = guard.stdin.take();
        let stdout = guard.stdout.take().context("its output is piped")?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line).await?;
        let status: Value = serde_json::from_str(&line).with_context(|| {
            let said = std::fs::read_to_string(&log).unwrap_or_default();
            format!(
                "the stack in {} did not start; it said:\n{said}",
                folder.display()
            )
        })?;
        let variables = status
            .as_object()
            .context("a status is an object")?
            .iter()
            .filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())))
            .collect();
        Ok(OwnStack {
            variables,
            folder,
            running: Mutex::new((leash, guard)),
        })
    }

    /// A variable of `supabase status -o env`.
    pub(crate) fn variable(&self, name: &str) -> Result<&str> {
        let value = self.variables.get(name).map(String::as_str);
        value.with_context(|| format!("{name} is not set"))
    }

    /// The process of a part, by the stack's own account.
    pub(crate) fn pid(&self, part: &str) -> Result<i32> {
        let status = std::fs::read(self.folder.join("status.json"))?;
        let status: Value = serde_json::from_slice(&status)?;
        let pid = status["pids"][part].as_i64();
        let pid = pid.with_context(|| format!("no process {part} in the stack's status"))?;
        Ok(i32::try_from(pid)?)
    }

    /// Ends a part as a crash would.
    pub(crate) fn kill(&self, part: &str) -> Result<()> {
        crash(self.pid(part)?)
    }

    /// Stops it and waits until it has stopped.
    pub(crate) async fn close(&self) -> Result<()> {
        let mut running = self.running.lock().await;
        drop(running.0.take());
        running.1.wait().await?;
        Ok(())
    }
}

/// Ends a process as a crash would.
pub(crate) fn crash(pid: i32) -> Result<()> {
    kill(Pid::from_raw(pid), Signal::SIGKILL).with_context(|| format!("cannot kill {pid}"))
}

/// A database session; fails while the database is down.
pub(crate) async fn connect(url: &str) -> Result<Client> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}
