//! What must not be in a module that is deployed.

use std::path::PathBuf;

use anyhow::{Result, bail};
use interlock_domain::errors::Code;

use crate::repo::{Repo, cargo_home, home};

/// A path of this machine gives the builder away and makes builds differ.
pub(super) fn no_machine_path(repo: &Repo, wasm: &[u8]) -> Result<()> {
    let paths: Vec<PathBuf> = [Some(repo.root.clone()), home(), cargo_home()]
        .into_iter()
        .flatten()
        .collect();
    for path in paths {
        let text = path.to_string_lossy();
        if contains(wasm, text.as_bytes()) {
            bail!("the module contains the path {text}: --remap-path-prefix did not catch it");
        }
    }
    Ok(())
}

/// Fault points are for tests: a request could break a deployed function with one.
pub(super) fn no_fault_point(wasm: &[u8]) -> Result<()> {
    if contains(wasm, b"failpoint:") {
        bail!("the module has fault points in it: build it without --features failpoint");
    }
    Ok(())
}

/// What only the database raises travels with the error; in a module it would be uploaded with every function.
pub(super) fn no_code_of_the_database(wasm: &[u8]) -> Result<()> {
    for code in Code::of_the_database() {
        let code = code.entry().code;
        if contains(wasm, code.as_bytes()) {
            bail!("the module contains {code}, which only the database raises");
        }
    }
    Ok(())
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack
        .windows(needle.len())
        .any(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_point_is_refused() {
        assert!(no_fault_point(b"\0asm failpoint:panic").is_err());
        assert!(no_fault_point(b"\0asm").is_ok());
    }

    #[test]
    fn a_code_of_the_database_is_refused() {
        assert!(no_code_of_the_database(b"\0asm NOT_A_DRIVER").is_err());
        assert!(no_code_of_the_database(b"\0asm INTERNAL").is_ok());
    }

    #[test]
    fn a_path_is_found_anywhere_in_the_bytes() {
        assert!(contains(b"\0asm /a/b/x.rs", b"/a/b"));
        assert!(!contains(b"\0asm x.rs", b"/a/b"));
    }
}
