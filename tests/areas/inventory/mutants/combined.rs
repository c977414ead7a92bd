//! Mutants that take more than one thing away, because each alone suffices, and those that only a crowd
//! notices. Each names its race.

use crate::areas::inventory::races::InventoryScenario;
use crate::mutants::Combined;

/// The mutants.
pub(crate) const COMBINED: &[Combined] = &[
    Combined {
        name: "decrement_inventory: read, then write (report 001's lost update)",
        patches: &[(
            "decrement_row",
            "set quantity = i.quantity - p_quantity",
            "set quantity = v_row.quantity - p_quantity",
        )],
        sql: None,
        race: &InventoryScenario::FiveSales,
    },
    Combined {
        name: "decrement_inventory: what was read decides, not what is there",
        patches: &[(
            "decrement_row",
            "and i.quantity >= p_quantity",
            "and v_row.quantity >= p_quantity",
        )],
        sql: None,
        race: &InventoryScenario::TheLastOnes,
    },
];
