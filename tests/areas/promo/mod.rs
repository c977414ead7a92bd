//! Promo codes: what they are worth, and who may use them how often.

#[cfg(test)]
mod arithmetic;
pub(crate) mod model;
#[cfg(test)]
mod scenes;

use super::Area;

/// For the engines.
pub(crate) const AREA: Area = Area {
    #[cfg(test)]
    scenes: &[scenes::SCENES],
    stages: &[],
};
