//! Mutants that no test can notice, each with the reason.

/// The mutant, and why it changes nothing that anybody could see.
pub(crate) const EXPLAINED: &[(&str, &str)] = &[
    (
        "shops_of_user: without `where not t.is_part`",
        "It only saves reading: the rows of a part are read with those of its history.",
    ),
    (
        "shops_of_user: without `and a.attname in ( 'user_id', 'from_user_id', 'to_user_id', 'actor', 'actor_id', 'driver_id', 'cash…`",
        "It only saves reading: no other column has the id of a user, which `supabase/tests/shops/99-people.sql` holds.",
    ),
    (
        "find_part_problems: without `where n.nspname = 'interlock_parts'`",
        "It only reads less: of schemas this one alone is told of.",
    ),
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
    (
        "add_history_part: without `and not t.tgisinternal`",
        "No internal trigger is one of statements: those of foreign keys are of rows.",
    ),
    (
        "archive_history: backwards `order by h.name, p.after`",
        "Each call archives one part, and which goes first is said nowhere.",
    ),
    (
        "archive_history: never `interlock.history_stays(v_part.part, v_part.before, v_part.stays, v_part.together, v_part.position_…`",
        "It only saves a lock: under it the same is asked again.",
    ),
    (
        "archive_history_part: without `perform interlock.lock_history(p_history)`",
        "Detaching locks the same, in another order: who sells at this moment and the job may then wait for each other, for the 50 ms that the job waits.",
    ),
    (
        "archive_history_part: without `and a.attnum > 0`",
        "No column of the system is of a domain.",
    ),
    (
        "history_parts: backwards `order by 3`",
        "Who archives orders by itself, and which part is purged first is said nowhere.",
    ),
    (
        "make_history_part: one turn only, without `when v_look = 2`",
        "Only what another session does between two statements needs the second look.",
    ),
    (
        "make_history_part: never `v_taken is null and v_from - v_last >= p_rows / 4`",
        "What it locks instead is more than it needs, and makes the same part.",
    ),
    (
        "make_history_part: without `perform interlock.lock_history(p_history)`",
        "`make_history_part: who is late takes no more than who is in time` is the same mutant, and has the race that notices it.",
    ),
    (
        "purge_parts: never `v_before is null`",
        "Nothing is older than null: it only saves a look at each part.",
    ),
    (
        "purge_parts: without `perform set_config('interlock.purging', '', true)`",
        "interlock.purge_history, its only caller, says the same at its end.",
    ),
    (
        "erase_user_after: without `update interlock.customers c set user_id = null where c.user_id = p_user_id`",
        "interlock.erase_user_before has erased that customer, and one that is erased has no account.",
    ),
    (
        "erase_user_after: without `where f.kind = 'open_orders'`",
        "Nothing else that an audit finds is about a user: it says which findings are meant.",
    ),
];
