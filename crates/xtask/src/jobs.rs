//! `cargo xtask jobs`: what pg_cron does where it is present (`interlock.jobs`), by hand, from any scheduler, or as a
//! worker of its own.

use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::sys::signal::{SigSet, Signal};
use serde_json::{Value, json};

use crate::ensure;
use crate::progress::seconds;
use crate::repo::Repo;
use crate::supabase::{Supabase, Target};

const LIST: &str =
    "select name, extract(epoch from every)::int as seconds, command from interlock.jobs()";

/// In which database, and how often.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    target: Target,
    /// Go on, with so many seconds between two rounds, until SIGINT or SIGTERM. What need not be done each time is not.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=86400))]
    every: Option<u64>,
    /// Print each round as one line of JSON.
    #[arg(long)]
    json: bool,
}

/// A job of `interlock.jobs`.
struct Job {
    name: String,
    /// Not more often than this it is done.
    every: Duration,
    command: String,
    /// When it was begun last.
    begun: Option<Instant>,
}

/// What has become of a job.
struct Outcome {
    name: String,
    /// Why it failed, if it did.
    failure: Option<String>,
    time: Duration,
}

/// Does the jobs; an error means that one of them failed, when all have had their turn.
pub(crate) fn run(repo: &Repo, args: &Args) -> Result<()> {
    ensure::run_all(repo)?;
    let supabase = Supabase::find(repo, &args.target)?;
    let Some(pause) = args.every.map(Duration::from_secs) else {
        let mut jobs = list(&supabase)?;
        let mut outcomes = Vec::new();
        for job in &mut jobs {
            outcomes.push(job.run(&supabase));
        }
        print(&outcomes, args);
        let failed = outcomes.iter().filter(|job| job.failure.is_some()).count();
        if failed > 0 {
            bail!(
                "{failed} of {} jobs failed; the others have done what there was to do. Mend the cause and run the same command again",
                outcomes.len()
            );
        }
        return Ok(());
    };
    // Before anything is started: threads inherit what is blocked.
    let stop = stop_signal()?;
    let mut jobs = list(&supabase)?;
    eprintln!(
        "{} jobs in {}, every {}; Ctrl-C or SIGTERM ends it when the job that runs then is done",
        jobs.len(),
        args.target.shown(),
        seconds(pause)
    );
    let mut ends = false;
    while !ends {
        let round = Instant::now();
        let mut outcomes = Vec::new();
        for job in jobs.iter_mut().filter(|job| job.is_due()) {
            ends = stopped(&stop, Duration::ZERO)?;
            if ends {
                break;
            }
            outcomes.push(job.run(&supabase));
        }
        print(&outcomes, args);
        ends = ends || stopped(&stop, pause.saturating_sub(round.elapsed()))?;
    }
    eprintln!("ended");
    Ok(())
}

/// The jobs that the database knows.
fn list(supabase: &Supabase<'_>) -> Result<Vec<Job>> {
    let rows = supabase.select(LIST).context(
        "the jobs cannot be listed; `npm run verify` says whether the migrations are in place. With --project-ref set \
         SUPABASE_DB_PASSWORD, or give --db-url the address that the dashboard shows under Connect, Session pooler",
    )?;
    rows.iter()
        .map(|row| {
            let name = row["name"].as_str().context("a job has a name")?;
            let every = row["seconds"].as_u64().context("a job has an interval")?;
            let command = row["command"].as_str().context("a job has a command")?;
            Ok(Job {
                name: name.to_owned(),
                every: Duration::from_secs(every),
                command: command.to_owned(),
                begun: None,
            })
        })
        .collect()
}

impl Job {
    /// Whether its interval is over. Rounds begin a little sooner or later than they should, which must not cost a turn.
    fn is_due(&self) -> bool {
        self.begun
            .is_none_or(|begun| begun.elapsed() * 10 >= self.every * 9)
    }

