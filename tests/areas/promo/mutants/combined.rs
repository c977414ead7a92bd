//! Mutants that take more than one thing away, because each alone suffices, and those that only a crowd
//! notices. Each names its race.

use crate::areas::promo::races::PromoScenario;
use crate::meanwhile::InScene;
use crate::mutants::Combined;

/// The mutants.
pub(crate) const COMBINED: &[Combined] = &[
    Combined {
        name: "take_promo_use: goes on though the code was used up meanwhile",
        patches: &[(
            "count_promo_use",
            "raise exception using errcode = 'IL001', message = 'used up meanwhile: look again';",
            "null;",
        )],
        sql: None,
        race: &PromoScenario::Holds {
            users: 30,
            tabs: 1,
            uses: 1,
        },
    },
    Combined {
        name: "take_promo_use: uses are not counted",
        patches: &[(
            "count_promo_use",
            "set used_count = p.used_count + 1
  where p.id = p_promo_id
    and p.use_slots = 0",
            "set used_count = p.used_count
  where p.id = p_promo_id
    and p.use_slots = 0",
        )],
        sql: None,
        race: &PromoScenario::Checkouts {
            buyers: 20,
            uses: 5,
        },
    },
    Combined {
        name: "end_promo_uses: a use that is given back is not counted back",
        patches: &[(
            "end_promo_uses",
            "set used_count = p.used_count - e.uses",
            "set used_count = p.used_count",
        )],
        sql: None,
        race: &PromoScenario::Storm {
            callers: 20,
            uses: 10,
        },
    },
    Combined {
        name: "first orders: neither their own lock nor that of promo attempts",
        patches: &[
            (
                "redeem_promo",
                "perform interlock.lock_first_order(p_user_id);",
                "",
            ),
            (
                "refuse_unknown_promo",
                "perform interlock.lock_promo_attempts(p_user_id);",
                "",
            ),
        ],
        sql: None,
        race: &InScene("two first orders at once are one first order"),
    },
    Combined {
        name: "take_promo_use: takes back a live hold, and end_promo_uses lets it",
        patches: &[
            (
                "take_promo_use",
                "and r.user_id in (p_user_id, v_look.o_reap_from)
              and r.status = 'held'
              and r.held_until <= interlock.clock()",
                "and r.user_id in (p_user_id, v_look.o_reap_from)
              and r.status = 'held'",
            ),
            (
                "end_promo_uses",
                "and (p_to <> 'expired' or r.held_until <= interlock.clock())",
                "",
            ),
        ],
        sql: None,
        race: &InScene("a hold that is refreshed meanwhile is not taken back by who needs its use"),
    },
];
