//! A function's module, built once more in another folder with a target directory of its own: it has to be the same bytes.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

use super::sums;
use crate::build;
use crate::progress::Progress;
use crate::repo::Repo;

/// Copies the sources, builds there and here, compares.
pub(super) fn run(repo: &Repo, function: &str) -> Result<()> {
    if !repo.functions()?.iter().any(|name| name == function) {
        bail!("there is no function {function:?}");
    }
    // Deeper than here, so that no path has the same length by chance.
    let elsewhere = repo.target.join("reproduce/in/another/folder");
    if elsewhere.exists() {
        fs::remove_dir_all(&elsewhere)?;
    }
    let mut progress = Progress::of(3);
    progress.step("Here", || build::module_of(repo, function).map(drop))?;
    progress.step("Copy the sources", || copy(repo, &elsewhere))?;
    let other = Repo {
        target: elsewhere.join("target"),
        root: elsewhere,
        packages: repo.packages.clone(),
        prebuilt: None,
    };
    let there = progress.step("There", || build::module_of(&other, function))?;
    let here = build::module_of(repo, function)?;
    if here != there {
        bail!(
            "{function}: {} here, {} in another folder",
            sums::of(&here),
            sums::of(&there)
        );
    }
    println!(
        "{function}: the same {} bytes in two folders, SHA-256 {}",
        here.len(),
        sums::of(&here)
    );
    fs::remove_dir_all(&other.root)?;
    Ok(())
}

/// What git knows or would add, and nothing that was built.
fn copy(repo: &Repo, to: &Path) -> Result<()> {
    for path in repo.files()? {
        let target = to.join(&path);
        fs::create_dir_all(target.parent().context("a file lies in a folder")?)?;
        fs::copy(repo.root.join(&path), &target).with_context(|| format!("cannot copy {path}"))?;
    }
    Ok(())
}
