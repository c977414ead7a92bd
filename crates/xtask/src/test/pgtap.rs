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

/// The files about installations of many shops.
const OF_MANY: &str = "supabase/tests/shops";

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

/// Runs the files of the area, or all; the environment of the command says where.
pub(super) fn run(run: &mut Run, variables: &[(&str, &str)]) -> Result<Counts> {
    let area = run.area.as_ref().map(|area| area.name.as_str());
    let files = files(&run.repo.root, area)?;
    run_files(run, variables, &files, &[])
}

/// Runs them as one shop of many, in a database of its own on the same server, so that a function is noticed that reaches another shop, or needs
/// keys without the shop. Those of an installation of many make one themselves.
pub(super) fn run_as_shop_of_many(run: &mut Run, variables: &[(&str, &str)]) -> Result<Counts> {
    let area = run.area.as_ref().map(|area| area.name.as_str());
    let mut files = files(&run.repo.root, area)?;
    files.retain(|file| !file.starts_with(OF_MANY));
    run_files(run, variables, &files, &["--as-shop-of-many"])
}

fn run_files(
    run: &mut Run,
    variables: &[(&str, &str)],
    files: &[PathBuf],
    arguments: &[&str],
) -> Result<Counts> {
    let mut command = cargo(&["run", "--quiet", "--package", "pgtap", "--"]);
    command
        .current_dir(&run.repo.root)
        .envs(variables.iter().copied())
        .args(arguments)
        .args(files);
    live::tests(&mut run.tail, &mut command)
}

/// The files directly in supabase/tests, which are about every area, and those in the folder of the area, or
/// in all folders; relative to the root.
fn files(root: &Path, area: Option<&str>) -> Result<Vec<PathBuf>> {
    let tests = root.join("supabase/tests");
    let mut files = Vec::new();
    for path in entries(&tests)? {
        if path.is_file() {
            files.push(path);
        } else if area.is_none_or(|area| path.ends_with(area)) {
            files.extend(entries(&path)?);
        }
    }
    files.retain(|path| path.extension().is_some_and(|end| end == "sql"));
    files.sort();
    if files.is_empty() {
        bail!("supabase/tests has no .sql file for this run");
    }
    let relative = files.iter().map(|path| path.strip_prefix(root));
    Ok(relative
        .map(|path| path.map(Path::to_owned))
        .collect::<Result<_, _>>()?)
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries =
        fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    Ok(entries
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_area_has_its_folder_and_what_belongs_to_all() {
        let root = std::env::temp_dir().join(format!("interlock-pgtap-{}", std::process::id()));
        let tests = root.join("supabase/tests");
        for folder in ["shop", "promo"] {
            fs::create_dir_all(tests.join(folder)).expect("a folder can be made");
        }
        for file in [
            "01-all.sql",
            "README.md",
            "shop/02-stock.sql",
            "promo/03-holds.sql",
        ] {
            fs::write(tests.join(file), "").expect("a file can be written");
        }
        let names = |area| -> Vec<String> {
            let files = files(&root, area).expect("there are some");
            let names = files.iter().map(|file| file.display().to_string());
            names.collect()
        };
        let shop = [
            "supabase/tests/01-all.sql",
            "supabase/tests/shop/02-stock.sql",
        ];
        assert_eq!(names(Some("shop")), shop);
        assert_eq!(names(None).len(), 3);
        fs::remove_file(tests.join("01-all.sql")).expect("it is there");
        assert!(files(&root, Some("delivery")).is_err());
        fs::remove_dir_all(&root).expect("it can be removed");
    }
}
