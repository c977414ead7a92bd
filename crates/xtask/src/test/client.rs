//! The typed client of packages/client: built, packed, and run where apps run.

use std::process::Command;

use anyhow::Result;

use super::chromium::Chromium;
use super::counts::Counts;
use super::steps::end_to_end;
use super::{Run, live};
use crate::repo::Repo;

/// In Node and in Deno.
pub(super) fn run(run: &mut Run) -> Result<Counts> {
    build(run)?;
    without_a_stack(run)?;
    println!("ok - the package has what it needs, and runs where it has to");
    let tests = end_to_end(
        run,
        &[
            "client::typed_client_in_node",
            "client::typed_client_in_deno",
        ],
    )?;
    Ok(Counts::PASSED + tests)
}

/// In a browser.
pub(super) fn run_in_browser(run: &mut Run) -> Result<Counts> {
    build(run)?;
    run.variables.extend(browser(run.repo)?);
    end_to_end(run, &["client::typed_client_in_a_browser"])
}

/// What its tests must know of a browser.
pub(super) fn browser(repo: &Repo) -> Result<[(String, String); 2]> {
    let chromium = Chromium::obtain(repo)?;
    println!("the browser is {}", repo.relative(&chromium.program));
    let variables = [
        ("CHROMIUM_PATH", chromium.program.into_os_string()),
        ("CHROMIUM_LIBRARIES", chromium.libraries),
    ];
    Ok(variables.map(|(name, value)| (name.to_owned(), value.to_string_lossy().into_owned())))
}

/// The package, as it is installed.
pub(super) fn build(run: &mut Run) -> Result<()> {
    for project in ["tsconfig.json", "tsconfig.cjs.json"] {
        let mut tsc = Command::new("node");
        tsc.current_dir(&run.repo.root)
            .arg(run.repo.npm_file("typescript/bin/tsc")?)
            .args(["--project", &format!("packages/client/{project}")]);
        live::check(&mut run.tail, &mut tsc)?;
    }
    Ok(())
}

/// What is packed, and the client where there is less than in Node.
fn without_a_stack(run: &mut Run) -> Result<()> {
    let tests = ["package", "native", "random", "replica", "rpc", "shops"]
        .map(|name| format!("packages/client/tests/{name}.test.js"));
    let mut node = Command::new("node");
    node.current_dir(&run.repo.root).arg("--test").args(tests);
    live::check(&mut run.tail, &mut node)?;
    Ok(())
}
