//! The stack that the faults strike: one of our own that starts its parts again, with proxies between
//! the parts; or somebody else's, where only the way to it is ours.

use super::proxy::{COMMIT, HTTP_REQUEST, Link};
use crate::prove::own_stack::{self, OwnStack, connect};
use anyhow::{Context, Result};
use reqwest::Method;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use tokio_postgres::Client;

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
    stack: OwnStack,
}

impl Site {
    /// A stack of our own if the environment says which program that is, else the one at `api_url`;
    /// `None` if no proxy can stand before that.
    pub(crate) async fn open(api_url: &str) -> Result<Option<Self>> {
        match (own_stack::program(), api_url.strip_prefix("http://")) {
            (Some(program), _) => Self::start(&program).await.map(Some),
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
        // They are chosen here because the proxies must know them before the stack starts.
        let ports = OwnStack::free_ports(program, 2).await?;
        let (api_port, db_port) = (ports[0], ports[1]);
        let front = Link::open(format!("127.0.0.1:{api_port}"), HTTP_REQUEST).await?;
        let functions = Link::open(format!("127.0.0.1:{api_port}"), HTTP_REQUEST).await?;
        let database = Link::open(format!("127.0.0.1:{db_port}"), COMMIT).await?;
        let options = [
            "--restart".to_owned(),
            "--inject-faults".to_owned(),
            format!("--api-port={api_port}"),
            format!("--db-port={db_port}"),
            format!("--api-finds-db-at={}", database.port),
            format!("--functions-find-api-at={}", functions.port),
            format!("--api-pool={POOL}"),
        ];
        let stack = OwnStack::start(
            program,
            "fault-stack",
            &options.map(Into::into),
            // Every function gets what begins so: shorter than a client's own patience, longer than
            // a wait for a lock.
            &[("INTERLOCK_UPSTREAM_TIMEOUT_MS", "3000")],
        )
        .await?;
        let variables = stack.variables.clone();
        Ok(Site {
            front,
            own: Some(Own {
                functions,
                database,
                gateway: format!("http://127.0.0.1:{api_port}"),
                stack,
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
            own.stack.close().await?;
        }
        Ok(())
    }
}

impl Own {
    /// Injects a fault into the gateway, or ends all of them (crates/stack/src/proxy_faults.rs).
    pub(crate) async fn tell_gateway(&self, method: Method, fault: &Value) -> Result<Value> {
        let url = format!("{}/faults", self.gateway);
        let request = reqwest::Client::new().request(method, url).json(fault);
        Ok(request.send().await?.error_for_status()?.json().await?)
    }

    /// Ends a part as a crash would.
    pub(crate) fn kill(&self, part: &str) -> Result<()> {
        self.stack.kill(part)
    }
}
