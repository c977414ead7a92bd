//! Databases of our own, on the server of the stack.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::OnceCell;
use tokio_postgres::{Client, NoTls};

use crate::cli::{Finished, platform_sql, root, supabase};

/// A database with what the platform gives, for one test.
pub(crate) struct Scratch {
    /// Its address, for the role that migrations run as.
    pub(crate) url: String,
    name: String,
}

impl Scratch {
    /// Nothing in it but what the platform gives.
    pub(crate) async fn empty(name: &str) -> Self {
        Self::copy(name, platform().await).await
    }

    /// All migrations are pushed.
    pub(crate) async fn pushed(name: &str) -> Self {
        Self::copy(name, pushed().await).await
    }

    /// A copy of another database, which nobody is connected to.
    pub(crate) async fn copy(name: &str, template: &str) -> Self {
        let name = format!("ship_{name}");
        create(&name, template).await;
        Self {
            url: url_of("DB_URL", &name),
            name,
        }
    }

    /// The name of the database.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// A session of the owner role.
    pub(crate) async fn connect(&self) -> Client {
        connect(&self.url).await
    }

    /// Ends all sessions, so that it can be copied.
    pub(crate) async fn close(&self) {
        let admin = connect(&variable("INTERLOCK_ADMIN_DB_URL")).await;
        admin
            .execute(
                "select pg_terminate_backend(pid, 10000) from pg_stat_activity where datname = $1",
                &[&self.name],
            )
            .await
            .expect("sessions can be ended");
    }

    /// A session of a superuser.
    pub(crate) async fn connect_as_admin(&self) -> Client {
        connect(&url_of("INTERLOCK_ADMIN_DB_URL", &self.name)).await
    }

    /// The flag by which the CLI finds it.
    pub(crate) fn remote(&self) -> String {
        format!("--remote={}", self.url)
    }

    /// `supabase db push` of this repository, with more arguments.
    pub(crate) async fn push(&self, arguments: &[&str]) -> Finished {
        let remote = self.remote();
        let mut all = vec!["db", "push", "--yes", &remote];
        all.extend(arguments);
        supabase(root(), &all).await
    }

    /// Removes it. A test that fails leaves its database to be looked at; the next run replaces it.
    pub(crate) async fn remove(self) {
        let admin = connect(&variable("INTERLOCK_ADMIN_DB_URL")).await;
        drop_database(&admin, &self.name).await;
    }
}

async fn platform() -> &'static str {
    static MADE: OnceCell<()> = OnceCell::const_new();
    const NAME: &str = "ship_platform";
    MADE.get_or_init(async || {
        create(NAME, "template0").await;
        let session = connect(&url_of("INTERLOCK_ADMIN_DB_URL", NAME)).await;
        session
            .batch_execute(&platform_sql().await)
            .await
            .expect("the platform's roles and schemas can be made");
    })
    .await;
    NAME
}

async fn pushed() -> &'static str {
    static MADE: OnceCell<()> = OnceCell::const_new();
    const NAME: &str = "ship_pushed";
    let platform = platform().await;
    MADE.get_or_init(async || {
        let scratch = Scratch::copy("pushed", platform).await;
        scratch.push(&[]).await.succeeded();
    })
    .await;
    NAME
}

async fn create(name: &str, template: &str) {
    let admin = connect(&variable("INTERLOCK_ADMIN_DB_URL")).await;
    drop_database(&admin, name).await;
    admin
        .batch_execute(&format!(
            "create database {name} template {template} owner postgres"
        ))
        .await
        .unwrap_or_else(|error| panic!("{name} cannot be made from {template}: {error}"));
}

async fn drop_database(admin: &Client, name: &str) {
    admin
        .batch_execute(&format!("drop database if exists {name} with (force)"))
        .await
        .unwrap_or_else(|error| panic!("{name} cannot be dropped: {error}"));
}

async fn connect(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls)
        .await
        .unwrap_or_else(|error| panic!("cannot connect to the stack's server: {error}"));
    tokio::spawn(connection);
    client
}

/// The address in a variable, with another database.
fn url_of(name: &str, database: &str) -> String {
    let url = variable(name);
    let address = url.split('?').next().unwrap_or_default();
    let (server, _) = address
        .rsplit_once('/')
        .expect("an address ends with the name of its database");
    format!("{server}/{database}?sslmode=disable")
}

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| {
        panic!("{name} is not set: run `cargo xtask test --only push`, or export `npm run stack -- status -o env`")
    })
}

/// Runs a statement again and again, until it is told to stop; gives how often it ran.
pub(crate) async fn repeat(
    session: Client,
    stop: Arc<AtomicBool>,
    sql: String,
) -> Result<usize, String> {
    let mut times = 0;
    while !stop.load(Ordering::Relaxed) {
        session
            .batch_execute(&sql)
            .await
            .map_err(|error| format!("{sql}: {error:?}"))?;
        times += 1;
    }
    Ok(times)
}
