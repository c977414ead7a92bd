//! Orders that a wallet pays a part of.

use super::stages::{
    BUY_P_WALLET, D, EXPIRE_ORDERS, MANY_P, NO_ORDER_EXPIRES, ORDER_HAS_THE_CODE, ORDER_LINES,
    ORDERS, U_HAS_700,
};
use crate::areas::promo::stages::ONE_USE_OF_K;
use crate::prove::interleavings::{Pairs, Stage, USERS, shop, user};

/// 1080, of which the wallet has paid 500.
const SPLIT_ORDER: &str = "insert into interlock.orders (id, user_id, status, currency, subtotal, discount, total, payment_method,
    wallet_amount, promo_code_id, payment_expires_at)
  values ('{o}', '{u}', 'pending_payment', 'USD', 1200, 120, 1080, 'bank_transfer', 500, '{k}', now() - interval '1 minute')";

const REOPEN: &str = "select public.reopen_order('{o}')";

const TAKE_500_OUT: &str = "select public.debit_wallet('{u}', 500, 'USD', '{c}')";

const BUY_P_IN_TWO_WAYS: &str =
    r#"select public.checkout('[{"product_id": "{p}", "quantity": 1}]', p_wallet_amount => 400)"#;

const SHOP_ENDS_IT: &str = "update interlock.orders set status = 'expired' where id = '{o}'";

/// The stages.
pub(crate) const STAGES: &[Stage] = &[
    Stage {
        name: "an order of u that is due, a part of it from the wallet",
        given: &[
            USERS,
            MANY_P,
            D,
            ONE_USE_OF_K,
            SPLIT_ORDER,
            ORDER_LINES,
            ORDER_HAS_THE_CODE,
            U_HAS_700,
        ],
        operations: &[
            user("u", "u cancels", "select public.cancel_order('{o}')"),
            shop(
                "the shop accepts the payment",
                "select public.accept_payment('{o}')",
            ),
            shop("the shop refunds", "select public.refund_order('{o}')"),
            shop("the shop reopens", REOPEN),
            shop("orders expire", EXPIRE_ORDERS)
                .or(NO_ORDER_EXPIRES)
                .sweeping(ORDERS),
            shop("the shop takes 500 out", TAKE_500_OUT),
            user("u", "u buys p from the wallet", BUY_P_WALLET),
            user("u", "u buys p in two ways", BUY_P_IN_TWO_WAYS),
        ],
        offers: &[ORDERS],
        pairs: Pairs::All,
    },
    Stage {
        name: "an order of u that has expired, a part of it from the wallet",
        given: &[
            USERS,
            MANY_P,
            D,
            ONE_USE_OF_K,
            SPLIT_ORDER,
            ORDER_LINES,
            ORDER_HAS_THE_CODE,
            "insert into interlock.wallets (user_id, balance, currency) values ('{u}', 300, 'USD')",
            SHOP_ENDS_IT,
        ],
        operations: &[
            shop("the shop reopens", REOPEN),
            shop(
                "the shop reopens, paid",
                "select public.reopen_order('{o}', true)",
            ),
            shop("the shop takes 500 out", TAKE_500_OUT),
            user("u", "u buys p from the wallet", BUY_P_WALLET),
            user("u", "u buys p in two ways", BUY_P_IN_TWO_WAYS),
        ],
        offers: &[],
        pairs: Pairs::All,
    },
];
