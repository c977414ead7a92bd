//! What a run found, for people and for scripts.

use crate::figure::{Figure, Options};
use crate::goals::{self, Verdict};
use crate::machine::Machine;
use crate::table;
use anyhow::Result;
use serde::Serialize;

/// The whole run.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) machine: Machine,
    /// A quick run is no evidence.
    pub(crate) quick: bool,
    pub(crate) rounds: usize,
    pub(crate) goals: Vec<Verdict>,
    pub(crate) figures: Vec<Figure>,
}

impl Report {
    /// Holds the figures against the goals.
    pub(crate) fn new(options: &Options, machine: Machine, figures: Vec<Figure>) -> Self {
        Report {
            machine,
            quick: options.quick,
            rounds: options.rounds,
            goals: goals::verdicts(&figures),
            figures,
        }
    }

    /// Whether every goal was measured and met.
    pub(crate) fn reaches_goals(&self) -> bool {
        self.goals.iter().all(|verdict| verdict.met == Some(true))
    }

    /// To stdout, which has nothing else on it.
    pub(crate) fn print(&self, json: bool) -> Result<()> {
        if json {
            println!("{}", serde_json::to_string_pretty(self)?);
        } else {
            print!("{}", self.text());
        }
        Ok(())
    }

    /// Every table, the goals last.
    fn text(&self) -> String {
        format!(
            "{}\n\n{}{}",
            self.about(),
            table::figures(&self.figures),
            self.goals()
        )
    }

    /// What the figures are, and where they come from.
    pub(crate) fn about(&self) -> String {
        let kind = if self.quick {
            "A quick run, no evidence: medians"
        } else {
            "Medians"
        };
        let machine = self.machine.describe();
        format!("{kind} of {} alternating rounds. {machine}.", self.rounds)
    }

    /// The goals that this run has measured, and how many it has not.
    pub(crate) fn goals(&self) -> String {
        let (measured, missing): (Vec<_>, Vec<_>) = self
            .goals
            .iter()
            .partition(|verdict| verdict.measured.is_some());
        let missing = match missing.len() {
            0 => String::new(),
            count => format!("\n{count} goals are about something else than was measured.\n"),
        };
        format!("{}{missing}", table::goals(&measured))
    }
}
