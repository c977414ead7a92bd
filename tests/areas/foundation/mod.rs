//! What all areas stand on (keys, errors, settings), and where all of them meet.

#[cfg(test)]
mod mutants;
mod stages;

use super::Area;

/// For the engines.
pub(crate) const AREA: Area = Area {
    #[cfg(test)]
    documented: &[],
    #[cfg(test)]
    scenes: &[],
    stages: &[stages::STAGES],
    #[cfg(test)]
    mutants: mutants::MUTANTS,
};
