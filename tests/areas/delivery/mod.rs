//! Drivers and delivery batches.

pub(crate) mod calls;
#[cfg(test)]
mod contract;
#[cfg(test)]
mod documented;
mod histories;
#[cfg(test)]
mod lifecycle;
pub(crate) mod model;
#[cfg(test)]
mod mutants;
#[cfg(test)]
pub(crate) mod races;
pub(crate) mod rows;
#[cfg(test)]
mod scenes;
pub(crate) mod stages;

use super::Area;

/// For the engines.
pub(crate) const AREA: Area = Area {
    before_test: rows::BEFORE_TEST,
    #[cfg(test)]
    documented: &[|bench| Box::pin(documented::claim_route(bench))],
    #[cfg(test)]
    scenes: &[scenes::SCENES],
    #[cfg(test)]
    scene_rows: scenes::ROWS,
    #[cfg(test)]
    after_scene: "",
    stages: &[stages::STAGES],
    sweeps: &[stages::BATCHES],
    histories: Some(&histories::DEPOT),
    #[cfg(test)]
    mutants: mutants::MUTANTS,
};
