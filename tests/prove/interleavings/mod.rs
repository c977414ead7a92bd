//! Every order of the steps of two operations, driven over two sessions.

use crate::Search;
use crate::report::Section;
use anyhow::Result;

/// Runs the section.
pub(crate) async fn run(_search: &Search) -> Result<Section> {
    Ok(Section::new("interleavings"))
}
