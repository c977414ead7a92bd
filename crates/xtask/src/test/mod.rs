//! `cargo xtask test`: every test of the project, step by step, with one summary at the end.

mod area;
mod chromium;
mod client;
mod counts;
pub(crate) mod debian;
mod deploy;
mod disk;
mod domain_mutants;
mod live;
mod metrics;
mod pgtap;
mod postgres15;
mod stack;
mod steps;

use std::collections::BTreeMap;
use std::env;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use clap::ValueEnum as _;

use self::area::Area;
use self::counts::Counts;
pub(crate) use self::stack::LocalStack;
use self::steps::Step;
use crate::progress::seconds;
use crate::repo::Repo;

/// Which steps to run.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Run only this step, after those that it needs.
    #[arg(long, value_enum, value_name = "STEP")]
    only: Vec<Step>,
    /// Leave this step out, and those that need it.
    #[arg(long, value_enum, value_name = "STEP")]
    skip: Vec<Step>,
    /// Run only what concerns this area: a folder of tests/areas.
    #[arg(long, value_name = "AREA", conflicts_with = "only")]
    area: Option<String>,
    /// Have the API reach the stack's database through PgBouncer, in transaction mode.
    #[arg(long)]
    pooled: bool,
    /// Have the stack serve many shops, and test the second one.
    #[arg(long)]
    shops: bool,
}

/// What steps share.
struct Run<'a> {
    repo: &'a Repo,
    /// This program's own file. Asked for before the first step: a step's build may replace it, and the system then calls the old one
    /// deleted.
    program: PathBuf,
    /// Whether the stack has PgBouncer before its database.
    pooled: bool,
    /// Whether what is tested is the second of many shops.
    shops: bool,
    /// The only area, if one was asked for.
    area: Option<Area>,
    /// The stack's URLs and keys, for the tests that use them.
    variables: BTreeMap<String, String>,
    /// The stack that this run started.
    stack: Option<LocalStack>,
    /// The last lines that the current step printed.
    tail: live::Tail,
}

struct Outcome {
    step: Step,
    counts: Counts,
    time: Duration,
    /// Why it failed, if it did.
    failure: Option<String>,
}

/// Runs the steps; an error means that something failed.
pub(crate) fn run(repo: &Repo, args: &Args) -> Result<()> {
    let area = match &args.area {
        Some(name) => Some(Area::named(repo, name)?),
        None => None,
    };
    let plan = plan(args, area.as_ref())?;
    let mut run = Run {
        repo,
        program: env::current_exe().context("cannot find this program's own file")?,
        pooled: args.pooled,
        shops: args.shops,
        area,
        variables: BTreeMap::new(),
        stack: None,
        tail: live::Tail::default(),
    };
    if let Some(warning) = disk::warning(&repo.root) {
        println!("{warning}");
    }
    let mut outcomes: Vec<Outcome> = Vec::new();
    for (index, step) in plan.iter().enumerate() {
        let label = format!("[{}/{}] {}", index + 1, plan.len(), step.title());
        println!("\n{label}");
        let broken = outcomes
            .iter()
            .find(|outcome| outcome.failure.is_some() && step.needs().contains(&outcome.step));
        let outcome = match broken {
            Some(broken) => Outcome {
                step: *step,
                counts: Counts::FAILED,
                time: Duration::ZERO,
                failure: Some(format!("not run, because {} failed", broken.step.name())),
            },
            None => perform(&mut run, *step),
        };
        match &outcome.failure {
            None => println!("{label}: ok, {}", seconds(outcome.time)),
            Some(reason) => println!("{label}: FAILED, {}\n{reason}", seconds(outcome.time)),
        }
        outcomes.push(outcome);
    }
    drop(run.stack.take());
    summarise(&outcomes, args.area.is_none())
}

fn perform(run: &mut Run, step: Step) -> Outcome {
    run.tail.clear();
    let start = Instant::now();
    let result = step.run(run);
    let time = start.elapsed();
    let (counts, failure) = match result {
        Ok(counts) if counts.failed > 0 => (counts, Some(explain(run, step, "some tests failed"))),
        Ok(counts) if counts.passed == 0 => {
            (Counts::FAILED, Some(explain(run, step, "no test ran")))
        }
        Ok(counts) => (counts, None),
        Err(error) => (
            Counts::FAILED,
            Some(explain(run, step, &format!("{error:#}"))),
        ),
    };
    Outcome {
        step,
        counts,
        time,
        failure,
    }
}

