//! Drivers and delivery batches.

#[cfg(test)]
mod contract;
#[cfg(test)]
mod lifecycle;
pub(crate) mod model;
#[cfg(test)]
pub(crate) mod races;
#[cfg(test)]
mod scenes;

use super::Area;

/// For the engines.
pub(crate) const AREA: Area = Area {
    #[cfg(test)]
    scenes: &[scenes::SCENES],
    stages: &[],
};
