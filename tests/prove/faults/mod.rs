//! Crashes, cuts, delays and repeats while clients retry under their keys.

use crate::Search;
use crate::report::Section;
use anyhow::Result;

/// Runs the section.
pub(crate) async fn run(_search: &Search) -> Result<Section> {
    Ok(Section::new("faults"))
}
