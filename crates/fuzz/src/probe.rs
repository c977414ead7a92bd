//! One call into the domain under observation: what it reached, and what it cost for the size of its
//! input.

use crate::{coverage, memory};
use std::cell::Cell;

/// The costs that a call may have: so much for each byte of its input, and so much on top.
///
/// Two bytes of JSON, such as `0,`, become a value of 32 bytes, in a list that doubles when it is full.
/// A cart of 100 such lines is few bytes and has 300 problems, each with a pointer and a message.
const MEMORY: Bound = Bound {
    per_byte: 64,
    fixed: 384 * 1024,
};
const STEPS: Bound = Bound {
    per_byte: 32,
    fixed: 384 * 1024,
};

struct Bound {
    per_byte: u64,
    fixed: u64,
}

impl Bound {
    fn holds(&self, cost: u64, input: usize) -> bool {
        cost <= self.fixed + self.per_byte * input as u64
    }
}

/// The highest costs seen.
#[derive(Clone, Copy, Default)]
pub(crate) struct Worst {
    /// Bytes of memory in use at once.
    pub(crate) memory: u64,
    /// Edges of the control flow that one call passed.
    pub(crate) steps: u64,
    /// Bytes of input to one call.
    pub(crate) input: u64,
}

thread_local! {
    static WORST: Cell<Worst> = const { Cell::new(Worst { memory: 0, steps: 0, input: 0 }) };
}

/// The highest costs since the last time this was asked.
pub(crate) fn take_worst() -> Worst {
    WORST.take()
}

/// Makes a call with so many bytes of input.
pub(crate) fn call<T>(input: usize, domain: impl FnOnce() -> T) -> Result<T, String> {
    let steps_before = coverage::steps();
    let in_use = memory::restart();
    coverage::count(true);
    let result = domain();
    coverage::count(false);
    let memory = (memory::peak() - in_use) as u64;
    let steps = coverage::steps() - steps_before;
    WORST.with(|worst| {
        let Worst {
            memory: most,
            steps: longest,
            input: largest,
        } = worst.get();
        worst.set(Worst {
            memory: most.max(memory),
            steps: longest.max(steps),
            input: largest.max(input as u64),
        });
    });
    if !MEMORY.holds(memory, input) {
        return Err(format!(
            "too much memory: {memory} bytes for {input} of input"
        ));
    }
    if !STEPS.holds(steps, input) {
        return Err(format!(
            "too slow: {steps} steps for {input} bytes of input"
        ));
    }
    Ok(result)
}
