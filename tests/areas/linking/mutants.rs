//! How this area is broken on purpose, and what must notice.

use crate::areas::Mutants;
use crate::areas::linking::races::LinkingScenario;
use crate::mutants::Combined;

/// For the engines.
pub(crate) const MUTANTS: Mutants = Mutants {
    noticed_by: &[],
    explained: EXPLAINED,
    combined: COMBINED,
    interleaved: &[],
    in_histories: &[],
};

/// What no test can notice, and why.
const EXPLAINED: &[(&str, &str)] = &[
    (
        "unlink_products: backwards `order by w.product_id`",
        "takes no lock that it waits for",
    ),
    (
        "unlink_products: without `and m.filled`",
        "writes rows that are as they are",
    ),
    (
        "bring_products: without `where m.link_id = p_link.id`",
        "holds more products than it must",
    ),
    (
        "bring_products: without `and m.source_id = any (p_ids)`",
        "holds more products than it must",
    ),
    (
        "bring_products: backwards `order by p.id`",
        "at a commit interlock.bring_linked_changes has them already, in order",
    ),
    (
        "bring_products: without `for no key update`",
        "shown by a race of its own: a combined mutant",
    ),
    (
        "bring_products: without `where p.stock_slots > 0`",
        "settles what has nothing to settle",
    ),
    (
        "bring_products: backwards `order by p.id` (2)",
        "the products of these slots are held, and who uses a slot holds no other while it waits",
    ),
    (
        "bring_products: without `where p.id = any (v_slotted)`",
        "grants to slots what they have been granted",
    ),
    (
        "bring_products: without `and not m.filled`",
        "writes rows that are as they are",
    ),
    (
        "bring_products: without `where p.available_quantity <> r.quantity`",
        "looks at more rows, and writes those that differ",
    ),
    (
        "move_linked_stock: without `perform set_config('interlock.bringing_products', pg_trigger_depth()::text, true)`",
        "looks at rows twice, and writes those that differ",
    ),
    (
        "write_back_stock: without `for no key update skip locked`",
        "shown by a race of its own: a combined mutant",
    ),
    (
        "write_back_stock: waits, without `skip locked`",
        "shown by a race of its own: a combined mutant",
    ),
    (
        "try_write_back: waits, without `skip locked`",
        "shown by a race of its own: a combined mutant",
    ),
    (
        "try_write_back: never `v_present is null`",
        "shown by the race of a held row only",
    ),
    (
        "try_write_back: never `v_present is not null`",
        "shown by the race of a held row only",
    ),
    (
        "try_write_back: without `where w.reason <> excluded.reason`",
        "writes a row that is as it is",
    ),
    (
        "write_stock_back: never `current_setting('interlock.bringing_products', true) = (pg_trigger_depth() - 1)::text`",
        "looks at rows twice, and writes those that differ",
    ),
    (
        "next_to_fill: without `for no key update of s skip locked`",
        "shown by a race of its own: a combined mutant",
    ),
    (
        "next_to_fill: waits, without `skip locked`",
        "shown by a race of its own: a combined mutant",
    ),
    (
        "bring_linked_changes: without `where c.transaction = pg_current_xact_id()`",
        "nobody else's rows are ever seen; it finds ours by the key",
    ),
    (
        "bring_linked_changes: never `v_link_ids is null`",
        "goes on with nothing to bring",
    ),
    (
        "bring_products: never `cardinality(p_ids) > 100`",
        "chooses a plan; what comes of it is the same",
    ),
    (
        "bring_products: without `perform set_config('plan_cache_mode', 'force_custom_plan', true)`",
        "chooses a plan; what comes of it is the same",
    ),
    (
        "bring_products: without `where p.id is null`",
        "asks whether there is anything to insert; what is inserted is asked row by row",
    ),
    (
        "bring_customers: without `where u.id in (select p.user_id from unnest(v_people) p)`",
        "holds more accounts against removal than it must",
    ),
    (
        "bring_customers: without `where p.state in ('known', 'linked')`",
        "books what is due of customers who keep their account, too",
    ),
    (
        "bring_customers: without `and c.user_id is distinct from p.user_id`",
        "books what is due of customers who keep their account, too",
    ),
    (
        "bring_customers: without `where c.id in (select p.customer_id from unnest(v_people) p where p.state in ('known', 'linked'))`",
        "holds more customers than it must",
    ),
    (
        "bring_customers: never `v_tries >= 5`",
        "ends what only somebody who takes the same again and again could make go on",
    ),
    (
        "write_people: without `and ( p.email is distinct from c.email and c.email in (select o.email from unnest(p_people) o) or p…`",
        "lets go of nothing more: each column asks for itself",
    ),
    (
        "unlink_customers: without `and (m.filled or m.to_erase)`",
        "writes rows that are as they are",
    ),
];

