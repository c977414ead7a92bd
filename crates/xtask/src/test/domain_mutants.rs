//! Mutants of crates/domain: cargo-mutants takes away each comparison, limit and validation, one at a
//! time, and the crate's own tests must notice. What no test can notice stands in `.cargo/mutants.toml`
//! with its reason.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::counts::Counts;
use super::{Run, live};
use crate::command::{cargo, run as run_shown, stdout_of};
use crate::repo::Repo;

/// Pinned, because a new version has new mutants.
const VERSION: &str = "27.1.0";

/// cargo-mutants leaves with these when mutants were missed, or a test never ended.
const EXPECTED_CODES: [i32; 3] = [0, 2, 3];

/// Runs every mutant, two at a time.
pub(super) fn run(run: &mut Run) -> Result<Counts> {
    let program = obtain(run.repo)?;
    // In a copy of the tree with a target directory of its own: built beside the stack the crate would
    // get the stack's features, and another serde_json.
    let mut mutants = Command::new(program);
    mutants
        .current_dir(&run.repo.root)
        .args(["mutants", "--package", "interlock-domain"])
        .args(["--jobs", "2", "--no-shuffle", "--no-times"])
        .args(["--colors", "never", "--output"])
        .arg(run.repo.target.join("mutants"))
        .env_remove("CARGO_TARGET_DIR")
        .env("CARGO_PROFILE_DEV_DEBUG", "none");
    std::fs::create_dir_all(run.repo.target.join("mutants"))?;
    let finished = live::child(&mut run.tail, &mut mutants)?;
    let verdict = finished
        .lines
        .iter()
        .find_map(|line| Verdict::read(line))
        .context("cargo-mutants did not come to its end")?;
    if !finished
        .code
        .is_some_and(|code| EXPECTED_CODES.contains(&code))
    {
        bail!("cargo-mutants failed");
    }
    println!(
        "domain mutants: killed {} of {}; {} more do not compile",
        verdict.killed,
        verdict.killed + verdict.survived,
        verdict.unviable
    );
    Ok(Counts {
        passed: verdict.killed,
        failed: verdict.survived,
    })
}

/// Finds the tool in the target directory, or builds it there once.
fn obtain(repo: &Repo) -> Result<PathBuf> {
    let root = repo.target.join("tools");
    let program = root
        .join("bin")
        .join(format!("cargo-mutants{}", std::env::consts::EXE_SUFFIX));
    let installed = stdout_of(Command::new(&program).args(["mutants", "--version"]));
    if installed.is_ok_and(|version| version.trim() == format!("cargo-mutants {VERSION}")) {
        return Ok(program);
    }
    println!("building cargo-mutants {VERSION} (once, two minutes)");
    run_shown(
        cargo(&["install", "cargo-mutants", "--quiet", "--locked", "--force"])
            // Not in the repository: its settings are not the tool's.
            .current_dir(&repo.target)
            .args(["--version", VERSION, "--root"])
            .arg(&root)
            .arg("--target-dir")
            .arg(root.join("build")),
    )
    .context("cargo-mutants could not be built; this needs network access once")?;
    Ok(program)
}

/// The last line of cargo-mutants.
#[derive(Debug, Default, PartialEq, Eq)]
struct Verdict {
    killed: usize,
    survived: usize,
    unviable: usize,
}

impl Verdict {
    /// Reads `281 mutants tested: 7 missed, 222 caught, 52 unviable`; a mutant whose tests never end is
    /// noticed as well.
    fn read(line: &str) -> Option<Self> {
        let (_, counts) = line.split_once(" tested: ")?;
        let mut verdict = Self::default();
        for part in counts.split(", ") {
            let (number, kind) = part.trim().split_once(' ')?;
            let number: usize = number.parse().ok()?;
            match kind {
                "caught" | "timeout" | "timeouts" => verdict.killed += number,
                "missed" => verdict.survived += number,
                "unviable" => verdict.unviable += number,
                _ => return None,
            }
        }
        Some(verdict)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mutant_is_counted_once() {
        let verdict =
            Verdict::read("281 mutants tested: 7 missed, 220 caught, 52 unviable, 2 timeouts");
        let expected = Verdict {
            killed: 222,
            survived: 7,
            unviable: 52,
        };
        assert_eq!(verdict, Some(expected));
        assert_eq!(Verdict::read("Found 281 mutants to test"), None);
    }
}
