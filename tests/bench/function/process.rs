//! A function in a Deno process of its own, with what the platform gives it and nothing else, as the
//! local stack runs it.

use super::root;
use anyhow::{Context, Result, bail};
use serde_json::json;
use std::fs;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

/// A program that runs functions.
#[derive(Debug)]
pub(crate) struct Deno {
    program: PathBuf,
    /// Such as `2.9.6`.
    pub(crate) version: String,
}

impl Deno {
    /// Today's, and the one that the platform is compatible with if it is installed.
    pub(crate) fn both() -> Result<Vec<Self>> {
        let found: Vec<Self> = ["@deno", "@deno-2.1"]
            .iter()
            .map(|scope| Self::installed(scope))
            .collect::<Result<Vec<_>>>()?
            .into_iter()
            .flatten()
            .collect();
        if found.is_empty() {
            bail!("there is no Deno in node_modules; run `npm install` first");
        }
        Ok(found)
    }

    /// The native program of this system below `node_modules`.
    fn installed(scope: &str) -> Result<Option<Self>> {
        let scope = root()?.join("node_modules").join(scope);
        let Ok(packages) = fs::read_dir(scope) else {
            return Ok(None);
        };
        for package in packages {
            let program = package?.path().join("deno");
            if program.is_file() {
                let version = std::process::Command::new(&program)
                    .arg("--version")
                    .output()?;
                let version = String::from_utf8(version.stdout)?;
                let version = version
                    .split(' ')
                    .nth(1)
                    .context("Deno tells its version")?;
                return Ok(Some(Deno {
                    program,
                    version: version.to_owned(),
                }));
            }
        }
        Ok(None)
    }
}

/// A function that serves.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    /// Where it listens.
    pub(crate) url: String,
}

impl Process {
    /// Before the API at `address` (`host:port`), which it calls under `key`. Returns as soon as it listens, which it does
    /// once its modules are loaded.
    pub(crate) async fn start(deno: &Deno, folder: &str, address: &str, key: &str) -> Result<Self> {
        let root = root()?;
        let folder = root.join(folder);
        let keys = json!({ "default": key }).to_string();
        let mut child = Command::new(&deno.program)
            .args(["serve", "--no-prompt", "--cached-only", "--no-lock"])
            // supabase-js is the one that `npm install` put there: nothing is fetched here.
            .arg("--node-modules-dir=manual")
            .args(["--host", "127.0.0.1", "--port", "0"])
            .arg(format!("--allow-net={address}"))
            .arg("--allow-env")
            .arg("--config")
            .arg(folder.join("deno.json"))
            .arg(folder.join("index.ts"))
            .current_dir(&folder)
            .env_clear()
            .env("SUPABASE_URL", format!("http://{address}"))
            .env("SUPABASE_PUBLISHABLE_KEYS", keys)
            .env("DENO_DIR", root.join("target/bench-deno"))
            .env("DENO_NO_UPDATE_CHECK", "1")
            .env("DENO_NO_PACKAGE_JSON", "1")
            .env("NO_COLOR", "1")
            .stdin(Stdio::null())
            // A line for each request; whoever reads it is not measured here.
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start {}", deno.program.display()))?;
        let stderr = child.stderr.take().context("its errors are piped")?;
        let mut lines = BufReader::new(stderr).lines();
        let mut said = String::new();
        while let Some(line) = lines.next_line().await? {
            if let Some((_, url)) = line.split_once("Listening on ") {
                let url = url.trim().to_owned();
                // A function that cannot write its errors would stop.
                tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
                return Ok(Process { child, url });
            }
            said.push_str(&line);
            said.push('\n');
        }
        bail!(
            "the function in {} did not start:\n{said}",
            folder.display()
        )
    }

    /// The time that all its threads have been running on a processor.
    pub(crate) fn cpu(&self) -> Result<Duration> {
        cpu(self.child.id().context("the function has ended")?)
    }

    /// Ends it and waits until it is gone.
    pub(crate) async fn stop(&mut self) -> Result<()> {
        self.child.kill().await?;
        Ok(())
    }
}

/// The time that all threads of a process have been running on a processor.
pub(crate) fn cpu(pid: u32) -> Result<Duration> {
    let mut nanoseconds = 0;
    // In `stat` there are hundredths of a second; here there are nanoseconds.
    for thread in fs::read_dir(format!("/proc/{pid}/task"))
        .context("CPU time is read from /proc, which only Linux has")?
    {
        let times = fs::read_to_string(thread?.path().join("schedstat"))?;
        let running = times.split(' ').next().unwrap_or_default();
        nanoseconds += running.parse::<u64>()?;
    }
    Ok(Duration::from_nanos(nanoseconds))
}
