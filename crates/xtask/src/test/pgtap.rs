//! The pgTAP files of supabase/tests, on any database.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::Run;
use super::counts::Counts;
use super::live;
use crate::command::cargo;
use crate::repo::Repo;

/// npm's copy of pgTAP: SQL only, so it fits every Postgres.
const ARCHIVE: &str = "@electric-sql/pglite-pgtap/dist/pgtap.tar.gz";

/// Puts pgTAP into the `share` directory of a Postgres, where `create extension` finds it.
pub(super) fn install(repo: &Repo, share: &Path) -> Result<()> {
    let extensions = share.join("extension");
    if extensions.join("pgtap.control").exists() {
        return Ok(());
    }
    let status = Command::new("tar")
        .arg("-xzf")
        .arg(repo.npm_file(ARCHIVE)?)
        .arg("-C")
        .arg(&extensions)
        .args(["--no-same-owner", "--strip-components=3"])
        .arg("share/postgresql/extension")
        .status()
        .context("cannot start tar")?;
    if !status.success() {
        bail!("cannot unpack pgTAP into {}", extensions.display());
    }
    Ok(())
}

/// The `share` directory of the embedded Postgres.
pub(super) fn embedded_share(repo: &Repo) -> Result<PathBuf> {
    let platforms = repo.npm_file("@embedded-postgres")?;
    fs::read_dir(&platforms)?
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .map(|package| package.join("native/share/postgresql"))
        .find(|share| share.is_dir())
        .context("npm installed no embedded Postgres for this platform")
}

/// Runs all files; the environment of the command says where.
pub(super) fn run(run: &mut Run, variables: &[(&str, &str)]) -> Result<Counts> {
    let mut files: Vec<PathBuf> = fs::read_dir(run.repo.root.join("supabase/tests"))
        .context("there is no supabase/tests")?
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.extension().is_some_and(|end| end == "sql"))
        .filter_map(|path| path.strip_prefix(&run.repo.root).map(Path::to_owned).ok())
        .collect();
    files.sort();
    if files.is_empty() {
        bail!("supabase/tests has no .sql file");
    }
    let mut command = cargo(&["run", "--quiet", "--package", "pgtap", "--"]);
    command
        .current_dir(&run.repo.root)
        .envs(variables.iter().copied())
        .args(&files);
    live::tests(&mut run.tail, &mut command)
}
