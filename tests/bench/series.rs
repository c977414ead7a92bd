//! Series of samples whose rounds alternate: whatever slows the machine down slows all of them.

use crate::figure::{Figure, Options, progress};
use crate::load::{self, Call, Load, Session};
use crate::table::number;
use anyhow::{Context as _, Result, ensure};
use tokio_postgres::Client;

/// One way to do what the scenario says.
pub(crate) struct Variant<'a> {
    pub(crate) name: String,
    /// Who does it.
    pub(crate) sessions: &'a [Session],
    pub(crate) call: Call,
    /// Brings the rows into the state that each sample begins with.
    pub(crate) before: Option<Before<'a>>,
}

/// What is done before each sample, and where.
pub(crate) struct Before<'a> {
    pub(crate) admin: &'a Client,
    pub(crate) sql: String,
}

/// A scenario to be measured.
pub(crate) struct Scenario<'a> {
    pub(crate) section: &'static str,
    pub(crate) name: String,
    pub(crate) unit: &'static str,
    /// What of a sample is reported.
    pub(crate) measure: fn(&Load) -> f64,
    /// How long a sample takes, in seconds.
    pub(crate) seconds: f64,
    pub(crate) variants: Vec<Variant<'a>>,
}

impl Scenario<'_> {
    /// Measures the variants in turn, round after round.
    pub(crate) async fn measure(mut self, options: &Options) -> Result<Vec<Figure>> {
        self.variants
            .retain(|variant| options.wants(&self.name, &variant.name));
        if self.variants.is_empty() {
            return Ok(Vec::new());
        }
        let series =
            |variant: &Variant| Figure::new(self.section, &self.name, &variant.name, self.unit);
        let mut figures: Vec<Figure> = self.variants.iter().map(series).collect();
        // The first round warms up plans and caches, of every session, and is not counted.
        for round in 0..=options.rounds {
            for (variant, figure) in self.variants.iter().zip(&mut figures) {
                let load = variant
                    .sample(self.seconds)
                    .await
                    .with_context(|| format!("{}: {}", self.name, variant.name))?;
                if round > 0 {
                    figure.samples.push((self.measure)(&load));
                }
                if load.transient > 0 {
                    let errors = format!("{}: {} calls to repeat", variant.name, load.transient);
                    progress(self.section, &errors);
                }
            }
        }
        let medians: Vec<String> = figures
            .iter()
            .map(|figure| format!("{} {}", figure.variant, number(figure.median())))
            .collect();
        progress(
            self.section,
            &format!("{} ({}): {}", self.name, self.unit, medians.join("; ")),
        );
        Ok(figures)
    }
}

impl Variant<'_> {
    async fn sample(&self, seconds: f64) -> Result<Load> {
        self.begin().await?;
        load::run(self.sessions, &self.call, seconds).await
    }

    async fn begin(&self) -> Result<()> {
        if let Some(before) = &self.before {
            before.admin.batch_execute(&before.sql).await?;
        }
        Ok(())
    }

    /// Fails unless a call of it writes the rows that a call of the other one does.
    pub(crate) async fn writes_what(&self, other: &Variant<'_>) -> Result<()> {
        let mut written = Vec::new();
        for variant in [self, other] {
            variant.begin().await?;
            let session = variant.sessions.first().context("somebody has to call")?;
            written.push(session.written(&variant.call).await?.join("\n"));
        }
        ensure!(
            written[0] == written[1],
            "{} writes\n{}\nbut {} writes\n{}",
            self.name,
            written[0],
            other.name,
            written[1]
        );
        Ok(())
    }
}
