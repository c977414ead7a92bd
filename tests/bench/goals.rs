//! What the figures are meant to reach. A goal compares medians of one run on one machine.

use crate::figure::Figure;
use serde::Serialize;

/// Names a series: section, scenario, variant. What is measured in two versions of Deno counts in
/// today's, which comes first, unless the scenario names one: `CPU per request, Deno 2.1`.
type Series = (&'static str, &'static str, &'static str);

/// A ratio of two medians, or one median where `over` is missing, and its bound.
struct Goal {
    what: &'static str,
    figure: Series,
    over: Option<Series>,
    bound: Bound,
    /// What keeps it from being met, for when it is not.
    limited_by: &'static str,
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
    /// What limits a goal that is missed.
    pub(crate) limited_by: Option<&'static str>,
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

const CPU_OF_A_CLAIM: &str =
    "CPU of a claim of the next batch with its completion, one driver, fast commit";
const CPU_OF_A_HOLD: &str = "CPU of a hold of a promo code, one client, fast commit";
const CPU_OF_A_SALE: &str = "CPU of a sale of 1 line under a key, one till, fast commit";
const CPU_OF_A_SCAN: &str = "CPU of a scan, one worker, fast commit";
const CPU_OF_AN_ADJUSTMENT: &str = "CPU of a stock adjustment of 1 line, one client, fast commit";
const CLAIM_NEXT: &str = "claims of the next batch under keys, 64 drivers, fast commit";
const UNCHECKED: &str = "the same writes, unchecked";

const CPU: &str = "CPU per request";
const CPU_IN_DENO_2_1: &str = "CPU per request, Deno 2.1";
const COLD_START: &str = "cold start";
const REQUEST: &str = "whole request, 16 clients, 2 ms commit";
const STORM_API: &str = "cold checkouts, 8 clients, 2 ms commit, through the API";
const STORM_FUNCTION: &str = "cold checkouts, 8 clients, 2 ms commit, through the function";

const STATEMENTS: &str = "How many statements, operators and columns a call has: Postgres sets up each of them anew in each transaction, and a check has some of its own.";
const LOOKS: &str = "What is looked at before, and what is read back for the answer: each is a statement that can take a hundred lines, and Postgres sets it up anew in each transaction.";
const PAGES: &str =
    "Pages that are not in the database's own memory any more, of keys that lie apart.";
const QUEUE: &str =
    "Whoever claims passes over the batches that others are claiming at that moment.";
const DENO: &str = "`fetch` itself is most of it; what is left is that each header, body and answer is copied into the module and out of it.";
const BYTES: &str = "postgrest-rs with reqwest, url and http are two thirds of the module, which is uploaded as text, a third longer.";
const STORM: &str = "The ten connections of the API, of which the hot product has two at any time, and the processors, which all share.";
const MET_SO_FAR: &str = "Hardly more than the rounds spread: other runs have met it.";

const GOALS: &[Goal] = &[
    Goal {
        what: "hot product ÷ the unchecked peer where nobody waits, 2 ms commit",
        figure: ("database", HOT_SLOW, SLOTS),
        over: Some(("database", HOT_SLOW, "select-for-update, cold products")),
        bound: AtLeast(0.9),
        limited_by: STATEMENTS,
    },
    Goal {
        what: "hot product ÷ cold products, 2 ms commit",
        figure: ("database", HOT_SLOW, SLOTS),
        over: Some(("database", HOT_SLOW, "interlock, cold products")),
        bound: AtLeast(0.9),
        limited_by: MET_SO_FAR,
    },
    Goal {
        what: "hot product ÷ select-for-update, fast commit",
        figure: ("database", HOT_FAST, SLOTS),
        over: Some(("database", HOT_FAST, SELECT_FOR_UPDATE)),
        bound: AtLeast(2.5),
        limited_by: "No lock but the processors: with slots it is as fast as cold products, and even the peer that checks nothing reaches hardly more where nobody waits.",
    },
    Goal {
        what: "stock nearly gone: slots ÷ plain row, 2 ms commit",
        figure: ("database", SCARCE_SLOW, SLOTS),
        over: Some(("database", SCARCE_SLOW, "interlock, no slots")),
        bound: AtLeast(0.8),
        limited_by: MET_SO_FAR,
    },
    Goal {
        what: "stock nearly gone: slots ÷ plain row, fast commit",
        figure: ("database", SCARCE_FAST, SLOTS),
        over: Some(("database", SCARCE_FAST, "interlock, no slots")),
        bound: AtLeast(0.8),
        limited_by: MET_SO_FAR,
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
        limited_by: MET_SO_FAR,
    },
    Goal {
        what: "CPU of a checkout of 1 line ÷ select-for-update",
        figure: ("database", CPU_OF_A_LINE, "interlock"),
        over: Some(("database", CPU_OF_A_LINE, SELECT_FOR_UPDATE)),
        bound: AtMost(1.1),
        limited_by: STATEMENTS,
    },
    Goal {
        what: "CPU of a checkout of 5 lines ÷ select-for-update",
        figure: ("database", CPU_OF_5_LINES, "interlock"),
        over: Some(("database", CPU_OF_5_LINES, SELECT_FOR_UPDATE)),
        bound: AtMost(0.9),
        limited_by: STATEMENTS,
    },
    Goal {
        what: "CPU of a checkout of 50 lines ÷ select-for-update",
        figure: ("database", CPU_OF_50_LINES, "interlock"),
        over: Some(("database", CPU_OF_50_LINES, SELECT_FOR_UPDATE)),
        bound: AtMost(0.6),
        limited_by: STATEMENTS,
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
        limited_by: MET_SO_FAR,
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
        limited_by: MET_SO_FAR,
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
        bound: AtMost(1.1),
        limited_by: PAGES,
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
        limited_by: "Whole pages: Postgres writes each to its log when it is first changed after a checkpoint, and where keys lie apart each row changes one of its own.",
    },
    Goal {
        what: "CPU of claiming and completing the next batch ÷ the same writes, unchecked",
        figure: ("database", CPU_OF_A_CLAIM, "interlock"),
        over: Some(("database", CPU_OF_A_CLAIM, UNCHECKED)),
        bound: AtMost(1.1),
        limited_by: STATEMENTS,
    },
    Goal {
        what: "claims of 64 drivers: the same writes, unchecked ÷ ours, fast commit",
        figure: ("database", CLAIM_NEXT, UNCHECKED),
        over: Some(("database", CLAIM_NEXT, "interlock")),
        bound: AtMost(1.1),
        limited_by: STATEMENTS,
    },
    Goal {
        what: "CPU of a hold of a promo code ÷ the same writes, unchecked",
        figure: ("database", CPU_OF_A_HOLD, "interlock"),
        over: Some(("database", CPU_OF_A_HOLD, UNCHECKED)),
        bound: AtMost(1.1),
        limited_by: "The use is looked for and locked, and then written in five statements where three would do without a lock; and to count it on the code asks all of its constraints.",
    },
    Goal {
        what: "CPU of a sale of 1 line at a till ÷ the same writes, unchecked",
        figure: ("database", CPU_OF_A_SALE, "interlock"),
        over: Some(("database", CPU_OF_A_SALE, UNCHECKED)),
        bound: AtMost(1.1),
        limited_by: LOOKS,
    },
    Goal {
        what: "CPU of a scan (pack) ÷ the same writes, unchecked",
        figure: ("database", CPU_OF_A_SCAN, "interlock"),
        over: Some(("database", CPU_OF_A_SCAN, UNCHECKED)),
        bound: AtMost(1.1),
        limited_by: "Its answer, which tells a screen how far order, basket and session are and so reads their lines: by the report's function, which answers the line, it is less.",
    },
    Goal {
        what: "CPU of a stock adjustment of 1 line ÷ the same writes, unchecked",
        figure: ("database", CPU_OF_AN_ADJUSTMENT, "interlock"),
        over: Some(("database", CPU_OF_AN_ADJUSTMENT, UNCHECKED)),
        bound: AtMost(1.1),
        limited_by: LOOKS,
    },
    Goal {
        what: "claim next ÷ a batch each, fast commit",
        figure: ("database", CLAIM_FAST, "interlock, next"),
        over: Some(("database", CLAIM_FAST, "interlock, a batch each")),
        bound: AtLeast(0.8),
        limited_by: QUEUE,
    },
    Goal {
        what: "claim next ÷ a batch each, 2 ms commit",
        figure: ("database", CLAIM_SLOW, "interlock, next"),
        over: Some(("database", CLAIM_SLOW, "interlock, a batch each")),
        bound: AtLeast(0.8),
        limited_by: QUEUE,
    },
    Goal {
        what: "function: CPU per request ÷ hand-written fetch",
        figure: ("function", CPU, "interlock"),
        over: Some(("function", CPU, "fetch")),
        bound: AtMost(1.05),
        limited_by: DENO,
    },
    Goal {
        what: "function: CPU per request ÷ hand-written fetch, Deno 2.1",
        figure: ("function", CPU_IN_DENO_2_1, "interlock"),
        over: Some(("function", CPU_IN_DENO_2_1, "fetch")),
        bound: AtMost(1.15),
        limited_by: DENO,
    },
    Goal {
        what: "function: CPU per request ÷ supabase-js",
        figure: ("function", CPU, "interlock"),
        over: Some(("function", CPU, "supabase-js")),
        bound: AtMost(0.45),
        limited_by: DENO,
    },
    Goal {
        what: "function: cold start ÷ supabase-js",
        figure: ("function", COLD_START, "interlock"),
        over: Some(("function", COLD_START, "supabase-js")),
        bound: AtMost(0.6),
        limited_by: "Deno itself, in which an empty function takes more than half as long; then the module of WASM, which is decoded and compiled at each start.",
    },
    Goal {
        what: "function: bytes of WASM",
        figure: ("function", "WASM module", "interlock"),
        over: None,
        bound: AtMost(146_000.0),
        limited_by: BYTES,
    },
    Goal {
        what: "function: bytes of the whole upload",
        figure: ("function", "upload: sources", "interlock"),
        over: None,
        bound: AtMost(220_000.0),
        limited_by: BYTES,
    },
    Goal {
        what: "whole requests a second ÷ supabase-js and the report's calls",
        figure: ("request", REQUEST, "interlock"),
        over: Some(("request", REQUEST, "supabase-js, the report's calls")),
        bound: AtLeast(2.0),
        limited_by: "The database's part of it, which is half: see the CPU of a checkout.",
    },
    Goal {
        what: "cold checkouts in a storm ÷ alone, through the API",
        figure: ("storm", STORM_API, "hot product with slots, 2 at a time"),
        over: Some(("storm", STORM_API, "alone")),
        bound: AtLeast(0.5),
        limited_by: STORM,
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
        limited_by: STORM,
    },
    Goal {
        what: "scan ÷ report 003's own SQL, one worker",
        figure: ("database", SCAN, "interlock, by the report's function"),
        over: Some(("database", SCAN, REPORT_003)),
        bound: AtMost(1.0),
        limited_by: "Its history, the check of who works there and the limits of basket and line, which the report's own has not.",
    },
    Goal {
        what: "scans of 16 workers on one session ÷ report 003, 2 ms commit",
        figure: ("database", SCANS, "interlock, by the report's function"),
        over: Some(("database", SCANS, REPORT_003)),
        bound: AtLeast(10.0),
        limited_by: MET_SO_FAR,
    },
];

/// Of what is measured only if it is asked for: not measured, it is not missing.
const GOALS_ON_REQUEST: &[Goal] = &[Goal {
    what: "checkout at 1 M products, 10 M orders ÷ 1 k, 0 (time)",
    figure: (
        "growth",
        "checkout of 1 line",
        "1 M products, 10 M orders, 50 M ledger rows",
    ),
    over: Some((
        "growth",
        "checkout of 1 line",
        "1 k products, 0 orders, 0 ledger rows",
    )),
    bound: AtMost(1.1),
    limited_by: PAGES,
}];

/// Holds every goal against the figures; those that are missed come first.
pub(crate) fn verdicts(figures: &[Figure]) -> Vec<Verdict> {
    let on_request = GOALS_ON_REQUEST
        .iter()
        .map(|goal| goal.verdict(figures))
        .filter(|verdict| verdict.measured.is_some());
    let mut verdicts: Vec<Verdict> = GOALS
        .iter()
        .map(|goal| goal.verdict(figures))
        .chain(on_request)
        .collect();
    verdicts.sort_by_key(|verdict| verdict.met != Some(false));
    verdicts
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
            limited_by: (met == Some(false)).then_some(self.limited_by),
        }
    }
}

