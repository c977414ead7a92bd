//! What a section measures: series of samples, one for each round.

use serde::Serialize;

/// One measured series. Its rounds alternate with those of its peers, so that whatever slows the
/// machine down for a while slows all of them.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Figure {
    /// `function`, `database`, `growth`, `request` or `storm`.
    pub(crate) section: &'static str,
    /// What was done, such as `hot product, 16 clients, 2 ms commit`.
    pub(crate) scenario: String,
    /// Who did it, such as `interlock` or `select-for-update`.
    pub(crate) variant: String,
    /// `per second`, `ms`, `bytes` …
    pub(crate) unit: &'static str,
    /// One for each round.
    pub(crate) samples: Vec<f64>,
}

impl Figure {
    /// A series without samples.
    pub(crate) fn new(
        section: &'static str,
        scenario: impl Into<String>,
        variant: impl Into<String>,
        unit: &'static str,
    ) -> Self {
        Figure {
            section,
            scenario: scenario.into(),
            variant: variant.into(),
            unit,
            samples: Vec::new(),
        }
    }

    /// The median of the rounds; not a number without any.
    pub(crate) fn median(&self) -> f64 {
        crate::stats::median(&self.samples)
    }

    /// How far the rounds lie apart: (largest − smallest) ÷ median.
    pub(crate) fn spread(&self) -> f64 {
        crate::stats::spread(&self.samples)
    }
}

/// How much to measure.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// Rounds of each series.
    pub(crate) rounds: usize,
    /// How long one sample of a throughput takes, in seconds.
    pub(crate) seconds: f64,
    /// Whether this is a short run that only shows the direction.
    pub(crate) quick: bool,
    /// Whether the section on growth measures its largest size, too.
    pub(crate) huge: bool,
    /// Only series in whose `scenario: variant` this text occurs.
    pub(crate) series: Option<String>,
}

impl Options {
    /// Whether that series is to be measured.
    pub(crate) fn wants(&self, scenario: &str, variant: &str) -> bool {
        self.series
            .as_ref()
            .is_none_or(|text| format!("{scenario}: {variant}").contains(text))
    }
}

/// Tells a person, on stderr, how far a section has come.
pub(crate) fn progress(section: &str, text: &str) {
    eprintln!("  {section}: {text}");
}
