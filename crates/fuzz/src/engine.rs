//! The search: change an input that is known, run it, and keep it if it reaches code that none before
//! it reached. The same seed and the same number of executions make the same search.

use crate::corpus::{Corpus, entry};
use crate::coverage::{self, Reached};
use crate::mutate::mutate;
use crate::probe::{self, Worst};
use crate::shrink::shrink;
use crate::targets::Target;
use interlock_domain::FUNCTIONS;
use interlock_domain::json::{Codec as _, SerdeJson, Value};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use std::cell::RefCell;
use std::fs::File;
use std::io::{self, Seek as _, Write as _};
use std::panic::{self, AssertUnwindSafe};
use std::time::{Duration, Instant};

/// Larger inputs are run now and then only: they are slow, and reach little more.
const USUAL_SIZE: usize = 4 * 1024;
const LARGEST: usize = 256 * 1024;

/// What serde_json reads again, with the file of a finding around it. The texts within may be deeper.
const DEEPEST: usize = 100;

/// How long to search.
#[derive(Clone, Copy)]
pub(crate) enum Budget {
    /// So many executions.
    Executions(u64),
    /// So long.
    Time(Duration),
}

/// What the search of one target came to.
pub(crate) struct Searched {
    pub(crate) executions: u64,
    /// Edges that any input reached.
    pub(crate) edges: usize,
    /// How many inputs reached more than those before them.
    pub(crate) kept: u64,
    pub(crate) worst: Worst,
    pub(crate) finding: Option<Finding>,
}

/// An input for which something does not hold.
pub(crate) struct Finding {
    pub(crate) message: String,
    /// The smallest such input that was found.
    pub(crate) input: Value,
}

thread_local! {
    static PANIC: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Panics of targets are findings, and are told as such.
pub(crate) fn catch_panics() {
    panic::set_hook(Box::new(|info| {
        coverage::count(false);
        let place = info
            .location()
            .map(|at| format!("{}:{}", at.file(), at.line()));
        let message = info.payload_as_str().unwrap_or("no message");
        let text = format!(
            "panic at {}: {message}",
            place.as_deref().unwrap_or("an unknown place")
        );
        PANIC.with_borrow_mut(|panic| *panic = text);
    }));
}

/// Runs one input.
pub(crate) fn run(target: &Target, input: &Value) -> Result<String, String> {
    coverage::reset();
    panic::catch_unwind(AssertUnwindSafe(|| (target.run)(input)))
        .unwrap_or_else(|_| Err(PANIC.with_borrow(String::clone)))
}

/// Searches one target. Every input is written to `running` before it is run: if it ends the process,
/// for instance because the stack is gone, it is there to be looked at.
pub(crate) fn search(
    target: &Target,
    corpus: &Corpus,
    seed: u64,
    budget: Budget,
    running: &mut File,
    progress: &mut dyn FnMut(u64, usize),
) -> io::Result<Searched> {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut reached = Reached::nothing();
    let mut pool = (target.seeds)(corpus);
    let seeds = pool.len() as u64;
    let mut searched = Searched {
        executions: 0,
        edges: 0,
        kept: 0,
        worst: Worst::default(),
        finding: None,
    };
    let start = Instant::now();
    let goes_on = |executions: u64| match budget {
        Budget::Executions(most) => executions < most,
        Budget::Time(time) => executions < seeds || start.elapsed() < time,
    };
    while goes_on(searched.executions) {
        let is_seed = searched.executions < seeds;
        let input = if is_seed {
            pool[searched.executions as usize].clone()
        } else {
            changed(target, &pool, &mut rng)
        };
        note(
            running,
            &entry(target.name, "the last input of a run that died", &input),
        )?;
        let result = run(target, &input);
        searched.executions += 1;
        match result {
            Ok(_) if reached.add() && !is_seed => {
                pool.push(input);
                searched.kept += 1;
            }
            Ok(_) => {}
            Err(message) => {
                let input = shrink(input, &|smaller| {
                    run(target, smaller).is_err_and(|other| kind(&other) == kind(&message))
                });
                let message = run(target, &input).err().unwrap_or(message);
                searched.finding = Some(Finding { message, input });
                break;
            }
        }
        if searched.executions.is_multiple_of(8_192) {
            progress(searched.executions, reached.edges());
        }
    }
    searched.edges = reached.edges();
    searched.worst = probe::take_worst();
    Ok(searched)
}

/// Writes an entry in the place of the one before.
fn note(running: &mut File, entry: &Value) -> io::Result<()> {
    let text = SerdeJson.write(entry);
    running.rewind()?;
    running.write_all(text.as_bytes())?;
    running.set_len(text.len() as u64)
}

/// What a failure is, without what it was this time.
fn kind(message: &str) -> &str {
    message.split(": ").next().unwrap_or(message)
}

/// A known input, changed.
fn changed(target: &Target, pool: &[Value], rng: &mut StdRng) -> Value {
    loop {
        // Half of the time one of those found last.
        let index = rng.random_range(0..pool.len());
        let index = if rng.random() {
            index.max(rng.random_range(0..pool.len()))
        } else {
            index
        };
        let mut input = pool[index].clone();
        let donor = pool.choose(rng).unwrap_or(&Value::Null);
        let open = target.open.choose(rng).copied().unwrap_or_default();
        let Value::Object(members) = &mut input else {
            continue;
        };
        let Some((_, part)) = members.iter_mut().find(|(name, _)| name == open) else {
            continue;
        };
        if open == "function" {
            *part = FUNCTIONS[rng.random_range(0..FUNCTIONS.len())].name.into();
        } else {
            mutate(part, donor, rng);
        }
        if depth(&input) > DEEPEST {
            continue;
        }
        let size = size(&input);
        if size <= USUAL_SIZE || (size <= LARGEST && rng.random_range(0..64) == 0) {
            return input;
        }
    }
}

/// How deeply an input is nested.
fn depth(value: &Value) -> usize {
    match value {
        Value::List(items) => 1 + items.iter().map(depth).max().unwrap_or_default(),
        Value::Object(members) => {
            let inner = members.iter().map(|(_, value)| depth(value));
            1 + inner.max().unwrap_or_default()
        }
        _ => 0,
    }
}

/// About how large an input is.
fn size(value: &Value) -> usize {
    match value {
        Value::Text(text) => text.len(),
        Value::List(items) => items.iter().map(size).sum(),
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| name.len() + size(value))
            .sum(),
        _ => 4,
    }
}
