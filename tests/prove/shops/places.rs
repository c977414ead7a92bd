//! Two databases that serve many shops: of the stack's server, or of two servers of our own.

use crate::prove::own_stack::{OwnStack, connect};
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};
use tokio::process::Command;

const NAMES: [&str; 2] = ["prove_shops_a", "prove_shops_b"];

/// Where shops may be.
pub(crate) struct Places {
    /// The addresses, for the role that migrations run as.
    pub(crate) urls: [String; 2],
    /// Of the server that we have made the databases on.
    admin: Option<String>,
    stacks: Vec<OwnStack>,
}

impl Places {
    pub(crate) async fn of_one_server(program: &Path, admin: &str) -> Result<Self> {
        let url = std::env::var("DB_URL").context("DB_URL is not set")?;
        let places = Self {
            urls: NAMES.map(|name| with_database(&url, name)),
            admin: Some(admin.to_owned()),
            stacks: Vec::new(),
        };
        places.remove().await?;
        let server = connect(admin).await?;
        let [first, second] = NAMES;
        let make = format!("create database {first} template template0 owner postgres");
        server.batch_execute(&make).await?;
        install(program, &with_database(admin, first), &places.urls[0]).await?;
        let end =
            "select pg_terminate_backend(pid, 10000) from pg_stat_activity where datname = $1";
        server.execute(end, &[&first]).await?;
        let copy = format!("create database {second} template {first} owner postgres");
        server.batch_execute(&copy).await?;
        Ok(places)
    }

    pub(crate) async fn of_two_servers(program: &Path) -> Result<Self> {
        let options = ["--api-port=0", "--db-port=0", "--restart"].map(Into::into);
        let (first, second) = tokio::try_join!(
            OwnStack::start(program, "shops-stack-a", &options, &[]),
            OwnStack::start(program, "shops-stack-b", &options, &[])
        )?;
        let urls = [
            first.variable("DB_URL")?.to_owned(),
            second.variable("DB_URL")?.to_owned(),
        ];
        for url in &urls {
            let db = connect(url).await?;
            db.batch_execute("select interlock.serve_shops()").await?;
        }
        Ok(Self {
            urls,
            admin: None,
            stacks: vec![first, second],
        })
    }

    pub(crate) fn are_two_servers(&self) -> bool {
        !self.stacks.is_empty()
    }

    /// Ends one of two servers as a crash would. It comes back.
    pub(crate) fn kill(&self, place: usize) -> Result<()> {
        self.stacks[place].kill("postgres")
    }

    pub(crate) async fn close(&self) -> Result<()> {
        for stack in &self.stacks {
            stack.close().await?;
        }
        self.remove().await
    }

    async fn remove(&self) -> Result<()> {
        let Some(admin) = &self.admin else {
            return Ok(());
        };
        let server = connect(admin).await?;
        for name in NAMES {
            let remove = format!("drop database if exists {name} with (force)");
            server.batch_execute(&remove).await?;
        }
        // A database of this server may have it, too.
        let _ = server
            .batch_execute("drop role if exists interlock_owner")
            .await;
        Ok(())
    }
}

/// What the platform gives, then the migrations.
async fn install(program: &Path, admin: &str, url: &str) -> Result<()> {
    let platform = Command::new(program)
        .args(["platform-sql", "--default-privileges", "legacy"])
        .output()
        .await?;
    let platform = String::from_utf8(platform.stdout)?;
    connect(admin).await?.batch_execute(&platform).await?;
    let folder = root()?.join("supabase/migrations");
    let files = std::fs::read_dir(folder)?.map(|entry| Ok(entry?.path()));
    let mut files: Vec<PathBuf> = files.collect::<Result<_>>()?;
    files.sort();
    let db = connect(url).await?;
    for file in files {
        let sql = std::fs::read_to_string(&file)?;
        let done = db.batch_execute(&sql).await;
        done.with_context(|| format!("running {}", file.display()))?;
    }
    db.batch_execute("select interlock.serve_shops()").await?;
    Ok(())
}

/// The repository.
pub(super) fn root() -> Result<&'static Path> {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().context("the tests lie in the repository")
}

fn with_database(url: &str, database: &str) -> String {
    let address = url.split('?').next().unwrap_or_default();
    let server = address
        .rsplit_once('/')
        .map_or(address, |(server, _)| server);
    format!("{server}/{database}?sslmode=disable")
}
