//! Stock at locations.

#[cfg(test)]
mod audit_races;
#[cfg(test)]
mod history_races;
#[cfg(test)]
mod mutants;
#[cfg(test)]
mod over_http;
#[cfg(test)]
mod races;
#[cfg(test)]
mod report;
#[cfg(test)]
pub(crate) mod rows;
#[cfg(test)]
mod scenes;
mod stages;
#[cfg(test)]
mod transfer_races;

use super::Area;

/// For the engines.
pub(crate) const AREA: Area = Area {
    before_test: "",
    #[cfg(test)]
    documented: &[|bench| Box::pin(over_http::documented(bench))],
    #[cfg(test)]
    scenes: &[scenes::SCENES],
    #[cfg(test)]
    scene_rows: "",
    #[cfg(test)]
    after_scene: "",
    stages: &[stages::STAGES],
    sweeps: &[],
    histories: None,
    #[cfg(test)]
    mutants: mutants::MUTANTS,
};
