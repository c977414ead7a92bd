//! Mutants that no test can notice, each with the reason.

/// The mutant, and why it changes nothing that anybody could see.
pub(crate) const EXPLAINED: &[(&str, &str)] = &[
    (
        "lock_inventory: backwards `order by l.product_id, l.location_id`",
        "It matters that rows are made in one order, whichever: they are made nowhere else.",
    ),
    (
        "lock_inventory: backwards `order by l.first_line`",
        "Whoever reads the list orders it again.",
    ),
    (
        "name_inventory_lines: backwards `order by n.line`",
        "Each line has its number, and whoever reads the list goes by that.",
    ),
];
