//! Stock, wallets, orders, codes of digital products.

use crate::areas::promo::stages::{BUY_P_WITH_K, COUNT_USE, ONE_USE_OF_K, VALIDATE_K};
use crate::prove::interleavings::{Pairs, Stage, Sweep, USERS, shop, user};

/// Orders that were not paid in time.
pub(crate) const ORDERS: Sweep = Sweep {
    name: "the orders that were not paid in time",
    clear: "update interlock.orders o set payment_expires_at = now() + interval '1 day' from auth.users u
                 where o.status = 'pending_payment' and o.payment_expires_at < now() + interval '1 hour'
                   and u.id = o.user_id and u.email like '%@test.example';",
    others: "select exists (select from interlock.orders o left join auth.users u on u.id = o.user_id
                 where o.status = 'pending_payment' and o.payment_expires_at <= now()
                   and coalesce(u.email not like '%@test.example', true))",
};

pub(crate) const ONE_P: &str =
    "insert into interlock.products (id, name, price, currency, available_quantity)
  values ('{p}', 'p', 700, 'USD', 1)";

pub(crate) const NO_P: &str =
    "insert into interlock.products (id, name, price, currency, available_quantity)
  values ('{p}', 'p', 700, 'USD', 0)";

pub(crate) const MANY_P: &str =
    "insert into interlock.products (id, name, price, currency, available_quantity)
  values ('{p}', 'p', 700, 'USD', 100)";

pub(crate) const ONE_Q: &str =
    "insert into interlock.products (id, name, price, currency, available_quantity)
  values ('{q}', 'q', 300, 'USD', 1)";

/// For two who ask at once: which refusal the second one meets is then the same whenever it looks.
pub(crate) const TWO_Q: &str =
    "insert into interlock.products (id, name, price, currency, available_quantity)
  values ('{q}', 'q', 300, 'USD', 2)";

pub(crate) const D: &str = "insert into interlock.products (id, name, price, currency, kind)
  values ('{d}', 'd', 500, 'USD', 'digital')";

pub(crate) const ONE_FREE_CODE: &str =
    "insert into interlock.product_codes (product_id, code) values ('{d}', 'secret 1')";

pub(crate) const U_HAS_700: &str =
    "insert into interlock.wallets (user_id, balance, currency) values ('{u}', 700, 'USD')";

pub(crate) const ALL_HAVE_2000: &str = "insert into interlock.wallets (user_id, balance, currency)
  values ('{u}', 2000, 'USD'), ('{v}', 2000, 'USD')";

/// More than two of them spend.
pub(crate) const ALL_HAVE_5000: &str = "insert into interlock.wallets (user_id, balance, currency)
  values ('{u}', 5000, 'USD'), ('{v}', 5000, 'USD')";

/// An order of one p and one d with the only use of k: 1200 less 10 %.
pub(crate) const PENDING_ORDER: &str = "insert into interlock.orders (id, user_id, status, currency, subtotal, discount, total, payment_method,
    promo_code_id, payment_expires_at)
  values ('{o}', '{u}', 'pending_payment', 'USD', 1200, 120, 1080, 'bank_transfer', '{k}', now() - interval '1 minute')";

const CASH_ORDER: &str = "insert into interlock.orders (id, user_id, status, currency, subtotal, discount, total, payment_method,
    promo_code_id)
  values ('{o}', '{u}', 'confirmed', 'USD', 1200, 120, 1080, 'cash_on_delivery', '{k}')";

pub(crate) const PAID_ORDER: &str = "insert into interlock.orders (id, user_id, status, currency, subtotal, discount, total, payment_method,
    promo_code_id, paid_at)
  values ('{o}', '{u}', 'paid', 'USD', 1200, 120, 1080, 'wallet', '{k}', now())";

