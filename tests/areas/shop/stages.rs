//! What is interleaved. `{u}`, `{v}`, `{w}` are users, `{x}`, `{y}` batches, `{p}`, `{q}` products, `{d}` a digital
//! product, `{k}`, `{l}` promo codes, `{o}` an order, `{c}`, `{e}` carts: new ones for every schedule.

use crate::prove::interleavings::{Pairs, Stage, Sweep, shop, user};

pub(crate) const USERS: &str = "insert into auth.users (id, aud, role, email)
  select id, 'authenticated', 'authenticated', id || '@test.example'
  from unnest(array['{u}', '{v}', '{w}']::uuid[]) as id";
const DRIVERS: &str = "insert into interlock.drivers (user_id) values ('{u}'), ('{v}'), ('{w}')";
const BATCH_X: &str =
    "insert into interlock.batches (id, reference, priority) values ('{x}', 'test:x', 1000001)";
const BATCH_Y: &str =
    "insert into interlock.batches (id, reference, priority) values ('{y}', 'test:y', 1000000)";
const U_HOLDS_X: &str =
    "update interlock.batches set status = 'claimed', driver_id = '{u}' where id = '{x}'";
const V_HOLDS_Y: &str =
    "update interlock.batches set status = 'claimed', driver_id = '{v}' where id = '{y}'";
const LEASES_ARE_OVER: &str = "update interlock.batches
  set claimed_at = now() - interval '1 hour', lease_expires_at = now() - interval '1 minute'
  where id in ('{x}', '{y}') and status = 'claimed'";

const ONE_P: &str = "insert into interlock.products (id, name, price, currency, available_quantity)
  values ('{p}', 'p', 700, 'USD', 1)";
const NO_P: &str = "insert into interlock.products (id, name, price, currency, available_quantity)
  values ('{p}', 'p', 700, 'USD', 0)";
const MANY_P: &str = "insert into interlock.products (id, name, price, currency, available_quantity)
  values ('{p}', 'p', 700, 'USD', 100)";
const ONE_Q: &str = "insert into interlock.products (id, name, price, currency, available_quantity)
  values ('{q}', 'q', 300, 'USD', 1)";
const D: &str = "insert into interlock.products (id, name, price, currency, kind)
  values ('{d}', 'd', 500, 'USD', 'digital')";
const ONE_FREE_CODE: &str =
    "insert into interlock.product_codes (product_id, code) values ('{d}', 'secret 1')";
const U_HAS_700: &str =
    "insert into interlock.wallets (user_id, balance, currency) values ('{u}', 700, 'USD')";
pub(crate) const ALL_HAVE_2000: &str = "insert into interlock.wallets (user_id, balance, currency)
  values ('{u}', 2000, 'USD'), ('{v}', 2000, 'USD')";
const ONE_USE_OF_K: &str = "insert into interlock.promo_codes (id, code, discount_type, discount_value, max_uses, max_uses_per_user)
  values ('{k}', 'K {k}', 'percentage', 10, 1, 1)";
pub(crate) const U_HOLDS_K_UNCOUNTED: &str = "insert into interlock.promo_redemptions (promo_id, user_id, cart_id, status, discount, currency, held_until)
  values ('{k}', '{u}', '{c}', 'held', 70, 'USD', now() + interval '10 minutes');
  insert into interlock.promo_user_uses (promo_id, user_id, used) values ('{k}', '{u}', 1)";
const IT_IS_COUNTED: &str = "update interlock.promo_codes set used_count = 1 where id = '{k}'";
pub(crate) const HOLD_IS_OVER: &str = "update interlock.promo_redemptions set held_until = now() - interval '1 minute' where promo_id = '{k}'";

/// An order of one p and one d with the only use of k: 1200 less 10 %.
const PENDING_ORDER: &str = "insert into interlock.orders (id, user_id, status, currency, subtotal, discount, total, payment_method,
    promo_code_id, payment_expires_at)
  values ('{o}', '{u}', 'pending_payment', 'USD', 1200, 120, 1080, 'bank_transfer', '{k}', now() - interval '1 minute')";
