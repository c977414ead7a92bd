//! What a run found, for people and for scripts.

use crate::Found;
use crate::figure::{Figure, Options};
use crate::flame::Flame;
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
    pub(crate) flames: Vec<Flame>,
}

impl Report {
    /// Holds the figures against the goals.
    pub(crate) fn new(options: &Options, machine: Machine, found: Found) -> Self {
        let Found { figures, flames } = found;
        Report {
            machine,
            quick: options.quick,
            rounds: options.rounds,
            goals: goals::verdicts(&figures),
            figures,
            flames,
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

    /// Every table, the goals last: that is where a person looks first.
    fn text(&self) -> String {
        let flames: Vec<String> = self.flames.iter().map(Flame::text).collect();
        format!(
            "{}\n\n{}{}{}",
            self.about(),
            flames.join("\n"),
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

    /// What is missed and what limits it, the goals that this run has measured, and how many it has not.
    pub(crate) fn goals(&self) -> String {
        let (measured, missing): (Vec<_>, Vec<_>) = self
            .goals
            .iter()
            .partition(|verdict| verdict.measured.is_some());
        let missing = match missing.len() {
            0 => String::new(),
            count => format!("\n{count} goals are about something else than was measured.\n"),
        };
        format!("{}{}{missing}", missed(&measured), table::goals(&measured))
    }
}

/// Each goal that is missed, and by what it is limited.
fn missed(verdicts: &[&Verdict]) -> String {
    let lines: Vec<String> = verdicts
        .iter()
        .filter_map(|verdict| {
            let (measured, limit) = (verdict.measured?, verdict.limited_by?);
            let measured = table::number(measured);
            Some(format!(
                "- **{}** is {measured}, not {}. {limit}\n",
                verdict.what, verdict.goal
            ))
        })
        .collect();
    match lines.len() {
        0 => String::new(),
        1 => format!("One goal is missed:\n\n{}\n", lines[0]),
        count => format!("{count} goals are missed:\n\n{}\n", lines.concat()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(met: bool) -> Verdict {
        Verdict {
            what: "a ÷ b",
            goal: "≤ 1.1".to_owned(),
            measured: Some(1.234),
            met: Some(met),
            limited_by: (!met).then_some("The processors."),
        }
    }

    #[test]
    fn what_is_missed_is_told_with_what_limits_it() {
        let expected = "One goal is missed:\n\n- **a ÷ b** is 1.23, not ≤ 1.1. The processors.\n\n";
        assert_eq!(missed(&[&verdict(false), &verdict(true)]), expected);
        assert_eq!(missed(&[&verdict(true)]), "");
    }
}
