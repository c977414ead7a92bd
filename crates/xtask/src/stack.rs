//! `cargo xtask start` and `cargo xtask stack`: the local stack, built before it runs.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::command::{cargo, stdout_of};
use crate::progress::Progress;
use crate::repo::Repo;
use crate::test::debian;
use crate::{build, ensure, prebuilt};

/// Installs, builds and starts everything, then becomes the stack: Ctrl-C reaches it directly.
pub(crate) fn start(repo: &Repo, args: &[String]) -> Result<()> {
    let mut progress = Progress::of(4);
    progress.step("Tools and packages", || ensure::run_all(repo))?;
    if wants(args, "redis") {
        debian::redis(repo)?;
    }
    if wants(args, "pgbouncer") {
        debian::pgbouncer(repo)?;
    }
    let (modules, stack) = match &repo.prebuilt {
        Some(_) => (
            "Functions and console: of the release",
            "Local stack: of the release",
        ),
        None => (
            "Functions and console: Rust to WASM",
            "Local stack (a few minutes the first time)",
        ),
    };
    progress.step(modules, || {
        let built = build::build(repo, &build::Args::default())?;
        let console = build::console(repo, false)?;
        eprintln!("      {} functions and {}", built.len(), console.describe());
        Ok(())
    })?;
    let binary = progress.step(stack, || binary(repo, false))?;
    eprintln!("[4/4] Start");
    let mut up = Command::new(binary);
    up.current_dir(&repo.root).arg("up").args(args);
    become_process(up)
}

/// Any other command of the stack. stdout is the stack's alone.
pub(crate) fn command(repo: &Repo, args: &[String]) -> Result<()> {
    let mut stack = Command::new(binary(repo, true)?);
    stack.current_dir(&repo.root).args(args);
    become_process(stack)
}

/// Builds the stack and says where it is.
pub(crate) fn binary(repo: &Repo, quiet: bool) -> Result<PathBuf> {
    if let Some(release) = &repo.prebuilt {
        return prebuilt::stack(release);
    }
    let mut build = cargo(&["build", "--package", "interlock-stack"]);
    build.current_dir(&repo.root);
    if quiet {
        build.arg("--quiet");
        crate::command::run(&mut build)?;
    } else {
        crate::command::build_quietly(&mut build)?;
    }
    Ok(repo
        .target
        .join("debug")
        .join(format!("interlock-stack{}", std::env::consts::EXE_SUFFIX)))
}

/// Whether `--with` names a part: one at a time, or several with commas.
fn wants(args: &[String], part: &str) -> bool {
    let mut named = false;
    args.iter().any(|arg| {
        let parts = arg.strip_prefix("--with=").or(named.then_some(arg));
        let found = parts.is_some_and(|parts| parts.split(',').any(|name| name == part));
        named = arg == "--with";
        found
    })
}

/// A port for a server that is told where to listen, by the stack's program, which knows where to look.
pub(crate) fn free_port(program: &Path) -> Result<u16> {
    let said = stdout_of(Command::new(program).arg("free-port"))?;
    Ok(said.trim().parse()?)
}

#[cfg(unix)]
fn become_process(mut command: Command) -> Result<()> {
    use std::os::unix::process::CommandExt as _;
    let error = command.exec();
    Err(error).with_context(|| format!("cannot start {}", command.get_program().display()))
}

#[cfg(not(unix))]
fn become_process(mut command: Command) -> Result<()> {
    let status = command
        .status()
        .with_context(|| format!("cannot start {}", command.get_program().display()))?;
    std::process::exit(status.code().unwrap_or(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_follows_with_is_wanted() {
        let wants = |line: &str| {
            let args: Vec<String> = line.split(' ').map(str::to_owned).collect();
            wants(&args, "redis")
        };
        assert!(wants("--with redis"));
        assert!(wants("--with=pgbouncer,redis"));
        assert!(wants("--json --with pgbouncer --with redis"));
        assert!(!wants("--with pgbouncer --dir redis"));
        assert!(!wants("--dir=target/redis --json"));
    }
}
