//! The shop's own tables.

#[cfg(test)]
mod mutants;
#[cfg(test)]
mod races;
#[cfg(test)]
mod rows;

use super::Area;

/// For the engines.
pub(crate) const AREA: Area = Area {
    before_test: "",
    #[cfg(test)]
    documented: &[],
    #[cfg(test)]
    scenes: &[],
    #[cfg(test)]
    scene_rows: "",
    #[cfg(test)]
    after_scene: "",
    stages: &[],
    sweeps: &[],
    histories: None,
    #[cfg(test)]
    mutants: mutants::MUTANTS,
};
