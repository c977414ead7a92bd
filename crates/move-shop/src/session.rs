//! A session of a database, in which every value is written in one way.

use anyhow::{Context, Result, bail};
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::{Client, Config, NoTls};

const SETTINGS: &str = "
set search_path = '';
set datestyle = 'iso, ymd';
set intervalstyle = 'postgres';
set timezone = 'UTC';
set extra_float_digits = 3;
set bytea_output = 'hex';
set statement_timeout = 0;
set idle_in_transaction_session_timeout = 0";

/// Opens one; over a network only where the address says that nobody listens.
pub(crate) async fn connect(url: &str) -> Result<Client> {
    let config: Config = url.parse().context("its address cannot be read")?;
    let is_here = config.get_hosts().iter().all(|host| match host {
        Host::Tcp(name) => ["localhost", "127.0.0.1", "::1"].contains(&name.as_str()),
        Host::Unix(_) => true,
    });
    if !is_here && config.get_ssl_mode() != SslMode::Disable {
        bail!(
            "its address leads over a network, and this speaks no TLS: go through a tunnel (`ssh -L`, `stunnel`), or add \
             sslmode=disable where the way is private"
        );
    }
    let (client, connection) = config.connect(NoTls).await?;
    tokio::spawn(connection);
    client.batch_execute(SETTINGS).await?;
    Ok(client)
}
