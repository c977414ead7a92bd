//! How this area is broken on purpose, and what must notice.

use crate::areas::Mutants;
use crate::areas::events::races::DeliveryScenario;
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
const EXPLAINED: &[(&str, &str)] = &[(
    "deliveries_due: without `and b.lease is not null`",
    "It only names the index: what is leased until some time has a lease.",
)];

const COMBINED: &[Combined] = &[
    Combined {
        name: "make_deliveries: the cursor is a number, and what commits late is passed over",
        patches: &[(
            "make_deliveries",
            "and not pg_visible_in_snapshot(e.transaction, v_cursor.seen)",
            "and e.position > coalesce((select max(d.position) from interlock.deliveries d), 0)",
        )],
        sql: None,
        race: &DeliveryScenario::CommitsLate,
    },
    Combined {
        name: "claim_deliveries: endpoints are not locked, and two who claim count past each other",
        patches: &[("claim_deliveries", "for no key update of w", "")],
        sql: None,
        race: &DeliveryScenario::FiveAtATime,
    },
    Combined {
        name: "claim_deliveries: an ordered endpoint is taken for any other",
        patches: &[(
            "claim_deliveries",
            "not (w.ordered and exists",
            "not (false and exists",
        )],
        sql: None,
        race: &DeliveryScenario::InOrder,
    },
    Combined {
        name: "tell_stock: what is low is told again when it is gone",
        patches: &[(
            "tell_stock",
            "and not (p_old.active and v_before <> 'in_stock')",
            "",
        )],
        sql: None,
        race: &DeliveryScenario::LowOnce,
    },
    Combined {
        name: "write_mail: nobody looks whether the account is being removed, and the mail outlives it",
        patches: &[(
            "write_mail",
            "from auth.users u where u.id = v_order.user_id for key share skip locked",
            "1",
        )],
        sql: None,
        race: &DeliveryScenario::ErasedMeanwhile,
    },
    Combined {
        name: "record_order_event: what an order comes to is not told",
        patches: &[(
            "record_order_event",
            "insert into interlock.order_events (order_id, event, actor)
    values (new.id, new.status, auth.uid());",
            "null;",
        )],
        sql: None,
        race: &DeliveryScenario::ToldAsDone,
    },
    Combined {
        name: "note_sale: a sale and its void are not told",
        patches: &[(
            "note_sale",
            "perform interlock.note_event(",
            "perform jsonb_build_array(",
        )],
        sql: None,
        race: &DeliveryScenario::ToldAsDone,
    },
    Combined {
        name: "note_sale: what is told is told twice",
        patches: &[(
            "note_sale",
            "perform interlock.note_event(",
            "perform interlock.note_event(p_type, p_sale ->> 'id', p_sale), interlock.note_event(",
        )],
        sql: None,
        race: &DeliveryScenario::ToldAsDone,
    },
];
