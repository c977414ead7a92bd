//! Interlock's local stack: Postgres, the PostgREST API, the functions and a gateway, all on
//! loopback, with the ports and keys of `supabase start`.

mod api;
mod auth;
mod console;
mod debian;
mod dirs;
mod envfile;
mod examples;
mod functions;
mod gateway;
mod guard;
mod identity;
mod jwt;
mod keys;
mod mail;
mod npm;
mod part;
mod people;
mod pgbouncer;
mod platform;
mod ports;
mod postgres;
mod progress;
mod project;
mod proxy_faults;
mod push;
mod realtime;
mod redis;
mod replica;
mod restart;
mod status;
mod steps;
mod storage;
mod stripe;
mod up;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// Interlock's local stack.
#[derive(Parser, Debug)]
#[command(version, about)]
struct Cli {
    /// The repository; found around the working directory when not given.
    #[arg(long, global = true)]
    root: Option<PathBuf>,
    /// Where the stack keeps its data, relative to the repository.
    #[arg(long, global = true, default_value = ".interlock")]
    dir: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Start everything and stay in the foreground.
    Up(up::Args),
    /// Print the URLs and keys of the running stack.
    Status {
        /// How.
        #[arg(short, long, value_enum, default_value_t)]
        output: status::Format,
    },
    /// Print a port that nobody listens at, for a program that must be told where to listen; or several, a line each.
    #[command(hide = true)]
    FreePort {
        /// How many.
        #[arg(default_value_t = 1)]
        count: u8,
    },
    /// Print lines for a shell: the URLs and keys, and a token for each of the seed's people.
    Env,
    /// Print an access token for a user.
    Token {
        /// One of the seed's people (buyer, driver-a, driver-b, staff, manager, cashier, packer), an address or an id.
        #[arg(long)]
        user: String,
        /// The database role.
        #[arg(long, default_value = "authenticated")]
        role: String,
        /// Seconds until it expires; negative for an expired one.
        #[arg(long, default_value_t = 3600, allow_negative_numbers = true)]
        expires_in: i64,
        /// A JSON object with more claims.
        #[arg(long)]
        claims: Option<String>,
    },
    /// Print the SQL that gives a plain Postgres what the platform gives.
    PlatformSql {
        /// What API roles may do with new objects in `public`.
        #[arg(long, value_enum, default_value_t)]
        default_privileges: platform::DefaultPrivileges,
    },
    /// Run the API in this process.
    #[command(hide = true)]
    Api,
    /// Run a part that must not outlive the stack.
    #[command(hide = true)]
    Guard(guard::Args),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    // A guard is one pipe and one child: it needs no worker threads.
    let runtime = match cli.command {
        Command::Guard(_) => tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build(),
        _ => tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build(),
    };
    let code = match runtime.map_err(anyhow::Error::from).and_then(|runtime| {
        let code = runtime.block_on(dispatch(cli));
        // A read of standard input cannot be cancelled; do not wait for it.
        runtime.shutdown_background();
        code
    }) {
        Ok(code) => code,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "interlock-stack: {error:#}");
            1
        }
    };
    ExitCode::from(u8::try_from(code).unwrap_or(1))
}

async fn dispatch(cli: Cli) -> Result<i32> {
    match cli.command {
        Command::Up(args) => up::run(cli.root, cli.dir, args).await,
        Command::Status { output } => {
            let dirs = dirs(cli.root, cli.dir)?;
            print(&status::Status::of_running(&dirs)?.render(output)?);
            Ok(0)
        }
        Command::FreePort { count } => {
            for _ in 0..count {
                print(&format!("{}\n", ports::any("another program")?));
            }
            Ok(0)
        }
        Command::Env => {
            let dirs = dirs(cli.root, cli.dir)?;
            print(&examples::env(&status::Status::of_running(&dirs)?)?);
            Ok(0)
        }
        Command::Token {
            user,
            role,
            expires_in,
            claims,
        } => {
            // Without a stack only the seed's people are known by name, and an id is taken at its word.
            let running = dirs(cli.root, cli.dir)
                .ok()
                .and_then(|dirs| status::Status::of_running(&dirs).ok());
            let account = match running
                .as_ref()
                .and_then(|status| status.variables.get("DB_URL"))
            {
                Some(db_url) => people::Account::look_up(db_url, &user).await?,
                None => people::Account::of(&user)?,
            };
            let token = keys::user_token(&keys::UserToken {
                account: &account,
                role: &role,
                expires_in,
                claims: claims.as_deref(),
                api_url: running
                    .as_ref()
                    .map_or("http://127.0.0.1:54321", |status| status.api_url()),
            })?;
            print(&format!("{token}\n"));
            Ok(0)
        }
        Command::PlatformSql { default_privileges } => {
            print(&platform::sql(default_privileges));
            Ok(0)
        }
        Command::Api => api::serve().await.map(|()| 0),
        Command::Guard(args) => guard::run(args).await,
    }
}

fn dirs(root: Option<PathBuf>, dir: PathBuf) -> Result<dirs::Dirs> {
    let project = project::Project::find(root.as_deref())?;
    Ok(dirs::Dirs::new(&project.root, &dir))
}

fn print(text: &str) {
    // `| head` is no failure.
    let _ = std::io::stdout().write_all(text.as_bytes());
}
