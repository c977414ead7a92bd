//! What is interleaved of all areas at once: one person in every role.

use crate::areas::delivery::stages::BATCHES;
use crate::areas::delivery::stages::{BATCH_X, DRIVERS, U_HOLDS_X};
use crate::areas::promo::stages::HOLDS;
use crate::areas::promo::stages::{EXPIRE_HOLDS, ONE_USE_OF_K, RELEASE_HOLD, VALIDATE_K};
use crate::areas::shop::stages::ORDERS;
use crate::areas::shop::stages::{
    BUY_P_BANK, BUY_P_CASH, BUY_P_WALLET, CLAIM_CODES, D, EXPIRE_ORDERS, MANY_P, NO_ORDER_EXPIRES,
    ORDER_HAS_THE_CODE, ORDER_LINES, PENDING_ORDER, TOP_UP, U_HAS_700,
};
use crate::prove::interleavings::{Pairs, Stage, USERS, shop, user};

/// The stages.
pub(crate) const STAGES: &[Stage] = &[Stage {
    name: "everything of one customer, who is a driver, too",
    given: &[
        USERS,
        DRIVERS,
        BATCH_X,
        U_HOLDS_X,
        MANY_P,
        D,
        U_HAS_700,
        ONE_USE_OF_K,
        PENDING_ORDER,
        ORDER_LINES,
        ORDER_HAS_THE_CODE,
    ],
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
            "u completes x",
            "select public.claim_route('{x}', 'complete')",
        ),
        user("v", "v claims x", "select public.claim_route('{x}')"),
        user("u", "u buys p, cash", BUY_P_CASH),
        user("u", "u buys p, bank transfer", BUY_P_BANK),
        user("u", "u buys p, wallet", BUY_P_WALLET),
        user("u", "u cancels", "select public.cancel_order('{o}')"),
        shop("the shop refunds", "select public.refund_order('{o}')"),
        shop("orders expire", EXPIRE_ORDERS)
            .or(NO_ORDER_EXPIRES)
            .sweeping(ORDERS),
        user("u", "u holds k", VALIDATE_K),
        user("u", "u gives the hold back", RELEASE_HOLD),
        shop("holds expire", EXPIRE_HOLDS)
            .or("select 0")
            .sweeping(HOLDS),
        shop("the shop claims codes", CLAIM_CODES),
        shop("the shop tops u up", TOP_UP),
        shop(
            "the shop purges old keys",
            "select interlock.purge_idempotency_keys()",
        ),
    ],
    offers: &[BATCHES, ORDERS, HOLDS],
    pairs: Pairs::Different,
}];
