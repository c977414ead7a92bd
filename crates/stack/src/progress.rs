//! Progress for people on stderr, and where the functions' log lines go.

use std::io::Write as _;
use std::time::Instant;

/// Prints one line per finished step with its duration.
#[derive(Debug)]
pub(crate) struct Step {
    started: Instant,
}

impl Step {
    /// Starts the clock.
    pub(crate) fn start() -> Self {
        Self {
            started: Instant::now(),
        }
    }

    /// Says what was reached.
    pub(crate) fn done(&self, what: &str) {
        say(&format!(
            "  ✓ {what} ({:.1} s)",
            self.started.elapsed().as_secs_f32()
        ));
    }
}

/// One line for people.
pub(crate) fn say(text: &str) {
    // A closed terminal is no reason to stop the database.
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Where the log lines of functions go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Output {
    /// Beside the answers a person reads.
    Stdout,
    /// Out of the way of `--json`.
    Stderr,
}

impl Output {
    /// Writes one line, newline included, behind the name of who said it.
    pub(crate) fn line(self, name: &str, line: &[u8]) {
        let mut whole = format!("[{name}] ").into_bytes();
        whole.extend_from_slice(line);
        let _ = match self {
            Self::Stdout => std::io::stdout().write_all(&whole),
            Self::Stderr => std::io::stderr().write_all(&whole),
        };
    }
}
