//! What was checked and what came of it, for people and for scripts.

use anyhow::Result;
use serde::Serialize;

/// The whole proof.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    /// The same seed makes the same random choices.
    pub(crate) seed: u64,
    /// Whether everything held.
    holds: bool,
    pub(crate) sections: Vec<Section>,
}

/// What one section found.
#[derive(Debug, Serialize)]
pub(crate) struct Section {
    pub(crate) name: &'static str,
    /// What was counted, in the order in which it is told.
    pub(crate) figures: Vec<(String, u64)>,
    /// What did not hold, each with all that is needed to see it again.
    pub(crate) failures: Vec<String>,
    /// What this stack cannot be asked, and why.
    pub(crate) left_out: Vec<String>,
}

impl Section {
    /// A section that has found nothing yet.
    pub(crate) fn new(name: &'static str) -> Self {
        Section {
            name,
            figures: Vec::new(),
            failures: Vec::new(),
            left_out: Vec::new(),
        }
    }

    /// Adds a figure.
    pub(crate) fn count(&mut self, what: impl Into<String>, number: u64) {
        self.figures.push((what.into(), number));
    }

    /// Tells a person, on stderr.
    pub(crate) fn print(&self) {
        let verdict = if self.failures.is_empty() {
            "holds"
        } else {
            "FAILED"
        };
        eprintln!("{}: {verdict}", self.name);
        for (what, number) in &self.figures {
            eprintln!("  {number:>9}  {what}");
        }
        for left_out in &self.left_out {
            eprintln!("  left out: {left_out}");
        }
        self.print_failures();
    }

    fn print_failures(&self) {
        for failure in &self.failures {
            eprintln!("  FAILED: {failure}");
        }
    }
}

/// Tells a person, on stderr, how far a section has come.
pub(crate) fn progress(section: &str, text: &str) {
    eprintln!("  {section}: {text}");
}

impl Report {
    /// A report of nothing yet.
    pub(crate) fn new(seed: u64) -> Self {
        eprintln!("seed {seed}");
        Report {
            seed,
            holds: true,
            sections: Vec::new(),
        }
    }

    /// Whether everything held.
    pub(crate) fn holds(&self) -> bool {
        self.sections
            .iter()
            .all(|section| section.failures.is_empty())
    }

    /// The verdict: the last line is the one that `npm test` counts.
    pub(crate) fn print(&mut self, json: bool) -> Result<()> {
        self.holds = self.holds();
        if json {
            println!("{}", serde_json::to_string(self)?);
            return Ok(());
        }
        let failed = self
            .sections
            .iter()
            .filter(|section| !section.failures.is_empty())
            .count();
        // Once more, so that they are not far above what came after them.
        if let Some((_, earlier)) = self.sections.split_last() {
            earlier.iter().for_each(Section::print_failures);
        }
        println!(
            "test result: {}. {} passed; {failed} failed (seed {})",
            if failed == 0 { "ok" } else { "FAILED" },
            self.sections.len() - failed,
            self.seed
        );
        Ok(())
    }
}
