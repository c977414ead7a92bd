//! The stack that the faults strike: one of our own that starts its parts again, with proxies between
//! the parts; or somebody else's, where only the way to it is ours.

use super::proxy::{COMMIT, HTTP_REQUEST, Link};
use anyhow::{Context, Result};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use reqwest::Method;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::Mutex;
use tokio_postgres::{Client, NoTls};

/// What the program `interlock-stack` is called in the environment.
const PROGRAM: &str = "INTERLOCK_STACK";
/// Connections of the API: fewer than there are clients, so that the pool can be full.
pub(crate) const POOL: usize = 12;

/// A stack with a proxy in front of it.
pub(crate) struct Site {
    /// Between the clients and the gateway.
    pub(crate) front: Arc<Link>,
    /// What can only be done to a stack of our own.
    pub(crate) own: Option<Own>,
    variables: BTreeMap<String, String>,
}

/// A stack of our own, with proxies between its parts.
pub(crate) struct Own {
    /// Between the functions and the gateway.
    pub(crate) functions: Arc<Link>,
    /// Between the API and the database.
    pub(crate) database: Arc<Link>,
    gateway: String,
    folder: PathBuf,
    // The stack's guard stops it when this closes, however this process ends.
    running: Mutex<(Option<ChildStdin>, Child)>,
}

impl Site {
    /// A stack of our own if the environment says which program that is, else the one at `api_url`;
    /// `None` if no proxy can stand before that.
    pub(crate) async fn open(api_url: &str) -> Result<Option<Self>> {
        match (std::env::var_os(PROGRAM), api_url.strip_prefix("http://")) {
            (Some(program), _) => Self::start(Path::new(&program)).await.map(Some),
            (None, Some(address)) => Self::foreign(address).await.map(Some),
            (None, None) => Ok(None),
        }
    }

    async fn foreign(address: &str) -> Result<Self> {
        Ok(Site {
            front: Link::open(address.to_owned(), HTTP_REQUEST).await?,
            own: None,
            variables: std::env::vars_os()
                .filter_map(|(name, value)| {
                    Some((name.into_string().ok()?, value.into_string().ok()?))
                })
                .collect(),
        })
    }

    async fn start(program: &Path) -> Result<Self> {
        let folder = program
            .ancestors()
            .nth(2)
            .context("the stack's program lies in the target directory")?
            .join("fault-stack");
        // They are chosen here because the proxies must know them before the stack starts.
        let ports = Command::new(program)
            .args(["free-port", "2"])
            .output()
            .await?;
        let ports = String::from_utf8(ports.stdout)?;
        let (api_port, db_port) = ports
            .trim()
            .split_once('\n')
            .with_context(|| format!("{} gives no free ports", program.display()))?;
        let front = Link::open(format!("127.0.0.1:{api_port}"), HTTP_REQUEST).await?;
        let functions = Link::open(format!("127.0.0.1:{api_port}"), HTTP_REQUEST).await?;
        let database = Link::open(format!("127.0.0.1:{db_port}"), COMMIT).await?;
        let log = folder.with_extension("log");
        let mut guard = Command::new(program)
            .args(["guard", "--stop", "term", "--pid-file"])
            .arg(folder.with_extension("pid"))
            .arg("--lock-file")
            .arg(folder.with_extension("lock"))
            .arg("--")
            .arg(program)
            .args([
                "up",
                "--fresh",
                "--no-seed",
                "--no-storage",
                "--json",
                "--restart",
            ])
            .args(["--inject-faults", "--dir"])
            .arg(&folder)
            .arg(format!("--api-port={api_port}"))
            .arg(format!("--db-port={db_port}"))
            .arg(format!("--api-finds-db-at={}", database.port))
            .arg(format!("--functions-find-api-at={}", functions.port))
            .arg(format!("--api-pool={POOL}"))
            // Every function gets what begins so: shorter than a client's own patience, longer than
            // a wait for a lock.
            .env("INTERLOCK_UPSTREAM_TIMEOUT_MS", "3000")
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
            format!("the stack for the faults did not start; it said:\n{said}")
        })?;
        let variables = status
            .as_object()
            .context("a status is an object")?
            .iter()
            .filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())))
            .collect();
        Ok(Site {
            front,
            own: Some(Own {
                functions,
                database,
                gateway: format!("http://127.0.0.1:{api_port}"),
                folder,
                running: Mutex::new((leash, guard)),
            }),
            variables,
        })
    }

    /// A variable of `supabase status -o env`.
    pub(crate) fn variable(&self, name: &str) -> Result<&str> {
        self.variables
            .get(name)
            .map(String::as_str)
            .with_context(|| format!("{name} is not set"))
    }

    /// The root of the API behind the front proxy.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.front.port)
    }

    /// A session of the owner role; fails while the database is down.
    pub(crate) async fn connect(&self) -> Result<Client> {
        connect(self.variable("DB_URL")?).await
    }

    /// A superuser's session where there is one, else the owner's.
    pub(crate) async fn connect_as_admin(&self) -> Result<Client> {
        match self.variables.get("INTERLOCK_ADMIN_DB_URL") {
            Some(url) => connect(url).await,
            None => self.connect().await,
        }
    }

    /// Ends every fault of the proxies.
    pub(crate) fn calm(&self) {
        self.front.calm();
        if let Some(own) = &self.own {
            own.functions.calm();
            own.database.calm();
        }
    }

    /// Stops a stack of our own and waits until it has stopped.
    pub(crate) async fn close(&self) -> Result<()> {
        self.calm();
        if let Some(own) = &self.own {
            let mut running = own.running.lock().await;
            drop(running.0.take());
            running.1.wait().await?;
        }
        Ok(())
    }
}

impl Own {
    /// The process of a part, by the stack's own account.
    pub(crate) fn pid(&self, part: &str) -> Result<i32> {
        let status = std::fs::read(self.folder.join("status.json"))?;
        let status: Value = serde_json::from_slice(&status)?;
        let pid = status["pids"][part].as_i64();
        let pid = pid.with_context(|| format!("no process {part} in the stack's status"))?;
        Ok(i32::try_from(pid)?)
    }

    /// Injects a fault into the gateway, or ends all of them (crates/stack/src/proxy_faults.rs).
    pub(crate) async fn tell_gateway(&self, method: Method, fault: &Value) -> Result<Value> {
        let url = format!("{}/faults", self.gateway);
        let request = reqwest::Client::new().request(method, url).json(fault);
        Ok(request.send().await?.error_for_status()?.json().await?)
    }

    /// Ends a part as a crash would.
    pub(crate) fn kill(&self, part: &str) -> Result<()> {
        crash(self.pid(part)?)
    }
}

/// Ends a process as a crash would.
pub(crate) fn crash(pid: i32) -> Result<()> {
    kill(Pid::from_raw(pid), Signal::SIGKILL).with_context(|| format!("cannot kill {pid}"))
}

async fn connect(url: &str) -> Result<Client> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}
