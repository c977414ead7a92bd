//! The steps of a test run, in order.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::process::Command;

use anyhow::{Context, Result};

use super::counts::Counts;
use super::stack::LocalStack;
use super::{Run, client, deploy, domain_mutants, live, metrics, pgtap, postgres15};
use crate::command::cargo;
use crate::repo::{Repo, WASM_TARGET};
use crate::{bench, build, ensure, fuzz, prove};

/// A function's module may not be larger: every byte is uploaded, and loaded at each cold start.
/// postgrest-rs with reqwest, url and http is two thirds of what there is; the budget
/// keeps the rest from growing unnoticed. The function that asks a third party takes 17 KB more than one that
/// reads as little: half of it to make several calls, half to read what comes of them. To send many at once, each with the
/// key of its outlet (deliver), has cost every function 5 KB: the way of a request is one for all. To look up what a name leads to before it is
/// called another half.
const RAW_BUDGET: usize = 157_000;
const GZIP_BUDGET: usize = 72_000;

/// About 20 seconds.
const FUZZ_EXECUTIONS: &str = "200000";

/// The end-to-end tests that are no step of their own.
const REST: [&str; 8] = [
    "--skip",
    "prove::",
    "--skip",
    "mutants::",
    "--skip",
    "openapi::",
    "--skip",
    "client::typed_client",
];

/// One step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Step {
    /// npm packages and the WASM target.
    Tools,
    /// Functions to WASM.
    Build,
    /// The size budget of each function.
    Size,
    /// Formatting, clippy, deno lint, generated files, tidy.
    Lint,
    /// cargo test of the crates.
    Unit,
    /// Arbitrary input for the exchange.
    Fuzz,
    /// wasm-bindgen-test under Deno.
    Wasm,
    /// deno test of functions/.
    Functions,
    /// Start a local stack for the next steps.
    Stack,
    /// Migrations pushed to databases of all kinds on the stack's server, verified, and their jobs done.
    Push,
    /// Functions deployed by the real CLI, and what it uploaded put to the test.
    Deploy,
    /// A release, used on a PATH without Rust; and one module built in two folders.
    Release,
    /// Database tests on the stack's Postgres, while it is still empty.
    Pgtap,
    /// The stack's metrics, in the real Prometheus.
    Metrics,
    /// End-to-end and race tests.
    E2e,
    /// The functions against docs/openapi.json.
    Openapi,
    /// The typed client in Node and Deno.
    Client,
    /// The typed client in a browser.
    Browser,
    /// Accounts and files: supabase-js on a stack as `npm start` has it.
    Accounts,
    /// The console in a browser, on a stack of its own.
    Console,
    /// The documentation's code blocks, on a stack of their own, and the examples in a browser.
    Docs,
    /// Without any one lock, guard or constraint of the database a test must fail.
    Mutants,
    /// Without any one check of crates/domain a test must fail.
    DomainMutants,
    /// The proof, for as long as a test run can wait.
    Prove,
    /// The benchmark's database section and its profile, so short that their figures say nothing.
    Bench,
    /// Migrations, rollbacks, database tests and linters on Postgres 15.
    Postgres15,
}

