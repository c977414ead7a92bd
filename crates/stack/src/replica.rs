//! `--with replica`: a streaming replica of the database with a REST API that only reads, as the platform has them
//! (docs/growing.md). The npm package has no pg_basebackup, so the copy is made as Postgres's manual tells it for other
//! programs: `pg_backup_start`, the files, `pg_backup_stop`.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{Connection as _, Row as _};

use crate::dirs::Dirs;
use crate::identity::Identity;
use crate::part::{Part, Spec};
use crate::postgres::{self, Postgres};

/// What it is called among the parts, and in `pg_stat_replication` of the server that it follows.
const NAME: &str = "replica";

/// A setting of the server that is followed: so much of its log waits for a replica that starts, or that was away. A slot
/// would keep it, too, and all of it for ever once the stack is started without its replica.
pub(crate) const KEEP: &str = "wal_keep_size=512MB";

/// What the copy makes anew, or what would make it take itself for the running original.
const LEFT_OUT: [&str; 8] = [
    "postmaster.pid",
    "postmaster.opts",
    "pg_wal",
    "pg_replslot",
    "pg_stat_tmp",
    "pg_subtrans",
    "pg_notify",
    "pg_dynshmem",
];

/// Copies the running database at `db_port`, and gives the copy as a part that will listen on `port`. It follows what it finds at
/// `follows`.
pub(crate) async fn copy(
    server: &Postgres,
    dirs: &Dirs,
    db_port: u16,
    follows: u16,
    port: u16,
) -> Result<Spec> {
    let data = &dirs.replica;
    let options: PgConnectOptions = postgres::admin_url(db_port).parse()?;
    // A backup ends with the session that began it.
    let mut admin = PgConnection::connect_with(&options).await?;
    sqlx::query("select pg_backup_start($1, true)")
        .bind(NAME)
        .execute(&mut admin)
        .await?;
    copy_files(&dirs.data, data)?;
    let label: String = sqlx::query("select labelfile from pg_backup_stop(false)")
        .fetch_one(&mut admin)
        .await?
        .try_get(0)?;
    admin.close().await?;
    fs::write(data.join("backup_label"), label)?;
    fs::write(data.join("standby.signal"), "")?;
    // What has changed since the copy began comes over the line.
    for folder in LEFT_OUT.iter().filter(|name| !name.contains('.')) {
        fs::create_dir_all(data.join(folder))?;
    }
    let settings = data.join("postgresql.auto.conf");
    let mut text = fs::read_to_string(&settings)?;
    text += &format!(
        "primary_conninfo = '{} application_name={NAME}'\nwal_retrieve_retry_interval = '200ms'\n",
        postgres::leader(follows),
    );
    fs::write(&settings, text)?;
    own(&server.identity, data)?;
    fs::set_permissions(data, fs::Permissions::from_mode(0o700))?;

    let mut spec = server.spec(data, dirs, port);
    NAME.clone_into(&mut spec.name);
    Ok(spec)
}

/// Waits until it answers.
pub(crate) async fn ready(part: &Part, port: u16) -> Result<()> {
    let options: PgConnectOptions = postgres::admin_url(port).parse()?;
    part.ready(Duration::from_secs(60), async || {
        PgConnection::connect_with(&options).await.is_ok()
    })
    .await
    .context("the replica did not start")
}

/// Removes a copy that nobody serves: each start makes another one.
pub(crate) fn remove(dirs: &Dirs) -> Result<()> {
    match fs::remove_dir_all(&dirs.replica) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", dirs.replica.display()))
        }
        _ => Ok(()),
    }
}

/// Copies a directory of a running server: a file that is gone meanwhile is made again from the log.
fn copy_files(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).with_context(|| format!("cannot make {}", to.display()))?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let name = entry.file_name();
        if LEFT_OUT.iter().any(|left_out| name == *left_out) {
            continue;
        }
        let (source, target) = (entry.path(), to.join(&name));
        let kind = entry.file_type()?;
        if kind.is_dir() {
            copy_files(&source, &target)?;
        } else if kind.is_file() {
            match fs::copy(&source, &target) {
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                copied => {
                    copied.with_context(|| format!("cannot copy {}", source.display()))?;
                }
            }
        } else {
            bail!("{} is neither file nor directory", source.display());
        }
    }
    Ok(())
}

fn own(identity: &Identity, path: &Path) -> Result<()> {
    identity.own(path)?;
    if path.is_dir() {
        for entry in fs::read_dir(path)? {
            own(identity, &entry?.path())?;
        }
    }
    Ok(())
}
