//! Promo codes: what they are worth, and who may use them how often.

#[cfg(test)]
mod arithmetic;
pub(crate) mod calls;
#[cfg(test)]
mod contract;
#[cfg(test)]
pub(crate) mod documented;
pub(crate) mod model;
#[cfg(test)]
mod mutants;
#[cfg(test)]
pub(crate) mod races;
#[cfg(test)]
mod scenes;
#[cfg(test)]
mod slot_races;
#[cfg(test)]
mod slot_scenes;
pub(crate) mod slot_stages;
pub(crate) mod stages;

use super::Area;

/// For the engines.
pub(crate) const AREA: Area = Area {
    before_test: "",
    #[cfg(test)]
    documented: &[|bench| Box::pin(documented::promo_validate(bench))],
    #[cfg(test)]
    scenes: &[scenes::SCENES, slot_scenes::SCENES],
    #[cfg(test)]
    scene_rows: scenes::ROWS,
    #[cfg(test)]
    after_scene: "",
    stages: &[stages::STAGES, slot_stages::STAGES],
    sweeps: &[stages::HOLDS],
    histories: None,
    #[cfg(test)]
    mutants: mutants::MUTANTS,
};
