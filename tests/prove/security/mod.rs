//! Who may do what: tables, functions, tokens, injection.

use crate::Search;
use crate::report::Section;
use anyhow::Result;

/// Runs the section.
pub(crate) async fn run(_search: &Search) -> Result<Section> {
    Ok(Section::new("security"))
}
