//! Runs children whose output is shown as it comes, read for counts, and kept for the report.

use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader, Read};
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, Sender};
use std::thread;

use anyhow::{Context, Result, bail};

use super::counts::Counts;
use crate::command::shown;

const KEPT: usize = 60;

/// The last lines of a step's output.
#[derive(Default)]
pub(super) struct Tail {
    lines: VecDeque<String>,
}

impl Tail {
    /// Forgets everything, for the next step.
    pub(super) fn clear(&mut self) {
        self.lines.clear();
    }

    /// The lines, marked as a quotation.
    pub(super) fn quoted(&self) -> String {
        self.lines
            .iter()
            .map(|line| format!("  | {line}\n"))
            .collect()
    }

    fn push(&mut self, line: String) {
        if self.lines.len() == KEPT {
            self.lines.pop_front();
        }
        self.lines.push_back(line);
    }
}

/// What a child did.
pub(super) struct Finished {
    /// Sum of all its closing lines.
    pub(super) counts: Counts,
    /// Whether it left with exit code 0.
    pub(super) success: bool,
    /// Its exit code, unless a signal ended it.
    pub(super) code: Option<i32>,
    /// Everything it printed.
    pub(super) lines: Vec<String>,
}

/// Runs a test runner. A runner that fails without a failed test, for instance because something
/// did not compile, counts as one failure.
pub(super) fn tests(tail: &mut Tail, command: &mut Command) -> Result<Counts> {
    let finished = child(tail, command)?;
    if !finished.success && finished.counts.failed == 0 {
        return Ok(finished.counts + Counts::FAILED);
    }
    Ok(finished.counts)
}

/// Runs a command that must succeed.
pub(super) fn check(tail: &mut Tail, command: &mut Command) -> Result<Finished> {
    let finished = child(tail, command)?;
    if !finished.success {
        bail!("`{}` failed", shown(command));
    }
    Ok(finished)
}

/// Runs a command to its end.
pub(super) fn child(tail: &mut Tail, command: &mut Command) -> Result<Finished> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start `{}`", shown(command)))?;
    let (sender, receiver) = mpsc::channel();
    let readers = [
        child
            .stdout
            .take()
            .map(|stream| read(stream, sender.clone())),
        child
            .stderr
            .take()
            .map(|stream| read(stream, sender.clone())),
    ];
    drop(sender);
    let mut counts = Counts::default();
    let mut lines = Vec::new();
    for line in receiver {
        println!("{line}");
        if let Some(more) = Counts::read(&line) {
            counts = counts + more;
        }
        tail.push(line.clone());
        lines.push(line);
    }
    for reader in readers.into_iter().flatten() {
        // A reader only ends, it does not panic.
        let _ = reader.join();
    }
    let status = child.wait()?;
    Ok(Finished {
        counts,
        success: status.success(),
        code: status.code(),
        lines,
    })
}

fn read(stream: impl Read + Send + 'static, sender: Sender<String>) -> thread::JoinHandle<()> {
    thread::spawn(move || {
        for line in BufReader::new(stream).split(b'\n') {
            let Ok(line) = line else { return };
            let text = String::from_utf8_lossy(&line);
            if sender.send(text.trim_end_matches('\r').to_owned()).is_err() {
                return;
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn counts_of_several_closing_lines_add_up() {
        let mut tail = Tail::default();
        let line = "echo 'test result: ok. 2 passed; 0 failed'";
        let counts = tests(&mut tail, &mut shell(&format!("{line}; {line} >&2"))).expect("sh runs");
        assert_eq!((counts.passed, counts.failed), (4, 0));
    }

    #[test]
    fn a_runner_that_fails_before_its_tests_is_one_failure() {
        let mut tail = Tail::default();
        let counts = tests(&mut tail, &mut shell("echo no; exit 3")).expect("sh runs");
        assert_eq!(counts, Counts::FAILED);
        assert_eq!(tail.quoted(), "  | no\n");
    }
}
