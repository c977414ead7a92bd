//! What was run and what came of it, for people and for scripts.

use crate::corpus::entry;
use crate::coverage;
use crate::engine::Searched;
use crate::targets::Target;
use anyhow::Result;
use interlock_domain::json::{Codec as _, SerdeJson, Value, object};
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

/// How often a person hears how far a target has come.
const EVERY: Duration = Duration::from_secs(10);

/// The whole run.
pub(crate) struct Report {
    /// The same seed makes the same random choices.
    pub(crate) seed: u64,
    targets: Vec<Value>,
    failed: usize,
}

/// Tells a person, on stderr, how far a target has come.
pub(crate) fn progress(target: &Target) -> impl FnMut(u64, usize) {
    let name = target.name;
    let mut last = Instant::now();
    move |executions, edges| {
        if last.elapsed() >= EVERY {
            last = Instant::now();
            eprintln!("  {name}: {executions} executions, {edges} edges");
        }
    }
}

impl Report {
    /// A report of nothing yet. A build that counts nothing says so loudly.
    pub(crate) fn new(seed: u64) -> Self {
        eprintln!("seed {seed}");
        if coverage::edges() == 0 {
            eprintln!(
                "NOT GUIDED: this build does not count which code an input reaches, so inputs are changed \
                 blindly and the bound on time is not checked. `cargo xtask fuzz` makes one that does."
            );
        }
        Report {
            seed,
            targets: Vec::new(),
            failed: 0,
        }
    }

    /// Adds what the search of a target came to, and writes what it found.
    pub(crate) fn add(
        &mut self,
        target: &Target,
        searched: Searched,
        findings: &Path,
    ) -> Result<()> {
        let Searched {
            executions,
            edges,
            kept,
            worst,
            finding,
        } = searched;
        let verdict = if finding.is_none() { "holds" } else { "FAILED" };
        eprintln!("{}: {verdict}: {}", target.name, target.title);
        let figures = [
            ("executions", executions),
            ("edges_reached", edges as u64),
            ("inputs_kept", kept),
            ("largest_input_bytes", worst.input),
            ("most_memory_bytes", worst.memory),
            ("most_steps", worst.steps),
        ];
        for (what, number) in figures {
            eprintln!("  {number:>9}  {}", what.replace('_', " "));
        }
        let mut members: Vec<(String, Value)> = vec![("target".to_owned(), target.name.into())];
        members
            .extend(figures.map(|(what, number)| (what.to_owned(), Value::Number(number as f64))));
        let mut failure = Value::Null;
        if let Some(finding) = finding {
            self.failed += 1;
            let path = findings.join(format!("{}-{}-{executions}.json", target.name, self.seed));
            let text = SerdeJson.write(&entry(target.name, &finding.message, &finding.input));
            fs::write(&path, text + "\n")?;
            eprintln!("  FAILED: {}", finding.message);
            eprintln!("  the input is in {}", path.display());
            eprintln!(
                "  to repeat it: cargo xtask fuzz --replay {}",
                path.display()
            );
            failure = finding.message.into();
        }
        members.push(("failure".to_owned(), failure));
        self.targets.push(Value::Object(members));
        Ok(())
    }

    /// The verdict, whether everything held: the last line is the one that `npm test` counts.
    pub(crate) fn print(self, json: bool) -> bool {
        let holds = self.failed == 0;
        let passed = self.targets.len() - self.failed;
        if json {
            let report = object([
                ("seed", Value::Text(self.seed.to_string())),
                ("guided", (coverage::edges() > 0).into()),
                ("holds", holds.into()),
                ("targets", Value::List(self.targets)),
            ]);
            println!("{}", SerdeJson.write(&report));
        } else {
            let verdict = if holds { "ok" } else { "FAILED" };
            println!(
                "test result: {verdict}. {passed} passed; {} failed (seed {})",
                self.failed, self.seed
            );
        }
        holds
    }
}
