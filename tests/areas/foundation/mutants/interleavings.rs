//! Mutants that a schedule of two operations must find.

use crate::prove::interleavings::Mutant;

/// The mutants.
pub(crate) const INTERLEAVED: &[Mutant] = &[Mutant {
    name: "begin_idempotent: a twin that had to wait does not look for the answer",
    changes: &[("begin_idempotent", "exit when found;", "exit;")],
    stage: "one p and one q",
}];
