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
