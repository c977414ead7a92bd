//! The server that is measured. Each section works in databases of its own, made as copies of the
//! one that the migrations were pushed to, which stays empty.

use anyhow::{Context as _, Result};
use futures::StreamExt as _;
use nix::sys::statvfs::statvfs;
use std::env;
use tokio_postgres::error::DbError;
use tokio_postgres::{AsyncMessage, Client, Config, NoTls};

/// The database that has the migrations and nothing else.
const PRISTINE: &str = "postgres";

/// A database on the server.
pub(crate) struct Database {
    name: String,
}

impl Database {
    /// A new copy of the empty one, which is closed to everybody for that moment.
    pub(crate) async fn copy(name: &str) -> Result<Self> {
        let server = connect_to("template1").await?;
        let copy = [
            format!("drop database if exists {name} with (force)"),
            format!("alter database {PRISTINE} allow_connections false"),
            format!(
                "select pg_terminate_backend(pid) from pg_stat_activity where datname = '{PRISTINE}'"
            ),
            format!("create database {name} template {PRISTINE} strategy file_copy"),
        ];
        let mut copied = Ok(());
        for statement in &copy {
            copied = server.batch_execute(statement).await;
            if copied.is_err() {
                break;
            }
        }
        server
            .batch_execute(&format!("alter database {PRISTINE} allow_connections true"))
            .await?;
        copied.with_context(|| format!("cannot make the database {name}"))?;
        Ok(Database {
            name: name.to_owned(),
        })
    }

    /// A session of the superuser, which alone may change how long a commit takes.
    pub(crate) async fn connect(&self) -> Result<Client> {
        connect_to(&self.name).await
    }

    /// The same, with somebody who hears each notice before the answer comes.
    pub(crate) async fn connect_hearing(
        &self,
        hear: impl Fn(DbError) + Send + 'static,
    ) -> Result<Client> {
        let (client, mut connection) = config(&self.name)?
            .connect(NoTls)
            .await
            .context("cannot connect to the database")?;
        let mut messages =
            futures::stream::poll_fn(move |context| connection.poll_message(context));
        tokio::spawn(async move {
            while let Some(Ok(message)) = messages.next().await {
                if let AsyncMessage::Notice(notice) = message {
                    hear(notice);
                }
            }
        });
        Ok(client)
    }

    /// A session in none of these databases.
    pub(crate) async fn outside() -> Result<Client> {
        connect_to("template1").await
    }

    /// Takes its files from the disk.
    pub(crate) async fn remove(self) -> Result<()> {
        let server = connect_to("template1").await?;
        let drop = format!("drop database {} with (force)", self.name);
        Ok(server.batch_execute(&drop).await?)
    }
}

fn config(database: &str) -> Result<Config> {
    let url = env::var("INTERLOCK_ADMIN_DB_URL").context(
        "INTERLOCK_ADMIN_DB_URL is not set: `npm run bench` starts a stack that may be filled",
    )?;
    let mut config: Config = url.parse()?;
    config.dbname(database);
    Ok(config)
}

async fn connect_to(database: &str) -> Result<Client> {
    let (client, connection) = config(database)?
        .connect(NoTls)
        .await
        .context("cannot connect to the database")?;
    tokio::spawn(connection);
    Ok(client)
}

/// What the server's log grows to before it is written anew, in bytes.
pub(crate) const MOST_LOG: u64 = 8 << 30;

/// Lets millions of rows be written without a checkpoint every few seconds.
pub(crate) async fn expect_much_to_be_written() -> Result<()> {
    let server = connect_to("template1").await?;
    let size = format!("alter system set max_wal_size = '{}MB'", MOST_LOG >> 20);
    server.batch_execute(&size).await?;
    server.batch_execute("select pg_reload_conf()").await?;
    Ok(())
}

/// How many bytes may still be written where the server, which is on this machine, keeps its databases.
pub(crate) async fn free_disk() -> Result<u64> {
    let server = connect_to("template1").await?;
    let row = server.query_one("show data_directory", &[]).await?;
    let folder: &str = row.try_get(0)?;
    let disk =
        statvfs(folder).with_context(|| format!("cannot tell how much is free in {folder}"))?;
    Ok(disk.blocks_available() as u64 * disk.fragment_size() as u64)
}

/// Such as `17.10`.
pub(crate) async fn version() -> Result<String> {
    let server = connect_to("template1").await?;
    let row = server.query_one("show server_version", &[]).await?;
    let version: &str = row.try_get(0)?;
    Ok(version.to_owned())
}
