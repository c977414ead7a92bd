//! Compiles the function crates, each to its module, without a path of this machine in them.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::command::{cargo, run};
use crate::progress::Live;
use crate::repo::{Repo, WASM_TARGET, cargo_home, home};

/// Which of the two builds.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Profile {
    /// What is deployed.
    Release,
    /// The same code plus traps on request.
    Failpoint,
}

impl Profile {
    /// The build that these features ask for.
    pub(super) fn of(features: Option<&str>) -> Self {
        match features {
            Some(_) => Self::Failpoint,
            None => Self::Release,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Release => "wasm",
            Self::Failpoint => "wasm-failpoint",
        }
    }
}

/// The module that cargo writes for a function.
pub(super) fn artifact(repo: &Repo, function: &str, profile: Profile) -> PathBuf {
    repo.target
        .join(WASM_TARGET)
        .join(profile.name())
        .join(format!("{}.wasm", function.replace('-', "_")))
}

/// Runs cargo for each of the `functions`. They are libraries for the tests as well, and cargo optimises across crates only
/// where nothing but the module is asked for.
pub(super) fn compile(repo: &Repo, functions: &[String], profile: Profile) -> Result<()> {
    let mut live = Live::default();
    for (at, function) in functions.iter().enumerate() {
        live.show(&format!("{function} ({} of {})", at + 1, functions.len()));
        let mut command = cargo(&["rustc", "--quiet", "--lib", "--crate-type", "cdylib"]);
        command
            .current_dir(&repo.root)
            .args(["--package", function, "--target", WASM_TARGET])
            .args(["--profile", profile.name()])
            .env("CARGO_TARGET_DIR", &repo.target)
            .env("CARGO_ENCODED_RUSTFLAGS", rustflags(repo));
        if profile == Profile::Failpoint {
            command.args(["--features", "failpoint"]);
        }
        run(&mut command)?;
    }
    Ok(())
}

/// Source paths end up in panic messages. Those of this machine are cut: it makes builds equal
/// everywhere, gives nothing away and saves bytes. rustc takes the last rule that matches.
pub(crate) fn rustflags(repo: &Repo) -> OsString {
    let mut rules: Vec<(PathBuf, &str)> = Vec::new();
    rules.extend(home().map(|path| (path, "home")));
    rules.push((repo.root.clone(), ""));
    if let Some(home) = cargo_home() {
        // One folder per registry. xtask's own dependencies come from the same one, so the list
        // is complete before the first build and the flags do not change after it.
        let sources = home.join("registry/src");
        rules.push((home, "cargo"));
        rules.extend(folders(&sources).into_iter().map(|path| (path, "")));
    }
    let mut flags = OsString::new();
    for (path, replacement) in rules {
        if !flags.is_empty() {
            flags.push("\u{1f}");
        }
        flags.push("--remap-path-prefix=");
        flags.push(path);
        flags.push("=");
        flags.push(replacement);
    }
    flags
}

fn folders(path: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(path)
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.is_dir())
        .collect();
    found.sort();
    found
}
