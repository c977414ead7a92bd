//! `cargo xtask bench`: the benchmark, on a stack of its own.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::process::Command;

use anyhow::Result;

use crate::command::{cargo, run};
use crate::repo::Repo;
use crate::test::LocalStack;
use crate::{build, ensure};

/// A load generator must not take the machine that it measures.
const PROFILE: &str = "load";

/// Builds what it needs, starts a stack and passes `args` on.
pub(crate) fn bench(repo: &Repo, args: &[String]) -> Result<()> {
    ensure::run_all(repo)?;
    eprintln!("building the load generator (a few minutes the first time) …");
    run(&mut program(repo, "build", PROFILE))?;
    let mut bench = program(repo, "run", PROFILE);
    bench.arg("--").args(args);
    if args.iter().any(|arg| arg == "--help" || arg == "-h") {
        return run(&mut bench);
    }
    build::build(repo, &build::Args::default())?;
    // Sections that need a stack of another kind start it themselves; its gateway and API are measured with what they serve.
    let mut stack = cargo(&["build", "--quiet", "--profile", PROFILE]);
    stack.args(["--package", "interlock-stack"]);
    run(stack.current_dir(&repo.root))?;
    let stack = repo.target.join(PROFILE).join("interlock-stack");
    bench.env(
        "INTERLOCK_STACK",
        stack.with_extension(env::consts::EXE_EXTENSION),
    );
    eprintln!("starting a stack …");
    on_own_stack(repo, |variables| run(bench.envs(variables)))
}

/// Cargo building or running the program.
pub(crate) fn program(repo: &Repo, command: &str, profile: &str) -> Command {
    let mut cargo = cargo(&[command, "--quiet", "--profile", profile]);
    cargo
        .current_dir(&repo.root)
        .args(["--package", "interlock-tests", "--bin", "bench"]);
    cargo
}

/// Gives the work a stack that may be filled, and takes its gigabytes away afterwards.
pub(crate) fn on_own_stack(
    repo: &Repo,
    work: impl FnOnce(&BTreeMap<String, String>) -> Result<()>,
) -> Result<()> {
    const FOLDER: &str = "bench-stack";
    let stack = LocalStack::start_counting(repo, FOLDER)?;
    let result = work(&stack.variables);
    drop(stack);
    fs::remove_dir_all(repo.target.join(FOLDER))?;
    result
}
