//! What is known of each area, and nowhere else: an area joins every engine by its line in [`AREAS`].

pub(crate) mod delivery;
pub(crate) mod promo;
pub(crate) mod shop;

#[cfg(test)]
use crate::meanwhile::Scene;
use crate::prove::interleavings::Stage;

/// What the engines are told of an area.
pub(crate) struct Area {
    /// What meets half-way.
    #[cfg(test)]
    pub(crate) scenes: &'static [&'static [Scene]],
    /// What is interleaved.
    pub(crate) stages: &'static [&'static [Stage]],
}

/// All of them.
pub(crate) const AREAS: &[&Area] = &[&delivery::AREA, &shop::AREA, &promo::AREA];
