//! Payment by card: what the provider tells, and who else has to do with the order at that time.

use super::stages::{
    BUY_P_CASH, D, EXPIRE_ORDERS, NO_ORDER_EXPIRES, NO_P, ORDER_HAS_THE_CODE, ORDER_LINES, ORDERS,
    REFUND_D, REFUND_P,
};
use crate::areas::promo::stages::{BUY_P_WITH_K, ONE_USE_OF_K};
use crate::prove::interleavings::{Pairs, Stage, USERS, shop, user};

/// A secret, and below its two pads of HMAC-SHA256 (RFC 2104): so an operation can sign without a right on ours.
const SECRET: &str =
    "insert into interlock.payment_secrets (provider, secret) values ('stripe', 'whsec_prove_0123456789')
  on conflict do nothing";

/// A signed event: its type, what makes its id another one, and its object.
macro_rules! event {
    ($type:literal, $id:literal, $object:literal) => {
        concat!(
            "select public.payment_webhook('stripe', e.body, format('t=%s,v1=%s', e.t, encode(sha256(
  '\\x2b342f393f032c2e332a39036c6d6e6f68696a6b64655c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c'::bytea || sha256(
  '\\x415e4553556946445940536906070405020300010e0f363636363636363636363636363636363636363636363636363636363636363636363636363636363636'::bytea
  || convert_to(e.t || '.' || e.body, 'UTF8'))), 'hex')))
  from (select extract(epoch from now())::bigint::text as t, format('{\"id\": \"evt_", $id, "_{o}\", \"type\": \"", $type,
            "\", \"created\": %s, \"data\": {\"object\": ", $object, "}}', extract(epoch from now())::bigint) as body) e"
        )
    };
}

/// An order by card that is due, of one p and one d with the only use of k, and the attempt to pay it.
const CARD_ORDER: &str = "insert into interlock.orders (id, user_id, status, currency, subtotal, discount, total, payment_method,
    promo_code_id, payment_expires_at)
  values ('{o}', '{u}', 'pending_payment', 'USD', 1200, 120, 1080, 'card', '{k}', now() - interval '1 minute')";

const ATTEMPT: &str =
    "insert into interlock.payments (id, order_id, provider, attempt, amount, currency)
  values ('{z}', '{o}', 'stripe', 1, 1080, 'USD')";

const PAID_CARD_ORDER: &str = "insert into interlock.orders (id, user_id, status, currency, subtotal, discount, total, payment_method,
    promo_code_id, paid_at)
  values ('{o}', '{u}', 'paid', 'USD', 1200, 120, 1080, 'card', '{k}', now())";

const MONEY: &str = "insert into interlock.payments (id, order_id, provider, provider_id, attempt, amount, currency, status, succeeded_at)
  values ('{z}', '{o}', 'stripe', 'pi_{o}', 1, 1080, 'USD', 'succeeded', now())";

const SUCCEEDED: &str = event!(
    "payment_intent.succeeded",
    "money",
    r#"{"id": "pi_{o}", "amount_received": 1080, "currency": "usd", "metadata": {"order_id": "{o}", "payment_id": "{z}"}}"#
);

const SUCCEEDED_AGAIN: &str = event!(
    "payment_intent.succeeded",
    "again",
    r#"{"id": "pi_{o}", "amount_received": 1080, "currency": "usd", "metadata": {"order_id": "{o}", "payment_id": "{z}"}}"#
);

const OTHER_MONEY: &str = event!(
    "payment_intent.succeeded",
    "other",
    r#"{"id": "pi_other_{o}", "amount_received": 1080, "currency": "usd", "metadata": {"order_id": "{o}", "payment_id": "{z}"}}"#
);

const TOO_LITTLE: &str = event!(
    "payment_intent.succeeded",
    "little",
    r#"{"id": "pi_{o}", "amount_received": 1, "currency": "usd", "metadata": {"order_id": "{o}", "payment_id": "{z}"}}"#
);

