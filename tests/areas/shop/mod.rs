//! Stock, checkout, orders, wallets, codes of digital products, slots.

#[cfg(test)]
mod contract;
#[cfg(test)]
mod documented;
pub(crate) mod model;
#[cfg(test)]
mod mutants;
#[cfg(test)]
pub(crate) mod races;
#[cfg(test)]
mod reports;
pub(crate) mod rows;
#[cfg(test)]
mod scenes;
#[cfg(test)]
pub(crate) mod slot_races;
#[cfg(test)]
mod slot_scenes;
pub(crate) mod slot_stages;
pub(crate) mod stages;

use super::Area;

/// For the engines.
pub(crate) const AREA: Area = Area {
    #[cfg(test)]
    documented: &[|bench| Box::pin(documented::checkout(bench))],
    #[cfg(test)]
    scenes: &[scenes::SCENES, slot_scenes::SCENES],
    stages: &[stages::STAGES, slot_stages::STAGES],
    #[cfg(test)]
    mutants: mutants::MUTANTS,
};
