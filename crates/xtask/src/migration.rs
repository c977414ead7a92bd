//! `cargo xtask migration NAME`: drafts the next migration, and its rollback, from what supabase/schemas says and the
//! migrations do not make yet. The comparison itself is a test (tests/ship/schemas.rs), which this runs on a stack of
//! its own.

use anyhow::{Result, bail};

use crate::command::{cargo, run as run_command};
use crate::repo::Repo;
use crate::test::LocalStack;
use crate::{build, ensure};

/// What to call it.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// In snake case: what it is for.
    name: String,
}

/// Writes the draft, or says that there is nothing to write.
pub(crate) fn run(repo: &Repo, args: &Args) -> Result<()> {
    if !is_name(&args.name) {
        bail!(
            "{:?} is no name for a migration: small letters, digits and _, beginning with a letter",
            args.name
        );
    }
    ensure::run_all(repo)?;
    build::build(repo, &build::Args::default())?;
    let stack = LocalStack::start(repo, "migration-stack")?;
    let mut test = cargo(&[
        "test",
        "--quiet",
        "--package",
        "interlock-tests",
        "--test",
        "ship",
    ]);
    test.current_dir(&repo.root)
        .envs(&stack.variables)
        .env("DRAFT_MIGRATION", &args.name)
        .args(["--", "--exact", "--nocapture"])
        .arg("schemas::the_migrations_make_what_the_schemas_say");
    run_command(&mut test)
}

fn is_name(name: &str) -> bool {
    let rest = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    name.starts_with(|c: char| c.is_ascii_lowercase()) && name.chars().all(rest)
}

#[cfg(test)]
mod tests {
    use super::is_name;

    #[test]
    fn a_name_is_what_a_file_can_be_called() {
        for name in ["a", "orders_by_day", "v2"] {
            assert!(is_name(name), "{name}");
        }
        for name in ["", "2", "_a", "Orders", "a-b", "a b", "../a", "ä"] {
            assert!(!is_name(name), "{name}");
        }
    }
}
