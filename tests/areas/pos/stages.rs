//! What is interleaved: a till that shares the web shop's stock with buyers, another one, and the end of its shift.

use crate::areas::shop::stages::BUY_P_CASH;
use crate::prove::interleavings::{Pairs, Stage, USERS, shop, user};

/// Three p in the web shop, two and a half in the store.
const P: &str = "insert into interlock.products (id, name, price, currency, available_quantity, decimals)
  values ('{p}', 'p', 700, 'USD', 3, 1);
  insert into interlock.locations (id, name) values ('{s}', 'test');
  insert into interlock.inventory (id, product_id, location_id, quantity) values ('{i}', '{p}', '{s}', 2.5)";

/// A till at each, with a shift.
const TILLS: &str = "insert into interlock.registers (id, location_id, name, currency)
  values ('{x}', interlock.online_location(), 'x', 'USD'), ('{y}', '{s}', 'y', 'USD');
  insert into interlock.shifts (id, register_id, opening_cash) values ('{c}', '{x}', 10000), ('{e}', '{y}', 10000)";

/// Something that was sold at the till of the store.
const SOLD: &str = "insert into interlock.sales
    (id, register_id, shift_id, location_id, receipt_number, currency, subtotal, discount, tax, tax_included, total)
  values ('{o}', '{y}', '{e}', '{s}', 1, 'USD', 700, 0, 0, 0, 700);
  insert into interlock.sale_lines (sale_id, line, product_id, inventory_id, name, quantity, unit_price, subtotal, total)
  values ('{o}', 0, '{p}', '{i}', 'p', 1, 700, 700, 700);
  insert into interlock.sale_tenders (sale_id, n, type, amount) values ('{o}', 0, 'cash', 700);
  update interlock.registers set last_receipt = 1 where id = '{y}'";

const SELL_ONLINE: &str = r#"select public.pos_sale('{x}', '[{"product_id": "{p}", "quantity": 2}]',
  '[{"type": "cash", "amount": 1400}]')::jsonb"#;

const SELL_UNDER_KEY: &str = r#"select public.pos_sale('{x}', '[{"product_id": "{p}", "quantity": 1}]',
  '[{"type": "card", "amount": 700, "reference": "{z}"}]', p_idempotency_key => '{z}')::jsonb"#;

const SELL_IN_STORE: &str = r#"select public.pos_sale('{y}', '[{"inventory_id": "{i}", "quantity": 1.5}, {"product_id": "{p}", "quantity": 0.5}]',
  '[{"type": "cash", "amount": 2000}]')::jsonb"#;

/// The same, sent again by another tab as what was sold while it was cut off.
const SEND_AGAIN: &str = r#"select public.pos_sale('{x}', '[{"product_id": "{p}", "quantity": 1, "unit_price": 600}]',
  '[{"type": "card", "amount": 700, "reference": "{z}"}]', p_client_time => date_trunc('day', now()), p_shift_id => '{c}',
  p_idempotency_key => '{z}')::jsonb"#;

/// More than there is.
const SEND_ONLINE: &str = r#"select public.pos_sale('{x}', '[{"product_id": "{p}", "quantity": 4}]',
  '[{"type": "cash", "amount": 2800}]', p_client_time => date_trunc('day', now()), p_shift_id => '{c}', p_idempotency_key => '{c}')::jsonb"#;

const SEND_IN_STORE: &str = r#"select public.pos_sale('{y}', '[{"inventory_id": "{i}", "quantity": 2.5}, {"product_id": "{p}", "quantity": 0.5}]',
  '[{"type": "cash", "amount": 2100}]', p_client_time => date_trunc('day', now()), p_idempotency_key => '{e}')::jsonb"#;

const RETURN_ONLINE: &str = r#"select public.pos_sale('{x}', p_returns => '[{"sale_id": "{o}", "line": 0, "quantity": 1, "reason": "x"}]',
  p_tenders => '[{"type": "cash", "amount": 700}]')::jsonb"#;

const EXCHANGE_IN_STORE: &str = r#"select public.pos_sale('{y}', '[{"product_id": "{p}", "quantity": 3.5}]',
  p_returns => '[{"sale_id": "{o}", "line": 0, "quantity": 1, "reason": "x"}]', p_tenders => '[{"type": "cash", "amount": 1750}]')::jsonb"#;

const CLOSE_ONLINE: &str = "select public.close_shift('{c}', 11400)";

const CLOSE_IN_STORE: &str = "select public.close_shift('{e}', 12000)";

const VOID: &str = "select public.void_sale('{o}', 'wrong')";

const TAKE_CASH: &str = "select public.move_cash('{e}', 'paid_out', 10500, 'bank', '{e}')";

const ADJUST: &str = r#"select public.manage_inventory('adjust', '[{"inventory_id": "{i}", "delta": -1}, {"product_id": "{p}", "delta": -1}]')::jsonb"#;

/// The stages.
pub(crate) const STAGES: &[Stage] = &[Stage {
    name: "tills of the web shop and of a store",
    given: &[USERS, P, TILLS, SOLD],
    operations: &[
        user("u", "u buys p, cash", BUY_P_CASH),
        shop("the till sells two p of the web shop", SELL_ONLINE),
        shop(
            "the till sells p of the web shop under a key, by card",
            SELL_UNDER_KEY,
        ),
        shop("the till sells p in the store", SELL_IN_STORE),
        shop("a tab sends that sale again", SEND_AGAIN),
        shop("the till was cut off, and has sold four p", SEND_ONLINE),
        shop(
            "the till of the store was cut off, and has sold three p",
            SEND_IN_STORE,
        ),
        shop("the shift of the web shop's till is closed", CLOSE_ONLINE),
        shop("the shift of the store's till is closed", CLOSE_IN_STORE),
        shop("what was sold in the store is voided", VOID),
        shop(
            "what was sold in the store comes back to the web shop's till",
            RETURN_ONLINE,
        ),
        shop(
            "what was sold in the store is exchanged there",
            EXCHANGE_IN_STORE,
        ),
        shop("cash is taken out of the store's drawer", TAKE_CASH),
        shop("the shop adjusts p in both", ADJUST),
    ],
    offers: &[],
    pairs: Pairs::All,
}];
