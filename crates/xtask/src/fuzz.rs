//! `cargo xtask fuzz`: arbitrary input for the exchange, guided by the code that it reaches.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::command::{cargo, run, shown, stdout_of};
use crate::repo::Repo;

/// LLVM's SanitizerCoverage: a call at every edge. Flags of stable Rust, and no C++ on the way.
const GUIDED: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=3 \
                      -Cllvm-args=-sanitizer-coverage-trace-pc-guard";

/// Builds the fuzzer and passes `args` on.
pub(crate) fn fuzz(repo: &Repo, args: &[String]) -> Result<()> {
    let mut fuzzer = fuzzer(repo)?;
    fuzzer.args(args);
    let status = fuzzer
        .status()
        .with_context(|| format!("cannot start `{}`", shown(&fuzzer)))?;
    match status.code() {
        Some(0) => Ok(()),
        Some(_) => bail!("the fuzzer found something, or could not run: see above"),
        None => bail!(
            "an input ended the fuzzer ({status}). It is saved, and the line to repeat it is printed above"
        ),
    }
}

/// The fuzzer, guided if this compiler can do that for this machine. It says so itself if not.
pub(crate) fn fuzzer(repo: &Repo) -> Result<Command> {
    let version = stdout_of(Command::new("rustc").current_dir(&repo.root).arg("-vV"))?;
    let host = version
        .lines()
        .find_map(|line| line.strip_prefix("host: "))
        .context("`rustc -vV` names no host")?;
    let binary = match build(repo, host, GUIDED) {
        Ok(binary) => binary,
        Err(error) => {
            eprintln!("the guided build failed, so there will be a blind one: {error:#}");
            build(repo, host, "")?
        }
    };
    let mut fuzzer = Command::new(binary);
    fuzzer.current_dir(&repo.root);
    Ok(fuzzer)
}

/// With a target named, the flags leave build scripts and macros alone; in a directory of its own,
/// they leave every other build alone.
fn build(repo: &Repo, host: &str, flags: &str) -> Result<PathBuf> {
    let target = repo.target.join("fuzz");
    let package = "interlock-fuzz";
    let mut build = cargo(&[
        "build",
        "--quiet",
        "--profile",
        "fuzz",
        "--package",
        package,
    ]);
    build
        .current_dir(&repo.root)
        .args(["--target", host])
        .arg("--target-dir")
        .arg(&target)
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env("RUSTFLAGS", flags);
    run(&mut build)?;
    let file = format!("{package}{}", std::env::consts::EXE_SUFFIX);
    Ok(target.join(host).join("fuzz").join(file))
}