impl Step {
    /// As on the command line.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Tools => "tools",
            Self::Build => "build",
            Self::Size => "size",
            Self::Lint => "lint",
            Self::Unit => "unit",
            Self::Fuzz => "fuzz",
            Self::Wasm => "wasm",
            Self::Functions => "functions",
            Self::Stack => "stack",
            Self::Push => "push",
            Self::Deploy => "deploy",
            Self::Release => "release",
            Self::Metrics => "metrics",
            Self::E2e => "e2e",
            Self::Openapi => "openapi",
            Self::Client => "client",
            Self::Browser => "browser",
            Self::Accounts => "accounts",
            Self::Console => "console",
            Self::Docs => "docs",
            Self::Prove => "prove",
            Self::Bench => "bench",
            Self::Mutants => "mutants",
            Self::DomainMutants => "domain-mutants",
            Self::Pgtap => "pgtap",
            Self::Postgres15 => "postgres15",
        }
    }

    /// For the list of steps.
    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Tools => "tools: npm packages and the WASM target",
            Self::Build => "build: functions to WASM",
            Self::Size => "size: each function within its budget",
            Self::Lint => "lint: formatting, clippy, deno, generated files, tidy",
            Self::Unit => "unit: cargo test of the crates",
            Self::Fuzz => "fuzz: arbitrary input for the exchange",
            Self::Wasm => "wasm: the WASM boundary under Deno",
            Self::Functions => "functions: deno test of functions/",
            Self::Stack => "stack: a local stack for the next steps",
            Self::Push => {
                "push: migrations against supabase/schemas, on databases of all kinds, npm run verify and npm run jobs"
            }
            Self::Deploy => "deploy: the CLI's upload, run in today's Deno and the platform's",
            Self::Release => {
                "release: what it holds, started and deployed without Rust, reproduced"
            }
            Self::Metrics => {
                "metrics: ops/ in the real Prometheus, on a shop that is broken and mended"
            }
            Self::E2e => "e2e: end-to-end and race tests",
            Self::Openapi => "openapi: the functions against docs/openapi.json",
            Self::Client => "client: the typed client in Node and Deno",
            Self::Browser => "browser: the typed client in a browser",
            Self::Accounts => "accounts: sign-in and files, by supabase-js alone",
            Self::Console => "console: the race lab and the shop's pages in a browser",
            Self::Docs => "docs: the documentation's code blocks, and the examples in a browser",
            Self::Prove => "prove: interleavings, histories, faults, permissions",
            Self::Bench => "bench: does the benchmark still run",
            Self::Mutants => "mutants: without a lock, guard or constraint a test must fail",
            Self::DomainMutants => "domain-mutants: without a check of the domain a test must fail",
            Self::Pgtap => {
                "pgtap: database tests on the stack's Postgres, as the only shop and as one of many"
            }
            Self::Postgres15 => {
                "postgres15: migrations, rollbacks, tests and linters on Postgres 15"
            }
        }
    }

    /// Steps that must have passed before, those that they need included.
    pub(super) fn needs(self) -> &'static [Self] {
        match self {
            Self::Tools => &[],
            Self::Build => &[Self::Tools],
            Self::Unit | Self::Fuzz => &[Self::Tools],
            Self::Size
            | Self::Lint
            | Self::Wasm
            | Self::Functions
            | Self::Stack
            | Self::Bench
            | Self::Accounts
            | Self::Console
            | Self::Docs
            | Self::Release => &[Self::Tools, Self::Build],
            Self::Push
            | Self::Deploy
            | Self::Metrics
            | Self::E2e
            | Self::Openapi
            | Self::Client
            | Self::Browser
            | Self::Prove
            | Self::Pgtap => &[Self::Tools, Self::Build, Self::Stack],
            // Database tests notice most of them.
            Self::Mutants => &[Self::Tools, Self::Build, Self::Stack, Self::Pgtap],
            Self::Postgres15 | Self::DomainMutants => &[Self::Tools],
        }
    }

    /// What to do when it failed.
    pub(super) fn advice(self) -> &'static str {
        match self {
            Self::Tools => "Connect to the network once, or install what the message names.",
            Self::Build => "`npm run build` shows the same.",
            Self::Size => "A budget is raised in crates/xtask/src/test/steps.rs, with a reason.",
            Self::Lint => {
                "`cargo fmt`, `cargo xtask codegen` and `deno fmt functions` mend the simple ones."
            }
            Self::Unit | Self::Wasm | Self::Functions => "The failed test is named above.",
            Self::Fuzz => "The input is saved, and the line to repeat it is printed above.",
            Self::Stack => "`npm start` shows the same start in full.",
            Self::DomainMutants => {
                "Add a test that notices the mutant, or say in .cargo/mutants.toml why none can."
            }
            Self::Openapi => {
                "An answer has changed, or docs/openapi.json is older than crates/domain: `cargo xtask codegen`."
            }
            Self::Client | Self::Accounts => "The failed test is named above, after `not ok`.",
            Self::Docs => {
                "The page and line are named above. A block that cannot run says why not in a comment before it."
            }
            Self::Browser | Self::Console => {
                "Without Debian or an installed Chromium at hand, --skip browser --skip console leaves it to CI."
            }
            Self::E2e | Self::Prove | Self::Mutants => {
                "The seed, if any, is printed above; the stack's own log is target/test-stack.log."
            }
            Self::Bench => {
                "`npm run bench -- --quick --only database --only profile` shows the same; its stack's log is target/bench-stack.log."
            }
            Self::Push => {
                "`cargo xtask codegen` writes the migrations of supabase/schemas; `cargo xtask snapshot` writes a snapshot anew."
            }
            Self::Release => {
                "`cargo xtask release --out target/release-test --profile dev` makes what was tested."
            }
            Self::Deploy => "What was uploaded is in target/ship/uploaded.",
            Self::Metrics => {
                "promtool names the rule, and target/prometheus/log has what Prometheus said."
            }
            Self::Pgtap => "The line after `not ok` says what was expected.",
            Self::Postgres15 => {
                "Without Debian or Ubuntu at hand, --skip postgres15 leaves it to CI."
            }
        }
    }

    /// Whether it takes so long that it runs only when it is asked for by name.
    pub(super) fn only_if_asked(self) -> bool {
        matches!(self, Self::Mutants | Self::DomainMutants)
    }

    /// Does it.
    pub(super) fn run(self, run: &mut Run) -> Result<Counts> {
        match self {
            Self::Tools => ensure::run_all(run.repo).map(|()| Counts::PASSED),
            Self::Build => build_functions(run.repo),
            Self::Size => size(run.repo),
            Self::Lint => lint(run),
            Self::Unit => unit(run),
            Self::Fuzz => fuzz(run),
            Self::Wasm => wasm(run),
            Self::Functions => functions(run),
            Self::Stack => start_stack(run),
            Self::Push => ship(
                run,
                &[
                    "schemas::",
                    "push::",
                    "verify::",
                    "docs::",
                    "jobs::",
                    "doctor::",
                    "audit::",
                    "import_stock::",
                    "uninstall::",
                ],
            ),
            Self::Deploy => deploy::run(run),
            Self::Release => release(run),
            Self::Metrics => metrics::run(run),
            Self::E2e => match &run.area {
                Some(area) => {
                    let tests = area.end_to_end();
                    end_to_end(run, &[&tests])
                }
                None if run.shops => {
                    let elsewhere = ONE_SHOP_ALONE.iter().flat_map(|name| ["--skip", name]);
                    end_to_end(run, &REST.into_iter().chain(elsewhere).collect::<Vec<_>>())
                }
                None => end_to_end(run, &REST),
            },
            Self::Openapi => end_to_end(run, &["openapi::"]),
            Self::Client => client::run(run),
            Self::Browser => client::run_in_browser(run),
            Self::Accounts => accounts(run),
            Self::Console => console(run),
            Self::Docs => docs(run),
            Self::Prove => prove(run),
            Self::Bench => bench(run),
            Self::Mutants => mutants(run),
            Self::DomainMutants => domain_mutants::run(run),
            Self::Pgtap => pgtap(run),
            Self::Postgres15 => postgres15::run(run),
        }
    }
}

