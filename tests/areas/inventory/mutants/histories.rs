//! Mutants that a few rounds of random histories must find.

use crate::prove::histories::Mutant;

/// The mutants.
pub(crate) const IN_HISTORIES: &[Mutant] = &[
    (
        "decrement_row",
        "set quantity = i.quantity - p_quantity",
        "set quantity = v_row.quantity - p_quantity",
    ),
    ("lock_inventory", "for no key update", ""),
    ("lock_transfer", "for no key update", ""),
];