pub(crate) const ORDER_LINES: &str = "insert into interlock.order_items (order_id, product_id, quantity, unit_price, name, kind, discount)
  values ('{o}', '{p}', 1, 700, 'p', 'physical', 70), ('{o}', '{d}', 1, 500, 'd', 'digital', 50);
  insert into interlock.promo_redemptions (promo_id, user_id, status, discount, currency, order_id, redeemed_at)
  values ('{k}', '{u}', 'redeemed', 120, 'USD', '{o}', now());
  insert into interlock.promo_user_uses (promo_id, user_id, used) values ('{k}', '{u}', 1);
  update interlock.promo_codes set used_count = 1 where id = '{k}'";

/// It had the last p, d and use of k, and was given them back.
const EXPIRED_ORDER: &str = "insert into interlock.orders (id, user_id, status, currency, subtotal, discount, total, payment_method,
    promo_code_id, cart_id, payment_expires_at, cancelled_at)
  values ('{o}', '{u}', 'expired', 'USD', 1200, 120, 1080, 'bank_transfer', '{k}', '{c}', now() - interval '1 minute', now())";

const EXPIRED_LINES: &str = "insert into interlock.order_items (order_id, product_id, quantity, unit_price, name, kind)
  values ('{o}', '{p}', 1, 700, 'p', 'physical'), ('{o}', '{d}', 1, 500, 'd', 'digital');
  insert into interlock.promo_redemptions (promo_id, user_id, status, discount, currency, order_id, redeemed_at, ended_at)
  values ('{k}', '{u}', 'returned', 120, 'USD', '{o}', now(), now())";

/// One of them is there.
const FOUR_OPEN_ORDERS: &str = "insert into interlock.orders (id, user_id, status, currency, subtotal, total, payment_method, counted_units)
  values ('{o}', '{u}', 'confirmed', 'USD', 700, 700, 'cash_on_delivery', 1);
  insert into interlock.order_items (order_id, product_id, quantity, unit_price, name, kind)
  values ('{o}', '{p}', 1, 700, 'p', 'physical');
  insert into interlock.customer_open_orders (user_id, orders, units) values ('{u}', 4, 4)";

/// Handed in so long ago that the order is due.
const A_PROOF: &str = "insert into interlock.payment_proofs (order_id, object_path) values ('{o}', '{u}/{o}/first.png');
  update interlock.orders set proof_submitted_at = now() - interval '8 days' where id = '{o}'";

pub(crate) const ORDER_HAS_THE_CODE: &str =
    "insert into interlock.product_codes (product_id, code, order_id, used_at)
  select '{d}', 'secret 1', o.id, o.paid_at from interlock.orders o where o.id = '{o}'";

pub(crate) const ORDER_WITHOUT_CODES: &str = "insert into interlock.orders (id, user_id, status, currency, subtotal, total, payment_method, paid_at)
  values ('{o}', '{u}', 'paid', 'USD', 500, 500, 'cash_on_delivery', now())";

pub(crate) const TOP_UP: &str = "select public.top_up_wallet('{u}', 700, 'USD', '{c}')";

pub(crate) const EXPIRE_ORDERS: &str = "select public.expire_orders()";

pub(crate) const NO_ORDER_EXPIRES: &str =
    "select jsonb_build_object('success', true, 'expired', 0)";

pub(crate) const P_IS_BOOKED_IN: &str = "update interlock.products set available_quantity = available_quantity + 1 where id = '{p}' returning 'null'";

pub(crate) const PRICE_OF_P_CHANGES: &str =
    "update interlock.products set price = 900 where id = '{p}' returning 'null'";

pub(crate) const P_IS_TAKEN_OFF: &str =
    "update interlock.products set active = false where id = '{p}' returning 'null'";

pub(crate) const DECREMENT: &str = "select public.decrement_product_quantity('{p}', 1)";

pub(crate) const ADJUST_P: &str = "select public.adjust_stock('{p}', 1, null, '{p}')";

pub(crate) const ADJUST_P_BY_TWO: &str = "select public.adjust_stock('{p}', 2, null, '{p}')";

