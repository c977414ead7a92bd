//! An app that reads at a replica by the typed client, `tests/client/replica.ts`.

use crate::prove::own_stack::OwnStack;
use anyhow::{Context, Result};
use serde_json::Value;
use std::path::Path;
use std::process::Stdio;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use uuid::Uuid;

/// The app; it ends with this.
pub(super) struct Reader {
    _process: Child,
    asked: ChildStdin,
    said: Lines<BufReader<ChildStdout>>,
}

/// How much there is of the product, and which server says so.
#[derive(Debug, PartialEq)]
pub(super) struct Stock {
    pub(super) available: i64,
    pub(super) at: String,
}

impl Stock {
    pub(super) fn new(available: i64, at: &str) -> Self {
        let at = at.to_owned();
        Self { available, at }
    }
}

impl Reader {
    /// Somebody with that token, who looks at the product.
    pub(super) fn start(stack: &OwnStack, token: &str, product: Uuid) -> Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"))
            .parent()
            .context("the tests lie in the workspace")?;
        let mut process = Command::new(root.join("node_modules/.bin/deno"))
            .args([
                "run",
                "--no-lock",
                "--no-check",
                "--allow-net",
                "--allow-env",
            ])
            .arg("tests/client/replica.ts")
            .current_dir(root)
            .env("NO_COLOR", "1")
            .env("API_URL", stack.variable("API_URL")?)
            .env("ANON_KEY", stack.variable("ANON_KEY")?)
            .env(
                "REPLICA_REST_URL",
                stack.variable("INTERLOCK_REPLICA_REST_URL")?,
            )
            .env("TOKEN", token)
            .env("PRODUCT", product.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("node_modules has Deno: run `npm ci`")?;
        let asked = process.stdin.take().context("its input is piped")?;
        let said = process.stdout.take().context("its output is piped")?;
        Ok(Self {
            _process: process,
            asked,
            said: BufReader::new(said).lines(),
        })
    }

    /// Has it do something, without an answer yet.
    pub(super) async fn ask(&mut self, deed: &str) -> Result<()> {
        self.asked.write_all(format!("{deed}\n").as_bytes()).await?;
        Ok(())
    }

    /// What it has found.
    pub(super) async fn hear(&mut self) -> Result<Value> {
        let line = self.said.next_line().await?;
        let line = line.context("the app beside the replica has ended")?;
        Ok(serde_json::from_str(&line)?)
    }

    /// Has it buy one, or cancel the order that it made last.
    pub(super) async fn write(&mut self, deed: &str) -> Result<()> {
        self.ask(deed).await?;
        let done = self.hear().await?;
        anyhow::ensure!(done["order"].is_string(), "no {deed}: {done}");
        Ok(())
    }

    /// It looks how much there is.
    pub(super) async fn look(&mut self, deed: &str) -> Result<Stock> {
        self.ask(deed).await?;
        self.found().await
    }

    /// What it has found of the stock.
    pub(super) async fn found(&mut self) -> Result<Stock> {
        let found = self.hear().await?;
        let available = found["available"].as_i64();
        let available = available.with_context(|| format!("no stock in {found}"))?;
        let at = found["at"].as_str().unwrap_or_default();
        Ok(Stock::new(available, at))
    }
}
