//! Mutants that a schedule of two operations must find.

use crate::prove::interleavings::Mutant;

/// The mutants.
pub(crate) const INTERLEAVED: &[Mutant] = &[
    Mutant {
        name: "count_promo_use: goes on though the code was used up meanwhile",
        changes: &[(
            "count_promo_use",
            "raise exception using errcode = 'IL001', message = 'used up meanwhile: look again';",
            "null;",
        )],
        stage: "one use of k",
    },
    Mutant {
        name: "set_promo_slots: without the gate",
        changes: &[("set_promo_slots", "for no key update", "")],
        stage: "the last two uses of k",
    },
];