const COMBINED: &[Combined] = &[
    Combined {
        name: "try_write_back: waits for the row of the shop's table",
        patches: &[(
            "try_write_back",
            " for no key update skip locked',",
            " for no key update',",
        )],
        sql: None,
        race: &LinkingScenario::HeldRow,
    },
    Combined {
        name: "try_write_back: waits for the shop's table",
        patches: &[(
            "try_write_back",
            "in row exclusive mode nowait",
            "in row exclusive mode",
        )],
        sql: None,
        race: &LinkingScenario::HeldTable,
    },
    Combined {
        name: "next_to_fill: waits for the row of the shop's table",
        patches: &[("next_to_fill", "of s skip locked", "of s")],
        sql: None,
        race: &LinkingScenario::FilledWhileHeld,
    },
    Combined {
        name: "write_back_stock: waits for who sells",
        patches: &[("write_back_stock", " skip locked", "")],
        sql: None,
        race: &LinkingScenario::FilledWhileHeld,
    },
    Combined {
        name: "bring_products: products are not locked before they are read",
        patches: &[("bring_products", "for no key update", "")],
        sql: None,
        race: &LinkingScenario::FilledWhileSold,
    },
    Combined {
        name: "linked_changes: products are locked by each statement, not at the commit",
        patches: &[],
        sql: Some((
            "drop trigger linked_changes_brought on interlock.linked_changes;
             create trigger linked_changes_brought after insert on interlock.linked_changes
             for each row execute function interlock.bring_linked_changes()",
            "drop trigger linked_changes_brought on interlock.linked_changes;
             create constraint trigger linked_changes_brought after insert on interlock.linked_changes
             deferrable initially deferred for each row execute function interlock.bring_linked_changes()",
        )),
        race: &LinkingScenario::TwoStatements,
    },
    Combined {
        name: "move_linked_stock: the row's stock is taken for what there is",
        patches: &[(
            "move_linked_stock",
            "case when p_set then r.quantity",
            "case when p_set or r.quantity is not null then r.quantity",
        )],
        sql: None,
        race: &LinkingScenario::HeldRow,
    },
    Combined {
        name: "bring_customers: who comes second is refused, and not looked at again",
        patches: &[("bring_customers", "if v_tries >= 5 then", "if true then")],
        sql: None,
        race: &LinkingScenario::TwoSignUps,
    },
    Combined {
        name: "erase_linked_row: waits for the row of the shop's table",
        patches: &[(
            "erase_linked_row",
            "= $1::%s for update nowait'",
            "= $1::%s for update'",
        )],
        sql: None,
        race: &LinkingScenario::ErasedWhileHeld,
    },
    Combined {
        name: "match_people: who was taken out comes back by the row",
        patches: &[(
            "match_people",
            "when p.erased then 'erased'",
            "when p.erased and p.live_id is null then 'erased'",
        )],
        sql: None,
        race: &LinkingScenario::ErasedWhileHeld,
    },
    Combined {
        name: "write_order_row: waits for the shop's table",
        patches: &[
            (
                "write_order_row",
                "in row exclusive mode nowait",
                "in row exclusive mode",
            ),
            ("write_order_row", "'100ms'", "'10s'"),
        ],
        sql: None,
        race: &LinkingScenario::OrderedWhileHeld,
    },
    Combined {
        name: "write_order_row: what is refused is not noted",
        patches: &[(
            "write_order_row",
            "insert into interlock.order_write_outs (order_id, link_id, reason)\n  values (p_order_id, p_link.id, v_reason)",
            "insert into interlock.order_write_outs (order_id, link_id, reason)\n  select p_order_id, p_link.id, v_reason where false",
        )],
        sql: None,
        race: &LinkingScenario::OrderedWhileHeld,
    },
];
