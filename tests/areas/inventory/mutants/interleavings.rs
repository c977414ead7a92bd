//! Mutants that a schedule of two operations must find.

use crate::prove::interleavings::Mutant;

/// The mutants.
pub(crate) const INTERLEAVED: &[Mutant] = &[
    Mutant {
        name: "lock_inventory: reads rows without locking",
        changes: &[("lock_inventory", "for no key update", "")],
        stage: "stock of p in the web shop and in",
    },
    Mutant {
        name: "find_inventory_conflicts: names the row that was there at first",
        changes: &[
            (
                "find_inventory_conflicts",
                "line int, product_id uuid,",
                "line int, inventory_id uuid, product_id uuid,",
            ),
            (
                "find_inventory_conflicts",
                "'inventory_id', case when not s.made then s.inventory_id end,",
                "'inventory_id', l.inventory_id,",
            ),
        ],
        stage: "stock of p and q",
    },
];
