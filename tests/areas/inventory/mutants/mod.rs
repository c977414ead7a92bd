//! How this area is broken on purpose, and what must notice.

mod between_sessions;
mod combined;
mod explained;
mod histories;
mod interleavings;

use crate::areas::Mutants;

/// For the engines.
pub(crate) const MUTANTS: Mutants = Mutants {
    noticed_by: between_sessions::NOTICED_BY,
    explained: explained::EXPLAINED,
    combined: combined::COMBINED,
    interleaved: interleavings::INTERLEAVED,
    in_histories: histories::IN_HISTORIES,
};
