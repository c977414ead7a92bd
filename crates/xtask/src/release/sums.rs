//! SHA-256: of a file, of a folder's files as `sha256sum --check` reads them, and of the sources that a release is made of.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use sha2::{Digest as _, Sha256};

/// What is neither a source nor the same on every machine.
const NOT_SOURCES: [&str; 5] = ["dist", "target", "node_modules", "core.js", "core.d.ts"];

/// Hexadecimal, as everybody writes it.
pub(crate) fn of(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// Every file below a folder by its path there, with `/` on every system.
pub(crate) fn files_below(folder: &Path) -> Result<BTreeMap<String, Vec<u8>>> {
    let mut found = BTreeMap::new();
    walk(folder, "", &[], &mut found)?;
    Ok(found)
}

/// One line for each file, in the order of their names.
pub(crate) fn listed(files: &BTreeMap<String, Vec<u8>>) -> String {
    let line = |(path, bytes): (&String, &Vec<u8>)| format!("{}  {path}\n", of(bytes));
    files.iter().map(line).collect()
}

/// One sum for all that modules and programs are made of: a release and a checkout that differ in it do not go together.
pub(crate) fn of_sources(root: &Path) -> Result<String> {
    let mut found = BTreeMap::new();
    for folder in ["crates", "functions"] {
        walk(&root.join(folder), folder, &NOT_SOURCES, &mut found)?;
    }
    for file in ["Cargo.lock", "Cargo.toml", "package-lock.json"] {
        found.insert(file.to_owned(), read(&root.join(file))?);
    }
    Ok(of(listed(&found).as_bytes()))
}

fn walk(
    folder: &Path,
    name: &str,
    left_out: &[&str],
    found: &mut BTreeMap<String, Vec<u8>>,
) -> Result<()> {
    let entries =
        fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    for entry in entries {
        let entry = entry?;
        let own = entry.file_name().to_string_lossy().into_owned();
        // What a system or an editor leaves lying about begins with a dot.
        if own.starts_with('.') || left_out.contains(&own.as_str()) {
            continue;
        }
        let path = if name.is_empty() {
            own
        } else {
            format!("{name}/{own}")
        };
        if entry.file_type()?.is_dir() {
            walk(&entry.path(), &path, left_out, found)?;
        } else {
            found.insert(path, read(&entry.path())?);
        }
    }
    Ok(())
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_is_what_the_standard_says() {
        // FIPS 180-2, appendix B.1.
        assert_eq!(
            of(b"abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }

    #[test]
    fn sums_are_listed_by_name() {
        let files = BTreeMap::from([
            ("b/a".to_owned(), Vec::new()),
            ("a".to_owned(), b"abc".to_vec()),
        ]);
        let listed = listed(&files);
        let names: Vec<&str> = listed
            .lines()
            .filter_map(|line| Some(line.split_once("  ")?.1))
            .collect();
        assert_eq!(names, ["a", "b/a"]);
    }
}
