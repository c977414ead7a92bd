//! What is interleaved: two orders of one product that are packed out of one basket, completed, refunded and taken out, and a box that
//! is full while somebody takes a unit out of it.

use crate::prove::interleavings::{Pairs, Stage, USERS, shop};

/// Three p were picked for an order of u and one of v, two each; one is packed.
const PACKING: &str = "insert into interlock.products (id, name, price, currency, available_quantity)
  values ('{p}', 'p', 700, 'USD', 10);
  insert into interlock.orders (id, user_id, status, currency, subtotal, total, payment_method, fulfillment)
  values ('{o}', '{u}', 'confirmed', 'USD', 1400, 1400, 'cash_on_delivery', 'processing'),
    ('{x}', '{v}', 'confirmed', 'USD', 1400, 1400, 'cash_on_delivery', 'processing');
  insert into interlock.order_items (order_id, product_id, quantity, unit_price, name, kind)
  values ('{o}', '{p}', 2, 700, 'p', 'physical'), ('{x}', '{p}', 2, 700, 'p', 'physical');
  insert into interlock.picking_sessions (id, location_id, status, open_orders)
  values ('{s}', interlock.online_location(), 'packing', 2);
  insert into interlock.picking_session_orders (picking_session_id, order_id, position)
  values ('{s}', '{o}', 1), ('{s}', '{x}', 2);
  insert into interlock.picking_session_items
    (picking_session_id, product_id, quantity_needed, quantity_picked, quantity_packed)
  values ('{s}', '{p}', 4, 3, 1);
  insert into interlock.packing_progress (id, picking_session_id, order_id, product_id, quantity_needed, quantity_packed)
  values ('{c}', '{s}', '{o}', '{p}', 2, 1), ('{e}', '{s}', '{x}', '{p}', 2, 0)";

/// Both p of o are packed.
const FULL: &str = "update interlock.picking_session_items i set quantity_packed = 2 where i.picking_session_id = '{s}';
  update interlock.packing_progress l set quantity_packed = 2 where l.id = '{c}'";

const PACK_O: &str = "select public.pack_item('{s}', '{o}', '{p}')::jsonb";
const PACK_X: &str = "select public.pack_item('{s}', '{x}', '{p}', p_quantity => 2)::jsonb";
const PACK_X_UNDER_KEY: &str =
    "select public.pack_item('{s}', '{x}', '{p}', p_idempotency_key => '{s}')::jsonb";
const UNPACK_O: &str = "select public.pack_item('{s}', '{o}', '{p}', p_action => 'unpack')::jsonb";
const SHORT_O: &str = "select public.pack_item('{s}', '{o}', '{p}', p_action => 'short')::jsonb";
const SET_O: &str = "select public.set_packed_quantity('{c}', 1, 2)";
const COMPLETE_O: &str =
    "select public.pack_item('{s}', '{o}', p_action => 'complete')::jsonb - 'shipment_id'";
const REFUND_O: &str = r#"select public.refund_order_lines('{o}', '[{"product_id": "{p}", "quantity": 1}]', 'x')::jsonb - 'refund_id'"#;
const CANCEL_X: &str = "select public.cancel_order('{x}')::jsonb";
const REMOVE_X: &str = "select public.remove_order_from_session('{s}', '{x}')";
/// Its code is counted by a sequence.
const ABANDON: &str = "select public.abandon_picking_session('{s}') #- '{session,code}'";
const PUT_BACK: &str = "select public.pick_item('{s}', '{p}', p_quantity => -1)";
const PICK: &str = "select public.pick_item('{s}', '{p}')";
const SHIP_O: &str = "select public.ship_order('{o}')::jsonb";

/// The stages.
pub(crate) const STAGES: &[Stage] = &[
    Stage {
        name: "two orders that are packed out of one basket",
        given: &[USERS, PACKING],
        operations: &[
            shop("a worker packs p for o", PACK_O),
            shop("another packs two p for x", PACK_X),
            shop("a scanner sends p for x under a key", PACK_X_UNDER_KEY),
            shop("p is taken out of o", UNPACK_O),
            shop("p is short for o", SHORT_O),
            shop("a screen sets o to two", SET_O),
            shop("o is completed", COMPLETE_O),
            shop("one p of o is refunded", REFUND_O),
            shop("x is cancelled", CANCEL_X),
            shop("x leaves the session", REMOVE_X),
            shop("the session is given up", ABANDON),
            shop("a p goes back to the shelf", PUT_BACK),
            shop("a p is picked", PICK),
            shop("o is sent without the session", SHIP_O),
        ],
        offers: &[],
        pairs: Pairs::All,
    },
    Stage {
        name: "a box that is full",
        given: &[USERS, PACKING, FULL],
        operations: &[
            shop("p is taken out of o", UNPACK_O),
            shop("o is completed", COMPLETE_O),
            shop("another packs two p for x", PACK_X),
            shop("p is short for o", SHORT_O),
            shop("one p of o is refunded", REFUND_O),
            shop("the session is given up", ABANDON),
        ],
        offers: &[],
        pairs: Pairs::All,
    },
];
