//! Batches, drivers and leases.

use crate::prove::interleavings::{Pairs, Stage, Sweep, USERS, shop, user};

/// Batches that can be claimed.
pub(crate) const BATCHES: Sweep = Sweep {
    name: "the claimable batches",
    clear: "update interlock.batches set status = 'cancelled'
                 where status in ('available', 'claimed', 'in_progress') and reference like 'test:%';",
    others: "select exists (select from interlock.batches b
                 where (b.status = 'available' or b.status in ('claimed', 'in_progress') and b.lease_expires_at <= now())
                   and coalesce(b.reference not like 'test:%', true))",
};

pub(crate) const DRIVERS: &str =
    "insert into interlock.drivers (user_id) values ('{u}'), ('{v}'), ('{w}')";

pub(crate) const BATCH_X: &str =
    "insert into interlock.batches (id, reference, priority) values ('{x}', 'test:x', 1000001)";

pub(crate) const BATCH_Y: &str =
    "insert into interlock.batches (id, reference, priority) values ('{y}', 'test:y', 1000000)";

pub(crate) const U_HOLDS_X: &str =
    "update interlock.batches set status = 'claimed', driver_id = '{u}' where id = '{x}'";

pub(crate) const V_HOLDS_Y: &str =
    "update interlock.batches set status = 'claimed', driver_id = '{v}' where id = '{y}'";

pub(crate) const LEASES_ARE_OVER: &str = "update interlock.batches
  set claimed_at = now() - interval '1 hour', lease_expires_at = now() - interval '1 minute'
  where id in ('{x}', '{y}') and status = 'claimed'";

/// The stages.
pub(crate) const STAGES: &[Stage] = &[
    Stage {
        name: "a batch that u holds, and a free one",
        given: &[USERS, DRIVERS, BATCH_X, BATCH_Y, U_HOLDS_X],
        operations: &[
            user(
                "u",
                "u renews x",
                "select public.claim_route('{x}', 'renew')",
            ),
            user(
                "u",
                "u releases x",
                "select public.claim_route('{x}', 'release')",
            ),
            user(
                "u",
                "u starts x",
                "select public.claim_route('{x}', 'start')",
            ),
            user(
                "u",
                "u completes x",
                "select public.claim_route('{x}', 'complete')",
            ),
            user("u", "u claims x again", "select public.claim_route('{x}')"),
            user("u", "u claims y", "select public.claim_route('{y}')"),
            user("v", "v claims x", "select public.claim_route('{x}')"),
            user("v", "v claims y", "select public.claim_route('{y}')"),
            user(
                "u",
                "u renews x under a key",
                "select public.claim_route('{x}', 'renew', 'key')",
            ),
            shop(
                "the shop gives x to v",
                "select public.assign_batch('{x}', '{v}', 'ill')",
            ),
            shop(
                "the shop gives y to u",
                "select public.assign_batch('{y}', '{u}')",
            ),
            shop(
                "the shop takes x back",
                "update interlock.batches set status = 'available' where id = '{x}' returning 'null'",
            ),
            shop(
                "the shop makes u inactive",
                "update interlock.drivers set active = false where user_id = '{u}' returning 'null'",
            ),
            shop(
                "the shop removes u",
                "delete from interlock.drivers where user_id = '{u}' returning 'null'",
            ),
        ],
        offers: &[BATCHES],
        pairs: Pairs::All,
    },
    Stage {
        name: "leases of u on x and of v on y that are over",
        given: &[
            USERS,
            DRIVERS,
            BATCH_X,
            BATCH_Y,
            U_HOLDS_X,
            V_HOLDS_Y,
            LEASES_ARE_OVER,
        ],
        operations: &[
            user("u", "u claims x", "select public.claim_route('{x}')"),
            user("u", "u claims y", "select public.claim_route('{y}')"),
            user("v", "v claims x", "select public.claim_route('{x}')"),
            user("v", "v claims y", "select public.claim_route('{y}')"),
            user("w", "w claims x", "select public.claim_route('{x}')"),
            user(
                "u",
                "u renews x",
                "select public.claim_route('{x}', 'renew')",
            ),
            user(
                "u",
                "u completes x late",
                "select public.claim_route('{x}', 'complete')",
            ),
            shop(
                "the shop gives x to v",
                "select public.assign_batch('{x}', '{v}')",
            ),
            shop(
                "the shop gives y to u",
                "select public.assign_batch('{y}', '{u}')",
            ),
            shop(
                "the shop cancels x",
                "update interlock.batches set status = 'cancelled' where id = '{x}' returning 'null'",
            ),
        ],
        offers: &[BATCHES],
        pairs: Pairs::All,
    },
    Stage {
        name: "the next batch: x is free, v holds y",
        given: &[USERS, DRIVERS, BATCH_X, BATCH_Y, V_HOLDS_Y],
        operations: &[
            user("u", "u claims the next", "select public.claim_route()").sweeping(BATCHES),
            user("w", "w claims the next", "select public.claim_route()").sweeping(BATCHES),
            user("w", "w claims x", "select public.claim_route('{x}')"),
            user(
                "v",
                "v releases y",
                "select public.claim_route('{y}', 'release')",
            ),
            user(
                "v",
                "v completes y",
                "select public.claim_route('{y}', 'complete')",
            ),
            shop(
                "the shop cancels x",
                "update interlock.batches set status = 'cancelled' where id = '{x}' returning 'null'",
            ),
        ],
        offers: &[BATCHES],
        pairs: Pairs::All,
    },
    Stage {
        name: "the next of two batches, one under a lease of v that is over",
        given: &[USERS, DRIVERS, BATCH_X, BATCH_Y, V_HOLDS_Y, LEASES_ARE_OVER],
        operations: &[
            user("u", "u claims the next", "select public.claim_route()")
                .or("select public.claim_route('{y}')")
                .sweeping(BATCHES),
            user("v", "v claims the next", "select public.claim_route()")
                .or("select public.claim_route('{x}')")
                .sweeping(BATCHES),
            user("w", "w claims the next", "select public.claim_route()")
                .or("select public.claim_route('{y}')")
                .sweeping(BATCHES),
            user("w", "w claims y", "select public.claim_route('{y}')"),
            user("v", "v claims x", "select public.claim_route('{x}')"),
        ],
        offers: &[BATCHES],
        pairs: Pairs::All,
    },
];