fn build_functions(repo: &Repo) -> Result<Counts> {
    let built = build::build(repo, &build::Args::default())?;
    println!("built {}", names(&built));
    println!("{}", build::console(repo, false)?.describe());
    Ok(Counts::PASSED)
}

fn size(repo: &Repo) -> Result<Counts> {
    println!(
        "budget per function: {} KB, {} KB gzipped",
        RAW_BUDGET / 1000,
        GZIP_BUDGET / 1000
    );
    let mut counts = Counts::default();
    for function in build::build(repo, &build::Args::default())? {
        let fits = function.raw <= RAW_BUDGET && function.gzip <= GZIP_BUDGET;
        let mark = if fits { "" } else { "  TOO LARGE" };
        println!("{}{mark}", function.describe());
        counts = counts + if fits { Counts::PASSED } else { Counts::FAILED };
    }
    Ok(counts)
}

fn names(built: &[build::Built]) -> String {
    built
        .iter()
        .map(|function| function.name.as_str())
        .collect::<Vec<_>>()
        .join(", ")
}

/// In a process of its own, so that its output is read like that of every other step.
fn lint(run: &mut Run) -> Result<Counts> {
    let mut lint = Command::new(&run.program);
    lint.current_dir(&run.repo.root).arg("lint");
    live::check(&mut run.tail, &mut lint)?;
    Ok(Counts::PASSED)
}

/// Cargo builds a crate anew for every other set of features, and packages that are tested together
/// share theirs. So each native tool is tested alone, as it is built alone; and what becomes WASM is
/// tested apart from all of them.
fn unit(run: &mut Run) -> Result<Counts> {
    let alone = [
        "xtask",
        "wasm-build",
        "pgtap",
        "interlock-stack",
        "interlock-console",
        "interlock-fuzz",
    ]
    .map(|package| vec![package.to_owned()]);
    if let Some(area) = &run.area {
        // The same packages as without an area, so that nothing is built anew.
        let names = area.unit_tests();
        return unit_of(run, run.repo.wasm_packages()?, &names);
    }
    let mut counts = Counts::default();
    for packages in [run.repo.wasm_packages()?].into_iter().chain(alone) {
        counts = counts + unit_of(run, packages, &[])?;
    }
    Ok(counts)
}

