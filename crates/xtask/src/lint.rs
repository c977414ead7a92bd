//! `cargo xtask lint`: everything that is checked without running it.

use std::process::Command;

use anyhow::{Result, bail};

use crate::command::{cargo, run};
use crate::repo::{Repo, WASM_TARGET};
use crate::{build, codegen, tidy};

/// What Deno formats and lints; what is generated is left out.
const TYPESCRIPT: [&str; 12] = [
    "functions",
    "examples",
    "tests/console",
    "tests/client",
    "tests/docs",
    "tests/mail",
    "tests/redis",
    "tests/release",
    "tests/shops",
    "tests/stripe",
    "packages/client",
    "--ignore=packages/client/cjs,packages/client/dist,packages/client/src/answers.ts,packages/client/src/api.ts,packages/client/src/calls.ts,packages/client/src/rpcs.ts,packages/client/src/tables.ts",
];

/// The console's page and the benchmark's peers, each by itself: beside a page or a deno.json, Deno forgets what the others ignore.
const APART: [&str; 3] = [
    "crates/console/static",
    "crates/xtask/launch.mjs",
    "tests/bench/peers/functions",
];

/// Runs every check and reports all that fail, not only the first.
pub(crate) fn run_all(repo: &Repo) -> Result<()> {
    // The type checker of Deno reads the generated core.d.ts.
    build::build(repo, &build::Args::default())?;
    let checks: [(&str, &dyn Fn() -> Result<()>); 8] = [
        ("cargo fmt", &|| {
            run(cargo(&["fmt", "--all", "--check"]).current_dir(&repo.root))
        }),
        ("clippy", &|| clippy_native(repo)),
        ("clippy for WASM", &|| clippy_wasm(repo)),
        ("deno fmt", &|| {
            run(deno(repo)?.args(["fmt", "--check"]).args(TYPESCRIPT))?;
            for folder in APART {
                run(deno(repo)?.args(["fmt", "--check", folder]))?;
            }
            Ok(())
        }),
        ("deno lint and check", &|| deno_lint(repo)),
        ("tsc", &|| types(repo)),
        ("codegen", &|| codegen::run(repo, &codegen::Args::check())),
        ("tidy", &|| tidy::run(repo)),
    ];
    let mut failed = Vec::new();
    for (name, check) in checks {
        println!("lint: {name}");
        if let Err(error) = check() {
            println!("lint: {name} failed: {error:#}");
            failed.push(name);
        }
    }
    if !failed.is_empty() {
        bail!("lint failed: {}", failed.join(", "));
    }
    Ok(())
}

fn clippy_native(repo: &Repo) -> Result<()> {
    run(cargo(&["clippy", "--workspace", "--all-targets"])
        .current_dir(&repo.root)
        .args(["--", "-D", "warnings"]))
}

fn clippy_wasm(repo: &Repo) -> Result<()> {
    let console = "interlock-console".to_owned();
    for package in repo.wasm_packages()?.into_iter().chain([console]) {
        let mut clippy = cargo(&["clippy", "--target", WASM_TARGET, "--package", &package]);
        clippy.current_dir(&repo.root);
        // The domain's own tests are native and use crates that do not compile for WASM.
        if package != "interlock-domain" {
            clippy.arg("--all-targets");
        }
        run(clippy.args(["--", "-D", "warnings"]))?;
    }
    Ok(())
}

fn deno_lint(repo: &Repo) -> Result<()> {
    run(deno(repo)?.arg("lint").args(TYPESCRIPT))?;
    for folder in APART {
        run(deno(repo)?.args(["lint", folder]))?;
    }
    for function in repo.functions()? {
        // Each function is checked under its own deno.json, as it is deployed.
        run(deno(repo)?
            .arg("check")
            .args(["--config", &format!("functions/{function}/deno.json")])
            .arg(format!("functions/{function}/index.ts")))?;
    }
    for peer in ["fetch", "supabase-js", "one-call", "reported", "empty"] {
        let folder = format!("tests/bench/peers/functions/{peer}");
        run(deno(repo)?
            .args(["check", "--no-lock", "--node-modules-dir=manual"])
            .args(["--config", &format!("{folder}/deno.json")])
            .arg(format!("{folder}/index.ts")))?;
    }
    Ok(())
}

/// The client's package, then its tests against what was built of it.
fn types(repo: &Repo) -> Result<()> {
    for project in ["packages/client", "packages/client/tests"] {
        run(Command::new("node")
            .current_dir(&repo.root)
            .arg(repo.npm_file("typescript/bin/tsc")?)
            .args(["--project", project]))?;
    }
    Ok(())
}

fn deno(repo: &Repo) -> Result<Command> {
    repo.deno_command()
}
