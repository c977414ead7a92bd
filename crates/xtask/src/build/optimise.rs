//! `wasm-opt -Oz` from npm's binaryen.

use std::path::Path;
use std::process::Command;

use anyhow::Result;

use crate::command::run;
use crate::repo::Repo;

/// Flags after `wasm-opt`. The target-features section tells wasm-opt what the module may use, so
/// it is dropped last; naming features by hand makes modules that older engines reject.
pub(super) const FLAGS: [&str; 5] = [
    // Rust puts the stack first, so nothing with an address has one below 1024.
    "--low-memory-unused",
    "-Oz",
    "--strip-debug",
    "--strip-producers",
    "--strip-target-features",
];

/// Optimises a module in place.
pub(super) fn shrink(repo: &Repo, module: &Path) -> Result<()> {
    // Called through node: the shebang of the script does not work everywhere.
    let tool = repo.npm_file("binaryen/bin/wasm-opt")?;
    run(Command::new("node")
        .arg(tool)
        .args(FLAGS)
        .arg(module)
        .arg("-o")
        .arg(module))
}
