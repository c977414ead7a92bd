//! Debian's Postgres 15 with plpgsql_check, without touching the system: a copy of what is
//! installed, and what is missing unpacked from Debian's packages, below `.interlock/debian`.
//! The server finds its files relative to itself, so a copy works anywhere.
//!
//! How packages are fetched and unpacked serves `chromium` too.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::command::run;
use crate::repo::Repo;

const SERVER: &str = "usr/lib/postgresql/15";
const SHARE: &str = "usr/share/postgresql/15";
const PACKAGES: [&str; 2] = ["postgresql-15", "postgresql-15-plpgsql-check"];

/// A Postgres 15 of our own.
pub(super) struct Server {
    root: PathBuf,
}

impl Server {
    /// Finds or makes it.
    pub(super) fn obtain(repo: &Repo) -> Result<Self> {
        let folder = repo.root.join(".interlock/debian");
        let server = Self {
            root: folder.join("root"),
        };
        if !server.is_complete() {
            server.make(&folder).context(
                "Postgres 15 with plpgsql_check is not there and could not be fetched. On Debian 12 run \
                 `apt-get install postgresql-15 postgresql-15-plpgsql-check`; elsewhere run this step on Debian 12",
            )?;
        }
        Ok(server)
    }

    /// A program of the server or client.
    pub(super) fn program(&self, name: &str) -> PathBuf {
        self.root.join(SERVER).join("bin").join(name)
    }

    /// Where `create extension` looks.
    pub(super) fn share(&self) -> PathBuf {
        self.root.join(SHARE)
    }

    /// `LD_LIBRARY_PATH` for its programs.
    pub(super) fn libraries(&self) -> OsString {
        // None of these paths has a colon unless the repository's has, and then nothing works.
        std::env::join_paths(library_folders(&self.root)).unwrap_or_default()
    }

    fn is_complete(&self) -> bool {
        self.program("postgres").exists()
            && self.program("psql").exists()
            && self.root.join(SERVER).join("lib/plpgsql_check.so").exists()
            && self
                .share()
                .join("extension/plpgsql_check.control")
                .exists()
    }

    /// Fills a new directory and puts it in place only when it is complete.
    fn make(&self, folder: &Path) -> Result<()> {
        let draft = Self {
            root: folder.join("draft"),
        };
        remove(&draft.root)?;
        remove(&self.root)?;
        for part in [SERVER, SHARE] {
            copy(&Path::new("/").join(part), &draft.root.join(part))?;
        }
        if !draft.is_complete() {
            println!("fetching Debian's packages of Postgres 15 (once)");
            fetch(folder, &PACKAGES, &draft.root)?;
        }
        if !draft.is_complete() {
            bail!("the packages of this system's sources do not have all of it");
        }
        fs::rename(&draft.root, &self.root)?;
        Ok(())
    }
}

/// Unpacks Debian's Redis, where the stack looks for it, unless there is one.
pub(crate) fn redis(repo: &Repo) -> Result<()> {
    obtain(repo, "redis", "redis-server", "usr/bin/redis-server")
}

/// The same for PgBouncer.
pub(crate) fn pgbouncer(repo: &Repo) -> Result<()> {
    obtain(repo, "pgbouncer", "pgbouncer", "usr/sbin/pgbouncer")
}

/// Unpacks a package below `.interlock/debian`, in a folder of that name, unless its program is on PATH or was unpacked
/// before.
fn obtain(repo: &Repo, name: &str, package: &str, program: &str) -> Result<()> {
    // Steps run side by side, and more than one needs it.
    static TURN: std::sync::Mutex<()> = std::sync::Mutex::new(());
    let _turn = TURN.lock().unwrap_or_else(|error| error.into_inner());
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders = std::env::split_paths(&path);
    let folder = repo.root.join(".interlock/debian");
    let root = folder.join(name);
    if root.join(program).exists() || folders.any(|folder| folder.join(package).is_file()) {
        return Ok(());
    }
    let draft = folder.join(format!("{name}-draft"));
    remove(&draft)?;
    // Postgres 15 may be fetched at the same time.
    let work = folder.join(format!("{name}-work"));
    fetch(&work, &[package], &draft)
        .with_context(|| format!("there is no {package}, and Debian's could not be fetched"))?;
    remove(&work)?;
    fs::rename(&draft, &root)?;
    Ok(())
}

/// Where the libraries lie in unpacked packages.
pub(super) fn library_folders(root: &Path) -> impl Iterator<Item = PathBuf> {
    ["usr/lib", "lib"]
        .map(|folder| root.join(folder))
        .into_iter()
        .flat_map(|folder| fs::read_dir(folder).into_iter().flatten())
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.to_string_lossy().ends_with("-linux-gnu"))
}

/// Unpacks packages and what they need beyond the installed system into `root`; `folder` is for the
/// work.
pub(super) fn fetch(folder: &Path, packages: &[&str], root: &Path) -> Result<()> {
    unpack(&download(folder, packages)?, root)?;
    remove(&folder.join("lists"))?;
    remove(&folder.join("cache"))
}

/// Needs no root, installs nothing and leaves apt's own state alone.
fn download(folder: &Path, packages: &[&str]) -> Result<Vec<PathBuf>> {
    let lists = folder.join("lists");
    let cache = folder.join("cache");
    fs::create_dir_all(lists.join("partial"))?;
    fs::create_dir_all(cache.join("archives/partial"))?;
    let apt = |arguments: &[&str]| {
        let mut command = Command::new("apt-get");
        command
            .env("LC_ALL", "C")
            .env("DEBIAN_FRONTEND", "noninteractive")
            .arg("-qq")
            .args(["-o", &format!("Dir::State::lists={}", lists.display())])
            .args(["-o", &format!("Dir::Cache={}", cache.display())])
            // Both are for a state that is shared with others.
            .args(["-o", "Debug::NoLocking=1", "-o", "APT::Sandbox::User="])
            .args(arguments);
        run(&mut command)
    };
    apt(&["update"])?;
    let mut install = vec![
        "install",
        "--download-only",
        "--no-install-recommends",
        "-y",
    ];
    install.extend(packages);
    apt(&install)?;
    Ok(fs::read_dir(cache.join("archives"))?
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.extension().is_some_and(|end| end == "deb"))
        .collect())
}

fn unpack(packages: &[PathBuf], root: &Path) -> Result<()> {
    for package in packages {
        let name = package.file_name().unwrap_or_default().to_string_lossy();
        // A second C library would not fit the system's loader.
        if !name.starts_with("libc6_") {
            run(Command::new("dpkg").arg("-x").arg(package).arg(root))?;
        }
    }
    Ok(())
}

/// Copies a directory of the system, if it is there.
fn copy(from: &Path, to: &Path) -> Result<()> {
    if !from.is_dir() {
        return Ok(());
    }
    if let Some(parent) = to.parent() {
        fs::create_dir_all(parent)?;
    }
    run(Command::new("cp").arg("-R").arg(from).arg(to))
}

pub(super) fn remove(folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder)
            .with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    Ok(())
}
