//! The search: all pairs with no preemption, then with one, with two, until the time is over; and the
//! judgement of what each schedule gives.

use super::conductor::{Calls, Conductor, Played};
use super::outcome::{Books, Outcome, World};
use super::plan::{ANSWERED, Fault, Plan, Victim, Who};
use super::stages::{Operation, Pairs, Stage, Sweep};
use crate::areas::AREAS;
use crate::harness::stack::Stack;
use crate::prove::report;
use anyhow::Result;
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::Value;
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};
use tokio::sync::Notify;
use tokio::task::JoinSet;

/// Pairs that are searched at once. Their rows are disjoint.
const WORKERS: i32 = 6;

/// After so many the search ends: one defect fails many schedules.
const FAILURES: usize = 10;

/// Schedules that are kept for the next level. More would not be played in a day.
const KEPT: usize = 2_000_000;

/// One schedule sweeps up these rows.
const ALONE: u32 = u32::MAX;

/// Two operations of a stage.
#[derive(Clone, Copy)]
struct Pair {
    stage: &'static Stage,
    operations: [&'static Operation; 2],
}

impl Pair {
    /// The rows that one of the two sweeps up.
    fn swept(&self) -> impl Iterator<Item = Sweep> {
        self.operations
            .iter()
            .filter_map(|operation| operation.sweeps)
    }
}

/// What is known of a pair.
struct Known {
    pair: Pair,
    /// What comes of it one after the other.
    serial: Vec<Outcome>,
    /// The same for every choice of `Operation::instead`, once it was asked for.
    instead: Option<Vec<Outcome>>,
    /// Whether one of them has ever waited for the other, or their order matters.
    touches: bool,
    failed: bool,
}

/// A schedule to be played.
#[derive(Clone)]
struct Job {
    pair: usize,
    plan: Plan,
}

/// An operation of a stage, or what it may do instead.
type Alone = (&'static str, &'static str, bool);

/// What was counted, and what did not hold.
#[derive(Default)]
pub(super) struct Findings {
    pub(super) pairs: u64,
    pub(super) touching: u64,
    pub(super) operations: u64,
    pub(super) schedules: u64,
    pub(super) killed: u64,
    pub(super) rolled_back: u64,
    pub(super) waits: u64,
    pub(super) transient: u64,
    /// Every schedule with at most so many preemptions was played.
    pub(super) complete: Option<u64>,
    /// There is none with more.
    pub(super) exhausted: bool,
    /// How many were left when the time was over, and with how many preemptions.
    pub(super) left: Option<(u64, u64)>,
    pub(super) failures: Vec<String>,
}

/// What the workers share.
struct Shared {
    known: Vec<Known>,
    queue: VecDeque<Job>,
    /// What was found for the next level.
    next: Vec<Job>,
    /// How many schedules have such rows; `ALONE` if one sweeps them up.
    swept: HashMap<Sweep, u32>,
    /// What an operation of a stage does alone: its answer and the books.
    alone: HashMap<Alone, (Option<Value>, Value)>,
    findings: Findings,
    rng: StdRng,
    level: u64,
}

/// What is searched, and for how long.
pub(super) struct Limits {
    pub(super) seed: u64,
    pub(super) budget: Duration,
    /// Whether breakpoints are set.
    pub(super) stepwise: bool,
    /// End at the first failure.
    pub(super) one_is_enough: bool,
}

/// Searches the pairs of operations that a filter lets through.
pub(super) async fn search(
    stack: &'static Stack,
    limits: &Limits,
    chosen: impl Fn(&Stage, &Operation) -> bool,
) -> Result<Findings> {
    let deadline = Instant::now() + limits.budget;
    let known: Vec<Known> = AREAS
        .iter()
        .flat_map(|area| area.stages.iter().copied().flatten())
        .flat_map(pairs)
        .filter(|pair| {
            let mut operations = pair.operations.iter();
            operations.all(|operation| chosen(pair.stage, operation))
        })
        .map(|pair| Known {
            pair,
            serial: Vec::new(),
            instead: None,
            touches: false,
            failed: false,
        })
        .collect();
    let operations: HashSet<&str> = known
        .iter()
        .flat_map(|known| known.pair.operations.map(|operation| operation.sql))
        .collect();
    let mut shared = Shared {
        findings: Findings {
            pairs: known.len() as u64,
            operations: operations.len() as u64,
            ..Findings::default()
        },
        next: (0..known.len())
            .flat_map(|pair| {
                Who::BOTH.map(|first| Job {
                    pair,
                    plan: Plan::serial(first),
                })
            })
            .collect(),
        alone: HashMap::new(),
        known,
        queue: VecDeque::new(),
        swept: HashMap::new(),
        rng: StdRng::seed_from_u64(limits.seed),
        level: 0,
    };
    let mut workers = Vec::new();
    for number in 0..WORKERS {
        workers.push(Worker::new(stack, number, limits.stepwise).await?);
    }
    loop {
        shared.begin_level();
        let level = shared.level;
        let all = Arc::new(Table {
            shared: Mutex::new(shared),
            freed: Notify::new(),
        });
        let mut running = JoinSet::new();
        for mut worker in workers.drain(..) {
            let (all, one_is_enough) = (Arc::clone(&all), limits.one_is_enough);
            running.spawn(async move {
                worker.work(&all, deadline, one_is_enough).await?;
                anyhow::Ok(worker)
            });
        }
        while let Some(worker) = running.join_next().await {
            workers.push(worker??);
        }
        shared = Arc::into_inner(all)
            .expect("the workers are back")
            .shared
            .into_inner()
            .expect("no worker has panicked");
        if !shared.queue.is_empty() {
            shared.findings.left = Some((shared.queue.len() as u64, level));
            break;
        }
        shared.findings.complete = Some(level);
        if shared.next.is_empty() {
            shared.findings.exhausted = true;
            break;
        }
        if Instant::now() >= deadline {
            break;
        }
        shared.level += 1;
    }
    shared.findings.touching = shared.known.iter().filter(|known| known.touches).count() as u64;
    Ok(shared.findings)
}

fn pairs(stage: &'static Stage) -> impl Iterator<Item = Pair> {
    let operations = stage.operations;
    operations.iter().enumerate().flat_map(move |(index, a)| {
        let from = match stage.pairs {
            Pairs::All => index,
            Pairs::Different => index + 1,
        };
        operations[from..].iter().map(move |b| Pair {
            stage,
            operations: [a, b],
        })
    })
}

impl Shared {
    /// Puts the schedules of this level in order: first, for each pair, those in which one has done all
    /// and the other comes before its commit; then the pairs that touch.
    fn begin_level(&mut self) {
        let mut jobs = std::mem::take(&mut self.next);
        jobs.shuffle(&mut self.rng);
        jobs.sort_by_key(|job| {
            let at_commit = job
                .plan
                .preemptions
                .iter()
                .all(|point| point.step == ANSWERED);
            (!at_commit, !self.known[job.pair].touches)
        });
        self.queue = jobs.into();
    }

