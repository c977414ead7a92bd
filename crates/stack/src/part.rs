//! A running part of the stack, seen from the supervisor.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::Write as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::process::{ChildStdin, Command};
use tokio::sync::{mpsc, watch};

use crate::dirs::Dirs;
use crate::guard::Stop;
use crate::identity::Identity;
use crate::progress::Output;

/// What to start.
#[derive(Clone)]
pub(crate) struct Spec {
    /// The name in messages, logs and `status.json`.
    pub(crate) name: String,
    /// The program.
    pub(crate) program: PathBuf,
    /// Its arguments.
    pub(crate) args: Vec<OsString>,
    /// Its whole environment; nothing is inherited.
    pub(crate) env: Vec<(String, String)>,
    /// Its working directory.
    pub(crate) cwd: PathBuf,
    /// Who it runs as.
    pub(crate) identity: Identity,
    /// How it is asked to stop.
    pub(crate) stop: Stop,
    /// Whether its lines are shown as they come, or only kept in its log.
    pub(crate) echo: bool,
}

impl Spec {
    /// A part with no arguments and no environment yet.
    pub(crate) fn new(name: &str, program: PathBuf, dirs: &Dirs) -> Self {
        Self {
            name: name.to_owned(),
            program,
            args: Vec::new(),
            env: Vec::new(),
            cwd: dirs.base.clone(),
            identity: Identity::Same,
            stop: Stop::Term,
            echo: false,
        }
    }

    /// Adds arguments.
    pub(crate) fn args<A: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args
            .extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    /// Adds one argument.
    pub(crate) fn arg_text(self, arg: String) -> Self {
        self.args([arg])
    }

    /// Adds a variable.
    pub(crate) fn env(mut self, name: &str, value: impl Into<String>) -> Self {
        self.env.push((name.to_owned(), value.into()));
        self
    }
}

/// Tells that a part ended, and how.
#[derive(Debug)]
pub(crate) struct Ended {
    /// The part.
    pub(crate) name: String,
    /// In words, such as "ended with code 1".
    pub(crate) how: String,
}

/// A part under its guard.
pub(crate) struct Part {
    /// Its name.
    pub(crate) name: String,
    spec: Spec,
    log: PathBuf,
    pid_file: PathBuf,
    // Dropping it closes the guard's input, which stops the child.
    leash: Option<ChildStdin>,
    ended: watch::Receiver<Option<String>>,
}

impl Part {
    /// Starts a part; `reports` hears when it ends for whatever reason.
    pub(crate) fn spawn(
        spec: Spec,
        dirs: &Dirs,
        output: Output,
        reports: mpsc::UnboundedSender<Ended>,
    ) -> Result<Self> {
        let log = dirs.fresh_log(&spec.name)?;
        Self::spawn_with_log(spec, log, dirs, output, reports)
    }

    /// Starts this part, which has ended, once more; it goes on in the same log.
    pub(crate) fn again(
        &self,
        dirs: &Dirs,
        output: Output,
        reports: mpsc::UnboundedSender<Ended>,
    ) -> Result<Self> {
        Self::spawn_with_log(self.spec.clone(), self.log.clone(), dirs, output, reports)
    }

    fn spawn_with_log(
        spec: Spec,
        log: PathBuf,
        dirs: &Dirs,
        output: Output,
        reports: mpsc::UnboundedSender<Ended>,
    ) -> Result<Self> {
        let pid_file = dirs.run.join(format!("{}.pid", spec.name));
        let _ = std::fs::remove_file(&pid_file);

        let (program, args, ids) = spec.identity.wrap(&spec.program, &spec.args);
        let mut command = Command::new(own_program()?);
        command
            .arg("guard")
            .arg("--pid-file")
            .arg(&pid_file)
            .arg("--lock-file")
            .arg(&dirs.parts_lock)
            .args(["--stop", spec.stop.name()]);
        if let Some((uid, gid)) = ids {
            command.args(["--uid", &uid.to_string(), "--gid", &gid.to_string()]);
        }
        command
            .arg("--")
            .arg(program)
            .args(args)
            .env_clear()
            .envs(spec.env.iter().map(|(name, value)| (name, value)))
            .current_dir(&spec.cwd)
            .stdin(Stdio::piped())
            // Ctrl-C in a terminal must reach the supervisor only; it stops the parts in order.
            .process_group(0);
        if spec.echo {
            command.stdout(Stdio::piped()).stderr(Stdio::piped());
        } else {
            let file = open_log(&log)?;
            command.stdout(file.try_clone()?).stderr(file);
        }
        let mut guard = command
            .spawn()
            .with_context(|| format!("cannot start {}", spec.name))?;
        let leash = guard.stdin.take();
        if spec.echo {
            let file = Arc::new(Mutex::new(open_log(&log)?));
            if let Some(stdout) = guard.stdout.take() {
                tokio::spawn(copy_lines(stdout, spec.name.clone(), file.clone(), output));
            }
            if let Some(stderr) = guard.stderr.take() {
                tokio::spawn(copy_lines(stderr, spec.name.clone(), file, output));
            }
        }

        let (tell, ended) = watch::channel(None);
        let name = spec.name.clone();
        let orphan = pid_file.clone();
        tokio::spawn(async move {
            let how = match guard.wait().await {
                Ok(status) => {
                    if status.signal().is_some() {
                        kill_orphan(&orphan);
                    }
                    describe(status)
                }
                Err(error) => format!("was lost: {error}"),
            };
            tell.send_replace(Some(how.clone()));
            // Nobody listens any more when the stack is being stopped.
            let _ = reports.send(Ended { name, how });
        });
        Ok(Self {
            name: spec.name.clone(),
            spec,
            log,
            pid_file,
            leash,
            ended,
        })
    }

