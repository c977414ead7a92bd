//! What is interleaved: stock in the web shop and at a location, where everything that moves it meets.

use crate::areas::shop::slot_stages::{MANY_P_IN_SLOTS, ONE_P_IS_SOLD, SLOTS};
use crate::areas::shop::stages::{BUY_P_BANK, BUY_P_CASH};
use crate::prove::interleavings::{Pairs, Stage, USERS, shop, user};

/// Three p in the web shop.
const THREE_P: &str =
    "insert into interlock.products (id, name, price, currency, available_quantity, decimals)
  values ('{p}', 'p', 700, 'USD', 3, 1)";

const STORE: &str = "insert into interlock.locations (id, name) values ('{s}', 'test')";

/// And two and a half in the store.
const P_IN_STORE: &str = "insert into interlock.inventory (id, product_id, location_id, quantity) values ('{i}', '{p}', '{s}', 2.5)";

/// Both ledgers are old enough to be closed.
const OLD_LEDGERS: &str = "select set_config('interlock.purging', 'stock_movements', true);
  with gone as (delete from interlock.stock_movements where product_id = '{p}' returning product_id, location_id, delta, balance_after)
  insert into interlock.stock_movements (product_id, location_id, delta, balance_after, reason, created_at)
  select product_id, location_id, delta, balance_after, 'old', now() - interval '2 years' from gone;
  select set_config('interlock.purging', '', true)";

/// An unpaid order of one p.
const ORDER_OF_P: &str = "insert into interlock.orders (id, user_id, status, currency, subtotal, total, payment_method, counted_units)
  values ('{o}', '{u}', 'confirmed', 'USD', 700, 700, 'cash_on_delivery', 1);
  insert into interlock.order_items (order_id, product_id, quantity, unit_price, name, kind)
  values ('{o}', '{p}', 1, 700, 'p', 'physical');
  insert into interlock.customer_open_orders (user_id, orders, units) values ('{u}', 1, 1)";

const CANCEL: &str = "select public.cancel_order('{o}')";

const SELL_ONLINE: &str = "select public.decrement_inventory('{p}', 1)::jsonb";

const SELL_IN_STORE: &str = "select public.decrement_inventory('{i}', 1.5)::jsonb";

const ADJUST_BOTH: &str = r#"select public.manage_inventory('adjust',
  '[{"inventory_id": "{i}", "delta": -1}, {"product_id": "{p}", "delta": 1}, {"inventory_id": "{i}", "delta": -0.5}]', null, '{c}')::jsonb"#;

const RECEIVE_UNDER_KEY: &str = r#"select public.manage_inventory('receive',
  '[{"product_id": "{p}", "location_id": "{s}", "quantity": 2}, {"inventory_id": "{p}", "quantity": 1}]', p_idempotency_key => '{c}')::jsonb"#;

const SET_IN_STORE: &str = r#"select public.manage_inventory('set',
  '[{"inventory_id": "{i}", "quantity": 9, "expected_version": 1}]')::jsonb"#;

const SET_BOTH: &str = r#"select public.manage_inventory('set',
  '[{"inventory_id": "{p}", "quantity": 8, "expected_quantity": 3}, {"inventory_id": "{i}", "quantity": 4, "expected_quantity": 2.5}]')::jsonb"#;

const COUNT_BOTH: &str = r#"select public.manage_inventory('count',
  '[{"inventory_id": "{p}", "counted": 6}, {"inventory_id": "{i}", "counted": 7.5}]', p_began_at => now() - interval '1 day')::jsonb"#;

const LOOK: &str = r#"select public.manage_inventory('get', '[{"inventory_id": "{p}"}, {"product_id": "{p}", "location_id": "{s}"}]')::jsonb"#;

const ADJUST_STOCK: &str = "select public.adjust_stock('{p}', -2)";

const COUNT_STOCK: &str = "select public.count_stock('{p}', 5, 3)";

const SLOTS_FOR_P: &str = "select public.set_stock_slots('{p}', 2)";

const CLOSE: &str =
    "select jsonb_build_object('closed', public.close_ledgers() is not null) as closed";

const SET_ANEW: &str = r#"select public.manage_inventory('set',
  '[{"product_id": "{p}", "location_id": "{s}", "quantity": 9, "expected_version": 0}]')::jsonb"#;

const RECEIVE_ANEW: &str = r#"select public.manage_inventory('receive',
  '[{"product_id": "{q}", "location_id": "{s}", "quantity": 2}, {"product_id": "{p}", "location_id": "{s}", "quantity": 3}]')::jsonb"#;

const ADJUST_ANEW: &str = r#"select public.manage_inventory('adjust',
  '[{"product_id": "{p}", "location_id": "{s}", "delta": -1}, {"product_id": "{q}", "location_id": "{s}", "delta": 1}, {"product_id": "{p}", "delta": 1}]')::jsonb"#;

const COUNT_ANEW: &str = r#"select public.manage_inventory('count',
  '[{"product_id": "{p}", "location_id": "{s}", "counted": 4}]', p_began_at => now() - interval '1 day')::jsonb"#;

const Q: &str = "insert into interlock.products (id, name, price, currency, available_quantity)
  values ('{q}', 'q', 300, 'USD', 1)";

const SET_HOT: &str = r#"select public.manage_inventory('set',
  '[{"inventory_id": "{p}", "quantity": 20, "expected_quantity": 39}]')::jsonb"#;

