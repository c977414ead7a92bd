//! What is known of each area, and nowhere else: an area joins every engine by its line in [`AREAS`].

pub(crate) mod delivery;
pub(crate) mod events;
pub(crate) mod foundation;
pub(crate) mod inventory;
pub(crate) mod linking;
pub(crate) mod pos;
pub(crate) mod promo;
pub(crate) mod shop;
pub(crate) mod warehouse;

use crate::prove::histories::Kind;
use crate::prove::interleavings::{Stage, Sweep};
#[cfg(test)]
use crate::{meanwhile::Scene, mutants::Combined, openapi::Documented, prove};

/// What the engines are told of an area.
pub(crate) struct Area {
    /// The answers of its functions that docs/openapi.json tells of.
    #[cfg(test)]
    pub(crate) documented: &'static [Documented],
    /// Puts aside what earlier tests have left where every test would find it.
    pub(crate) before_test: &'static str,
    /// What meets half-way.
    #[cfg(test)]
    pub(crate) scenes: &'static [&'static [Scene]],
    /// The rows that every scene finds.
    #[cfg(test)]
    pub(crate) scene_rows: &'static str,
    /// Puts back what a scene may have changed that is nobody's own.
    #[cfg(test)]
    pub(crate) after_scene: &'static str,
    /// What is interleaved.
    pub(crate) stages: &'static [&'static [Stage]],
    /// Rows that its operations find by themselves.
    pub(crate) sweeps: &'static [Sweep],
    /// Worlds for random histories, if it has some of its own.
    pub(crate) histories: Option<&'static Kind>,
    /// How it is broken on purpose.
    #[cfg(test)]
    pub(crate) mutants: Mutants,
}

/// How an area is broken on purpose, beside what the database's catalogue yields.
#[cfg(test)]
pub(crate) struct Mutants {
    /// What shows only where two sessions meet, and the scene that must notice it.
    pub(crate) noticed_by: &'static [(&'static str, &'static str)],
    /// What no test can notice, and why.
    pub(crate) explained: &'static [(&'static str, &'static str)],
    /// What takes more than one thing away, or needs a crowd.
    pub(crate) combined: &'static [Combined],
    /// What a schedule of two operations must find.
    pub(crate) interleaved: &'static [prove::interleavings::Mutant],
    /// What random histories must find.
    pub(crate) in_histories: &'static [prove::histories::Mutant],
}

/// All of them.
pub(crate) const AREAS: &[Area] = &[
    delivery::AREA,
    shop::AREA,
    inventory::AREA,
    linking::AREA,
    pos::AREA,
    warehouse::AREA,
    promo::AREA,
    events::AREA,
    foundation::AREA,
];