    /// The process id of the part itself, not of its guard.
    pub(crate) fn pid(&self) -> Option<u32> {
        std::fs::read_to_string(&self.pid_file).ok()?.parse().ok()
    }

    /// Waits until `ready` says yes; fails with the last log lines when the part ends before,
    /// or when `patience` is over.
    pub(crate) async fn ready<F>(&self, patience: Duration, mut ready: F) -> Result<()>
    where
        F: AsyncFnMut() -> bool,
    {
        let probe = async {
            while !ready().await {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let mut ended = self.ended.clone();
        tokio::select! {
            () = probe => Ok(()),
            how = ended.wait_for(Option::is_some) => {
                let how = how.ok().and_then(|how| how.clone()).unwrap_or_default();
                bail!("{} {how} before it was ready{}", self.name, self.tail().await)
            }
            () = tokio::time::sleep(patience) => bail!(
                "{} was not ready after {} s{}",
                self.name,
                patience.as_secs(),
                self.tail().await
            ),
        }
    }

    /// The last lines of the log, ready to be put behind a message.
    pub(crate) async fn tail(&self) -> String {
        // The last lines may still be on their way through the pipe.
        tokio::time::sleep(Duration::from_millis(50)).await;
        tail(&self.log)
    }

    /// Stops the part and waits until it is gone. The guard bounds the time.
    pub(crate) async fn stop(&mut self) {
        drop(self.leash.take());
        // An error means that the watching task is gone, and the part with it.
        let _ = self.ended.wait_for(Option::is_some).await;
    }
}

/// This program's own file, as it was called when the first part started: a build may replace it while
/// the stack runs, and the system then calls the old one deleted.
fn own_program() -> Result<&'static Path> {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    if let Some(program) = PROGRAM.get() {
        return Ok(program);
    }
    let program = std::env::current_exe().context("cannot find this program's own file")?;
    Ok(PROGRAM.get_or_init(|| program))
}

fn open_log(path: &Path) -> Result<File> {
    File::options()
        .create(true)
        .append(true)
        .open(path)
        .with_context(|| format!("cannot write {}", path.display()))
}

/// Without its guard a part has nobody left to stop it.
fn kill_orphan(pid_file: &Path) {
    let pid = std::fs::read_to_string(pid_file)
        .ok()
        .and_then(|text| text.parse().ok());
    if let Some(pid) = pid {
        let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
    }
    let _ = std::fs::remove_file(pid_file);
}

fn describe(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) if code > 128 => format!("was killed by signal {}", code - 128),
        (Some(code), _) => format!("ended with code {code}"),
        (None, Some(signal)) => format!("lost its guard to signal {signal}"),
        (None, None) => "ended".to_owned(),
    }
}

fn tail(log: &Path) -> String {
    const LINES: usize = 20;
    let text = match std::fs::read(log) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(_) => return String::new(),
    };
    let lines: Vec<&str> = text.lines().collect();
    if lines.is_empty() {
        return format!("; its log {} is empty", log.display());
    }
    let last = &lines[lines.len().saturating_sub(LINES)..];
    format!(
        "; the last lines of {}:\n    {}",
        log.display(),
        last.join("\n    ")
    )
}

async fn copy_lines(
    stream: impl AsyncRead + Unpin,
    name: String,
    log: Arc<Mutex<File>>,
    output: Output,
) {
    let mut stream = BufReader::new(stream);
    let mut line = Vec::new();
    loop {
        line.clear();
        match stream.read_until(b'\n', &mut line).await {
            Ok(count) if count > 0 => {}
            _ => return,
        }
        if line.last() != Some(&b'\n') {
            line.push(b'\n');
        }
        if let Ok(mut log) = log.lock() {
            // A full disk must not stop the function.
            let _ = log.write_all(&line);
        }
        output.line(&name, &line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exit_is_told_in_words() {
        assert_eq!(describe(ExitStatus::from_raw(1 << 8)), "ended with code 1");
        assert_eq!(
            describe(ExitStatus::from_raw(137 << 8)),
            "was killed by signal 9"
        );
        assert_eq!(
            describe(ExitStatus::from_raw(9)),
            "lost its guard to signal 9"
        );
    }
}
