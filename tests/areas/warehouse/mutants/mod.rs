//! How this area is broken on purpose, and what must notice.

use crate::areas::Mutants;
use crate::areas::warehouse::races::PackingScenario;
use crate::meanwhile::InScene;
use crate::mutants::Combined;
use crate::prove::histories;
use crate::prove::interleavings::Mutant;

/// For the engines.
pub(crate) const MUTANTS: Mutants = Mutants {
    noticed_by: NOTICED_BY,
    explained: EXPLAINED,
    combined: COMBINED,
    interleaved: INTERLEAVED,
    in_histories: IN_HISTORIES,
};

/// Mutants that a few rounds of random histories must find.
const IN_HISTORIES: &[histories::Mutant] = &[
    (
        "pack_units",
        "between 0 and i.quantity_picked",
        "between 0 and i.quantity_needed",
    ),
    ("pack_units", "and p.box_open", ""),
    (
        "set_packed_quantity",
        "p_new - p_expected, p_expected",
        "p_new - p_expected, null",
    ),
    ("release_picking", "and i.picker_id = auth.uid()", ""),
    ("pick_item", "for no key update", ""),
    // What is waited for; what is passed over stands before it.
    ("claim_picking", "for no key update\n", "\n"),
    (
        "claim_picking",
        "if v_taken is not null then",
        "if false then",
    ),
    (
        "claim_picking",
        "and i.picker_until > interlock.clock();",
        ";",
    ),
    (
        "pick_item",
        "and v_item.picker_until > interlock.clock()",
        "",
    ),
    (
        "pick_item",
        "when i.picker_id = auth.uid() then",
        "when false then",
    ),
];

/// What shows only where two sessions meet, and the scene that shows it.
const NOTICED_BY: &[(&str, &str)] = &[
    (
        "claim_picking: never `p_product_ids is null`",
        "of all that is to be picked a picker has what nobody claims meanwhile, at once",
    ),
    (
        "claim_picking: without `for no key update skip locked`",
        "of all that is to be picked a picker has what nobody claims meanwhile, at once",
    ),
    (
        "claim_picking: waits, without `skip locked`",
        "of all that is to be picked a picker has what nobody claims meanwhile, at once",
    ),
    (
        "claim_picking: without `for no key update`",
        "a product that somebody claims meanwhile is theirs",
    ),
    (
        "release_picking: without `for no key update`",
        "a picker gives back nothing that somebody else claims meanwhile",
    ),
    (
        "claim_picking: never `exists ( select from interlock.picking_sessions s where s.id = p_session_id and s.ended_at is not n…`",
        "nobody claims of a session that is given up meanwhile",
    ),
    (
        "pick_item: without `for no key update`",
        "no more is picked than is needed, whoever picks meanwhile",
    ),
    (
        "create_picking_session: without `for no key update`",
        "an order of which somebody makes a session meanwhile is in that one",
    ),
    (
        "complete_box: without `for no key update`",
        "whoever completes an order waits for what is packed into it",
    ),
    (
        "lock_box: without `for no key update`",
        "an order that is completed meanwhile does not leave its session",
    ),
    (
        "abandon_session: without `perform interlock.lock_baskets(p_session_id, null)`",
        "a session that is given up has all its baskets, in the order of their products, before an order leaves it",
    ),
    (
        "lock_baskets: without `where i.picking_session_id = p_session_id`",
        "an order that leaves waits for its own baskets, and for no other",
    ),
    (
        "lock_baskets: without `and (p_product_ids is null or i.product_id = any (p_product_ids))`",
        "an order that leaves waits for its own baskets, and for no other",
    ),
    (
        "lock_baskets: backwards `order by i.product_id`",
        "a session that is given up has all its baskets, in the order of their products, before an order leaves it",
    ),
    (
        "lock_baskets: without `for no key update`",
        "what was packed meanwhile for an order that is cancelled is in the basket again",
    ),
    (
        "take_out_order: without `perform interlock.lock_baskets(p_session_id, array( select p.product_id from interlock.packing_prog…`",
        "what was packed meanwhile for an order that is cancelled is in the basket again",
    ),
    (
        "take_off_lines: without `perform interlock.lock_baskets(p_session_id, p_product_ids)`",
        "what was packed meanwhile for a line that is refunded in part is in the basket again",
    ),
    (
        "refuse_pack: without `perform interlock.lock_baskets(p_session_id, array[p_product_id])`",
        "what is put back into a basket meanwhile is packed for another order",
    ),
    (
        "refuse_pack: never `p_taken = 0`",
        "what is put back into a basket meanwhile is packed for another order",
    ),
    (
        "refuse_pack: never `p_taken = 0 and v_line.quantity_packed + p_change between 0 and v_line.quantity_needed and v_item.q…`",
        "what is put back into a basket meanwhile is packed for another order",
    ),
    (
        "give_up_units: without `for no key update`",
        "what is taken out of a box meanwhile is short",
    ),
    (
        "need_less: never `not found or (interlock.lock_box(v_session_id, p_order_id)).status <> 'open'`",
        "an order that leaves its session meanwhile is needed no less there when a part of it is refunded",
    ),
];

