//! Numbered steps with durations, for people who wait.

use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

/// Prints `[2/4] what` before each piece of work and its duration after it, on stderr.
pub(crate) struct Progress {
    total: usize,
    done: usize,
}

impl Progress {
    /// A list of `total` steps.
    pub(crate) fn of(total: usize) -> Self {
        Self { total, done: 0 }
    }

    /// Runs one step.
    pub(crate) fn step<T>(&mut self, what: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
        self.done += 1;
        let label = format!("[{}/{}] {what}", self.done, self.total);
        eprintln!("{label}");
        let start = Instant::now();
        let result = work().with_context(|| format!("{label}: failed"))?;
        eprintln!("      done in {}", seconds(start.elapsed()));
        Ok(result)
    }
}

/// One line on stderr that is written over while something goes on; nothing where nobody looks at a terminal.
#[derive(Default)]
pub(crate) struct Live {
    is_shown: bool,
}

impl Live {
    /// Writes over what stands there.
    pub(crate) fn show(&mut self, what: &str) {
        if !std::io::stderr().is_terminal() {
            return;
        }
        eprint!("\r\x1b[2K      {what}");
        self.is_shown = true;
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        if self.is_shown {
            eprint!("\r\x1b[2K");
        }
    }
}

/// A duration as people read it.
pub(crate) fn seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}