/// Tests packages together; only what has one of these names, if there are any.
fn unit_of(run: &mut Run, packages: Vec<String>, names: &[String]) -> Result<Counts> {
    let mut tests = cargo(&["test", "--quiet"]);
    tests.current_dir(&run.repo.root);
    for package in packages {
        tests.args(["--package", &package]);
    }
    live::tests(&mut run.tail, tests.arg("--").args(names))
}

/// The same search each time: a run that fails is one that a change made fail.
fn fuzz(run: &mut Run) -> Result<Counts> {
    let mut fuzzer = fuzz::fuzzer(run.repo)?;
    fuzzer.args(["--seed", "1", "--executions", FUZZ_EXECUTIONS]);
    live::tests(&mut run.tail, &mut fuzzer)
}

fn wasm(run: &mut Run) -> Result<Counts> {
    let mut runner = cargo(&["build", "--quiet", "--package", "wasm-test-runner"]);
    live::check(&mut run.tail, runner.current_dir(&run.repo.root))?;
    let runner = run
        .repo
        .target
        .join("debug")
        .join(format!("wasm-test-runner{}", env::consts::EXE_SUFFIX));
    let wrapper = deno_with_window(run.repo)?;
    let mut path = vec![wrapper];
    path.extend(env::split_paths(&env::var_os("PATH").unwrap_or_default()));
    let mut tests = cargo(&["test", "--target", WASM_TARGET, "--lib", "--tests"]);
    for package in run.repo.wasm_packages()? {
        // The domain's own tests are native; what it does as WASM is tested through the edge.
        if package != "interlock-domain" {
            tests.args(["--package", &package]);
        }
    }
    tests
        .current_dir(&run.repo.root)
        .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER", runner)
        .env("WASM_BINDGEN_USE_DENO", "1")
        .env("PATH", env::join_paths(path)?)
        .env("NO_COLOR", "1")
        .env("DENO_NO_UPDATE_CHECK", "1");
    live::tests(&mut run.tail, &mut tests)
}

/// A directory with a program `deno` that has the `window` of Deno 1, which wasm-bindgen's test
/// runner still uses.
fn deno_with_window(repo: &Repo) -> Result<std::path::PathBuf> {
    let folder = repo.target.join("wasm-test");
    fs::create_dir_all(&folder)?;
    let preload = folder.join("window.js");
    fs::write(&preload, "globalThis.window ??= globalThis;\n")?;
    let script = folder.join("deno");
    let quoted = |path: &std::path::Path| format!("'{}'", path.display());
    fs::write(
        &script,
        format!(
            "#!/bin/sh\n# Called as `deno run …`.\nshift\nexec {} run --no-lock --preload {} \"$@\"\n",
            quoted(&repo.deno()?),
            quoted(&preload)
        ),
    )?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755))?;
    }
    Ok(folder)
}

fn functions(run: &mut Run) -> Result<Counts> {
    build::build(run.repo, &build::Args::failpoint()).context("the build with failpoints")?;
    let mut deno = run.repo.deno_command()?;
    deno.args(["test", "--no-lock", "--allow-all", "functions"]);
    live::tests(&mut run.tail, &mut deno)
}

fn start_stack(run: &mut Run) -> Result<Counts> {
    if let Ok(url) = env::var("API_URL") {
        println!("using the stack at {url}, as API_URL says");
        return Ok(Counts::PASSED);
    }
    // Postgres looks for its extensions here.
    pgtap::install(run.repo, &pgtap::embedded_share(run.repo)?)?;
    let stack = if run.pooled {
        LocalStack::start_pooled(run.repo, "test-stack")?
    } else {
        LocalStack::start(run.repo, "test-stack")?
    };
    if let Some(url) = stack.variables.get("API_URL") {
        println!("the stack is at {url}");
    }
    run.variables.clone_from(&stack.variables);
    if run.shops {
        stack.serve_shops(run.repo, "second")?;
        run.variables
            .insert("INTERLOCK_SHOP".to_owned(), "2".to_owned());
    }
    run.stack = Some(stack);
    Ok(Counts::PASSED)
}