pub(crate) const BOOK_P_OUT: &str = "select public.adjust_stock('{p}', -1)";

pub(crate) const COUNT_P: &str = "select public.count_stock('{p}', 3, 1, null, '{p}')";

pub(crate) const DECREMENT_UNDER_REFERENCE: &str =
    "select public.decrement_product_quantity('{p}', 1, '{p}')";

pub(crate) const CLAIM_CODES_UNDER_REFERENCE: &str =
    "select jsonb_agg(c) from public.claim_product_codes_atomic('{d}', 1, '{o}', '{o}') as c";

/// The code of the order does not work: it was its first.
pub(crate) const REPLACE_CODE: &str = "select jsonb_build_object('replaced', public.replace_product_code((
    select c.id from interlock.product_codes c where c.product_id = '{d}' and c.code = 'faulty'), 'no use') is not null)";

pub(crate) const REPLACE_CODE_BY_ANOTHER: &str = "select jsonb_build_object('replaced', public.replace_product_code((
    select c.id from interlock.product_codes c where c.product_id = '{d}' and c.code = 'faulty'), 'no use', 'secret 2') is not null)";

pub(crate) const FAULTY_CODE: &str =
    "insert into interlock.product_codes (product_id, code, order_id, used_at)
  values ('{d}', 'faulty', '{o}', now())";

pub(crate) const CLAIM_CODES: &str =
    "select jsonb_agg(c) from public.claim_product_codes_atomic('{d}', 1, '{o}') as c";

pub(crate) const BUY_P_CASH: &str =
    r#"select public.checkout('[{"product_id": "{p}", "quantity": 1}]')"#;

pub(crate) const BUY_P_BANK: &str = r#"select public.checkout('[{"product_id": "{p}", "quantity": 1}]', p_payment_method => 'bank_transfer')"#;

pub(crate) const BUY_P_WALLET: &str = r#"select public.checkout('[{"product_id": "{p}", "quantity": 1}]', p_payment_method => 'wallet')"#;

pub(crate) const BUY_P_WITH_KEY: &str = r#"select public.checkout('[{"product_id": "{p}", "quantity": 1}]',
    p_payment_method => 'wallet', p_idempotency_key => 'click')"#;

pub(crate) const BUY_Q_WITH_KEY: &str = r#"select public.checkout('[{"product_id": "{q}", "quantity": 1}]',
    p_payment_method => 'wallet', p_idempotency_key => 'click')"#;

const BUY_CART: &str = r#"select public.checkout('[{"product_id": "{p}", "quantity": 1}]',
    p_cart_id => '{c}', p_payment_method => 'wallet', p_idempotency_key => 'click')"#;

const BUY_Q_CASH: &str = r#"select public.checkout('[{"product_id": "{q}", "quantity": 1}]')"#;

const BUY_CART_OTHER_KEY: &str = r#"select public.checkout('[{"product_id": "{p}", "quantity": 1}]',
    p_cart_id => '{c}', p_payment_method => 'wallet', p_idempotency_key => 'another tab')"#;

/// Refused for its price, unless the cart is ordered or the key has an answer.
const BUY_CART_FOR_ONE: &str = r#"select public.checkout('[{"product_id": "{p}", "quantity": 1}]',
    p_cart_id => '{c}', p_payment_method => 'wallet', p_idempotency_key => 'click', p_expected_total => 1)"#;

const BUY_CART_OF_Q: &str =
    r#"select public.checkout('[{"product_id": "{q}", "quantity": 1}]', p_cart_id => '{c}')"#;

const BUY_P_FOR_700: &str =
    r#"select public.checkout('[{"product_id": "{p}", "quantity": 1}]', p_expected_total => 700)"#;

pub(crate) const BUY_D_WALLET: &str = r#"select public.checkout('[{"product_id": "{d}", "quantity": 1}]', p_payment_method => 'wallet')"#;

const PROCESS: &str = "select public.process_order('{o}')";

const SHIP: &str = "select public.ship_order('{o}')";

