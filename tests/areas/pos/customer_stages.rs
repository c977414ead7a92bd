//! What is interleaved: a customer at two tills, whose points are earned, spent, turned into money, corrected and merged. What they buy
//! in the web shop is not there: its points are booked later (`points_due`), so that a checkout never waits for a till.

use crate::areas::shop::stages::ALL_HAVE_5000;
use crate::prove::interleavings::{Pairs, Stage, USERS, shop, user};

/// Enough p, at two tills, each with a shift.
const TILLS: &str = "insert into interlock.products (id, name, price, currency, available_quantity) values ('{p}', 'p', 700, 'USD', 100);
  insert into interlock.registers (id, location_id, name, currency)
  values ('{x}', interlock.online_location(), 'x', 'USD'), ('{y}', interlock.online_location(), 'y', 'USD');
  insert into interlock.shifts (id, register_id, opening_cash) values ('{c}', '{x}', 10000), ('{e}', '{y}', 10000);
  insert into interlock.points_rules (currency, points) values ('USD', 1) on conflict do nothing;
  insert into interlock.points_values (currency, value) values ('USD', 10) on conflict do nothing";

/// u is the customer k with 45 points, and l another one with 10.
const CUSTOMERS: &str = "insert into interlock.customers (id, name, email, user_id)
  values ('{k}', 'k', '{u}@test.example', '{u}'), ('{l}', 'l', '{v}@test.example', null);
  insert into interlock.points_accounts (customer_id, balance) values ('{k}', 45), ('{l}', 10);
  insert into interlock.points_movements (customer_id, kind, points, balance_after) values ('{k}', 'adjusted', 45, 45), ('{l}', 'adjusted', 10, 10)";

/// A sale of p to k at the first till, that has earned seven points and spent ten.
const SOLD: &str = "insert into interlock.sales
    (id, register_id, shift_id, location_id, receipt_number, currency, subtotal, discount, tax, tax_included, total, customer_id)
  values ('{o}', '{x}', '{c}', interlock.online_location(), 1, 'USD', 700, 0, 0, 0, 700, '{k}');
  insert into interlock.sale_lines (sale_id, line, product_id, inventory_id, name, quantity, unit_price, subtotal, total)
  values ('{o}', 0, '{p}', '{p}', 'p', 1, 700, 700, 700);
  insert into interlock.sale_tenders (sale_id, n, type, amount) values ('{o}', 0, 'cash', 600), ('{o}', 1, 'points', 100);
  update interlock.registers set last_receipt = 1 where id = '{x}';
  insert into interlock.points_movements (customer_id, kind, points, amount, balance_after, sale_id)
  values ('{k}', 'spent', -10, 0, 35, '{o}'), ('{k}', 'earned', 7, 700, 42, '{o}');
  update interlock.points_accounts set balance = 42 where customer_id = '{k}'";

const EARN_AT_X: &str = r#"select public.pos_sale('{x}', '[{"product_id": "{p}", "quantity": 1}]',
  '[{"type": "card", "amount": 700}]', p_customer => '{"id": "{k}"}')::jsonb"#;

const EARN_AT_Y: &str = r#"select public.pos_sale('{y}', '[{"product_id": "{p}", "quantity": 1}]',
  '[{"type": "cash", "amount": 700}]', p_customer => '{"id": "{l}"}')::jsonb"#;

const SPEND_AT_X: &str = r#"select public.pos_sale('{x}', '[{"product_id": "{p}", "quantity": 1}]',
  '[{"type": "points", "amount": 300}, {"type": "cash", "amount": 400}]', p_customer => '{"id": "{k}"}')::jsonb"#;

const SPEND_AT_Y: &str = r#"select public.pos_sale('{y}', '[{"product_id": "{p}", "quantity": 1}]',
  '[{"type": "points", "amount": 200}, {"type": "wallet", "amount": 500}]', p_customer => '{"id": "{k}"}')::jsonb"#;

const NEW_AT_X: &str = r#"select public.pos_sale('{x}', '[{"product_id": "{p}", "quantity": 1}]',
  '[{"type": "cash", "amount": 700}]', p_customer => '{"create": {"email": "{w}@test.example", "name": "w"}}')::jsonb"#;

const NEW_AT_Y: &str = r#"select public.pos_sale('{y}', '[{"product_id": "{p}", "quantity": 2}]',
  '[{"type": "cash", "amount": 1400}]', p_customer => '{"create": {"email": "{w}@test.example"}}')::jsonb"#;

const VOID: &str = "select public.void_sale('{o}', 'wrong')";

const REDEEM: &str = "select public.redeem_points(25, 'USD')";

const ADJUST: &str = "select public.adjust_points('{k}', 'gift', '{z}', p_balance => 20)";

const MERGE: &str = "select public.merge_customers('{k}', '{l}')";

/// The stages.
pub(crate) const STAGES: &[Stage] = &[Stage {
    name: "a customer at two tills",
    given: &[USERS, ALL_HAVE_5000, TILLS, CUSTOMERS, SOLD],
    operations: &[
        user("u", "u turns points into money", REDEEM),
        shop("k earns points at one till", EARN_AT_X),
        shop("k spends points at one till", SPEND_AT_X),
        shop(
            "k spends points and wallet money at the other till",
            SPEND_AT_Y,
        ),
        shop("l earns points at the other till", EARN_AT_Y),
        shop("w is new at one till", NEW_AT_X),
        shop("w is new at the other till", NEW_AT_Y),
        shop("what k bought is voided", VOID),
        shop("the points of k are corrected", ADJUST),
        shop("k is merged into l", MERGE),
    ],
    offers: &[],
    pairs: Pairs::All,
}];