    /// The first schedule that nobody else disturbs: who sweeps up rows is alone with such rows.
    fn take(&mut self) -> Option<Job> {
        let free = |job: &Job| {
            let pair = &self.known[job.pair].pair;
            let offered = pair
                .stage
                .offers
                .iter()
                .all(|rows| self.swept.get(rows) != Some(&ALONE));
            let mut swept = pair.swept();
            offered && swept.all(|rows| self.swept.get(&rows).copied().unwrap_or(0) == 0)
        };
        let at = self.queue.iter().position(free)?;
        let job = self.queue.remove(at)?;
        let pair = self.known[job.pair].pair;
        for rows in pair.stage.offers {
            *self.swept.entry(*rows).or_insert(0) += 1;
        }
        for rows in pair.swept() {
            self.swept.insert(rows, ALONE);
        }
        Some(job)
    }

    /// Lets others have the rows.
    fn give_back(&mut self, pair: &Pair) {
        for rows in pair.stage.offers {
            let users = self.swept.entry(*rows).or_insert(0);
            *users = if *users == ALONE { 0 } else { *users - 1 };
        }
    }

    /// Counts a schedule and what has come of it, and finds the next ones.
    fn learn(&mut self, job: &Job, played: &Played, outcome: Outcome, problem: Option<String>) {
        let pair = self.known[job.pair].pair;
        self.give_back(&pair);
        self.findings.schedules += 1;
        self.findings.waits += played.waits;
        if let (true, Some((_, fault))) = (played.faulted, job.plan.fault) {
            match fault {
                Fault::Kill => self.findings.killed += 1,
                Fault::Rollback => self.findings.rolled_back += 1,
            }
        }
        if job.plan.fault.is_none() && outcome.happened() != [true, true] {
            self.findings.transient += 1;
        }
        let known = &mut self.known[job.pair];
        known.touches |= played.waits > 0;
        if job.plan.preemptions.is_empty() {
            known.touches |= known
                .serial
                .iter()
                .any(|other| other.books != outcome.books);
            known.serial.push(outcome);
        }
        if let Some(problem) = problem {
            if !known.failed {
                known.failed = true;
                let text = known.describe(&played.trace, &problem);
                self.findings.failures.push(text);
            }
        } else if job.plan.fault.is_none() {
            self.follow(job, played);
        }
    }

