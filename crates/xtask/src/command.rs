//! Child processes: how they are started and what a failure says.

use std::env;
use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::progress::Live;

/// `cargo ARGS`, with the cargo that runs this task.
pub(crate) fn cargo(args: &[&str]) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    // `cargo run` describes xtask in these; build scripts that watch them would run again each time.
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            command.env_remove(&name);
        }
    }
    command.args(args);
    command
}

/// The command as one would type it.
pub(crate) fn shown(command: &Command) -> String {
    std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(OsStr::to_string_lossy)
        .map(|word| {
            word.rsplit('/')
                .next()
                .filter(|_| word.starts_with('/'))
                .map_or_else(|| word.to_string(), str::to_owned)
        })
        .collect::<Vec<_>>()
        .join(" ")
}

/// Runs with inherited output; fails unless the exit code is 0.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = command
        .status()
        .with_context(|| format!("cannot start `{}`", shown(command)))?;
    if !status.success() {
        bail!("`{}` failed ({status})", shown(command));
    }
    Ok(())
}

/// Runs a build of cargo's, and shows how many crates it has compiled rather than a line for each; all of it if it fails.
pub(crate) fn build_quietly(command: &mut Command) -> Result<()> {
    let mut child = command
        .arg("--color=never")
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start `{}`", shown(command)))?;
    let mut said = String::new();
    let mut live = Live::default();
    let mut compiled = 0;
    if let Some(stderr) = child.stderr.take() {
        for line in BufReader::new(stderr).lines() {
            let line = line?;
            if line.trim_start().starts_with("Compiling ") {
                compiled += 1;
                live.show(&format!("{compiled} crates compiled"));
            }
            said.push_str(&line);
            said.push('\n');
        }
    }
    drop(live);
    let status = child.wait()?;
    if !status.success() {
        eprint!("{said}");
        bail!("`{}` failed ({status})", shown(command));
    }
    Ok(())
}

/// Runs and returns what was printed on stdout; a failure carries stderr.
pub(crate) fn stdout_of(command: &mut Command) -> Result<String> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot start `{}`", shown(command)))?;
    if !output.status.success() {
        bail!(
            "`{}` failed ({})\n{}",
            shown(command),
            output.status,
            String::from_utf8_lossy(&output.stderr).trim_end()
        );
    }
    String::from_utf8(output.stdout)
        .with_context(|| format!("`{}` printed something that is not UTF-8", shown(command)))
}