/// End-to-end tests that speak of shop 1 by ways of their own (`npm test -- --shops`).
const ONE_SHOP_ALONE: [&str; 15] = [
    // By clients in JavaScript, and a payment provider, that send no header and no shop in the URL.
    "areas::events::mails::an_order_is_confirmed_by_mail",
    "areas::events::mails::the_crm_is_told_of_customers",
    "areas::events::over_http::nothing_of_a_flood_is_lost",
    "areas::events::over_http::receivers_verify_what_they_get",
    "areas::shop::payment_intent::all_tabs_get_the_same_intent_and_its_payment_pays_the_order",
    "areas::shop::payment_intent::an_intent_that_was_cancelled_is_followed_by_another",
    "areas::shop::payment_intent::an_intent_whose_id_was_not_kept_is_found_again_and_pays",
    "client::supabase_js_reads_every_answer",
    // By the only row of settings, read by whoever reads all rows.
    "areas::delivery::lifecycle::the_lease_length_is_a_setting_of_the_database",
    "areas::shop::price_scenes::calls_that_meet_half_way_end_as_they_must",
    // By keys that hold no shop: the seed, and upserts.
    "areas::foundation::reports::the_queries_of_the_reports_find_what_they_say",
    "areas::shop::gate::a_lock_that_is_stuck_or_ends_under_its_holder_changes_nothing_but_the_time",
    "areas::shop::gate::behind_the_gate_as_many_are_sold_as_there_are",
    // By accounts that are removed behind the shops' backs, which takes nothing along there.
    "areas::foundation::scenes::calls_that_meet_half_way_end_as_they_must",
    "areas::shop::reservation_scenes::calls_that_meet_half_way_end_as_they_must",
];

/// Runs the end-to-end tests that the arguments select.
pub(super) fn end_to_end(run: &mut Run, selection: &[&str]) -> Result<Counts> {
    let variables = run.variables.clone();
    of_tests_crate(run, &["--lib"], selection, &variables)
}

/// What breaks the product does so for every other test, so they go one after the other.
fn mutants(run: &mut Run) -> Result<Counts> {
    let variables = run.variables.clone();
    let selection = ["mutants::", "--nocapture", "--test-threads", "1"];
    of_tests_crate(run, &["--lib"], &selection, &variables)
}

/// Runs the tests of what a user does with a clone.
pub(super) fn ship(run: &mut Run, selection: &[&str]) -> Result<Counts> {
    let variables = run.variables.clone();
    of_tests_crate(run, &["--test", "ship"], selection, &variables)
}

/// Runs binaries of the tests crate against the stack that the variables describe.
pub(super) fn of_tests_crate(
    run: &mut Run,
    binaries: &[&str],
    selection: &[&str],
    variables: &BTreeMap<String, String>,
) -> Result<Counts> {
    let mut tests = cargo(&["test", "--package", "interlock-tests"]);
    tests
        .current_dir(&run.repo.root)
        .envs(variables)
        .args(binaries)
        .arg("--")
        .args(selection);
    live::tests(&mut run.tail, &mut tests)
}

/// On a stack of its own, with the seed's people and with Storage: elsewhere a proof of payment need not be a file.
fn accounts(run: &mut Run) -> Result<Counts> {
    let stack = LocalStack::start_seeded(run.repo, "accounts-stack")?;
    let files = ["auth", "storage"].map(|name| format!("tests/client/{name}.test.js"));
    let mut node = Command::new("node");
    node.current_dir(&run.repo.root)
        .envs(&stack.variables)
        // Node has a WebSocket of its own from version 22 on, and this one before.
        .args(["--experimental-websocket", "--test", "--test-reporter=tap"])
        .args(&files);
    let counts = live::tests(&mut run.tail, &mut node)?;
    let mut deno = run.repo.deno_command()?;
    // supabase-js stands in package.json.
    deno.env_remove("DENO_NO_PACKAGE_JSON")
        .envs(&stack.variables)
        .args(["test", "--no-lock", "--no-check", "--allow-all"])
        .args(&files);
    let counts = counts + live::tests(&mut run.tail, &mut deno)?;

    // From here on the stack serves many shops.
    stack.serve_shops(run.repo, "berlin")?;
    let mut shops = Command::new("node");
    shops
        .current_dir(&run.repo.root)
        .envs(&stack.variables)
        .args(["--experimental-websocket", "--test", "--test-reporter=tap"])
        .arg("tests/shops/shops.test.js");
    Ok(counts + live::tests(&mut run.tail, &mut shops)?)
}

