//! How this area is broken on purpose, and what must notice.

use crate::areas::Mutants;
use crate::areas::pos::races::TillScenario;
use crate::mutants::Combined;

/// For the engines.
pub(crate) const MUTANTS: Mutants = Mutants {
    noticed_by: &[],
    explained: &[],
    combined: COMBINED,
    interleaved: &[],
    in_histories: &[],
};

const COMBINED: &[Combined] = &[
    Combined {
        name: "take_sold_stock: what is there is read without a lock",
        patches: &[("take_sold_stock", "for no key update of i", "")],
        sql: None,
        race: &TillScenario::TheLastOnes,
    },
    Combined {
        name: "close_shift: the register is not locked",
        patches: &[("lock_register", "for no key update", "")],
        sql: None,
        race: &TillScenario::SalesAndTheClose,
    },
];
