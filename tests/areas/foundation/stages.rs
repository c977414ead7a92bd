//! What is interleaved of all areas at once: one person in every role.

use crate::areas::delivery::stages::BATCHES;
use crate::areas::delivery::stages::{BATCH_X, DRIVERS, U_HOLDS_X};
use crate::areas::promo::stages::HOLDS;
use crate::areas::promo::stages::{
    BUY_P_WITH_K, EXPIRE_HOLDS, ONE_USE_OF_K, RELEASE_HOLD, VALIDATE_K,
};
use crate::areas::shop::stages::ORDERS;
use crate::areas::shop::stages::{
    BUY_P_BANK, BUY_P_CASH, BUY_P_WALLET, CLAIM_CODES, D, EXPIRE_ORDERS, MANY_P, NO_ORDER_EXPIRES,
    ORDER_HAS_THE_CODE, ORDER_LINES, PENDING_ORDER, TOP_UP, U_HAS_700,
};
use crate::prove::interleavings::{Pairs, Stage, USERS, shop, user};

/// The stages.
pub(crate) const STAGES: &[Stage] = &[AN_ACCOUNT_GOES, EVERYTHING];

const AN_ACCOUNT_GOES: Stage = Stage {
    name: "u owes nothing and is owed nothing",
    given: &[
        USERS,
        DRIVERS,
        BATCH_X,
        U_HOLDS_X,
        MANY_P,
        ONE_USE_OF_K,
        "insert into interlock.wallets (user_id, balance, currency) values ('{u}', 0, 'USD');
         insert into interlock.orders (id, user_id, status, fulfillment, currency, subtotal, total, payment_method, paid_at, fulfilled_at)
         values ('{o}', '{u}', 'fulfilled', 'delivered', 'USD', 700, 700, 'wallet', now(), now())",
    ],
    operations: &[
        shop("the shop erases u", "select public.erase_user('{u}')"),
        shop("the shop refunds", "select public.refund_order('{o}')"),
        shop("the shop tops u up", TOP_UP),
        shop(
            "the shop notes something",
            r#"select public.correct_order('{o}', p_metadata => '{"a": "b"}')"#,
        ),
        user("u", "u buys p, cash", BUY_P_CASH),
        user("u", "u buys p, wallet", BUY_P_WALLET),
        user(
            "u",
            "u buys p and says where to",
            r#"select public.checkout('[{"product_id": "{p}", "quantity": 1}]', p_shipping_address => '{"name": "u"}')"#,
        ),
        user("u", "u holds k", VALIDATE_K),
        user("u", "u buys p with k", BUY_P_WITH_K),
        user(
            "u",
            "u renews x",
            "select public.claim_route('{x}', 'renew')",
        ),
    ],
    offers: &[BATCHES],
    pairs: Pairs::Different,
};

const EVERYTHING: Stage = Stage {
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
};
