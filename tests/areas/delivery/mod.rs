//! Drivers and delivery batches.

#[cfg(test)]
mod contract;
mod histories;
#[cfg(test)]
mod lifecycle;
pub(crate) mod model;
#[cfg(test)]
mod mutants;
#[cfg(test)]
pub(crate) mod races;
#[cfg(test)]
mod scenes;
pub(crate) mod stages;

use super::Area;

/// For the engines.
pub(crate) const AREA: Area = Area {
    #[cfg(test)]
    scenes: &[scenes::SCENES],
    #[cfg(test)]
    scene_rows: scenes::ROWS,
    #[cfg(test)]
    after_scene: "",
    stages: &[stages::STAGES],
    histories: Some(&histories::DEPOT),
    #[cfg(test)]
    mutants: mutants::MUTANTS,
};
