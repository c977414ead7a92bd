//! `cargo xtask ensure`: what a fresh clone lacks is installed, what cannot be is named.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::command::{run, stdout_of};
use crate::repo::{Repo, WASM_TARGET};

const OLDEST_NODE: u32 = 20;
const OLDEST_DENO: u32 = 2;

/// Checks node, the wasm target, node_modules and Deno among them; installs what can be installed. Without network this
/// works as long as nothing is missing.
pub(crate) fn run_all(repo: &Repo) -> Result<()> {
    node()?;
    if repo.prebuilt.is_none() {
        wasm_target(repo)?;
    }
    npm_packages(repo)?;
    deno(repo)
}

/// It comes with the npm packages, for this system or not at all.
fn deno(repo: &Repo) -> Result<()> {
    let version = stdout_of(repo.deno_command()?.arg("--version")).context(
        "Deno, in which the functions run, does not run here: `npm rebuild deno` lets npm try again; it needs Linux with glibc, or macOS",
    )?;
    new_enough_deno(&version)
}

/// Of what `deno --version` prints.
fn new_enough_deno(version: &str) -> Result<()> {
    let major = version
        .strip_prefix("deno ")
        .and_then(|rest| rest.split('.').next()?.parse::<u32>().ok())
        .with_context(|| format!("deno --version printed {version:?}"))?;
    if major < OLDEST_DENO {
        bail!(
            "{} is too old: the functions need Deno {OLDEST_DENO} or later. Run `npm ci`",
            version.lines().next().unwrap_or_default()
        );
    }
    Ok(())
}

fn node() -> Result<()> {
    let version = stdout_of(Command::new("node").arg("--version"))
        .with_context(|| format!("Interlock needs Node.js {OLDEST_NODE} or later on PATH"))?;
    new_enough_node(&version)
}

/// Of what `node --version` prints.
fn new_enough_node(version: &str) -> Result<()> {
    let major: u32 = version
        .trim()
        .trim_start_matches('v')
        .split('.')
        .next()
        .and_then(|major| major.parse().ok())
        .with_context(|| format!("node --version printed {version:?}"))?;
    if major < OLDEST_NODE {
        bail!(
            "Node.js {} is too old: install version {OLDEST_NODE} or later",
            version.trim()
        );
    }
    Ok(())
}

fn wasm_target(repo: &Repo) -> Result<()> {
    let libraries = stdout_of(Command::new("rustc").current_dir(&repo.root).args([
        "--print",
        "target-libdir",
        "--target",
        WASM_TARGET,
    ]))?;
    if Path::new(libraries.trim()).is_dir() {
        return Ok(());
    }
    eprintln!("      installing Rust's target {WASM_TARGET}");
    run(Command::new("rustup")
        .current_dir(&repo.root)
        .args(["target", "add", WASM_TARGET]))
    .with_context(|| {
        format!(
            "Rust's target {WASM_TARGET} is missing and could not be installed. With network access run \
             `rustup target add {WASM_TARGET}`; without rustup install your distribution's package of that target"
        )
    })
}

fn npm_packages(repo: &Repo) -> Result<()> {
    let Err(difference) = in_step(repo) else {
        return Ok(());
    };
    eprintln!("      npm ci ({difference})");
    let mut npm = Command::new(if cfg!(windows) { "npm.cmd" } else { "npm" });
    // npm's report belongs to people; stdout may be somebody's input.
    let status = npm
        .current_dir(&repo.root)
        // Without network the answer should come in seconds, and what npm has cached should do.
        .args([
            "ci",
            "--no-audit",
            "--no-fund",
            "--prefer-offline",
            "--fetch-retries=1",
        ])
        .stdout(std::io::stderr())
        .status()
        .context("cannot start npm; it comes with Node.js")?;
    if !status.success() {
        bail!(
            "npm could not install the packages of package-lock.json; this needs network access once"
        );
    }
    in_step(repo).map_err(|difference| anyhow::anyhow!("npm ci ran, and still {difference}"))
}

/// Compares what npm installed, as it noted in node_modules, with what package-lock.json asks for.
fn in_step(repo: &Repo) -> Result<(), String> {
    let wanted =
        packages(&repo.root.join("package-lock.json")).ok_or("package-lock.json cannot be read")?;
    let installed = packages(&repo.root.join("node_modules/.package-lock.json"))
        .ok_or("node_modules is missing")?;
    first_difference(&wanted, &installed).map_or(Ok(()), Err)
}

fn first_difference(
    wanted: &BTreeMap<String, Value>,
    installed: &BTreeMap<String, Value>,
) -> Option<String> {
    wanted.iter().find_map(|(path, entry)| {
        let Some(found) = installed.get(path) else {
            // Binaries for other platforms are optional.
            let optional = entry["optional"] == true || entry["peer"] == true;
            return (!optional).then(|| format!("{path} is missing"));
        };
        (found["version"] != entry["version"])
            .then(|| format!("{path} is not version {}", entry["version"]))
    })
}

fn packages(lock: &Path) -> Option<BTreeMap<String, Value>> {
    let lock: Value = serde_json::from_str(&fs::read_to_string(lock).ok()?).ok()?;
    let packages = lock["packages"].as_object()?;
    Some(
        packages
            .iter()
            .filter(|(path, _)| !path.is_empty())
            .map(|(path, entry)| (path.clone(), entry.clone()))
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn lock(entries: &[(&str, Value)]) -> BTreeMap<String, Value> {
        entries
            .iter()
            .map(|(path, entry)| ((*path).to_owned(), entry.clone()))
            .collect()
    }

    #[test]
    fn another_version_and_a_missing_package_are_differences() {
        let wanted = lock(&[("node_modules/a", json!({"version": "2.0.0"}))]);
        let old = lock(&[("node_modules/a", json!({"version": "1.0.0"}))]);
        assert!(first_difference(&wanted, &old).is_some());
        assert!(first_difference(&wanted, &lock(&[])).is_some());
        assert_eq!(first_difference(&wanted, &wanted), None);
    }

    #[test]
    fn an_old_node_and_an_old_deno_are_told_with_what_to_do() {
        let refusal = |outcome: Result<()>| outcome.unwrap_err().to_string();
        assert_eq!(
            refusal(new_enough_node("v18.20.4\n")),
            "Node.js v18.20.4 is too old: install version 20 or later"
        );
        assert_eq!(
            refusal(new_enough_deno(
                "deno 1.46.3 (stable, release, x86_64-unknown-linux-gnu)\nv8 12.9.202.5-rusty\n"
            )),
            "deno 1.46.3 (stable, release, x86_64-unknown-linux-gnu) is too old: the functions need Deno 2 or later. Run `npm ci`"
        );
        for version in ["v20.0.0\n", "v100.1.0\n"] {
            new_enough_node(version).unwrap();
        }
        for version in ["deno 2.0.0 (stable)\n", "deno 10.1.0\n"] {
            new_enough_deno(version).unwrap();
        }
    }

    #[test]
    fn a_version_that_is_none_is_shown() {
        let node = new_enough_node("command not found").unwrap_err();
        assert_eq!(
            node.to_string(),
            "node --version printed \"command not found\""
        );
        let deno = new_enough_deno("Deno!").unwrap_err();
        assert_eq!(deno.to_string(), "deno --version printed \"Deno!\"");
    }

    #[test]
    fn binaries_of_other_platforms_may_be_missing() {
        let wanted = lock(&[(
            "node_modules/a",
            json!({"version": "2.0.0", "optional": true}),
        )]);
        assert_eq!(first_difference(&wanted, &lock(&[])), None);
    }
}
