//! The deploy test: the real CLI uploads the functions to a recording API (tests/ship/deploy.rs), and then
//! what it uploaded, and nothing else, runs behind the gateway in today's Deno and in the one that the
//! platform is compatible with, and has to pass the scenarios that go over HTTP.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::counts::Counts;
use super::stack::LocalStack;
use super::{Run, live, steps};
use crate::command::cargo;
use crate::repo::Repo;

/// npm's folders of the Denos that run the upload.
const DENOS: [(&str, &str); 2] = [("today's Deno", "@deno"), ("Deno 2.1.4", "@deno-2.1")];

/// The scenarios whose calls go through the functions.
const SCENARIOS: [&str; 4] = [
    "::contract::",
    "::lifecycle::",
    "client::supabase_js",
    "over_http",
];

/// Uploads, then runs what was uploaded.
pub(super) fn run(run: &mut Run) -> Result<Counts> {
    // These tests call `cargo xtask deploy`, which is this program, and `interlock-stack`.
    live::check(
        &mut run.tail,
        cargo(&["build", "--quiet", "--package", "interlock-stack"]).current_dir(&run.repo.root),
    )?;
    let mut counts = steps::ship(run, &["deploy::"])?;
    if counts.failed > 0 {
        return Ok(counts);
    }
    for (name, packages) in DENOS {
        let project = assemble(run.repo, packages)?;
        let stack = LocalStack::start_project(run.repo, &project, "deployed-stack")
            .with_context(|| format!("the uploaded functions do not start in {name}"))?;
        println!("the upload runs in {name}");
        counts = counts + steps::of_tests_crate(run, &["--lib"], &SCENARIOS, &stack.variables)?;
    }
    Ok(counts)
}

/// A project that has the uploaded files for functions, and of this one the configuration, the migrations
/// and the tools, with another Deno.
fn assemble(repo: &Repo, deno: &str) -> Result<PathBuf> {
    let project = repo.target.join("deployed");
    if project.exists() {
        fs::remove_dir_all(&project)?;
    }
    let modules = project.join("node_modules");
    let supabase = project.join("supabase");
    fs::create_dir_all(&modules)?;
    // A real folder: out of a linked one, `../functions` would lead back to the sources.
    fs::create_dir_all(&supabase)?;
    let here = repo.root.join("supabase");
    fs::copy(here.join("config.toml"), supabase.join("config.toml"))?;
    link(&here.join("migrations"), &supabase.join("migrations"))?;
    link(
        &repo.target.join("ship/uploaded/functions"),
        &project.join("functions"),
    )?;
    for package in ["@supabase", "supabase", "@embedded-postgres"] {
        link(&repo.npm_file(package)?, &modules.join(package))?;
    }
    link(&repo.npm_file(deno)?, &modules.join("@deno"))?;
    Ok(project)
}

fn link(from: &Path, to: &Path) -> Result<()> {
    #[cfg(unix)]
    let done = std::os::unix::fs::symlink(from, to);
    #[cfg(windows)]
    let done = std::os::windows::fs::symlink_dir(from, to);
    done.with_context(|| format!("cannot link {}", to.display()))
}
