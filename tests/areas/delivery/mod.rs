//! Drivers and delivery batches.

#[cfg(test)]
mod contract;
#[cfg(test)]
mod documented;
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
    documented: &[|bench| Box::pin(documented::claim_route(bench))],
    #[cfg(test)]
    scenes: &[scenes::SCENES],
    stages: &[stages::STAGES],
    #[cfg(test)]
    mutants: mutants::MUTANTS,
};
