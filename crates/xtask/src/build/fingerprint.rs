//! What an output was made of, so that an unchanged function is not made again.

use std::hash::{DefaultHasher, Hash, Hasher};

use anyhow::Result;

use super::optimise;
use crate::repo::Repo;

/// The code that turns cargo's module into core.js; a change of it makes every function again.
const PIPELINE: [&str; 4] = [
    include_str!("../../../wasm-build/src/bindgen.rs"),
    include_str!("embed.rs"),
    include_str!("optimise.rs"),
    include_str!("../../../wasm-build/src/silence.rs"),
];

/// A text that changes with the module, the tools or the way they are called.
pub(super) fn of(repo: &Repo, wasm: &[u8]) -> Result<String> {
    let mut hasher = DefaultHasher::new();
    wasm.hash(&mut hasher);
    PIPELINE.hash(&mut hasher);
    optimise::FLAGS.hash(&mut hasher);
    repo.npm_version("binaryen")?.hash(&mut hasher);
    // Cargo.lock names the version of wasm-bindgen.
    lock_entry(&std::fs::read_to_string(repo.root.join("Cargo.lock"))?).hash(&mut hasher);
    Ok(format!("{:016x}\n", hasher.finish()))
}

fn lock_entry(lock: &str) -> Option<&str> {
    let start = lock.find("name = \"wasm-bindgen-cli-support\"")?;
    let entry = &lock[start..];
    entry.get(..entry.find("\n\n").unwrap_or(entry.len()))
}
