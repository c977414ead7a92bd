//! Tills.

#[cfg(test)]
mod customer_races;
mod customer_stages;
#[cfg(test)]
mod day;
#[cfg(test)]
mod mutants;
#[cfg(test)]
mod over_http;
#[cfg(test)]
mod parked_scenes;
#[cfg(test)]
mod races;
#[cfg(test)]
mod report;
#[cfg(test)]
mod return_races;
#[cfg(test)]
mod return_scenes;
#[cfg(test)]
mod rows;
#[cfg(test)]
mod scenes;
mod stages;

use super::Area;

/// For the engines.
pub(crate) const AREA: Area = Area {
    before_test: "",
    #[cfg(test)]
    documented: &[|bench| Box::pin(over_http::documented(bench))],
    #[cfg(test)]
    scenes: &[scenes::SCENES, return_scenes::SCENES, parked_scenes::SCENES],
    #[cfg(test)]
    scene_rows: "",
    #[cfg(test)]
    after_scene: "",
    stages: &[stages::STAGES, customer_stages::STAGES],
    sweeps: &[],
    histories: None,
    #[cfg(test)]
    mutants: mutants::MUTANTS,
};