    /// The schedules that differ from this one by one more preemption, or by a fault.
    fn follow(&mut self, job: &Job, played: &Played) {
        let with = |plan| Job {
            plan,
            ..job.clone()
        };
        if self.next.len() < KEPT {
            let points = played.points.iter();
            self.next
                .extend(points.map(|point| with(job.plan.preempted_at(*point))));
        }
        if job.plan.preemptions.is_empty() {
            return;
        }
        let mut faults = Vec::new();
        for fault in [Fault::Kill, Fault::Rollback] {
            faults.push(with(job.plan.with_fault(Victim::Preempted, fault)));
            if played.other_waited {
                faults.push(with(job.plan.with_fault(Victim::Waiting, fault)));
            }
        }
        // One of them at once, so that a short search has some of all; the others when their turn comes.
        let soon = self.rng.random_range(0..faults.len());
        self.queue.push_front(faults.swap_remove(soon));
        self.queue.extend(faults);
    }
}

impl Known {
    fn describe(&self, trace: &str, problem: &str) -> String {
        let [a, b] = self.pair.operations;
        format!(
            "{}\n    A: {}\n    B: {}\n    schedule: {trace}\n    {problem}",
            self.pair.stage.name, a.name, b.name
        )
    }
}

/// Plays schedules.
struct Worker {
    conductor: Conductor,
    books: Books,
    number: i32,
    stepwise: bool,
    reported: Instant,
}

impl Worker {
    async fn new(stack: &'static Stack, number: i32, stepwise: bool) -> Result<Self> {
        let conductor = Conductor::new(stack, number, stepwise).await?;
        Ok(Worker {
            books: Books::prepare(&conductor.control).await?,
            conductor,
            number,
            stepwise,
            reported: Instant::now(),
        })
    }

    /// Plays until nothing is left that it may play, or the time is over.
    async fn work(&mut self, all: &Table, deadline: Instant, one_is_enough: bool) -> Result<()> {
        while Instant::now() < deadline {
            let freed = all.freed.notified();
            let (job, pair) = match self.next(all, one_is_enough) {
                Next::Job(job, pair) => (job, pair),
                Next::Wait => {
                    freed.await;
                    continue;
                }
                Next::Nothing => break,
            };
            let (played, outcome) = self.play(&pair, &job.plan, [false, false]).await?;
            let problem = match outcome.wrong() {
                None if !job.plan.preemptions.is_empty() => {
                    self.judge(all, &job, &pair, &outcome).await?
                }
                wrong => wrong,
            };
            all.lock().learn(&job, &played, outcome, problem);
            all.freed.notify_waiters();
        }
        all.freed.notify_waiters();
        Ok(())
    }

    fn next(&mut self, all: &Table, one_is_enough: bool) -> Next {
        let mut shared = all.lock();
        let failures = shared.findings.failures.len();
        if failures >= FAILURES || one_is_enough && failures > 0 {
            return Next::Nothing;
        }
        self.tell(&shared);
        match shared.take() {
            Some(job) => {
                let pair = shared.known[job.pair].pair;
                Next::Job(job, pair)
            }
            None if shared.queue.is_empty() => Next::Nothing,
            None => Next::Wait,
        }
    }

