//! Which code an execution reached, and how many steps it took.
//!
//! The build that `cargo xtask fuzz` makes has a call at every edge of the control flow (LLVM's
//! SanitizerCoverage, through `-C` flags of stable Rust). Counting those calls serves twice: code
//! that was not reached before makes an input worth keeping, and their sum is a measure of time that
//! is the same on every machine. Without these flags nothing calls, and [`edges`] is 0.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, AtomicUsize};

/// More edges than this program has.
const CAPACITY: usize = 1 << 16;

/// No execution may take more steps: it would seem to hang.
const HANG: u64 = 500_000_000;

static COUNTS: [AtomicU8; CAPACITY] = [const { AtomicU8::new(0) }; CAPACITY];
static EDGES: AtomicU32 = AtomicU32::new(0);
/// The edges that the last execution passed, in the order in which it came to them.
static PASSED: [AtomicU32; CAPACITY] = [const { AtomicU32::new(0) }; CAPACITY];
static PASSED_LEN: AtomicUsize = AtomicUsize::new(0);
static STEPS: AtomicU64 = AtomicU64::new(0);
static COUNTING: AtomicBool = AtomicBool::new(false);

/// LLVM calls this before `main`, once for each part of the program: every edge gets a number.
///
/// # Safety
/// LLVM passes the bounds of an array of its own.
#[unsafe(no_mangle)]
unsafe extern "C" fn __sanitizer_cov_trace_pc_guard_init(start: *mut u32, stop: *mut u32) {
    let mut guard = start;
    while guard < stop {
        let edge = EDGES.fetch_add(1, Relaxed);
        // SAFETY: `guard` is within the array.
        unsafe { guard.write(edge % CAPACITY as u32) };
        // SAFETY: at most one past the end, where the loop ends.
        guard = unsafe { guard.add(1) };
    }
}

/// LLVM calls this at every edge. It leaves functions of this prefix alone, and what is called here
/// is inlined, or it would call itself. One thread runs targets, so nothing is lost between loading
/// and storing.
///
/// # Safety
/// LLVM passes what was numbered above.
#[unsafe(no_mangle)]
unsafe extern "C" fn __sanitizer_cov_trace_pc_guard(guard: *const u32) {
    if !COUNTING.load(Relaxed) {
        return;
    }
    // SAFETY: `guard` points into the array that was numbered.
    let edge = unsafe { *guard } as usize & (CAPACITY - 1);
    let count = COUNTS[edge].load(Relaxed);
    COUNTS[edge].store(count.saturating_add(1), Relaxed);
    if count == 0 {
        let length = PASSED_LEN.load(Relaxed);
        PASSED[length & (CAPACITY - 1)].store(edge as u32, Relaxed);
        PASSED_LEN.store(length + 1, Relaxed);
    }
    let steps = STEPS.load(Relaxed) + 1;
    STEPS.store(steps, Relaxed);
    if steps > HANG {
        std::process::abort();
    }
}

/// How many edges the program has that are counted.
pub(crate) fn edges() -> u32 {
    EDGES.load(Relaxed)
}

/// Starts or stops counting.
pub(crate) fn count(counting: bool) {
    COUNTING.store(counting, Relaxed);
}

/// Steps taken since [`reset`].
pub(crate) fn steps() -> u64 {
    STEPS.load(Relaxed)
}

/// Forgets the last execution.
pub(crate) fn reset() {
    COUNTING.store(false, Relaxed);
    STEPS.store(0, Relaxed);
    for edge in passed() {
        COUNTS[edge].store(0, Relaxed);
    }
    PASSED_LEN.store(0, Relaxed);
}

/// The edges that the last execution passed.
fn passed() -> impl Iterator<Item = usize> {
    let length = PASSED_LEN.load(Relaxed).min(CAPACITY);
    PASSED[..length]
        .iter()
        .map(|edge| edge.load(Relaxed) as usize)
}

/// What all executions so far have reached: per edge, a bit for each order of magnitude of how often
/// one execution passed it.
pub(crate) struct Reached(Vec<u8>);

impl Reached {
    /// Nothing yet.
    pub(crate) fn nothing() -> Self {
        Reached(vec![0; CAPACITY])
    }

    /// Adds the last execution; whether it reached anything new.
    pub(crate) fn add(&mut self) -> bool {
        let mut is_new = false;
        for edge in passed() {
            let seen = &mut self.0[edge];
            let bit = match COUNTS[edge].load(Relaxed) {
                0 | 1 => 1 << 0,
                2 => 1 << 1,
                3 => 1 << 2,
                4..=7 => 1 << 3,
                8..=15 => 1 << 4,
                16..=31 => 1 << 5,
                32..=127 => 1 << 6,
                _ => 1 << 7,
            };
            is_new |= *seen & bit == 0;
            *seen |= bit;
        }
        is_new
    }

    /// How many edges were reached.
    pub(crate) fn edges(&self) -> usize {
        self.0.iter().filter(|seen| **seen != 0).count()
    }
}