/// What no test can notice, and why.
const EXPLAINED: &[(&str, &str)] = &[
    (
        "close_box: without `where p.picking_session_id = p_session_id`",
        "An order is open in one session at a time, so its lines in others are closed already.",
    ),
    (
        "refuse_pack: without `and v_line.quantity_packed + p_change between 0 and v_line.quantity_needed`",
        "It only saves a try: what the basket has by then the line refuses.",
    ),
    (
        "give_up_units: never `clock_timestamp() > statement_timestamp() + interval '100 milliseconds'` (2)",
        "Only time shows it: for how long a refusal waits whose update has waited.",
    ),
    (
        "give_up_units: without `perform interlock.limit_wait()` (2)",
        "Only time shows it: for how long a refusal waits whose update has waited.",
    ),
];

const TURN: &str = "perform pg_advisory_xact_lock(hashtextextended(format('interlock basket %s %s', p_session_id, p_product_id), 0))";
/// It is had before it is asked who the caller is.
const TURN_OF_ANYBODY: (&str, &str, &str) = (
    "pack_units",
    TURN,
    "perform pg_advisory_xact_lock(hashtextextended(format('interlock basket %s %s', p_session_id, p_product_id), 0));
     perform",
);

const COMBINED: &[Combined] = &[
    Combined {
        name: "pack_units: what is left in the basket is looked at, and not guarded",
        patches: &[(
            "pack_units",
            "and i.quantity_packed + p_change between 0 and i.quantity_picked",
            "and (select c.quantity_packed + p_change between 0 and c.quantity_picked from interlock.picking_session_items c
               where c.picking_session_id = i.picking_session_id and c.product_id = i.product_id)",
        )],
        sql: None,
        // Whoever packs has their turn; whoever picks has none.
        race: &InScene("a unit that is put back meanwhile is not packed"),
    },
    Combined {
        name: "pack_units: nobody has a turn at a basket",
        patches: &[("pack_units", TURN, "perform")],
        sql: None,
        race: &InScene("a scan has its turn at the basket before it takes it"),
    },
    Combined {
        name: "pack_units: whoever packs nowhere has a turn at a basket",
        patches: &[TURN_OF_ANYBODY],
        sql: None,
        race: &InScene("whoever packs nowhere takes no turn at a basket"),
    },
    Combined {
        name: "pack_units: whoever packs somewhere else has a turn at a basket",
        patches: &[TURN_OF_ANYBODY],
        sql: None,
        race: &InScene("whoever packs somewhere else takes no turn at a basket"),
    },
    Combined {
        name: "pack_units: all products of a session have one turn",
        patches: &[(
            "pack_units",
            "'interlock basket %s %s', p_session_id, p_product_id",
            "'interlock basket %s', p_session_id",
        )],
        sql: None,
        race: &InScene("whoever packs another product waits for nobody"),
    },
    Combined {
        name: "pack_units: a product has one turn for all sessions",
        patches: &[(
            "pack_units",
            "'interlock basket %s %s', p_session_id, p_product_id",
            "'interlock basket %s', p_product_id",
        )],
        sql: None,
        race: &InScene("whoever packs in another session waits for nobody"),
    },
    Combined {
        name: "close_box: the session is counted down by what was read before",
        patches: &[(
            "close_box",
            "set open_orders = s.open_orders - 1",
            "set open_orders = (select c.open_orders from interlock.picking_sessions c where c.id = p_session_id) - 1",
        )],
        sql: None,
        race: &PackingScenario::TheLastTwo,
    },
    Combined {
        name: "complete_box: an order and its box are not locked",
        patches: &[
            ("lock_box", "for no key update", ""),
            ("lock_order", "for no key update", ""),
        ],
        sql: None,
        race: &PackingScenario::CompleteTogether,
    },
    Combined {
        name: "complete_box: the lines are read and not locked",
        patches: &[("complete_box", "for no key update", "")],
        sql: None,
        race: &PackingScenario::PackAndComplete,
    },
];

/// What a schedule of two operations must find.
const INTERLEAVED: &[Mutant] = &[
    Mutant {
        name: "pack_units: packs into a box that somebody closes",
        changes: &[("pack_units", "and p.box_open", "")],
        stage: "two orders that are packed out of one basket",
    },
    Mutant {
        name: "lock_baskets: an order leaves a basket out of which somebody packs",
        changes: &[("lock_baskets", "for no key update", "")],
        stage: "two orders that are packed out of one basket",
    },
    Mutant {
        name: "complete_box: closes a box into which somebody packs",
        changes: &[("complete_box", "for no key update", "")],
        stage: "a box that is full",
    },
    Mutant {
        name: "refuse_pack: refuses by what is there by then",
        changes: &[("refuse_pack", "    return;\n", "    null;\n")],
        stage: "a box that is full",
    },
];