const PROCESSING: &str = event!(
    "payment_intent.processing",
    "processing",
    r#"{"id": "pi_{o}", "currency": "usd", "metadata": {"order_id": "{o}", "payment_id": "{z}"}}"#
);

const FAILED: &str = event!(
    "payment_intent.payment_failed",
    "failed",
    r#"{"id": "pi_{o}", "currency": "usd", "metadata": {"order_id": "{o}", "payment_id": "{z}"}}"#
);

const CANCELED: &str = event!(
    "payment_intent.canceled",
    "canceled",
    r#"{"id": "pi_{o}", "currency": "usd", "metadata": {"order_id": "{o}", "payment_id": "{z}"}}"#
);

const GONE_BACK: &str = event!(
    "refund.updated",
    "refund",
    r#"{"id": "re_{o}", "payment_intent": "pi_{o}", "amount": 1080, "currency": "usd", "status": "succeeded"}"#
);

const REFUND_FAILED: &str = event!(
    "refund.failed",
    "refund_failed",
    r#"{"id": "re_{o}", "payment_intent": "pi_{o}", "amount": 1080, "currency": "usd", "status": "failed"}"#
);

const DISPUTED: &str = event!(
    "charge.dispute.created",
    "dispute",
    r#"{"id": "dp_{o}", "payment_intent": "pi_{o}", "status": "needs_response"}"#
);

/// The stages.
pub(crate) const STAGES: &[Stage] = &[
    Stage {
        name: "an order of u by card that is due, with the last p, d and use of k",
        given: &[
            USERS,
            NO_P,
            D,
            ONE_USE_OF_K,
            SECRET,
            CARD_ORDER,
            ORDER_LINES,
            ORDER_HAS_THE_CODE,
            ATTEMPT,
        ],
        operations: &[
            shop("the money comes", SUCCEEDED),
            shop("the money is told again", SUCCEEDED_AGAIN),
            shop("other money comes", OTHER_MONEY),
            shop("too little comes", TOO_LITTLE),
            shop("the provider is deciding", PROCESSING),
            shop("the payment fails", FAILED),
            shop("the payment is canceled", CANCELED),
            user("u", "u cancels", "select public.cancel_order('{o}')"),
            shop(
                "the shop accepts the payment",
                "select public.accept_payment('{o}')",
            ),
            shop("the shop reopens", "select public.reopen_order('{o}')"),
            shop("the shop cancels the line of p", REFUND_P),
            shop("orders expire", EXPIRE_ORDERS)
                .or(NO_ORDER_EXPIRES)
                .sweeping(ORDERS),
            user("v", "v buys p", BUY_P_CASH),
            user("v", "v buys p with k", BUY_P_WITH_K),
        ],
        offers: &[ORDERS],
        pairs: Pairs::All,
    },
    Stage {
        name: "an order that u has paid by card, with the last p, d and use of k",
        given: &[
            USERS,
            NO_P,
            D,
            ONE_USE_OF_K,
            SECRET,
            PAID_CARD_ORDER,
            ORDER_LINES,
            ORDER_HAS_THE_CODE,
            MONEY,
        ],
        operations: &[
            shop("the shop refunds", "select public.refund_order('{o}')"),
            shop("the shop refunds p", REFUND_P),
            shop("the shop refunds d", REFUND_D),
            shop("the shop cancels", "select public.cancel_order('{o}')"),
            shop(
                "the shop refunds a part",
                "select public.refund_payment('{z}', 500)",
            ),
            shop(
                "the shop refunds a part under a reference",
                "select public.refund_payment('{z}', 500, '{z}')",
            ),
            shop(
                "the shop refunds the payment",
                "select public.refund_payment('{z}')",
            ),
            shop("the money has gone back", GONE_BACK),
            shop("the refund fails", REFUND_FAILED),
            shop("u disputes", DISPUTED),
            shop("the money is told again", SUCCEEDED_AGAIN),
            shop("other money comes", OTHER_MONEY),
            shop("the shop fulfils", "select public.fulfill_order('{o}')"),
            user("v", "v buys p", BUY_P_CASH),
        ],
        offers: &[],
        pairs: Pairs::All,
    },
];