const ADJUST_HOT: &str = r#"select public.manage_inventory('adjust',
  '[{"inventory_id": "{p}", "delta": -38}]')::jsonb"#;

const COUNT_HOT: &str = r#"select public.manage_inventory('count',
  '[{"inventory_id": "{p}", "counted": 50}]', p_began_at => now() - interval '1 day')::jsonb"#;

const LOOK_HOT: &str =
    r#"select public.manage_inventory('get', '[{"inventory_id": "{p}"}]')::jsonb"#;

/// Three p on their way from the web shop to the store.
const P_IN_TRANSIT: &str = "insert into interlock.stock_transfers (id, from_location_id, to_location_id)
  values ('{t}', interlock.online_location(), '{s}');
  insert into interlock.stock_transfer_lines (transfer_id, product_id, sent) values ('{t}', '{p}', 3)";

const RECEIVE_TWO: &str = r#"select public.manage_inventory('receive', '[{"product_id": "{p}", "quantity": 2}]', p_transfer_id => '{t}')::jsonb"#;

const RECEIVE_ALL: &str = r#"select public.manage_inventory('receive', '[{"product_id": "{p}", "quantity": 3}]', p_transfer_id => '{t}',
  p_idempotency_key => '{c}')::jsonb"#;

const LOSE_TWO: &str = r#"select public.manage_inventory('lose', '[{"product_id": "{p}", "quantity": 2}]', p_transfer_id => '{t}')::jsonb"#;

const CANCEL_TRANSFER: &str =
    "select public.manage_inventory('cancel', p_transfer_id => '{t}')::jsonb";

const MOVE_BACK: &str = r#"select public.manage_inventory('transfer', jsonb_build_array(jsonb_build_object('product_id', '{p}',
  'from_location_id', '{s}', 'to_location_id', interlock.online_location(), 'quantity', 2)))::jsonb - 'transfer_id'"#;

const SEND_MORE: &str = r#"select public.manage_inventory('transfer', jsonb_build_array(jsonb_build_object('product_id', '{p}',
  'from_location_id', interlock.online_location(), 'to_location_id', '{s}', 'quantity', 2)), p_in_transit => true)::jsonb - 'transfer_id'"#;

/// The stages.
pub(crate) const STAGES: &[Stage] = &[
    Stage {
        name: "stock of p in the web shop and in a store",
        given: &[USERS, THREE_P, STORE, P_IN_STORE, OLD_LEDGERS, ORDER_OF_P],
        operations: &[
            user("v", "v buys p, bank transfer", BUY_P_BANK),
            user("u", "u cancels the order of p", CANCEL),
            shop("the till sells online stock of p", SELL_ONLINE),
            shop("the till sells p in the store", SELL_IN_STORE),
            shop("the shop adjusts p in both under a reference", ADJUST_BOTH),
            shop("the shop receives p in both under a key", RECEIVE_UNDER_KEY),
            shop("the shop sets p in the store by version", SET_IN_STORE),
            shop("the shop sets p in both by quantity", SET_BOTH),
            shop("the shop counts p in both", COUNT_BOTH),
            shop("the shop looks at p in both", LOOK),
            shop("the shop adjusts p", ADJUST_STOCK),
            shop("the shop counts p", COUNT_STOCK),
            shop("the shop gives p two slots", SLOTS_FOR_P),
            shop("the shop closes ledgers", CLOSE),
        ],
        offers: &[],
        pairs: Pairs::All,
    },
    Stage {
        name: "stock of p and q where none has been",
        given: &[USERS, THREE_P, Q, STORE],
        operations: &[
            shop("the shop sets p where it has never been", SET_ANEW),
            shop("the shop receives q and p", RECEIVE_ANEW),
            shop("the shop moves p and q by adjusting", ADJUST_ANEW),
            shop("the shop counts p where it has never been", COUNT_ANEW),
            shop("the shop looks at p in both", LOOK),
            user("v", "v buys p, cash", BUY_P_CASH),
        ],
        offers: &[],
        pairs: Pairs::All,
    },
    Stage {
        name: "stock of p on its way to a store",
        given: &[USERS, THREE_P, STORE, P_IN_STORE, P_IN_TRANSIT],
        operations: &[
            shop("the store receives two p", RECEIVE_TWO),
            shop("the store receives all p under a key", RECEIVE_ALL),
            shop("two p are lost", LOSE_TWO),
            shop("the transfer is cancelled", CANCEL_TRANSFER),
            shop("the store gives back two p at once", MOVE_BACK),
            shop("the shop sends two more p", SEND_MORE),
            shop("the till sells p in the store", SELL_IN_STORE),
            shop("the shop sets p in both by quantity", SET_BOTH),
            user("v", "v buys p, cash", BUY_P_CASH),
        ],
        offers: &[],
        pairs: Pairs::All,
    },
    Stage {
        name: "stock of p in two slots, and one of them sold",
        given: &[USERS, MANY_P_IN_SLOTS, ONE_P_IS_SOLD],
        operations: &[
            user("u", "u buys p, cash", BUY_P_CASH),
            shop("the till sells online stock of p", SELL_ONLINE),
            shop("the shop sets p by quantity", SET_HOT),
            shop("the shop adjusts p by nearly all", ADJUST_HOT),
            shop("the shop counts p", COUNT_HOT),
            shop("the shop looks at p", LOOK_HOT),
            shop("the shop gives p two slots", SLOTS_FOR_P),
            shop("the shop closes ledgers", CLOSE),
        ],
        offers: &[SLOTS],
        pairs: Pairs::All,
    },
];