const PAID_ORDER: &str = "insert into interlock.orders (id, user_id, status, currency, subtotal, discount, total, payment_method,
    promo_code_id, paid_at)
  values ('{o}', '{u}', 'paid', 'USD', 1200, 120, 1080, 'wallet', '{k}', now())";
const ORDER_LINES: &str = "insert into interlock.order_items (order_id, product_id, quantity, unit_price, name, kind)
  values ('{o}', '{p}', 1, 700, 'p', 'physical'), ('{o}', '{d}', 1, 500, 'd', 'digital');
  insert into interlock.promo_redemptions (promo_id, user_id, status, discount, currency, order_id, redeemed_at)
  values ('{k}', '{u}', 'redeemed', 120, 'USD', '{o}', now());
  insert into interlock.promo_user_uses (promo_id, user_id, used) values ('{k}', '{u}', 1);
  update interlock.promo_codes set used_count = 1 where id = '{k}'";
const ORDER_HAS_THE_CODE: &str =
    "insert into interlock.product_codes (product_id, code, order_id, used_at)
  select '{d}', 'secret 1', o.id, o.paid_at from interlock.orders o where o.id = '{o}'";
const ORDER_WITHOUT_CODES: &str = "insert into interlock.orders (id, user_id, status, currency, subtotal, total, payment_method, paid_at)
  values ('{o}', '{u}', 'paid', 'USD', 500, 500, 'cash_on_delivery', now())";
const FIRST_ORDERS_ONLY: &str =
    "insert into interlock.promo_codes (id, code, discount_type, discount_value, first_order_only)
  values ('{k}', 'K {k}', 'percentage', 10, true), ('{l}', 'L {l}', 'percentage', 10, true)";

const TOP_UP: &str = "select public.top_up_wallet('{u}', 700, 'USD', '{c}')";
pub(crate) const EXPIRE_ORDERS: &str = "select public.expire_orders()";
pub(crate) const NO_ORDER_EXPIRES: &str =
    "select jsonb_build_object('success', true, 'expired', 0)";
pub(crate) const EXPIRE_HOLDS: &str = "select interlock.expire_promo_holds()";
pub(crate) const RELEASE_HOLD: &str =
    "select public.validate_promo('K {k}', p_cart_id => '{c}', p_action => 'release')";
pub(crate) const COUNT_USE: &str = "select public.increment_promo_usage('{k}')";
pub(crate) const P_IS_BOOKED_IN: &str = "update interlock.products set available_quantity = available_quantity + 1 where id = '{p}' returning 'null'";
pub(crate) const PRICE_OF_P_CHANGES: &str =
    "update interlock.products set price = 900 where id = '{p}' returning 'null'";
pub(crate) const P_IS_TAKEN_OFF: &str =
    "update interlock.products set active = false where id = '{p}' returning 'null'";
pub(crate) const DECREMENT: &str = "select public.decrement_product_quantity('{p}', 1)";
const CLAIM_CODES: &str =
    "select jsonb_agg(c) from public.claim_product_codes_atomic('{d}', 1, '{o}') as c";
pub(crate) const BUY_P_CASH: &str =
    r#"select public.checkout('[{"product_id": "{p}", "quantity": 1}]')"#;
pub(crate) const BUY_P_BANK: &str = r#"select public.checkout('[{"product_id": "{p}", "quantity": 1}]', p_payment_method => 'bank_transfer')"#;
const BUY_P_WALLET: &str = r#"select public.checkout('[{"product_id": "{p}", "quantity": 1}]', p_payment_method => 'wallet')"#;
pub(crate) const BUY_P_WITH_KEY: &str = r#"select public.checkout('[{"product_id": "{p}", "quantity": 1}]',
    p_payment_method => 'wallet', p_idempotency_key => 'click')"#;