/// All of the order's p, which is a part of it: its price goes back less 10 %.
pub(crate) const REFUND_P: &str =
    r#"select public.refund_order_lines('{o}', '[{"product_id": "{p}", "quantity": 1}]')"#;

pub(crate) const REFUND_P_UNDER_REFERENCE: &str = r#"select public.refund_order_lines('{o}', '[{"product_id": "{p}", "quantity": 1}]',
    p_reference => '{o}')"#;

/// The rest of it.
pub(crate) const REFUND_D: &str =
    r#"select public.refund_order_lines('{o}', '[{"product_id": "{d}", "quantity": 1}]')"#;

const SHIP_P: &str =
    r#"select public.ship_order_lines('{o}', '[{"product_id": "{p}", "quantity": 1}]', 'part')"#;

const SHIP_P_UNDER_REFERENCE: &str = r#"select public.ship_order_lines('{o}', '[{"product_id": "{p}", "quantity": 1}]', 'part', '{o}')"#;

/// One that has left, or one that has not.
const REFUND_SENT_P: &str = r#"select public.refund_order_lines('{o}', '[{"product_id": "{p}", "quantity": 1, "shipped": true, "restock": true}]')"#;

const REFUND_UNSENT_P: &str = r#"select public.refund_order_lines('{o}', '[{"product_id": "{p}", "quantity": 1, "shipped": false}]')"#;

/// One of its three p has left.
const THREE_P_OF_WHICH_ONE_HAS_LEFT: &str = "insert into interlock.orders (id, user_id, status, fulfillment, currency, subtotal, total, payment_method, paid_at)
  values ('{o}', '{u}', 'paid', 'partly_shipped', 'USD', 2100, 2100, 'wallet', now());
  insert into interlock.order_items (order_id, product_id, quantity, unit_price, name, kind)
  values ('{o}', '{p}', 3, 700, 'p', 'physical');
  insert into interlock.order_shipments (id, order_id) values ('{z}', '{o}');
  insert into interlock.order_shipment_items (order_id, product_id, first_unit, shipment_id, quantity)
  values ('{o}', '{p}', 1, '{z}', 1)";

pub(crate) const CORRECT_ADDRESS: &str = r#"select public.correct_order('{o}', '{"name": "a"}')"#;

