//! `cargo xtask`: everything that builds, checks or tests Interlock. `npm run …` calls it.

mod audit;
mod bench;
mod build;
mod codegen;
mod command;
mod comments;
mod console;
mod deliver;
mod deploy;
mod doctor;
mod ensure;
mod first_set;
mod functions;
mod fuzz;
mod import_stock;
mod jobs;
mod lint;
mod llms;
mod migration;
mod move_shop;
mod openapi;
mod prebuilt;
mod progress;
mod prove;
mod release;
mod repo;
mod shop;
mod snapshot;
mod stack;
mod supabase;
mod tables;
mod test;
mod tidy;
mod uninstall;
mod verify;

use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::{Parser, Subcommand};

/// Builds, checks and tests Interlock.
#[derive(Parser)]
#[command(name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Install what a fresh clone lacks: npm packages and Rust's WASM target.
    Ensure,
    /// Compile the functions to WASM and write functions/NAME/core.js.
    Build(build::Args),
    /// Build everything and run the local stack until Ctrl-C.
    Start {
        /// Passed on to `interlock-stack up`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// Any other command of the local stack, such as `status` or `token`.
    #[command(disable_help_flag = true)]
    Stack {
        /// Passed on to `interlock-stack`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// Write what crates/domain says as SQL, docs/errors.md, docs/openapi.json and the client's types.
    Codegen(codegen::Args),
    /// Write the skeleton of a function, and say what is still to be done.
    NewFunction(functions::create::Args),
    /// Draft the next migration: what supabase/schemas says and the migrations do not make yet.
    Migration(migration::Args),
    /// Check the rules about the tree that no compiler checks.
    Tidy,
    /// Run every check that does not run the code.
    Lint,
    /// Run every test and print one summary.
    Test(test::Args),
    /// Put everything on a Supabase project: build, migrations, functions.
    Deploy(deploy::Args),
    /// Write what is deployed and started without a compiler: functions, migrations, client, console, programs.
    Release(release::Args),
    /// Take Interlock out of a project or a database again.
    Uninstall(uninstall::Args),
    /// Check that what the migrations make is in place in a database, and say what is not.
    Verify(verify::Args),
    /// Say what is wrong with an installation or the shop on it, and what to do about it.
    Doctor(doctor::Args),
    /// Do what pg_cron does where it is present: end what is overdue, settle, purge.
    Jobs(jobs::Args),
    /// Have the function deliver send what is due, where pg_cron does not.
    Deliver(deliver::Args),
    /// Import the stock that a shop has from a CSV file, all of it or nothing.
    ImportStock(import_stock::Args),
    /// Audit the stock, and tell what its books do not agree on.
    Audit(audit::Args),
    /// Move a shop to another database while it sells.
    MoveShop(move_shop::Args),
    /// Write the console as files that any host can serve, against a project.
    Console(console::Args),
    /// Write down what the migrations make: for `verify`, and as TypeScript types.
    Snapshot(snapshot::Args),
    /// Show that the promises hold, on the stack in the environment or on one of its own.
    #[command(disable_help_flag = true)]
    Prove {
        /// Passed on to `prove`, such as `--minutes 30 --seed 7`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// Measure against the incident reports' approaches, on a stack of its own.
    #[command(disable_help_flag = true)]
    Bench {
        /// Passed on to `bench`, such as `--quick --only database`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// Feed the exchange with arbitrary input and check every answer.
    #[command(disable_help_flag = true)]
    Fuzz {
        /// Passed on to the fuzzer, such as `--minutes 30 --seed 7`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
}

impl Task {
    /// Whether a release has all that it takes.
    fn does_without_rust(&self) -> bool {
        matches!(
            self,
            Self::Ensure
                | Self::Start { .. }
                | Self::Stack { .. }
                | Self::Deploy(_)
                | Self::Uninstall(_)
                | Self::Verify(_)
                | Self::Doctor(_)
                | Self::Jobs(_)
                | Self::Deliver(_)
                | Self::ImportStock(_)
                | Self::Audit(_)
                | Self::MoveShop(_)
                | Self::Console(_)
        )
    }
}

fn main() -> ExitCode {
    match dispatch(Cli::parse().task) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(task: Task) -> Result<()> {
    let repo = repo::Repo::open()?;
    if repo.prebuilt.is_some() && !task.does_without_rust() {
        bail!("this compiles, and so needs Rust: leave --prebuilt (INTERLOCK_PREBUILT) out");
    }
    match task {
        Task::Ensure => ensure::run_all(&repo),
        Task::Build(args) => {
            ensure::run_all(&repo)?;
            build::run(&repo, &args)
        }
        Task::Start { args } => stack::start(&repo, &args),
        Task::Stack { args } => stack::command(&repo, &args),
        Task::Codegen(args) => codegen::run(&repo, &args),
        Task::NewFunction(args) => functions::create::run(&repo, &args),
        Task::Migration(args) => migration::run(&repo, &args),
        Task::Tidy => tidy::run(&repo),
        Task::Lint => {
            ensure::run_all(&repo)?;
            lint::run_all(&repo)
        }
        Task::Test(args) => test::run(&repo, &args),
        Task::Deploy(args) => deploy::run(&repo, &args),
        Task::Release(args) => release::run(&repo, &args),
        Task::Uninstall(args) => uninstall::run(&repo, &args),
        Task::Verify(args) => verify::run(&repo, &args),
        Task::Doctor(args) => doctor::run(&repo, &args),
        Task::Jobs(args) => jobs::run(&repo, &args),
        Task::Deliver(args) => deliver::run(&args),
        Task::ImportStock(args) => import_stock::run(&repo, &args),
        Task::Audit(args) => audit::run(&repo, &args),
        Task::MoveShop(args) => move_shop::run(&args),
        Task::Console(args) => console::run(&repo, &args),
        Task::Snapshot(args) => snapshot::run(&repo, &args),
        Task::Prove { args } => prove::prove(&repo, &args),
        Task::Bench { args } => bench::bench(&repo, &args),
        Task::Fuzz { args } => fuzz::fuzz(&repo, &args),
    }
}