/// What went wrong, what was printed last and what to do about it.
fn explain(run: &Run, step: Step, reason: &str) -> String {
    let selection = match &run.area {
        Some(area) => format!("--area {}", area.name),
        None => format!("--only {}", step.name()),
    };
    format!(
        "{reason}\n{}{}To repeat it: cargo xtask test {selection}\n{}",
        run.tail.quoted(),
        disk::advice(&run.repo.root).unwrap_or_default(),
        step.advice()
    )
}

/// The steps to run, in order: the chosen ones and what they need.
fn plan(args: &Args, area: Option<&Area>) -> Result<Vec<Step>> {
    let skipped = |step: Step| {
        args.skip.contains(&step) || step.needs().iter().any(|need| args.skip.contains(need))
    };
    let wanted = |step: Step| {
        (args.only.is_empty() && !step.only_if_asked())
            || args
                .only
                .iter()
                .any(|only| *only == step || only.needs().contains(&step))
    };
    let plan: Vec<Step> = Step::value_variants()
        .iter()
        .copied()
        .filter(|step| area.is_none_or(|area| area.has(*step)))
        .filter(|step| wanted(*step) && !skipped(*step))
        .collect();
    if plan.is_empty() {
        bail!("--only and --skip together leave no step");
    }
    Ok(plan)
}

/// The table, and as the very last line the sums.
fn summarise(outcomes: &[Outcome], all_areas: bool) -> Result<()> {
    println!(
        "\n{:<14} {:>7} {:>7} {:>9}",
        "step", "passed", "failed", "time"
    );
    let mut sum = Counts::default();
    for outcome in outcomes {
        sum = sum + outcome.counts;
        println!(
            "{:<14} {:>7} {:>7} {:>9}",
            outcome.step.name(),
            outcome.counts.passed,
            outcome.counts.failed,
            seconds(outcome.time)
        );
    }
    for step in Step::value_variants() {
        let ran = outcomes.iter().any(|outcome| outcome.step == *step);
        if all_areas && step.only_if_asked() && !ran {
            println!(
                "{:<14} not in this run: --only {}",
                step.name(),
                step.name()
            );
        }
    }
    for outcome in outcomes {
        if let Some(failure) = &outcome.failure {
            println!("\n{} FAILED: {failure}", outcome.step.name());
        }
    }
    println!("\n{} passed, {} failed", sum.passed, sum.failed);
    if sum.failed > 0 {
        // The sums stay the last line.
        std::process::exit(1);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planned(only: &[Step], skip: &[Step]) -> Vec<Step> {
        let args = Args {
            only: only.to_vec(),
            skip: skip.to_vec(),
            area: None,
            pooled: false,
            shops: false,
        };
        plan(&args, None).expect("some step is left")
    }

    #[test]
    fn a_step_brings_what_it_needs() {
        assert_eq!(
            planned(&[Step::Mutants], &[]),
            [
                Step::Tools,
                Step::Build,
                Step::Stack,
                Step::Pgtap,
                Step::Mutants
            ]
        );
    }

    #[test]
    fn what_needs_a_skipped_step_is_skipped() {
        let rest = planned(&[], &[Step::Stack]);
        assert!(!rest.contains(&Step::E2e));
        assert!(rest.contains(&Step::Postgres15));
    }

    #[test]
    fn what_takes_long_runs_when_it_is_asked_for() {
        assert!(!planned(&[], &[]).contains(&Step::DomainMutants));
        assert!(!planned(&[], &[]).contains(&Step::Mutants));
        assert!(planned(&[Step::Mutants], &[]).contains(&Step::Mutants));
        assert!(planned(&[Step::DomainMutants], &[]).contains(&Step::DomainMutants));
    }

    #[test]
    fn needs_come_first_and_are_complete() {
        let all = planned(&[], &[]);
        for (index, step) in all.iter().enumerate() {
            for need in step.needs() {
                assert!(all[..index].contains(need), "{step:?} before {need:?}");
                for further in need.needs() {
                    assert!(step.needs().contains(further), "{step:?}: {further:?}");
                }
            }
        }
    }
}
