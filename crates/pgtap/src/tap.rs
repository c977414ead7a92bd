//! Reads the Test Anything Protocol as pgTAP's functions return it, row by row.

/// What one file reported.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Tests that hold, or are marked as not expected to.
    pub passed: usize,
    /// Tests that do not.
    pub failed: usize,
    /// The tests that do not hold, and what pgTAP says about them.
    pub failures: Vec<String>,
    /// What is wrong with the file as a whole.
    pub problems: Vec<String>,
    planned: Option<usize>,
}

impl Report {
    /// Takes one value of a result row; values that are not TAP are ignored.
    pub fn read(&mut self, text: &str) {
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("not ok ") {
                if is_todo(rest) {
                    self.passed += 1;
                } else {
                    self.failed += 1;
                    self.failures.push(line.to_owned());
                }
            } else if line.starts_with("ok ") {
                self.passed += 1;
            } else if let Some(count) = line.strip_prefix("1..") {
                self.planned = count
                    .split_whitespace()
                    .next()
                    .and_then(|count| count.parse().ok());
            } else if line.starts_with('#') && self.failed > 0 {
                // Without a failure it is the next line of a description.
                self.failures.push(line.to_owned());
            }
        }
    }

    /// Forgets the failures of a test by what it says on its first line, with what pgTAP says about them; how many they are.
    pub fn excuse(&mut self, said: &str) -> usize {
        let mut excused = 0;
        let mut within = false;
        self.failures.retain(|line| {
            if let Some(rest) = line.strip_prefix("not ok ") {
                let description = rest.split_once(" - ").map(|(_, description)| description);
                within = description.map(str::trim_end) == Some(said);
                excused += usize::from(within);
            }
            !within
        });
        self.failed -= excused;
        excused
    }

    /// Compares the plan with what ran; a file that stops half-way must not pass.
    pub fn finish(&mut self) {
        let ran = self.passed + self.failed;
        match self.planned {
            None => self
                .problems
                .push("no plan: call plan(n) first and finish() last".to_owned()),
            Some(planned) if planned != ran => self
                .problems
                .push(format!("planned {planned} tests and ran {ran}")),
            Some(_) => {}
        }
    }
}

fn is_todo(rest: &str) -> bool {
    rest.split_once("# ")
        .is_some_and(|(_, directive)| directive.to_uppercase().starts_with("TODO"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(rows: &[&str]) -> Report {
        let mut report = Report::default();
        rows.iter().for_each(|row| report.read(row));
        report.finish();
        report
    }

    #[test]
    fn tests_are_counted_and_other_values_ignored() {
        let report = report(&["1..3", "ok 1 - a", "an unrelated value", "ok 2 - b", "ok 3"]);
        assert_eq!((report.passed, report.failed), (3, 0));
        assert!(report.problems.is_empty());
    }

    #[test]
    fn a_failure_keeps_its_diagnosis() {
        let report = report(&["1..1", "not ok 1 - a\n# Failed test 1: \"a\"\n#   have: 1"]);
        assert_eq!((report.passed, report.failed), (0, 1));
        assert_eq!(report.failures.len(), 3);
    }

    #[test]
    fn a_description_of_two_lines_is_no_failure() {
        let report = report(&["1..1", "ok 1 - a\n# b"]);
        assert_eq!((report.passed, report.failures.len()), (1, 0));
    }

    #[test]
    fn a_test_marked_todo_may_fail() {
        let report = report(&["1..1", "not ok 1 - a # TODO later"]);
        assert_eq!((report.passed, report.failed), (1, 0));
    }

    #[test]
    fn a_failure_is_excused_with_its_diagnosis() {
        let mut report = report(&[
            "1..2",
            "not ok 1 - a\n#   have: 1",
            "not ok 2 - b\n#   have: 2",
        ]);
        assert_eq!(report.excuse("a"), 1);
        assert_eq!(report.excuse("c"), 0);
        assert_eq!(report.failed, 1);
        assert_eq!(report.failures, ["not ok 2 - b", "#   have: 2"]);
    }

    #[test]
    fn a_wrong_or_missing_plan_is_a_problem() {
        assert_eq!(report(&["1..2", "ok 1 - a"]).problems.len(), 1);
        assert_eq!(report(&["ok 1 - a"]).problems.len(), 1);
    }
}
