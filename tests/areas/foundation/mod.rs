//! What all areas stand on (keys, errors, settings), and where all of them meet.

#[cfg(test)]
mod erasure_scenes;
#[cfg(test)]
mod isolation;
#[cfg(test)]
mod mutants;
#[cfg(test)]
mod reports;
#[cfg(test)]
mod scenes;
mod stages;
#[cfg(test)]
mod waiting;

use super::Area;

/// For the engines.
pub(crate) const AREA: Area = Area {
    before_test: "",
    #[cfg(test)]
    documented: &[],
    #[cfg(test)]
    scenes: &[erasure_scenes::SCENES, scenes::SCENES],
    #[cfg(test)]
    scene_rows: "",
    #[cfg(test)]
    after_scene:
        "update interlock.settings set keep_order_events = null, keep_payment_proofs = null,
        keep_stock_movements = null, keep_wallet_movements = null",
    stages: &[stages::STAGES],
    sweeps: &[],
    histories: None,
    #[cfg(test)]
    mutants: mutants::MUTANTS,
};
