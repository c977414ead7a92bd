//! Uses from slots that meet each other, the shop, and a switch of the slots. The code gets two slots of 16
//! uses; what is held in one is up to chance, so scenes with one slot are about that slot.

use crate::meanwhile::{By, End, Scene, Wait};

const PROMO_SLOTS: (By, &str) = (
    By::Shop,
    "update interlock.promo_codes set max_uses = 32 where id = '{promo}';
     select public.set_promo_slots('{promo}', 2)",
);
const ONE_PROMO_SLOT: (By, &str) = (
    By::Shop,
    "update interlock.promo_codes set max_uses = 16 where id = '{promo}';
     select public.set_promo_slots('{promo}', 1)",
);
const USE: &str = "select public.increment_promo_usage('{promo}')";
const USE_14: &str = "select public.increment_promo_usage('{promo}') from generate_series(1, 14)";

/// The scenes.
pub(crate) const SCENES: &[Scene] = &[
    Scene {
        name: "two uses of a code from two slots do not wait for each other",
        before: &[PROMO_SLOTS],
        meanwhile: (By::Shop, USE),
        call: (By::Shop, USE),
        wait: Wait::DoesNot,
        end: End::Commit,
        answer: "success",
        then: "count(*) = 2 from interlock.counter_slots where owner_id = '{promo}' and used = 1",
    },
    Scene {
        name: "the last use in a slot is waited for, and may be gone",
        before: &[ONE_PROMO_SLOT, (By::Shop, USE_14), (By::Shop, USE)],
        meanwhile: (By::Shop, USE),
        call: (By::Shop, USE),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "PROMO_EXHAUSTED",
        then: "p.used_count + s.used = 16 from interlock.promo_codes p join interlock.counter_slots s on s.owner_id = p.id where p.id = '{promo}'",
    },
    Scene {
        name: "the last use in a slot is waited for, and may come back",
        before: &[ONE_PROMO_SLOT, (By::Shop, USE_14), (By::Shop, USE)],
        meanwhile: (By::Shop, USE),
        call: (By::Shop, USE),
        wait: Wait::Waits,
        end: End::Rollback,
        answer: "\"used_count\": null",
        then: "p.used_count + s.used = 16 from interlock.promo_codes p join interlock.counter_slots s on s.owner_id = p.id where p.id = '{promo}'",
    },
    Scene {
        name: "a use goes on when the slots of its code are switched off meanwhile",
        before: &[PROMO_SLOTS],
        meanwhile: (By::Shop, "select public.set_promo_slots('{promo}', 0)"),
        call: (By::Shop, USE),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "\"used_count\": 1",
        then: "used_count = 1 and use_slots = 0 from interlock.promo_codes where id = '{promo}'",
    },
    Scene {
        name: "a use goes on when the slots of its code are switched on meanwhile",
        before: &[(
            By::Shop,
            "update interlock.promo_codes set max_uses = 33 where id = '{promo}'",
        )],
        meanwhile: (By::Shop, "select public.set_promo_slots('{promo}', 2)"),
        call: (By::Shop, USE),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "\"used_count\": null",
        then: "p.used_count = 1 and sum(s.granted) = 32 from interlock.promo_codes p join interlock.counter_slots s on s.owner_id = p.id where p.id = '{promo}' group by p.used_count",
    },
    Scene {
        name: "two switches of a code's slots go one after the other",
        before: &[PROMO_SLOTS],
        meanwhile: (By::Shop, "select public.set_promo_slots('{promo}', 1)"),
        call: (By::Shop, "select public.set_promo_slots('{promo}', 0)"),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "\"used_count\": 0",
        then: "not exists (select from interlock.counter_slots where owner_id = '{promo}')",
    },
    Scene {
        name: "a limit goes down only after the uses that are under way",
        before: &[ONE_PROMO_SLOT],
        meanwhile: (By::Shop, USE),
        call: (
            By::Shop,
            "update interlock.promo_codes set max_uses = 0 where id = '{promo}'",
        ),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "23514 limit 0 of promo code",
        then: "max_uses = 16 from interlock.promo_codes where id = '{promo}'",
    },
    Scene {
        name: "settling passes over a code that somebody has locked",
        before: &[PROMO_SLOTS, (By::Shop, USE)],
        meanwhile: (
            By::Shop,
            "select 1 from interlock.promo_codes where id = '{promo}' for no key update",
        ),
        call: (By::Shop, "select 'settled' from interlock.settle_slots()"),
        wait: Wait::DoesNot,
        end: End::Commit,
        answer: "settled",
        then: "used_count = 0 from interlock.promo_codes where id = '{promo}'",
    },
    Scene {
        name: "a lower limit calls slots in in the order of their numbers",
        before: &[PROMO_SLOTS],
        meanwhile: (
            By::Shop,
            "select 1 from interlock.counter_slots where owner_id = '{promo}' and slot = 0 for update",
        ),
        call: (
            By::Shop,
            "update interlock.promo_codes set max_uses = 0 where id = '{promo}'",
        ),
        wait: Wait::WaitsWithout("interlock.counter_slots where owner_id = '{promo}' and slot = 1"),
        end: End::Commit,
        answer: "",
        then: "sum(granted) = 0 from interlock.counter_slots where owner_id = '{promo}'",
    },
    Scene {
        name: "a switch of slots takes the code before its slots",
        before: &[PROMO_SLOTS],
        meanwhile: (
            By::Shop,
            "select 1 from interlock.promo_codes where id = '{promo}' for no key update",
        ),
        call: (By::Shop, "select public.set_promo_slots('{promo}', 0)"),
        wait: Wait::WaitsWithout("interlock.counter_slots where owner_id = '{promo}'"),
        end: End::Commit,
        answer: "\"used_count\": 0",
        then: "use_slots = 0 from interlock.promo_codes where id = '{promo}'",
    },
    Scene {
        name: "a use that finds the slots dry takes the code before its slots",
        before: &[
            ONE_PROMO_SLOT,
            (By::Shop, USE_14),
            (By::Shop, USE),
            (By::Shop, USE),
            (
                By::Shop,
                "update interlock.promo_codes set max_uses = 40 where id = '{promo}'",
            ),
        ],
        meanwhile: (
            By::Shop,
            "select 1 from interlock.promo_codes where id = '{promo}' for no key update",
        ),
        call: (By::Shop, USE),
        wait: Wait::WaitsWithout("interlock.counter_slots where owner_id = '{promo}'"),
        end: End::Commit,
        answer: "\"used_count\": null",
        then: "used_count = 17 from interlock.promo_codes where id = '{promo}'",
    },
    Scene {
        name: "the last use of a code whose slots are empty may be gone",
        before: &[
            (By::Shop, "select public.set_promo_slots('{promo}', 2)"),
            (By::Shop, USE),
            (By::Shop, USE),
        ],
        meanwhile: (By::Shop, USE),
        call: (By::Shop, USE),
        wait: Wait::Waits,
        end: End::Commit,
        answer: "PROMO_EXHAUSTED",
        then: "used_count = 3 from interlock.promo_codes where id = '{promo}'",
    },
    Scene {
        name: "settling goes by the ids of the codes",
        before: &[
            ONE_PROMO_SLOT,
            (By::Shop, "select public.set_promo_slots('{promo2}', 1)"),
            (By::Shop, USE),
            (By::Shop, "select public.increment_promo_usage('{promo2}')"),
        ],
        meanwhile: (By::Shop, USE),
        call: (By::Shop, "select 'settled' from interlock.settle_slots()"),
        wait: Wait::WaitsWithout("interlock.counter_slots where owner_id = '{promo2}'"),
        end: End::Commit,
        answer: "settled",
        then: "sum(used_count) = 3 from interlock.promo_codes where id in ('{promo}', '{promo2}')",
    },
];

crate::meanwhile::test_scenes!(SCENES);
