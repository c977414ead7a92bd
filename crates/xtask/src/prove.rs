//! `cargo xtask prove`: the proof, on a stack of its own or on the one in the environment.

use std::env;
use std::process::Command;

use anyhow::{Result, ensure};

use crate::command::{cargo, run};
use crate::repo::Repo;
use crate::test::{LocalStack, debian};
use crate::{build, ensure, stack};

/// Has the stack serve many shops, and proves the second one.
const SHOPS: &str = "--shops";
/// The sections that say which shop they are about.
const OF_A_SHOP: [&str; 2] = ["interleavings", "histories"];

/// Builds what it needs, starts a stack unless `API_URL` names one, and passes `args` on.
pub(crate) fn prove(repo: &Repo, args: &[String]) -> Result<()> {
    ensure::run_all(repo)?;
    let (shops, mut args): (Vec<&str>, Vec<&str>) = args
        .iter()
        .map(String::as_str)
        .partition(|arg| *arg == SHOPS);
    if !shops.is_empty() {
        say_sections(&mut args)?;
    }
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

/// Those of a shop, unless some of them are asked for.
fn say_sections(args: &mut Vec<&str>) -> Result<()> {
    ensure!(
        env::var_os("API_URL").is_none(),
        "{SHOPS} makes many shops of a stack of its own: unset API_URL"
    );
    let is_asked = |arg: &&str| *arg == "--only" || arg.starts_with("--only=");
    if !args.iter().any(is_asked) {
        args.extend(OF_A_SHOP.iter().flat_map(|section| ["--only", section]));
    }
    let only = args.windows(2).filter(|pair| pair[0] == "--only");
    let mut only = only
        .map(|pair| pair[1])
        .chain(args.iter().filter_map(|arg| arg.strip_prefix("--only=")));
    ensure!(
        only.all(|section| OF_A_SHOP.contains(&section)),
        "{SHOPS} is for the sections {}",
        OF_A_SHOP.join(" and ")
    );
    Ok(())
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