fn median(figures: &[Figure], (section, scenario, variant): Series) -> Option<f64> {
    figures
        .iter()
        .find(|figure| {
            // ", Deno 2.9.6" of one that names no version, ".4" of one that names "Deno 2.1".
            let rest = figure.scenario.strip_prefix(scenario);
            let same = |rest: &str| {
                rest.is_empty()
                    || rest.starts_with(", Deno ")
                    || scenario.contains(", Deno ") && rest.starts_with('.')
            };
            figure.section == section && rest.is_some_and(same) && figure.variant == variant
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
        let figures = [
            measured("cold start, Deno 2.9.6", "interlock", 7.0),
            measured("cold start, Deno 2.1.4", "interlock", 9.0),
        ];
        let of = |scenario| median(&figures, ("database", scenario, "interlock"));
        assert_eq!(of("cold start"), Some(7.0));
        assert_eq!(of("cold start, Deno 2.1"), Some(9.0));
        assert_eq!(of("cold"), None);
    }

    #[test]
    fn what_is_missed_comes_first_and_says_what_limits_it() {
        let figures = [
            measured(HOT_SLOW, SLOTS, 5000.0),
            measured(HOT_SLOW, "select-for-update, cold products", 4000.0),
            measured(CPU_OF_A_CLAIM, "interlock", 12.0),
            measured(CPU_OF_A_CLAIM, UNCHECKED, 10.0),
        ];
        let verdicts = verdicts(&figures);
        assert_eq!(verdicts[0].met, Some(false));
        assert_eq!(verdicts[0].limited_by, Some(STATEMENTS));
        assert_eq!(verdicts[1].met, Some(true));
        assert_eq!(verdicts[1].limited_by, None);
    }

    #[test]
    fn what_is_measured_on_request_is_not_missing() {
        let of = |variant| {
            let mut figure = Figure::new("growth", "checkout of 1 line", variant, "ms");
            figure.samples.push(1.0);
            figure
        };
        let largest = GOALS_ON_REQUEST[0].figure.2;
        let known = |verdicts: Vec<Verdict>| {
            verdicts
                .iter()
                .any(|verdict| verdict.what == GOALS_ON_REQUEST[0].what)
        };
        let empty = of("1 k products, 0 orders, 0 ledger rows");
        assert!(!known(verdicts(std::slice::from_ref(&empty))));
        assert!(known(verdicts(&[empty, of(largest)])));
    }

    #[test]
    fn a_goal_without_its_peer_is_neither_met_nor_missed() {
        let verdict = &verdicts(&[measured(HOT_SLOW, SLOTS, 5000.0)])[0];
        assert_eq!(verdict.measured, None);
        assert_eq!(verdict.met, None);
    }
}
