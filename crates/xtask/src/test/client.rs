//! The typed client of packages/client: built, packed, and run where apps run.

use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::chromium::Chromium;
use super::counts::Counts;
use super::steps::end_to_end;
use super::{Run, live};
use crate::command::stdout_of;
use crate::repo::Repo;

/// In Node and in Deno.
pub(super) fn run(run: &mut Run) -> Result<Counts> {
    build(run)?;
    packs_nothing_else(run.repo)?;
    println!("ok - the package has what it needs, and nothing else");
    let tests = end_to_end(
        run,
        &[
            "client::typed_client_in_node",
            "client::typed_client_in_deno",
        ],
    )?;
    Ok(Counts::PASSED + tests)
}

/// In a browser.
pub(super) fn run_in_browser(run: &mut Run) -> Result<Counts> {
    build(run)?;
    run.variables.extend(browser(run.repo)?);
    end_to_end(run, &["client::typed_client_in_a_browser"])
}

/// What its tests must know of a browser.
pub(super) fn browser(repo: &Repo) -> Result<[(String, String); 2]> {
    let chromium = Chromium::obtain(repo)?;
    println!("the browser is {}", repo.relative(&chromium.program));
    let variables = [
        ("CHROMIUM_PATH", chromium.program.into_os_string()),
        ("CHROMIUM_LIBRARIES", chromium.libraries),
    ];
    Ok(variables.map(|(name, value)| (name.to_owned(), value.to_string_lossy().into_owned())))
}

fn build(run: &mut Run) -> Result<()> {
    let mut tsc = Command::new("node");
    tsc.current_dir(&run.repo.root)
        .arg(run.repo.npm_file("typescript/bin/tsc")?)
        .args(["--project", "packages/client/tsconfig.json"]);
    live::check(&mut run.tail, &mut tsc)?;
    Ok(())
}

/// What `npm publish` would upload.
fn packs_nothing_else(repo: &Repo) -> Result<()> {
    let mut pack = Command::new(if cfg!(windows) { "npm.cmd" } else { "npm" });
    pack.current_dir(repo.root.join("packages/client"))
        .args(["pack", "--dry-run", "--json"]);
    let listed: Value = serde_json::from_str(&stdout_of(&mut pack)?)
        .context("`npm pack --dry-run --json` did not print JSON")?;
    // npm before version 12 lists packages, later ones name them.
    let package = listed
        .get(0)
        .or_else(|| listed.as_object()?.values().next())
        .context("npm packs nothing")?;
    let files: Vec<&str> = package["files"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|file| file["path"].as_str())
        .collect();
    let belongs = |path: &str| {
        ["package.json", "README.md"].contains(&path)
            || (path.starts_with("dist/") && (path.ends_with(".js") || path.ends_with(".d.ts")))
    };
    let strays: Vec<_> = files.iter().filter(|path| !belongs(path)).collect();
    if !strays.is_empty() {
        bail!("npm would pack {strays:?} as well");
    }
    for needed in [
        "package.json",
        "README.md",
        "dist/index.js",
        "dist/index.d.ts",
        "dist/packing.js",
        "dist/packing.d.ts",
        "dist/till.js",
        "dist/till.d.ts",
    ] {
        if !files.contains(&needed) {
            bail!("npm would not pack {needed}");
        }
    }
    Ok(())
}
