//! Mutants that a few rounds of random histories must find.

use crate::prove::histories::Mutant;

/// The mutants.
pub(crate) const IN_HISTORIES: &[Mutant] = &[(
    "take_batch",
    "and interlock.is_claimable(b.status, b.lease_expires_at)",
    "",
)];
