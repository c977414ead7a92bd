//! `--with pgbouncer`: PgBouncer in transaction mode between the API and the database, as a shop has it that has outgrown
//! direct connections (docs/growing.md).

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::debian::Server;
use crate::dirs::Dirs;
use crate::identity::Identity;
use crate::part::{Part, Spec};
use crate::{ports, postgres};

const SERVER: Server = Server {
    part: "pgbouncer",
    package: "pgbouncer",
    folder: "sbin",
};

/// How many connections it has to the database, however many clients it has.
const SERVER_CONNECTIONS: u16 = 20;

/// PgBouncer as a part that will listen on `port`, in front of the database at `db_port`. It runs as the one whom Postgres
/// runs as, because it refuses to be root as well.
pub(crate) fn spec(
    root: &Path,
    dirs: &Dirs,
    identity: &Identity,
    db_port: u16,
    port: u16,
) -> Result<Spec> {
    let users = write(dirs, identity, "pgbouncer-users", &postgres::api_user())?;
    let settings = settings(db_port, port, &users);
    let settings = write(dirs, identity, "pgbouncer.ini", &settings)?;
    let mut spec = SERVER.spec(root, dirs)?.args([settings]);
    spec.identity = identity.clone();
    Ok(spec)
}

fn settings(db_port: u16, port: u16, users: &Path) -> String {
    format!(
        "[databases]
postgres = host=127.0.0.1 port={db_port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {users}
pool_mode = transaction
default_pool_size = {SERVER_CONNECTIONS}
max_client_conn = 1000
ignore_startup_parameters = extra_float_digits
; postrust names the statements that it prepares even where it is told not to keep them, and two clients give two the same
; name. PostgREST does not need this.
server_reset_query_always = 1
log_connections = 0
log_disconnections = 0
",
        users = users.display()
    )
}

fn write(dirs: &Dirs, identity: &Identity, name: &str, text: &str) -> Result<PathBuf> {
    let path = dirs.base.join(name);
    // Of an earlier run, perhaps somebody else's.
    let _ = fs::remove_file(&path);
    fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    // It has a password.
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
    identity.own(&path)?;
    Ok(path)
}

/// Waits until it listens.
pub(crate) async fn ready(part: &Part, port: u16) -> Result<()> {
    part.ready(Duration::from_secs(20), async || ports::accepts(port).await)
        .await
        .context("PgBouncer did not start")
}
