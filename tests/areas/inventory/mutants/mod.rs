//! How this area is broken on purpose, and what must notice.

mod combined;
mod explained;

use crate::areas::Mutants;

/// For the engines.
pub(crate) const MUTANTS: Mutants = Mutants {
    noticed_by: &[],
    explained: explained::EXPLAINED,
    combined: combined::COMBINED,
    interleaved: &[],
    in_histories: &[],
};
