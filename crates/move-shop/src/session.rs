//! A session of a database, in which every value is written in one way.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::{Client, Config, Connection, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

const SETTINGS: &str = "
set search_path = '';
set datestyle = 'iso, ymd';
set intervalstyle = 'postgres';
set timezone = 'UTC';
set extra_float_digits = 3;
set bytea_output = 'hex';
set statement_timeout = 0;
set idle_in_transaction_session_timeout = 0";

/// Opens one. Over a network it is encrypted, and the server has to prove that it is the one of the address, by a certificate of the
/// authority in the file `ca`; unless the address says that nobody listens there.
pub(crate) async fn connect(url: &str, ca: Option<&Path>) -> Result<Client> {
    let mut config: Config = url.parse().context("its address cannot be read")?;
    let is_here = config.get_hosts().iter().all(|host| match host {
        Host::Tcp(name) => ["localhost", "127.0.0.1", "::1"].contains(&name.as_str()),
        Host::Unix(_) => true,
    });
    let client = match (config.get_ssl_mode(), is_here) {
        (SslMode::Disable, _) | (SslMode::Prefer, true) => {
            let (client, connection) = config.connect(NoTls).await?;
            serve(connection);
            client
        }
        _ => {
            let Some(ca) = ca else {
                bail!(
                    "its address leads over a network: name the file with the certificate of its authority with --ca (Supabase: Database \
                     settings, SSL configuration), or add sslmode=disable where the way is private"
                );
            };
            config.ssl_mode(SslMode::Require);
            let (client, connection) = config.connect(tls(ca)?).await?;
            serve(connection);
            client
        }
    };
    client.batch_execute(SETTINGS).await?;
    Ok(client)
}

fn serve<S, T>(connection: Connection<S, T>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    tokio::spawn(connection);
}

/// Trusts the authorities in this file alone.
fn tls(ca: &Path) -> Result<MakeRustlsConnect> {
    let why = || format!("the certificate of the authority in {}", ca.display());
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(ca).with_context(why)? {
        let added = certificate.map(|certificate| roots.add(certificate));
        added.with_context(why)?.with_context(why)?;
    }
    if roots.is_empty() {
        bail!("there is no certificate in {}", ca.display());
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}
