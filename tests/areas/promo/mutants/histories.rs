//! Mutants that a few rounds of random histories must find.

use crate::prove::histories::Mutant;

/// The mutants.
pub(crate) const IN_HISTORIES: &[Mutant] = &[(
    "end_promo_uses",
    "perform interlock.settle_promo_uses(v_promo_id);",
    "null;",
)];