/// The stages.
pub(crate) const STAGES: &[Stage] = &[
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
                .sweeping(ORDERS),
            shop("the shop reopens", "select public.reopen_order('{o}')"),
            shop("the shop cancels the line of p", REFUND_P),
            shop("the shop cancels the line of d", REFUND_D),
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
        offers: &[ORDERS],
        pairs: Pairs::All,
    },
    Stage {
        name: "an unpaid order of u with a proof that nobody has decided in time",
        given: &[
            USERS,
            NO_P,
            D,
            ONE_USE_OF_K,
            PENDING_ORDER,
            ORDER_LINES,
            A_PROOF,
        ],
        operations: &[
            shop(
                "the shop accepts the payment",
                "select public.accept_payment('{o}')",
            ),
            shop(
                "the shop rejects the proof",
                "select public.reject_payment('{o}', 'not legible')",
            ),
            shop(
                "the shop rejects the payment for good",
                "select public.reject_payment('{o}', p_cancel => true)",
            ),
            user("u", "u cancels", "select public.cancel_order('{o}')"),
            user(
                "u",
                "u hands in another proof",
                "select public.submit_payment_proof('{o}', '{u}/{o}/proof.png')",
            ),
            shop("orders expire", EXPIRE_ORDERS)
                .or(NO_ORDER_EXPIRES)
                .sweeping(ORDERS),
        ],
        offers: &[ORDERS],
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
            shop("the shop refunds p", REFUND_P),
            shop("the shop refunds d", REFUND_D),
            shop(
                "the shop refunds p under a reference",
                REFUND_P_UNDER_REFERENCE,
            ),
            shop("the shop cancels", "select public.cancel_order('{o}')"),
            shop("the shop ships", SHIP),
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
        name: "an order of u in cash, with the last p, d and use of k",
        given: &[
            USERS,
            NO_P,
            D,
            ONE_USE_OF_K,
            CASH_ORDER,
            ORDER_LINES,
            ORDER_HAS_THE_CODE,
        ],
        operations: &[
            user("u", "u cancels", "select public.cancel_order('{o}')"),
            shop("the shop cancels", "select public.cancel_order('{o}')"),
            shop("the shop reopens", "select public.reopen_order('{o}')"),
            shop("the shop processes", PROCESS),
            shop("the shop ships", SHIP),
            shop(
                "the shop ships under a number",
                "select public.ship_order('{o}', 'parcel')",
            ),
            shop(
                "the shop ships under another number",
                "select public.ship_order('{o}', 'other parcel')",
            ),
            shop(
                "the shop accepts the payment",
                "select public.accept_payment('{o}')",
            ),
            shop("the shop fulfils", "select public.fulfill_order('{o}')"),
            shop("the shop refunds", "select public.refund_order('{o}')"),
            shop("the shop cancels or refunds p", REFUND_P),
            shop("the shop ships p", SHIP_P),
            shop("the shop corrects the address", CORRECT_ADDRESS),
            shop(
                "the shop corrects address and contact",
                r#"select public.correct_order('{o}', '{"name": "b"}', '{"phone": "1"}')"#,
            ),
            user("v", "v buys p", BUY_P_CASH),
        ],
        offers: &[],
        pairs: Pairs::All,
    },
    Stage {
        name: "an order that u has paid, of three p of which one has left",
        given: &[USERS, NO_P, U_HAS_700, THREE_P_OF_WHICH_ONE_HAS_LEFT],
        operations: &[
            shop("the shop refunds a p", REFUND_P),
            shop(
                "the shop refunds a p under a reference",
                REFUND_P_UNDER_REFERENCE,
            ),
            shop("the shop refunds the p that has left", REFUND_SENT_P),
            shop("the shop refunds a p that has not left", REFUND_UNSENT_P),
            shop("the shop ships a p", SHIP_P),
            shop(
                "the shop ships a p under a reference",
                SHIP_P_UNDER_REFERENCE,
            ),
            shop(
                "the shop ships the rest",
                "select public.ship_order('{o}', 'rest')",
            ),
            shop("the shop refunds", "select public.refund_order('{o}')"),
            shop("the shop cancels", "select public.cancel_order('{o}')"),
            shop("the shop fulfils", "select public.fulfill_order('{o}')"),
            user("v", "v buys p", BUY_P_CASH),
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
            shop("the shop adjusts p under a reference", ADJUST_P),
            shop("the shop adjusts p by two under it", ADJUST_P_BY_TWO),
            shop("the shop books p out", BOOK_P_OUT),
            shop("the shop counts p", COUNT_P),
            shop(
                "the shop decrements p under a reference",
                DECREMENT_UNDER_REFERENCE,
            ),
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
                "the shop tops v up under the same reference",
                "select public.top_up_wallet('{v}', 700, 'USD', '{c}')",
            ),
            shop(
                "the shop tops u up without a reference",
                "select public.top_up_wallet('{u}', 100, 'USD')",
            ),
            shop(
                "the shop tops u up in euros",
                "select public.top_up_wallet('{u}', 100, 'EUR')",
            ),
            shop(
                "the shop takes 500 out",
                "select public.debit_wallet('{u}', 500, 'USD', '{c}')",
            ),
            shop(
                "the shop takes 500 out under another reference",
                "select public.debit_wallet('{u}', 500, 'USD', '{p}')",
            ),
            shop(
                "the shop corrects u's wallet",
                "select public.adjust_wallet('{u}', -300, 'USD', 'booked twice', '{c}')",
            ),
        ],
        offers: &[],
        pairs: Pairs::All,
    },
    Stage {
        name: "a cart of u, with money for it once",
        given: &[USERS, MANY_P, ONE_Q, U_HAS_700],
        operations: &[
            user("u", "u buys the cart", BUY_CART),
            user("u", "u buys the cart under another key", BUY_CART_OTHER_KEY),
            user("u", "u buys the cart with q in it", BUY_CART_OF_Q),
            user(
                "u",
                "u buys the cart under the same key for another price",
                BUY_CART_FOR_ONE,
            ),
            user("u", "u buys p from the wallet", BUY_P_WALLET),
            user("u", "u buys p for what was shown", BUY_P_FOR_700),
            shop("the shop changes the price of p", PRICE_OF_P_CHANGES),
        ],
        offers: &[],
        pairs: Pairs::All,
    },
    Stage {
        name: "u may have one more open order",
        given: &[USERS, MANY_P, TWO_Q, U_HAS_700, FOUR_OPEN_ORDERS],
        operations: &[
            user("u", "u buys p, cash", BUY_P_CASH),
            user("u", "u buys q, cash", BUY_Q_CASH),
            user("u", "u buys p, bank transfer", BUY_P_BANK),
            user("u", "u buys p from the wallet", BUY_P_WALLET),
            user("u", "u cancels", "select public.cancel_order('{o}')"),
            shop("the shop cancels its only line", REFUND_P),
            shop(
                "the shop accepts the payment",
                "select public.accept_payment('{o}')",
            ),
            user("v", "v buys p, bank transfer", BUY_P_BANK),
        ],
        offers: &[],
        pairs: Pairs::All,
    },
    Stage {
        name: "an order of u that has expired, and the last p, d and use of k",
        given: &[
            USERS,
            ONE_P,
            D,
            ONE_FREE_CODE,
            ONE_USE_OF_K,
            EXPIRED_ORDER,
            EXPIRED_LINES,
            ALL_HAVE_2000,
        ],
        operations: &[
            shop("the shop reopens", "select public.reopen_order('{o}')"),
            shop(
                "the shop reopens it paid",
                "select public.reopen_order('{o}', true)",
            ),
            shop(
                "the shop accepts the payment",
                "select public.accept_payment('{o}')",
            ),
            shop("the shop cancels", "select public.cancel_order('{o}')"),
            shop("the shop refunds", "select public.refund_order('{o}')"),
            shop("orders expire", EXPIRE_ORDERS)
                .or(NO_ORDER_EXPIRES)
                .sweeping(ORDERS),
            user("u", "u orders the cart again", BUY_CART),
            user("v", "v buys p", BUY_P_CASH),
            user("v", "v buys d", BUY_D_WALLET),
            user("v", "v holds k", VALIDATE_K),
        ],
        offers: &[ORDERS],
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
            shop(
                "the shop gives u something",
                "select public.adjust_wallet('{u}', 300, 'USD', 'goodwill', '{c}')",
            ),
            shop(
                "the shop gives u something in euros",
                "select public.adjust_wallet('{u}', 300, 'EUR', 'goodwill', '{p}')",
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
                "the shop claims codes under a reference",
                CLAIM_CODES_UNDER_REFERENCE,
            ),
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
        name: "one product code, and a delivered one that does not work",
        given: &[
            USERS,
            D,
            ORDER_WITHOUT_CODES,
            FAULTY_CODE,
            ONE_FREE_CODE,
            ALL_HAVE_2000,
        ],
        operations: &[
            shop("the shop replaces the code", REPLACE_CODE),
            shop(
                "the shop replaces the code by a new one",
                REPLACE_CODE_BY_ANOTHER,
            ),
            user("u", "u buys d", BUY_D_WALLET),
            shop("the shop claims codes", CLAIM_CODES),
            shop(
                "the shop adds the new code",
                "insert into interlock.product_codes (product_id, code) values ('{d}', 'SECRET 2') returning 'null'",
            ),
            shop(
                "the shop deletes the free code",
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
];