    /// Says so if no serial order gives this outcome.
    async fn judge(
        &mut self,
        all: &Table,
        job: &Job,
        pair: &Pair,
        outcome: &Outcome,
    ) -> Result<Option<String>> {
        let happened = outcome.happened();
        let mut expected = match happened {
            [true, true] => all.lock().known[job.pair].serial.clone(),
            _ => self.alone(all, pair, happened, false).await?,
        };
        if expected.contains(outcome) {
            return Ok(None);
        }
        if pair
            .operations
            .iter()
            .any(|operation| operation.instead.is_some())
        {
            expected.extend(match happened {
                [true, true] => self.instead(all, job, pair).await?,
                _ => self.alone(all, pair, happened, true).await?,
            });
            if expected.contains(outcome) {
                return Ok(None);
            }
        }
        let nearest = expected
            .iter()
            .map(|serial| serial.difference(outcome))
            .min_by_key(String::len);
        Ok(Some(format!(
            "outcome: {}\n    the nearest serial order differs (serial / seen): {}",
            outcome.describe(),
            nearest.unwrap_or_default()
        )))
    }

    /// What comes of one operation, or of none.
    async fn alone(
        &mut self,
        all: &Table,
        pair: &Pair,
        happened: [bool; 2],
        instead: bool,
    ) -> Result<Vec<Outcome>> {
        let who = match happened {
            [true, _] => Who::A,
            _ => Who::B,
        };
        let operation = pair.operations[who.index()];
        let nothing = happened == [false, false];
        let key = (
            pair.stage.name,
            if nothing { "" } else { operation.name },
            instead,
        );
        let known = all.lock().alone.get(&key).cloned();
        let (answer, books) = match known {
            Some(known) => known,
            None => {
                let plan = Plan {
                    alone: Some((!nothing).then_some(who)),
                    ..Plan::serial(who)
                };
                let (_, mut outcome) = self.play(pair, &plan, [instead, instead]).await?;
                let known = (outcome.answers[who.index()].take(), outcome.books);
                all.lock().alone.insert(key, known.clone());
                known
            }
        };
        let mut answers = [None, None];
        answers[who.index()] = answer;
        Ok(vec![Outcome { answers, books }])
    }

    /// What comes of both, one after the other, if they pass over what they find locked.
    async fn instead(&mut self, all: &Table, job: &Job, pair: &Pair) -> Result<Vec<Outcome>> {
        if let Some(known) = all.lock().known[job.pair].instead.clone() {
            return Ok(known);
        }
        let mut outcomes = Vec::new();
        for instead in [[true, false], [false, true], [true, true]] {
            for first in Who::BOTH {
                outcomes.push(self.play(pair, &Plan::serial(first), instead).await?.1);
            }
        }
        all.lock().known[job.pair].instead = Some(outcomes.clone());
        Ok(outcomes)
    }

    /// Plays a schedule on new rows, with what an operation may do instead where that is asked for.
    async fn play(
        &mut self,
        pair: &Pair,
        plan: &Plan,
        instead: [bool; 2],
    ) -> Result<(Played, Outcome)> {
        let world = World::new();
        let rows = self.conductor.reset(self.stepwise) + &world.rows(pair.stage, pair.swept());
        self.conductor.control.batch_execute(&rows).await?;
        let sql = [0, 1].map(|index| {
            let operation = pair.operations[index];
            let sql = match operation.instead {
                Some(sql) if instead[index] => sql,
                _ => operation.sql,
            };
            world.call(&Operation { sql, ..*operation })
        });
        let played = self.conductor.play(&Calls { sql }, plan).await?;
        let books = self.books.read(&self.conductor.control, &world).await?;
        let outcome = Outcome::new(&world, &played.answers, books);
        Ok((played, outcome))
    }

    /// Says every few seconds how far the search has come.
    fn tell(&mut self, shared: &Shared) {
        if self.number == 0 && self.reported.elapsed() >= Duration::from_secs(5) {
            self.reported = Instant::now();
            let (done, left) = (shared.findings.schedules, shared.queue.len());
            report::progress(
                "interleavings",
                &format!(
                    "{done} schedules; {left} left with {} preemptions",
                    shared.level
                ),
            );
        }
    }
}

/// What a worker is to do.
enum Next {
    Job(Job, Pair),
    /// The rows of what is left are in use.
    Wait,
    Nothing,
}

/// Where the workers meet.
struct Table {
    shared: Mutex<Shared>,
    /// Some rows are free again, or nothing is left.
    freed: Notify,
}

impl Table {
    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().expect("no worker panics with the queue")
    }
}
