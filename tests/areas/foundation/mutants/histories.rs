//! Mutants that a few rounds of random histories must find.

use crate::prove::histories::Mutant;

/// The mutants.
pub(crate) const IN_HISTORIES: &[Mutant] = &[(
    "begin_idempotent",
    "where k.expires_at <= interlock.clock()",
    "",
)];
