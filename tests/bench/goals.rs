//! What the figures are meant to reach. A goal compares medians of one run on one machine.

use crate::figure::Figure;
use serde::Serialize;

/// Names a series: section, scenario, variant. What is measured in two versions of Deno counts in
/// today's, which comes first.
type Series = (&'static str, &'static str, &'static str);

/// A ratio of two medians, or one median where `over` is missing, and its bound.
struct Goal {
    what: &'static str,
    figure: Series,
    over: Option<Series>,
    bound: Bound,
}

enum Bound {
    AtLeast(f64),
    AtMost(f64),
}
use Bound::{AtLeast, AtMost};

/// A goal and what was measured.
#[derive(Debug, Serialize)]
pub(crate) struct Verdict {
    /// Such as `hot product ÷ select-for-update, 16 clients, 2 ms commit`.
    pub(crate) what: &'static str,
    /// Such as `≥ 10`.
    pub(crate) goal: String,
    /// The ratio; missing if this run did not measure it.
    pub(crate) measured: Option<f64>,
    /// Whether the goal is met; missing like `measured`.
    pub(crate) met: Option<bool>,
}

const HOT_SLOW: &str = "hot product, 16 clients, 2 ms commit";
const HOT_FAST: &str = "hot product, 16 clients, fast commit";
const SCARCE_SLOW: &str = "nearly gone, 16 clients, 2 ms commit";
const SCARCE_FAST: &str = "nearly gone, 16 clients, fast commit";
const CLAIM_SLOW: &str = "claims, 64 drivers, 2 ms commit";
const CLAIM_FAST: &str = "claims, 64 drivers, fast commit";
const SLOTS: &str = "interlock, 16 slots";
const SELECT_FOR_UPDATE: &str = "select-for-update";

const SCAN: &str = "scan, one worker, fast commit";
const SCANS: &str = "scans, 16 workers on one session, each its own product, 2 ms commit";
const REPORT_003: &str = "report 003";

const CPU_OF_A_LINE: &str = "CPU of a cart, 1 line, one client, fast commit";
const CPU_OF_5_LINES: &str = "CPU of a cart, 5 lines, one client, fast commit";
const CPU_OF_50_LINES: &str = "CPU of a cart, 50 lines, one client, fast commit";

const CPU: &str = "CPU per request";
const COLD_START: &str = "cold start";
const REQUEST: &str = "whole request, 16 clients, 2 ms commit";
const STORM_API: &str = "cold checkouts, 8 clients, 2 ms commit, through the API";
const STORM_FUNCTION: &str = "cold checkouts, 8 clients, 2 ms commit, through the function";

const GOALS: &[Goal] = &[
    Goal {
        what: "hot product ÷ the unchecked peer where nobody waits, 2 ms commit",
        figure: ("database", HOT_SLOW, SLOTS),
        over: Some(("database", HOT_SLOW, "select-for-update, cold products")),
        bound: AtLeast(0.9),
    },
    Goal {
        what: "hot product ÷ cold products, 2 ms commit",
        figure: ("database", HOT_SLOW, SLOTS),
        over: Some(("database", HOT_SLOW, "interlock, cold products")),
        bound: AtLeast(0.9),
    },
    Goal {
        what: "hot product ÷ select-for-update, fast commit",
        figure: ("database", HOT_FAST, SLOTS),
        over: Some(("database", HOT_FAST, SELECT_FOR_UPDATE)),
        bound: AtLeast(2.5),
    },
    Goal {
        what: "stock nearly gone: slots ÷ plain row, 2 ms commit",
        figure: ("database", SCARCE_SLOW, SLOTS),
        over: Some(("database", SCARCE_SLOW, "interlock, no slots")),
        bound: AtLeast(0.8),
    },
    Goal {
        what: "stock nearly gone: slots ÷ plain row, fast commit",
        figure: ("database", SCARCE_FAST, SLOTS),
        over: Some(("database", SCARCE_FAST, "interlock, no slots")),
        bound: AtLeast(0.8),
    },
    Goal {
        what: "time of a 50-line cart ÷ 1 line",
        figure: (
            "database",
            "cart, 50 lines, one client, fast commit",
            "interlock",
        ),
        over: Some((
            "database",
            "cart, 1 line, one client, fast commit",
            "interlock",
        )),
        bound: AtMost(6.0),
    },
    Goal {
        what: "CPU of a checkout of 1 line ÷ select-for-update",
        figure: ("database", CPU_OF_A_LINE, "interlock"),
        over: Some(("database", CPU_OF_A_LINE, SELECT_FOR_UPDATE)),
        bound: AtMost(1.1),
    },
    Goal {
        what: "CPU of a checkout of 5 lines ÷ select-for-update",
        figure: ("database", CPU_OF_5_LINES, "interlock"),
        over: Some(("database", CPU_OF_5_LINES, SELECT_FOR_UPDATE)),
        bound: AtMost(0.9),
    },
    Goal {
        what: "CPU of a checkout of 50 lines ÷ select-for-update",
        figure: ("database", CPU_OF_50_LINES, "interlock"),
        over: Some(("database", CPU_OF_50_LINES, SELECT_FOR_UPDATE)),
        bound: AtMost(0.6),
    },
    Goal {
        what: "50-line cart: one call per line ÷ interlock (time)",
        figure: (
            "database",
            "cart, 50 lines, one client, fast commit",
            "one call per line",
        ),
        over: Some((
            "database",
            "cart, 50 lines, one client, fast commit",
            "interlock",
        )),
        bound: AtLeast(4.0),
    },
    Goal {
        what: "time of a sale of 5 lines at a till ÷ 1 line",
        figure: (
            "database",
            "sale of 5 lines, one till, fast commit",
            "interlock",
        ),
        over: Some((
            "database",
            "sale of 1 line, one till, fast commit",
            "interlock",
        )),
        bound: AtMost(1.6),
    },
    Goal {
        what: "checkout at 1 M products, 2 M orders ÷ 1 k, 0 (time)",
        figure: (
            "growth",
            "checkout of 1 line",
            "1 M products, 2 M orders, 10 M ledger rows",
        ),
        over: Some((
            "growth",
            "checkout of 1 line",
            "1 k products, 0 orders, 0 ledger rows",
        )),
        bound: AtMost(1.2),
    },
    Goal {
        what: "WAL of a checkout at 200 k orders (bytes)",
        figure: (
            "growth",
            "WAL of a checkout of 1 line",
            "100 k products, 200 k orders, 1 M ledger rows",
        ),
        over: None,
        bound: AtMost(6000.0),
    },
    Goal {
        what: "claim next ÷ a batch each, fast commit",
        figure: ("database", CLAIM_FAST, "interlock, next"),
        over: Some(("database", CLAIM_FAST, "interlock, a batch each")),
        bound: AtLeast(0.8),
    },
    Goal {
        what: "claim next ÷ a batch each, 2 ms commit",
        figure: ("database", CLAIM_SLOW, "interlock, next"),
        over: Some(("database", CLAIM_SLOW, "interlock, a batch each")),
        bound: AtLeast(0.8),
    },
    Goal {
        what: "function: CPU per request ÷ hand-written fetch",
        figure: ("function", CPU, "interlock"),
        over: Some(("function", CPU, "fetch")),
        bound: AtMost(1.1),
    },
    Goal {
        what: "function: CPU per request ÷ supabase-js",
        figure: ("function", CPU, "interlock"),
        over: Some(("function", CPU, "supabase-js")),
        bound: AtMost(0.5),
    },
    Goal {
        what: "function: cold start ÷ supabase-js",
        figure: ("function", COLD_START, "interlock"),
        over: Some(("function", COLD_START, "supabase-js")),
        bound: AtMost(0.7),
    },
    Goal {
        what: "function: bytes of WASM",
        figure: ("function", "WASM module", "interlock"),
        over: None,
        bound: AtMost(146_000.0),
    },
    Goal {
        what: "function: bytes of the whole upload",
        figure: ("function", "upload: sources", "interlock"),
        over: None,
        bound: AtMost(220_000.0),
    },
    Goal {
        what: "whole requests a second ÷ supabase-js and the report's calls",
        figure: ("request", REQUEST, "interlock"),
        over: Some(("request", REQUEST, "supabase-js, the report's calls")),
        bound: AtLeast(2.0),
    },
    Goal {
        what: "cold checkouts in a storm ÷ alone, through the API",
        figure: ("storm", STORM_API, "hot product with slots, 2 at a time"),
        over: Some(("storm", STORM_API, "alone")),
        bound: AtLeast(0.5),
    },
    Goal {
        what: "cold checkouts in a storm ÷ alone, through the function",
        figure: (
            "storm",
            STORM_FUNCTION,
            "hot product with slots, 2 at a time",
        ),
        over: Some(("storm", STORM_FUNCTION, "alone")),
        bound: AtLeast(0.5),
    },
    Goal {
        what: "scan ÷ report 003's own SQL, one worker",
        figure: ("database", SCAN, "interlock, by the report's function"),
        over: Some(("database", SCAN, REPORT_003)),
        bound: AtMost(1.0),
    },
    Goal {
        what: "scans of 16 workers on one session ÷ report 003, 2 ms commit",
        figure: ("database", SCANS, "interlock, by the report's function"),
        over: Some(("database", SCANS, REPORT_003)),
        bound: AtLeast(10.0),
    },
];

/// Holds every goal against the figures.
pub(crate) fn verdicts(figures: &[Figure]) -> Vec<Verdict> {
    GOALS.iter().map(|goal| goal.verdict(figures)).collect()
}

impl Goal {
    fn verdict(&self, figures: &[Figure]) -> Verdict {
        let measured = match self.over {
            None => median(figures, self.figure),
            Some(over) => median(figures, self.figure)
                .zip(median(figures, over))
                .map(|(figure, over)| figure / over),
        };
        let (goal, met) = match self.bound {
            AtLeast(bound) => (format!("≥ {bound}"), measured.map(|value| value >= bound)),
            AtMost(bound) => (format!("≤ {bound}"), measured.map(|value| value <= bound)),
        };
        Verdict {
            what: self.what,
            goal,
            measured,
            met,
        }
    }
}

fn median(figures: &[Figure], (section, scenario, variant): Series) -> Option<f64> {
    figures
        .iter()
        .find(|figure| {
            let version = figure.scenario.strip_prefix(scenario);
            figure.section == section
                && version.is_some_and(|rest| rest.is_empty() || rest.starts_with(", Deno "))
                && figure.variant == variant
        })
        .map(Figure::median)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(scenario: &str, variant: &str, sample: f64) -> Figure {
        let mut figure = Figure::new("database", scenario, variant, "per second");
        figure.samples.push(sample);
        figure
    }

    #[test]
    fn a_goal_is_a_ratio_of_medians() {
        let figures = [
            measured(HOT_SLOW, SLOTS, 5000.0),
            measured(HOT_SLOW, "select-for-update, cold products", 4000.0),
        ];
        let verdict = &verdicts(&figures)[0];
        assert_eq!(verdict.measured, Some(1.25));
        assert_eq!(verdict.met, Some(true));
    }

    #[test]
    fn what_two_versions_of_deno_do_counts_in_the_first() {
        let today = measured("cold start, Deno 2.9.6", "interlock", 7.0);
        let older = measured("cold start, Deno 2.1.4", "interlock", 9.0);
        let series = ("database", "cold start", "interlock");
        assert_eq!(median(&[today, older], series), Some(7.0));
    }

    #[test]
    fn a_goal_without_its_peer_is_neither_met_nor_missed() {
        let verdict = &verdicts(&[measured(HOT_SLOW, SLOTS, 5000.0)])[0];
        assert_eq!(verdict.measured, None);
        assert_eq!(verdict.met, None);
    }
}