const BUY_Q_WITH_KEY: &str = r#"select public.checkout('[{"product_id": "{q}", "quantity": 1}]',
    p_payment_method => 'wallet', p_idempotency_key => 'click')"#;
const BUY_D_WALLET: &str = r#"select public.checkout('[{"product_id": "{d}", "quantity": 1}]', p_payment_method => 'wallet')"#;
pub(crate) const BUY_P_WITH_K: &str = r#"select public.checkout('[{"product_id": "{p}", "quantity": 1}]', p_promo_code => 'K {k}', p_cart_id => '{c}')"#;
pub(crate) const VALIDATE_K: &str = r#"select public.validate_promo('K {k}', '[{"product_id": "{p}", "quantity": 1}]', p_cart_id => '{c}')"#;

/// All stages.
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
        offers: &[Sweep::Batches],
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
            shop(
                "the shop cancels x",
                "update interlock.batches set status = 'cancelled' where id = '{x}' returning 'null'",
            ),
        ],
        offers: &[Sweep::Batches],
        pairs: Pairs::All,
    },
    Stage {
        name: "the next batch: x is free, v holds y",
        given: &[USERS, DRIVERS, BATCH_X, BATCH_Y, V_HOLDS_Y],
        operations: &[
            user("u", "u claims the next", "select public.claim_route()").sweeping(Sweep::Batches),
            user("w", "w claims the next", "select public.claim_route()").sweeping(Sweep::Batches),
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
        offers: &[Sweep::Batches],
        pairs: Pairs::All,
    },
    Stage {
        name: "the next of two batches, one under a lease of v that is over",
        given: &[USERS, DRIVERS, BATCH_X, BATCH_Y, V_HOLDS_Y, LEASES_ARE_OVER],
        operations: &[
            user("u", "u claims the next", "select public.claim_route()")
                .or("select public.claim_route('{y}')")
                .sweeping(Sweep::Batches),
            user("v", "v claims the next", "select public.claim_route()")
                .or("select public.claim_route('{x}')")
                .sweeping(Sweep::Batches),
            user("w", "w claims the next", "select public.claim_route()")
                .or("select public.claim_route('{y}')")
                .sweeping(Sweep::Batches),
            user("w", "w claims y", "select public.claim_route('{y}')"),
            user("v", "v claims x", "select public.claim_route('{x}')"),
        ],
        offers: &[Sweep::Batches],
        pairs: Pairs::All,
    },
    Stage {
        name: "an unpaid order of u that is due, with the last p, d and use of k",
        given: &[
            USERS,
            NO_P,
            D,
            ONE_USE_OF_K,
            PENDING_ORDER,
            ORDER_LINES,
            ORDER_HAS_THE_CODE,
        ],
        operations: &[
            user("u", "u cancels", "select public.cancel_order('{o}')"),
            user(
                "u",
                "u cancels under a key",
                "select public.cancel_order('{o}', 'key')",
            ),
            shop("the shop cancels", "select public.cancel_order('{o}')"),
            shop(
                "the shop accepts the payment",
                "select public.accept_payment('{o}')",
            ),
            shop(
                "the shop rejects the payment",
                "select public.reject_payment('{o}')",
            ),
            shop("orders expire", EXPIRE_ORDERS)
                .or(NO_ORDER_EXPIRES)
                .sweeping(Sweep::Orders),
            user(
                "u",
                "u hands in a proof",
                "select public.submit_payment_proof('{o}', '{u}/{o}/proof.png')",
            ),
            shop("the shop claims codes", CLAIM_CODES),
            user("v", "v buys p", BUY_P_CASH),
            user("v", "v buys p with k", BUY_P_WITH_K),
            user("v", "v holds k", VALIDATE_K),
            shop("the shop decrements p", DECREMENT),
            shop("the shop counts a use of k", COUNT_USE),
        ],
        offers: &[Sweep::Orders],
        pairs: Pairs::All,
    },
    Stage {
        name: "an order that u has paid from the wallet, with the last p, d and use of k",
        given: &[
            USERS,
            NO_P,
            D,
            U_HAS_700,
            ONE_USE_OF_K,
            PAID_ORDER,
            ORDER_LINES,
            ORDER_HAS_THE_CODE,
        ],
        operations: &[
            shop("the shop refunds", "select public.refund_order('{o}')"),
            shop("the shop cancels", "select public.cancel_order('{o}')"),
            shop("the shop fulfils", "select public.fulfill_order('{o}')"),
            user("u", "u cancels", "select public.cancel_order('{o}')"),
            shop("the shop claims codes", CLAIM_CODES),
            shop("the shop tops u up", TOP_UP),
            user("u", "u buys p from the wallet", BUY_P_WALLET),
            user("v", "v holds k", VALIDATE_K),
        ],
        offers: &[],
        pairs: Pairs::All,
    },
    Stage {
        name: "one p and one q",
        given: &[USERS, ONE_P, ONE_Q, ALL_HAVE_2000],
        operations: &[
            user("u", "u buys p, cash", BUY_P_CASH),
            user("v", "v buys p, bank transfer", BUY_P_BANK),
            user("v", "v buys p, wallet", BUY_P_WALLET),
            user("u", "u buys p under a key", BUY_P_WITH_KEY),
            user("u", "u buys q under the same key", BUY_Q_WITH_KEY),
            user(
                "u",
                "u buys p and q",
                r#"select public.checkout('[{"product_id": "{p}", "quantity": 1}, {"product_id": "{q}", "quantity": 1}]')"#,
            ),
            user(
                "v",
                "v buys q and p",
                r#"select public.checkout('[{"product_id": "{q}", "quantity": 1}, {"product_id": "{p}", "quantity": 1}]')"#,
            ),
            shop("the shop decrements p", DECREMENT),
            shop("the shop books p in", P_IS_BOOKED_IN),
            shop("the shop changes the price of p", PRICE_OF_P_CHANGES),
            shop("the shop takes p off the shelf", P_IS_TAKEN_OFF),
        ],
        offers: &[],
        pairs: Pairs::All,
    },
    Stage {
        name: "a wallet of u with money for one p",
        given: &[USERS, MANY_P, ONE_Q, U_HAS_700],
        operations: &[
            user("u", "u buys p from the wallet", BUY_P_WALLET),
            user("u", "u buys p under a key", BUY_P_WITH_KEY),
            shop("the shop tops u up", TOP_UP),
            shop(
                "the shop tops u up with another amount under the same reference",
                "select public.top_up_wallet('{u}', 500, 'USD', '{c}')",
            ),
            shop(
                "the shop tops u up without a reference",
                "select public.top_up_wallet('{u}', 100, 'USD')",
            ),
            shop(
                "the shop tops u up in euros",
                "select public.top_up_wallet('{u}', 100, 'EUR')",
            ),
        ],
        offers: &[],
        pairs: Pairs::All,
    },
    Stage {
        name: "u has no wallet",
        given: &[USERS, MANY_P],
        operations: &[
            user("u", "u buys p from the wallet", BUY_P_WALLET),
            shop("the shop tops u up", TOP_UP),
            shop(
                "the shop tops u up in euros",
                "select public.top_up_wallet('{u}', 100, 'EUR')",
            ),
        ],
        offers: &[],
        pairs: Pairs::All,
    },
    Stage {
        name: "one use of k",
        given: &[USERS, MANY_P, ONE_USE_OF_K],
        operations: &[
            user("u", "u holds k", VALIDATE_K),
            user(
                "u",
                "u holds k for another cart",
                r#"select public.validate_promo('K {k}', '[{"product_id": "{p}", "quantity": 1}]', p_cart_id => '{e}')"#,
            ),
            user("v", "v holds k", VALIDATE_K),
            user("u", "u buys with k", BUY_P_WITH_K),
            user("v", "v buys with k", BUY_P_WITH_K),
            user("u", "u gives the hold back", RELEASE_HOLD),
            shop("the shop counts a use of k", COUNT_USE),
            shop(
                "the shop ends k",
                "update interlock.promo_codes set active = false where id = '{k}' returning 'null'",
            ),
        ],
        offers: &[],
        pairs: Pairs::All,
    },
    Stage {
        name: "the only use of k, held by u",
        given: &[
            USERS,
            MANY_P,
            ONE_USE_OF_K,
            U_HOLDS_K_UNCOUNTED,
            IT_IS_COUNTED,
        ],
        operations: &[
            user("u", "u holds k again", VALIDATE_K),
            user("u", "u buys with k", BUY_P_WITH_K),
            user("u", "u gives the hold back", RELEASE_HOLD),
            user("v", "v holds k", VALIDATE_K),
            shop("the shop counts a use of k", COUNT_USE),
        ],
        offers: &[],
        pairs: Pairs::All,
    },
    Stage {
        name: "the only use of k, in a hold of u that is over",
        given: &[
            USERS,
            MANY_P,
            ONE_USE_OF_K,
            U_HOLDS_K_UNCOUNTED,
            IT_IS_COUNTED,
            HOLD_IS_OVER,
        ],
        operations: &[
            user("u", "u holds k again", VALIDATE_K),
            user("u", "u buys with k", BUY_P_WITH_K),
            user("u", "u gives the hold back", RELEASE_HOLD),
            user("v", "v holds k", VALIDATE_K),
            user("v", "v buys with k", BUY_P_WITH_K),
            shop("the shop counts a use of k", COUNT_USE),
            shop("holds expire", EXPIRE_HOLDS)
                .or("select 0")
                .sweeping(Sweep::Holds),
        ],
        offers: &[Sweep::Holds],
        pairs: Pairs::All,
    },
    Stage {
        name: "codes for first orders",
        given: &[USERS, MANY_P, FIRST_ORDERS_ONLY],
        operations: &[
            user("u", "u buys with k", BUY_P_WITH_K),
            user(
                "u",
                "u buys with l",
                r#"select public.checkout('[{"product_id": "{p}", "quantity": 1}]', p_promo_code => 'L {l}', p_cart_id => '{e}')"#,
            ),
            user("u", "u buys without a code", BUY_P_CASH),
            user(
                "u",
                "u guesses a code",
                r#"select public.validate_promo('wrong {c}', p_subtotal => 100)"#,
            ),
        ],
        offers: &[],
        pairs: Pairs::All,
    },
    Stage {
        name: "one product code",
        given: &[USERS, D, ONE_FREE_CODE, ALL_HAVE_2000, ORDER_WITHOUT_CODES],
        operations: &[
            user("u", "u buys d", BUY_D_WALLET),
            user("v", "v buys d", BUY_D_WALLET),
            shop("the shop claims codes", CLAIM_CODES),
            shop(
                "the shop adds a code",
                "insert into interlock.product_codes (product_id, code) values ('{d}', 'secret 2') returning 'null'",
            ),
            shop(
                "the shop deletes the code",
                "delete from interlock.product_codes where product_id = '{d}' and code = 'secret 1' and order_id is null returning 'null'",
            ),
            shop(
                "the shop refunds the order",
                "select public.refund_order('{o}')",
            ),
        ],
        offers: &[],
        pairs: Pairs::All,
    },
    Stage {
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
                .sweeping(Sweep::Orders),
            user("u", "u holds k", VALIDATE_K),
            user("u", "u gives the hold back", RELEASE_HOLD),
            shop("holds expire", EXPIRE_HOLDS)
                .or("select 0")
                .sweeping(Sweep::Holds),
            shop("the shop claims codes", CLAIM_CODES),
            shop("the shop tops u up", TOP_UP),
            shop(
                "the shop purges old keys",
                "select interlock.purge_idempotency_keys()",
            ),
        ],
        offers: &[Sweep::Batches, Sweep::Orders, Sweep::Holds],
        pairs: Pairs::Different,
    },
];
