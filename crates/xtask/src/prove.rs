//! `cargo xtask prove`: the proof, on a stack of its own or on the one in the environment.

use std::env;
use std::process::Command;

use anyhow::Result;

use crate::command::{cargo, run};
use crate::repo::Repo;
use crate::test::{LocalStack, debian};
use crate::{build, ensure, stack};

/// Has the stack serve many shops, and proves the second one: interleavings and histories, which say theirs.
const SHOPS: &str = "--shops";

/// Builds what it needs, starts a stack unless `API_URL` names one, and passes `args` on.
pub(crate) fn prove(repo: &Repo, args: &[String]) -> Result<()> {
    ensure::run_all(repo)?;
    let (shops, args): (Vec<_>, Vec<_>) = args.iter().partition(|arg| *arg == SHOPS);
    if args.iter().any(|arg| arg.ends_with("scale")) {
        debian::pgbouncer(repo)?;
    }
    let mut prove = program(repo)?;
    prove.args(args);
    if env::var_os("API_URL").is_some() {
        return run(&mut prove);
    }
    eprintln!("starting a stack …");
    build::build(repo, &build::Args::default())?;
    let stack = LocalStack::start(repo, "prove-stack")?;
    if !shops.is_empty() {
        stack.serve_shops(repo, "second")?;
        prove.env("INTERLOCK_SHOP", "2");
    }
    run(prove.envs(&stack.variables))
}

/// The program that proves. The faults start a stack of their own, which they strike.
pub(crate) fn program(repo: &Repo) -> Result<Command> {
    let mut prove = cargo(&[
        "run",
        "--quiet",
        "--package",
        "interlock-tests",
        "--bin",
        "prove",
        "--",
    ]);
    prove
        .current_dir(&repo.root)
        .env("INTERLOCK_STACK", stack::binary(repo, true)?);
    Ok(prove)
}