    fn run(&mut self, supabase: &Supabase<'_>) -> Outcome {
        let begun = Instant::now();
        self.begun = Some(begun);
        let done = supabase.execute(&self.command);
        Outcome {
            name: self.name.clone(),
            failure: done.err().map(|error| explain(&format!("{error:#}"))),
            time: begun.elapsed(),
        }
    }
}

/// The reason alone, and what to do where it is not in it.
fn explain(error: &str) -> String {
    let reason = error
        .rsplit_once("error: ")
        .map_or(error, |(_, reason)| reason);
    if reason.contains("invalid transaction termination") {
        return format!(
            "{reason}: the database is reached in a way that puts a transaction around each statement; give --db-url its address"
        );
    }
    reason.to_owned()
}

fn print(outcomes: &[Outcome], args: &Args) {
    if args.json {
        println!("{}", as_json(outcomes));
        return;
    }
    for outcome in outcomes {
        // A worker has nothing to say as long as all is well.
        if args.every.is_none() || outcome.failure.is_some() {
            println!("{}", outcome.as_text());
        }
    }
}

fn as_json(outcomes: &[Outcome]) -> Value {
    json!({
        "ok": outcomes.iter().all(|job| job.failure.is_none()),
        "jobs": outcomes.iter().map(Outcome::as_json).collect::<Vec<_>>(),
    })
}

impl Outcome {
    fn as_text(&self) -> String {
        match &self.failure {
            None => format!("✓ {}, {}", self.name, seconds(self.time)),
            Some(reason) => format!("✗ {}: {reason}", self.name),
        }
    }

    fn as_json(&self) -> Value {
        json!({
            "name": self.name,
            "error": self.failure,
            "ms": u64::try_from(self.time.as_millis()).unwrap_or(u64::MAX),
        })
    }
}

/// Hears of SIGINT and SIGTERM, which from now on end nothing by themselves.
pub(crate) fn stop_signal() -> Result<Receiver<Signal>> {
    let mut signals = SigSet::empty();
    signals.add(Signal::SIGINT);
    signals.add(Signal::SIGTERM);
    signals.thread_block().context("signals can be blocked")?;
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        while let Ok(signal) = signals.wait() {
            if sender.send(signal).is_err() {
                break;
            }
        }
    });
    Ok(receiver)
}

/// Whether it is time to end, at once or within the time.
pub(crate) fn stopped(stop: &Receiver<Signal>, time: Duration) -> Result<bool> {
    match stop.recv_timeout(time) {
        Ok(_) => Ok(true),
        Err(RecvTimeoutError::Timeout) => Ok(false),
        Err(RecvTimeoutError::Disconnected) => bail!("signals are not heard any more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_told_by_its_reason() {
        let outcome = |failure: Option<&str>| Outcome {
            name: "expire-orders".into(),
            failure: failure.map(explain),
            time: Duration::from_millis(1500),
        };
        let failed = outcome(Some(
            "`supabase db query` on the database h/d failed: failed to execute query: error: expire-orders: 2 orders",
        ));
        assert_eq!(failed.as_text(), "✗ expire-orders: expire-orders: 2 orders");
        let done = outcome(None);
        assert_eq!(done.as_text(), "✓ expire-orders, 1.5 s");
        assert_eq!(
            as_json(&[done, failed]).to_string(),
            r#"{"ok":false,"jobs":[{"name":"expire-orders","error":null,"ms":1500},{"name":"expire-orders","error":"expire-orders: 2 orders","ms":1500}]}"#
        );
        let wrapped = outcome(Some("failed: error: invalid transaction termination"));
        assert!(
            wrapped.as_text().contains("--db-url"),
            "{}",
            wrapped.as_text()
        );
    }

    #[test]
    fn a_job_is_due_when_its_interval_is_over() {
        let job = |every: u64, begun: Option<u64>| Job {
            name: "x".into(),
            every: Duration::from_secs(every),
            command: String::new(),
            begun: begun.and_then(|ago| Instant::now().checked_sub(Duration::from_secs(ago))),
        };
        assert!(job(3600, None).is_due());
        assert!(job(60, Some(59)).is_due());
        assert!(!job(3600, Some(60)).is_due());
    }
}
