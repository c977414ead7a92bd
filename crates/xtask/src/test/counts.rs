//! How many tests passed and failed, read from what the runners print.

use std::ops::Add;

/// Passed and failed tests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) passed: usize,
    pub(super) failed: usize,
}

impl Counts {
    /// One check that holds.
    pub(super) const PASSED: Self = Self {
        passed: 1,
        failed: 0,
    };
    /// One check that does not.
    pub(super) const FAILED: Self = Self {
        passed: 0,
        failed: 1,
    };

    /// The counts in a closing line of cargo test, wasm-bindgen-test, our pgTAP runner
    /// (`test result: ok. 3 passed; 0 failed; …`), deno test (`ok | 3 passed | 0 failed (1s)`), or node's (`# pass 3`, `# fail 0`).
    pub(super) fn read(line: &str) -> Option<Self> {
        let line = line.trim();
        if let Some(passed) = line.strip_prefix("# pass ") {
            let passed = passed.parse().ok()?;
            return Some(Self { passed, failed: 0 });
        }
        if let Some(failed) = line.strip_prefix("# fail ") {
            let failed = failed.parse().ok()?;
            return Some(Self { passed: 0, failed });
        }
        let closing = line.starts_with("test result: ")
            || line.starts_with("ok | ")
            || line.starts_with("FAILED | ");
        if !closing {
            return None;
        }
        Some(Self {
            passed: number_before(line, " passed")?,
            failed: number_before(line, " failed").unwrap_or(0),
        })
    }
}

impl Add for Counts {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            passed: self.passed + other.passed,
            failed: self.failed + other.failed,
        }
    }
}

fn number_before(line: &str, word: &str) -> Option<usize> {
    let (before, _) = line.split_once(word)?;
    let digits = before.len() - before.trim_end_matches(|c: char| c.is_ascii_digit()).len();
    before[before.len() - digits..].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_runner_is_understood() {
        for line in [
            "test result: FAILED. 12 passed; 3 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.1s",
            "test result: FAILED. 12 passed; 3 failed",
            "FAILED | 12 passed (4 steps) | 3 failed (12ms)",
        ] {
            let counts = Counts::read(line).expect(line);
            assert_eq!((counts.passed, counts.failed), (12, 3), "{line}");
        }
        let counts = Counts::read("ok | 2 passed | 0 failed (12ms)").expect("deno");
        assert_eq!((counts.passed, counts.failed), (2, 0));
    }

    #[test]
    fn other_lines_are_not_counted() {
        for line in ["ok 1 - passed", "2 passed, 0 failed", "test a ... ok", ""] {
            assert_eq!(Counts::read(line), None, "{line}");
        }
    }
}
