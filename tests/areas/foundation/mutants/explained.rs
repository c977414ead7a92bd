//! Mutants that no test can notice, each with the reason.

/// The mutant, and why it changes nothing that anybody could see.
pub(crate) const EXPLAINED: &[(&str, &str)] = &[
    (
        "expose: without `and a.grantee <> c.relowner`",
        "It only saves statements: the owner has every right on a view of its own.",
    ),
    (
        "begin_idempotent: one turn only, without `when v_answer is not null`",
        "Only a key that ends between two statements needs another turn.",
    ),
    (
        "find_idempotent: never `p_key is null`",
        "No row has an empty key.",
    ),
    (
        "close_ledgers: never `v_closed > 0`",
        "It only says how long a call lasts: what is left is the next one's.",
    ),
];
