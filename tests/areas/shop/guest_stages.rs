//! What a guest has, on its way to an account, and whatever else happens to it.

use super::stages::{
    BUY_P_CASH, BUY_P_WALLET, BUY_P_WITH_KEY, D, EXPIRE_ORDERS, MANY_P, NO_ORDER_EXPIRES,
    ORDER_HAS_THE_CODE, ORDER_LINES, ORDERS, PAID_ORDER, PENDING_ORDER,
};
use crate::areas::promo::stages::{BUY_P_WITH_K, ONE_USE_OF_K};
use crate::prove::interleavings::{Pairs, Stage, USERS, shop, user};

const U_IS_A_GUEST: &str = "update auth.users set is_anonymous = true where id = '{u}';
  insert into interlock.order_transfers (from_user_id, token_hash, expires_at)
  values ('{u}', sha256('{z}'), now() + interval '1 hour')";

const BOTH_HAVE_2000: &str = "insert into interlock.wallets (user_id, balance, currency) values ('{u}', 2000, 'USD'), ('{v}', 2000, 'USD')";

/// Without the id and the time of the transfer, which are new each time.
const REDEEM: &str = "select public.redeem_order_transfer('{z}') - 'transfer_id' - 'moved_at'";

const MOVE: &str = "select public.move_orders('{u}', '{v}') - 'transfer_id' - 'moved_at'";

/// The stages.
pub(crate) const STAGES: &[Stage] = &[
    Stage {
        name: "a guest u with a paid order, money, and the only use of k; v has an account",
        given: &[
            USERS,
            MANY_P,
            D,
            ONE_USE_OF_K,
            PAID_ORDER,
            ORDER_LINES,
            ORDER_HAS_THE_CODE,
            BOTH_HAVE_2000,
            U_IS_A_GUEST,
        ],
        operations: &[
            user("v", "v takes over what u has", REDEEM),
            user("w", "w tries to, with the same token", REDEEM),
            shop("the shop moves what u has", MOVE),
            user("u", "u buys p from the wallet", BUY_P_WALLET),
            user("u", "u buys p under a key", BUY_P_WITH_KEY),
            user("u", "u buys p, cash", BUY_P_CASH),
            user("v", "v buys p from the wallet", BUY_P_WALLET),
            user("v", "v buys p, cash", BUY_P_CASH),
            user("v", "v buys p with k", BUY_P_WITH_K),
            shop("the shop refunds", "select public.refund_order('{o}')"),
            shop("the shop cancels", "select public.cancel_order('{o}')"),
            shop("the shop fulfils", "select public.fulfill_order('{o}')"),
            shop(
                "the shop takes u's money out",
                "select public.debit_wallet('{u}', 1500, 'USD', '{c}')",
            ),
        ],
        offers: &[],
        pairs: Pairs::All,
    },
    Stage {
        name: "a guest u with an order that is due; v has an account",
        given: &[
            USERS,
            MANY_P,
            D,
            ONE_USE_OF_K,
            PENDING_ORDER,
            ORDER_LINES,
            ORDER_HAS_THE_CODE,
            U_IS_A_GUEST,
        ],
        operations: &[
            user("v", "v takes over what u has", REDEEM),
            user("u", "u cancels", "select public.cancel_order('{o}')"),
            user("v", "v cancels", "select public.cancel_order('{o}')"),
            shop(
                "the shop accepts the payment",
                "select public.accept_payment('{o}')",
            ),
            shop("orders expire", EXPIRE_ORDERS)
                .or(NO_ORDER_EXPIRES)
                .sweeping(ORDERS),
            user("v", "v buys p with k", BUY_P_WITH_K),
        ],
        offers: &[ORDERS],
        pairs: Pairs::All,
    },
];
