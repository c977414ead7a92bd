//! The archive for all systems, or a function's module, made once more in another folder with a target directory and packages of its
//! own: it has to be the same bytes.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use flate2::Compression;

use super::{Packed, portable, sums};
use crate::build;
use crate::ensure;
use crate::progress::Progress;
use crate::repo::Repo;

/// What there is to compare other than a function.
pub(super) const ALL: &str = "all";

/// Copies the sources, builds there and here, compares.
pub(super) fn run(repo: &Repo, what: &str) -> Result<()> {
    let whole = what == ALL;
    if !whole && !repo.functions()?.iter().any(|name| name == what) {
        bail!("there is no function {what:?}");
    }
    // Deeper than here, so that no path has the same length by chance.
    let elsewhere = repo.target.join("reproduce/in/another/folder");
    if elsewhere.exists() {
        fs::remove_dir_all(&elsewhere)?;
    }
    let other = Repo {
        target: elsewhere.join("target"),
        root: elsewhere.clone(),
        packages: repo.packages.clone(),
        prebuilt: None,
    };
    let mut progress = Progress::of(3);
    let make = |repo: &Repo| {
        if whole {
            return archive(repo);
        }
        let bytes = build::module_of(repo, what)?;
        let files = BTreeMap::new();
        Ok(Packed { bytes, files })
    };
    let here = progress.step("Here", || make(repo))?;
    progress.step("Copy the sources", || copy(repo, &elsewhere))?;
    let there = progress.step("There", || make(&other))?;
    let name = if whole { "the archive" } else { what };
    if here.bytes != there.bytes {
        bail!(
            "{name}: {} here, {} in another folder{}",
            sums::of(&here.bytes),
            sums::of(&there.bytes),
            differing(&here.files, &there.files)
                .iter()
                .map(|path| format!("\n  {path} differs"))
                .collect::<String>()
        );
    }
    println!(
        "{name}: the same {} bytes in two folders, SHA-256 {}",
        here.bytes.len(),
        sums::of(&here.bytes)
    );
    fs::remove_dir_all(&other.root)?;
    Ok(())
}

/// As a release has it, but for the folder that it is written to.
fn archive(repo: &Repo) -> Result<Packed> {
    ensure::run_all(repo)?;
    let out = repo.target.join("reproduce-dist");
    fs::create_dir_all(&out)?;
    let packed = Packed::of(portable(repo, &out)?, "SHA256SUMS", Compression::best())?;
    fs::remove_dir_all(&out)?;
    Ok(packed)
}

/// Files that only one of two has, or that have other bytes in each.
fn differing(here: &BTreeMap<String, Vec<u8>>, there: &BTreeMap<String, Vec<u8>>) -> Vec<String> {
    let paths: BTreeSet<&String> = here.keys().chain(there.keys()).collect();
    paths
        .into_iter()
        .filter(|path| here.get(*path) != there.get(*path))
        .cloned()
        .collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_named() {
        let files = |files: &[(&str, &str)]| {
            files
                .iter()
                .map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec()))
                .collect()
        };
        let here = files(&[("a", "1"), ("b", "1"), ("c", "1")]);
        let there = files(&[("a", "1"), ("b", "2"), ("d", "1")]);
        assert_eq!(differing(&here, &there), ["b", "c", "d"]);
        assert!(differing(&here, &here).is_empty());
    }
}
