//! The hidden subcommand `guard`: runs one part and never lets it outlive the supervisor.
//!
//! Its standard input is a pipe whose other end only the supervisor holds. However the
//! supervisor ends, also by `kill -9`, the pipe closes, and the guard stops its child.

use std::ffi::OsString;
use std::fs::File;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use tokio::io::AsyncReadExt as _;
use tokio::process::{Child, Command};
use tokio::signal::unix::{SignalKind, signal};

/// Arguments of `guard`.
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// Where to write the child's process id; removed when it has ended.
    #[arg(long)]
    pid_file: PathBuf,
    /// A file to hold a shared lock on for as long as the child may live.
    #[arg(long)]
    lock_file: PathBuf,
    /// The gentle way to stop the child.
    #[arg(long, value_enum)]
    stop: Stop,
    /// Run the child as this user.
    #[arg(long, requires = "gid")]
    uid: Option<u32>,
    /// Run the child as this group.
    #[arg(long)]
    gid: Option<u32>,
    /// The program and its arguments.
    #[arg(last = true, required = true)]
    command: Vec<OsString>,
}

/// How a part is asked to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Stop {
    /// SIGINT, Postgres's fast shutdown; then SIGQUIT, its immediate one.
    Postgres,
    /// SIGTERM.
    Term,
}

impl Stop {
    /// Signals to try, each with the time the child gets to obey.
    fn steps(self) -> Vec<(Signal, Duration)> {
        match self {
            Self::Postgres => vec![
                (Signal::SIGINT, Duration::from_secs(8)),
                (Signal::SIGQUIT, Duration::from_secs(3)),
            ],
            Self::Term => vec![(Signal::SIGTERM, Duration::from_secs(2))],
        }
    }

    /// How the supervisor names this on the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::Term => "term",
        }
    }
}

/// Runs the child until it ends or standard input does; gives the exit code to leave with.
pub(crate) async fn run(args: Args) -> Result<i32> {
    // The next run waits for this lock, so that it never meets parts of the last one.
    let lock = File::options()
        .create(true)
        .append(true)
        .open(&args.lock_file)
        .with_context(|| format!("cannot open {}", args.lock_file.display()))?;
    lock.lock_shared()?;
    // Before the child exists, so that a signal cannot fall between.
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;

    let (program, rest) = args.command.split_first().context("no program was given")?;
    let mut command = Command::new(program);
    command
        .args(rest)
        .stdin(Stdio::null())
        // A group of its own: helpers of the child can be killed with it.
        .process_group(0);
    if let (Some(uid), Some(gid)) = (args.uid, args.gid) {
        command.uid(uid).gid(gid);
    }
    let mut child = command
        .spawn()
        .with_context(|| format!("cannot start {}", program.display()))?;
    let pid = child.id().context("the child has no process id")?;
    std::fs::write(&args.pid_file, pid.to_string())
        .with_context(|| format!("cannot write {}", args.pid_file.display()))?;
    let pid = Pid::from_raw(i32::try_from(pid)?);

    let status = tokio::select! {
        status = child.wait() => status?,
        () = end_of_input() => stop(&mut child, pid, args.stop).await?,
        _ = terminate.recv() => stop(&mut child, pid, args.stop).await?,
        _ = interrupt.recv() => stop(&mut child, pid, args.stop).await?,
    };
    // Whatever is left of the group has lost its parent. Nothing left is the usual case.
    let _ = killpg(pid, Signal::SIGKILL);
    let _ = std::fs::remove_file(&args.pid_file);
    Ok(exit_code(status))
}

async fn end_of_input() {
    let mut input = tokio::io::stdin();
    let mut sink = [0_u8; 64];
    while matches!(input.read(&mut sink).await, Ok(count) if count > 0) {}
}

async fn stop(child: &mut Child, pid: Pid, how: Stop) -> Result<ExitStatus> {
    for (signal, patience) in how.steps() {
        // The child may have ended by itself; then waiting for it returns at once.
        let _ = kill(pid, signal);
        if let Ok(status) = tokio::time::timeout(patience, child.wait()).await {
            return Ok(status?);
        }
    }
    child.start_kill()?;
    Ok(child.wait().await?)
}

fn exit_code(status: ExitStatus) -> i32 {
    // As a shell reports it.
    status
        .code()
        .or_else(|| status.signal().map(|signal| 128 + signal))
        .unwrap_or(1)
}