/// On stacks of their own: nobody else's has the lab's schema, and beside a replica a list may lack what others have just done.
fn console(run: &mut Run) -> Result<Counts> {
    let stack = LocalStack::start_with_console(run.repo, "console-stack")?;
    let counts = in_console(run, &stack, &["lab", "shop"])?;
    drop(stack);
    let stack = LocalStack::start_with_console_and_replica(run.repo, "console-stack")?;
    Ok(counts + in_console(run, &stack, &["replica"])?)
}

fn in_console(run: &mut Run, stack: &LocalStack, names: &[&str]) -> Result<Counts> {
    let files = names
        .iter()
        .map(|name| format!("tests/console/{name}.test.js"));
    let mut tests = Command::new("node");
    tests
        .current_dir(&run.repo.root)
        .envs(&stack.variables)
        .envs(client::browser(run.repo)?)
        .args(["--test", "--test-concurrency=1", "--test-reporter=tap"])
        .args(files);
    live::tests(&mut run.tail, &mut tests)
}

/// On a stack of its own, with the seed that the pages speak of.
fn docs(run: &mut Run) -> Result<Counts> {
    client::build(run)?;
    let folder = "docs-stack";
    let stack = LocalStack::start_seeded(run.repo, folder)?;
    let browser = client::browser(run.repo)?;
    let mut counts = Counts::default();
    // What calls everything that there is comes after those who count on the seed.
    for names in [["docs", "examples"], ["answers", "bruno"]] {
        let files = names
            .iter()
            .map(|name| format!("tests/docs/{name}.test.js"));
        let mut tests = Command::new("node");
        tests
            .current_dir(&run.repo.root)
            .envs(&stack.variables)
            .envs(browser.clone())
            .env("XTASK_PROGRAM", &run.program)
            .env("STACK_PROGRAM", crate::stack::binary(run.repo, true)?)
            .env("STACK_FOLDER", run.repo.target.join(folder))
            .args(["--test", "--test-reporter=tap", "--test-concurrency=1"])
            .args(files);
        counts = counts + live::tests(&mut run.tail, &mut tests)?;
    }
    Ok(counts)
}

/// With the programs that this run has built; a release has the same ones, optimised.
fn release(run: &mut Run) -> Result<Counts> {
    let folder = "target/release-test";
    let xtask = |words: &[&str]| {
        let mut xtask = Command::new(&run.program);
        xtask.current_dir(&run.repo.root).arg("release").args(words);
        xtask
    };
    let mut make = xtask(&["--out", folder, "--profile", "dev"]);
    let mut again = xtask(&["--reproduce", "claim-route"]);
    live::check(&mut run.tail, &mut make)?;
    live::check(&mut run.tail, &mut again)?;
    let mut tests = Command::new("node");
    tests
        .current_dir(&run.repo.root)
        .env("RELEASE", run.repo.root.join(folder))
        .args([
            "--test",
            "--test-reporter=tap",
            "tests/release/release.test.js",
        ]);
    live::tests(&mut run.tail, &mut tests)
}

/// The same choices each time: a run that fails is one that a change made fail. How far it comes in its
/// time is another matter; `npm run prove` takes another seed and more time.
fn prove(run: &mut Run) -> Result<Counts> {
    let own = of_tests_crate(
        run,
        &["--lib"],
        &["prove::", "--skip", "mutants::"],
        &BTreeMap::new(),
    )?;
    let mut prove = prove::program(run.repo)?;
    prove
        .envs(&run.variables)
        .args(["--seed", "1", "--minutes", "2"]);
    Ok(own + live::tests(&mut run.tail, &mut prove)?)
}

/// Unoptimised, so that nothing has to be built for it.
fn bench(run: &mut Run) -> Result<Counts> {
    let own = of_tests_crate(run, &["--bin", "bench"], &[], &BTreeMap::new())?;
    bench::on_own_stack(run.repo, |variables| {
        let mut bench = bench::program(run.repo, "run", "dev");
        bench
            .args(["--", "--quick", "--only", "database", "--only", "profile"])
            .envs(variables);
        live::check(&mut run.tail, &mut bench).map(drop)
    })?;
    Ok(own + Counts::PASSED)
}

fn pgtap(run: &mut Run) -> Result<Counts> {
    let variables = run.variables.clone();
    let variables: Vec<(&str, &str)> = variables
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let one = pgtap::run(run, &variables)?;
    Ok(one + pgtap::run_as_shop_of_many(run, &variables)?)
}
