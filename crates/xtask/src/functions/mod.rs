//! The functions as files: what follows from a record ([`generated`]), what a person writes and may have forgotten
//! ([`missing`]), and the skeleton of a new one ([`create`]).

pub(crate) mod create;
pub(crate) mod generated;
pub(crate) mod missing;
#[cfg(test)]
mod tests;

/// Stands where a skeleton waits for words.
pub(crate) const FILL_IN: &str = concat!("FILL", " IN");
