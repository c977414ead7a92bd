//! The packing table, where two sessions meet half-way.

use crate::meanwhile::{By, End, Scene, Wait};

/// A session (`{batch}`) that is being packed, of an order of ann (`{cart}`) and one of bob (`{cart2}`), one unit each. `{batch2}`
/// is an order of bob that is in no session.
const PACKING: (By, &str) = (
    By::Shop,
    "insert into interlock.orders (id, user_id, status, currency, subtotal, total, payment_method, fulfillment)
       select o.id, o.user_id, 'confirmed', 'USD', 700, 700, 'cash_on_delivery', 'processing'
       from (values ('{cart}'::uuid, '{ann}'::uuid), ('{cart2}', '{bob}'), ('{batch2}', '{bob}')) as o (id, user_id);
     insert into interlock.order_items (order_id, product_id, quantity, unit_price, name, kind)
       select o.id, '{product}', 1, 700, 'test', 'physical' from unnest(array['{cart}', '{cart2}', '{batch2}']::uuid[]) as o (id);
     insert into interlock.picking_sessions (id, location_id, status, open_orders)
       values ('{batch}', interlock.online_location(), 'packing', 2);
     insert into interlock.picking_session_orders (picking_session_id, order_id, position)
       values ('{batch}', '{cart}', 1), ('{batch}', '{cart2}', 2);
     insert into interlock.picking_session_items (picking_session_id, product_id, quantity_needed, quantity_picked)
       values ('{batch}', '{product}', 2, 1);
     insert into interlock.packing_progress (picking_session_id, order_id, product_id, quantity_needed)
       values ('{batch}', '{cart}', '{product}', 1), ('{batch}', '{cart2}', '{product}', 1)",
);
/// The order of ann needs a unit of the second product instead of the first. So does another session (`{id}`), of `{batch2}`.
const CROSSED: (By, &str) = (
    By::Shop,
    "update interlock.packing_progress set product_id = '{product2}' where order_id = '{cart}';
     update interlock.picking_session_items set quantity_needed = 1 where picking_session_id = '{batch}';
     insert into interlock.picking_sessions (id, location_id, status, open_orders)
       values ('{id}', interlock.online_location(), 'picking', 1);
     insert into interlock.picking_session_orders (picking_session_id, order_id, position) values ('{id}', '{batch2}', 1);
     insert into interlock.picking_session_items (picking_session_id, product_id, quantity_needed)
       values ('{batch}', '{product2}', 1), ('{id}', '{product2}', 1);
     insert into interlock.packing_progress (picking_session_id, order_id, product_id, quantity_needed)
       values ('{id}', '{batch2}', '{product2}', 1)",
);
/// The order of ann needs a unit of the second product instead of the first, which is picked.
const OF_TWO_PRODUCTS: (By, &str) = (
    By::Shop,
    "update interlock.packing_progress set product_id = '{product2}' where order_id = '{cart}';
     update interlock.picking_session_items set quantity_needed = 1 where picking_session_id = '{batch}';
     insert into interlock.picking_session_items (picking_session_id, product_id, quantity_needed, quantity_picked)
       values ('{batch}', '{product2}', 1, 1)",
);
/// Another session (`{id}`), of `{batch2}`, with a unit of the first product, which is picked.
const BESIDE: (By, &str) = (
    By::Shop,
    "insert into interlock.picking_sessions (id, location_id, status, open_orders)
       values ('{id}', interlock.online_location(), 'packing', 1);
     insert into interlock.picking_session_orders (picking_session_id, order_id, position) values ('{id}', '{batch2}', 1);
     insert into interlock.picking_session_items (picking_session_id, product_id, quantity_needed, quantity_picked)
       values ('{id}', '{product}', 1, 1);
     insert into interlock.packing_progress (picking_session_id, order_id, product_id, quantity_needed)
       values ('{id}', '{batch2}', '{product}', 1)",
);
/// A third order (`{id}`) of ann, of two units, which are picked.
const TWO_UNITS: (By, &str) = (
    By::Shop,
    "insert into interlock.orders (id, user_id, status, currency, subtotal, total, payment_method, fulfillment)
       values ('{id}', '{ann}', 'confirmed', 'USD', 1400, 1400, 'cash_on_delivery', 'processing');
     insert into interlock.order_items (order_id, product_id, quantity, unit_price, name, kind)
       values ('{id}', '{product}', 2, 700, 'test', 'physical');
     update interlock.picking_sessions set open_orders = 3 where id = '{batch}';
     insert into interlock.picking_session_orders (picking_session_id, order_id, position) values ('{batch}', '{id}', 3);
     update interlock.picking_session_items set quantity_needed = 4, quantity_picked = 2 where picking_session_id = '{batch}';
     insert into interlock.packing_progress (picking_session_id, order_id, product_id, quantity_needed)
       values ('{batch}', '{id}', '{product}', 2)",
);
const PACK_ONE_OF_TWO: (By, &str) = (
    By::Shop,
    "select public.pack_item('{batch}', '{id}', '{product}')",
);
const REFUND_ONE_OF_TWO: (By, &str) = (
    By::Shop,
    "select public.refund_order_lines('{id}', '[{\"product_id\": \"{product}\", \"quantity\": 1}]', 'test')",
);
const PICK: (By, &str) = (By::Shop, "select public.pick_item('{batch}', '{product}')");
const PACK_ANN: (By, &str) = (
    By::Shop,
    "select public.pack_item('{batch}', '{cart}', '{product}')",
);
const PACK_BOB: (By, &str) = (
    By::Shop,
    "select public.pack_item('{batch}', '{cart2}', '{product}')",
);
/// Ann is no packer, but knows the ids.
const BUYER_PACKS: (By, &str) = (
    By::Ann,
    "select public.update_packing_progress_atomic('{batch}', '{cart}', '{product}')",
);
/// Nor does she work there, though she packs somewhere else.
const ANOTHERS_PACKER_PACKS: (By, &str) = (
    By::Ann,
    "select set_config('request.jwt.claims',
       '{\"sub\": \"{ann}\", \"app_metadata\": {\"role\": \"packer\", \"location_ids\": [\"{id}\"]}}', true);
     select public.update_packing_progress_atomic('{batch}', '{cart}', '{product}')",
);
const UNPACK_ANN: (By, &str) = (
    By::Shop,
    "select public.pack_item('{batch}', '{cart}', '{product}', p_action => 'unpack')",
);
const SHORT_ANN: (By, &str) = (
    By::Shop,
    "select public.pack_item('{batch}', '{cart}', '{product}', p_action => 'short')",
);
const COMPLETE_ANN: (By, &str) = (
    By::Shop,
    "select public.pack_item('{batch}', '{cart}', p_action => 'complete')",
);
const COMPLETE_BOB: (By, &str) = (
    By::Shop,
    "select public.pack_item('{batch}', '{cart2}', p_action => 'complete')",
);
const CANCEL_ANN: (By, &str) = (By::Shop, "select public.cancel_order('{cart}')");
const REFUND_ANN: (By, &str) = (
    By::Shop,
    "select public.refund_order_lines('{cart}', '[{\"product_id\": \"{product}\", \"quantity\": 1}]', 'test')",
);
const SHIP_ANN: (By, &str) = (By::Shop, "select public.ship_order('{cart}')");
const REMOVE_ANN: (By, &str) = (
    By::Shop,
    "select public.remove_order_from_session('{batch}', '{cart}')",
);
const ABANDON: (By, &str) = (By::Shop, "select public.abandon_picking_session('{batch}')");
const ANOTHER: (By, &str) = (
    By::Shop,
    "select public.create_picking_session(array['{batch2}']::uuid[])",
);
const PUT_BACK: (By, &str) = (
    By::Shop,
    "select public.pick_item('{batch}', '{product}', p_quantity => -1)",
);
const SET_ANN: (By, &str) = (
    By::Shop,
    "select public.set_packed_quantity((select id from interlock.packing_progress where order_id = '{cart}'), 0, 1)",
);
/// The number that is there once somebody has packed a unit meanwhile.
const SET_ANN_AS_IT_WILL_BE: (By, &str) = (
    By::Shop,
    "select public.set_packed_quantity((select id from interlock.packing_progress where order_id = '{cart}'), 1, 1)",
);
const ANN_CLAIMS: (By, &str) = (
    By::Ann,
    "select set_config('request.jwt.claims', '{\"sub\": \"{ann}\", \"app_metadata\": {\"role\": \"packer\"}}', true);
     select public.claim_picking('{batch}', array['{product}']::uuid[])",
);
const ANN_CLAIMS_THE_REST: (By, &str) = (
    By::Ann,
    "select set_config('request.jwt.claims', '{\"sub\": \"{ann}\", \"app_metadata\": {\"role\": \"packer\"}}', true);
     select public.claim_picking('{batch}')",
);
const BOB_CLAIMS: (By, &str) = (
    By::Bob,
    "select set_config('request.jwt.claims', '{\"sub\": \"{bob}\", \"app_metadata\": {\"role\": \"packer\"}}', true);
     select public.claim_picking('{batch}', array['{product}']::uuid[])",
);
const BOB_CLAIMS_THE_REST: (By, &str) = (
    By::Bob,
    "select set_config('request.jwt.claims', '{\"sub\": \"{bob}\", \"app_metadata\": {\"role\": \"packer\"}}', true);
     select public.claim_picking('{batch}')",
);
const ANN_GIVES_BACK: (By, &str) = (
    By::Ann,
    "select set_config('request.jwt.claims', '{\"sub\": \"{ann}\", \"app_metadata\": {\"role\": \"packer\"}}', true);
     select public.release_picking('{batch}')",
);
const LEASE_IS_OVER: (By, &str) = (
    By::Shop,
    "update interlock.picking_session_items set picker_until = interlock.clock() where picking_session_id = '{batch}'",
);
const NOTHING_IS_PICKED: (By, &str) = (
    By::Shop,
    "update interlock.picking_session_items set quantity_picked = 0 where picking_session_id = '{batch}'",
);

/// One is in a box, whosever.
const ONE_IS_PACKED: &str = "(select sum(quantity_packed) = 1 from interlock.packing_progress where picking_session_id = '{batch}')
   and (select quantity_packed = 1 from interlock.picking_session_items where picking_session_id = '{batch}')";
/// None is.
const NONE_IS_PACKED: &str = "(select sum(quantity_packed) = 0 from interlock.packing_progress where picking_session_id = '{batch}')
   and (select quantity_packed = 0 from interlock.picking_session_items where picking_session_id = '{batch}')";
const ONE_PARCEL: &str = "count(*) = 1 from interlock.order_shipments where order_id = '{cart}'";

/// The scenes.
pub(crate) const SCENES: &[Scene] = &[
    Scene {
        name: "the last unit that somebody packs meanwhile is not packed again",
        before: &[PACKING],
        meanwhile: PACK_ANN,
        call: PACK_BOB,
        wait: Wait::Waits,
        end: End::Commit,
        answer: "NO_UNITS_TO_PACK",
        then: ONE_IS_PACKED,
    },
    Scene {
        name: "the last unit is packed if whoever packed it meanwhile gives up",
        before: &[PACKING],
        meanwhile: PACK_ANN,
        call: PACK_BOB,
        wait: Wait::Waits,
        end: End::Rollback,
        answer: "\"quantity_packed\": 1",
        then: ONE_IS_PACKED,
    },
    Scene {
        name: "a unit that somebody is taking out is waited for, and packed",
        before: &[PACKING, PACK_ANN],
        meanwhile: UNPACK_ANN,
        call: PACK_BOB,
        wait: Wait::Waits,
        end: End::Commit,
        answer: "\"is_item_complete\": true",
        then: ONE_IS_PACKED,
    },
    Scene {
        name: "a unit that somebody did not take out after all is in its box still",
        before: &[PACKING, PACK_ANN],
        meanwhile: UNPACK_ANN,
        call: PACK_BOB,
        wait: Wait::Waits,
        end: End::Rollback,
        answer: "NO_UNITS_TO_PACK",
        then: ONE_IS_PACKED,
    },
    Scene {
        name: "a unit that is put back meanwhile is not packed",
        before: &[PACKING],
        meanwhile: PUT_BACK,
        call: PACK_ANN,
        wait: Wait::Waits,
        end: End::Commit,
        answer: "NO_UNITS_TO_PACK",
        then: NONE_IS_PACKED,
    },
    Scene {
        name: "a unit that is packed meanwhile is not put back",
        before: &[PACKING],
        meanwhile: PACK_ANN,
        call: PUT_BACK,
        wait: Wait::Waits,
        end: End::Commit,
        answer: "NOTHING_PICKED",
        then: ONE_IS_PACKED,
    },
    Scene {
        name: "a line that is packed meanwhile takes no more",
        before: &[PACKING, PICK],
        meanwhile: PACK_ANN,
        call: PACK_ANN,
        wait: Wait::Waits,
        end: End::Commit,
        answer: "ALREADY_FULLY_PACKED",
        then: ONE_IS_PACKED,
    },
    Scene {
        name: "a scan has its turn at the basket before it takes it",
        before: &[PACKING],
        meanwhile: (
            By::Shop,
            "select pg_advisory_xact_lock(hashtextextended(format('interlock basket %s %s', '{batch}'::uuid, '{product}'::uuid), 0))",
        ),
        call: PACK_ANN,
        wait: Wait::WaitsWithout(
            "interlock.picking_session_items where picking_session_id = '{batch}'",
        ),
        end: End::Commit,
        answer: "\"success\": true",
        then: ONE_IS_PACKED,
    },
    Scene {
        name: "whoever packs another product waits for nobody",
        before: &[PACKING, OF_TWO_PRODUCTS],
        meanwhile: PACK_BOB,
        call: (
            By::Shop,
            "select public.pack_item('{batch}', '{cart}', '{product2}')",
        ),
        wait: Wait::DoesNot,
        end: End::Commit,
        answer: "\"is_item_complete\": true",
        then: "sum(quantity_packed) = 2 from interlock.packing_progress where picking_session_id = '{batch}'",
    },
    Scene {
        name: "whoever packs in another session waits for nobody",
        before: &[PACKING, BESIDE],
        meanwhile: PACK_ANN,
        call: (
            By::Shop,
            "select public.pack_item('{id}', '{batch2}', '{product}')",
        ),
        wait: Wait::DoesNot,
        end: End::Commit,
        answer: "\"is_item_complete\": true",
        then: "sum(quantity_packed) = 2 from interlock.packing_progress where picking_session_id in ('{batch}', '{id}')",
    },
    Scene {
        name: "whoever packs nowhere takes no turn at a basket",
        before: &[PACKING],
        meanwhile: PACK_ANN,
        call: BUYER_PACKS,
        wait: Wait::DoesNot,
        end: End::Commit,
        answer: "FORBIDDEN",
        then: ONE_IS_PACKED,
    },
    Scene {
        name: "whoever packs somewhere else takes no turn at a basket",
        before: &[PACKING],
        meanwhile: PACK_ANN,
        call: ANOTHERS_PACKER_PACKS,
        wait: Wait::DoesNot,
        end: End::Commit,
        answer: "SESSION_NOT_FOUND",
        then: ONE_IS_PACKED,
    },
    Scene {
        name: "a number is set only on the one that was read",
        before: &[PACKING, PICK],
        meanwhile: PACK_ANN,
        call: SET_ANN,
        wait: Wait::Waits,
        end: End::Commit,
        answer: "PACKING_CONFLICT",
        then: ONE_IS_PACKED,
    },
    Scene {
        name: "a number that is not there yet is a conflict, and nobody is waited for who packs it meanwhile",
        before: &[PACKING],
        meanwhile: PACK_ANN,
        call: SET_ANN_AS_IT_WILL_BE,
        wait: Wait::DoesNot,
        end: End::Commit,
        answer: "PACKING_CONFLICT",
        then: ONE_IS_PACKED,
    },
    Scene {
        name: "a line that is packed meanwhile is not short",
        before: &[PACKING],
        meanwhile: PACK_ANN,
        call: SHORT_ANN,
        wait: Wait::Waits,
        end: End::Commit,
        answer: "ALREADY_FULLY_PACKED",
        then: ONE_IS_PACKED,
    },
    Scene {
        name: "whoever completes an order waits for what is packed into it",
        before: &[PACKING],
        meanwhile: PACK_ANN,
        call: COMPLETE_ANN,
        wait: Wait::Waits,
        end: End::Commit,
        answer: "\"completed\"",
        then: ONE_PARCEL,
    },
    Scene {
        name: "nothing is taken out of an order that is completed meanwhile",
        before: &[PACKING, PACK_ANN],
        meanwhile: COMPLETE_ANN,
        call: UNPACK_ANN,
        wait: Wait::Waits,
        end: End::Commit,
        answer: "SESSION_STATE_CONFLICT",
        then: ONE_IS_PACKED,
    },
    Scene {
        name: "an order that is completed twice at once is sent once",
        before: &[PACKING, PACK_ANN],
        meanwhile: COMPLETE_ANN,
        call: COMPLETE_ANN,
        wait: Wait::Waits,
        end: End::Commit,
        answer: "\"completed\"",
        then: ONE_PARCEL,
    },
    Scene {
        name: "whoever completes the last order ends the session, though another one was still open",
        before: &[PACKING, PICK, PACK_ANN, PACK_BOB],
        meanwhile: COMPLETE_ANN,
        call: COMPLETE_BOB,
        wait: Wait::Waits,
        end: End::Commit,
        answer: "\"completed\"",
        then: "status = 'completed' and completed_orders = 2 from interlock.picking_sessions where id = '{batch}'",
    },
    Scene {
        name: "nothing is packed into an order that is cancelled meanwhile",
        before: &[PACKING],
        meanwhile: CANCEL_ANN,
        call: PACK_ANN,
        wait: Wait::Waits,
        end: End::Commit,
        answer: "SESSION_STATE_CONFLICT",
        then: NONE_IS_PACKED,
    },
    Scene {
        name: "nothing is short of an order that is cancelled meanwhile",
        before: &[PACKING],
        meanwhile: CANCEL_ANN,
        call: SHORT_ANN,
        wait: Wait::Waits,
        end: End::Commit,
        answer: "SESSION_STATE_CONFLICT",
        then: "sum(quantity_short) = 0 from interlock.packing_progress where picking_session_id = '{batch}'",
    },
    Scene {
        name: "what was packed meanwhile for an order that is cancelled is in the basket again",
        before: &[PACKING],
        meanwhile: PACK_ANN,
        call: CANCEL_ANN,
        wait: Wait::Waits,
        end: End::Commit,
        answer: "\"cancelled\"",
        then: NONE_IS_PACKED,
    },
    Scene {
        name: "what was packed meanwhile for a line that is refunded is in the basket again",
        before: &[PACKING],
        meanwhile: PACK_ANN,
        call: REFUND_ANN,
        wait: Wait::Waits,
        end: End::Commit,
        answer: "\"cancelled\"",
        then: NONE_IS_PACKED,
    },
    Scene {
        name: "what was packed meanwhile for a line that is refunded in part is in the basket again",
        before: &[PACKING, TWO_UNITS, PACK_ONE_OF_TWO],
        meanwhile: PACK_ONE_OF_TWO,
        call: REFUND_ONE_OF_TWO,
        wait: Wait::Waits,
        end: End::Commit,
        answer: "\"success\": true",
        then: ONE_IS_PACKED,
    },
    Scene {
        name: "an order that leaves its session meanwhile is needed no less there when a part of it is refunded",
        before: &[PACKING, TWO_UNITS],
        meanwhile: (
            By::Shop,
            "select public.remove_order_from_session('{batch}', '{id}')",
        ),
        call: REFUND_ONE_OF_TWO,
        wait: Wait::Waits,
        end: End::Commit,
        answer: "\"success\": true",
        then: "quantity_needed = 2 from interlock.picking_session_items where picking_session_id = '{batch}'",
    },
    Scene {
        name: "what is put back into a basket meanwhile is packed for another order",
        before: &[PACKING, PACK_ANN],
        meanwhile: REFUND_ANN,
        call: PACK_BOB,
        wait: Wait::Waits,
        end: End::Commit,
        answer: "\"success\": true",
        then: "quantity_packed = 1 from interlock.packing_progress where order_id = '{cart2}'",
    },
    Scene {
        name: "what is not put back after all is not there to be packed",
        before: &[PACKING, PACK_ANN],
        meanwhile: REFUND_ANN,
        call: PACK_BOB,
        wait: Wait::Waits,
        end: End::Rollback,
        answer: "NO_UNITS_TO_PACK",
        then: ONE_IS_PACKED,
    },
    Scene {
        name: "what is taken out of a box meanwhile is short",
        before: &[PACKING, PACK_ANN],
        meanwhile: UNPACK_ANN,
        call: SHORT_ANN,
        wait: Wait::Waits,
        end: End::Commit,
        answer: "\"success\": true",
        then: "quantity_short = 1 from interlock.packing_progress where order_id = '{cart}'",
    },
    Scene {
        name: "what is not taken out after all is not short",
        before: &[PACKING, PACK_ANN],
        meanwhile: UNPACK_ANN,
        call: SHORT_ANN,
        wait: Wait::Waits,
        end: End::Rollback,
        answer: "ALREADY_FULLY_PACKED",
        then: ONE_IS_PACKED,
    },
    Scene {
        name: "what was packed meanwhile for an order that is sent goes with it",
        before: &[PACKING],
        meanwhile: PACK_ANN,
        call: SHIP_ANN,
        wait: Wait::Waits,
        end: End::Commit,
        answer: "\"shipped\"",
        then: ONE_IS_PACKED,
    },
    Scene {
        name: "nothing is packed into an order that is sent meanwhile",
        before: &[PACKING],
        meanwhile: SHIP_ANN,
        call: PACK_ANN,
        wait: Wait::Waits,
        end: End::Commit,
        answer: "SESSION_STATE_CONFLICT",
        then: NONE_IS_PACKED,
    },
    Scene {
        name: "an order that is completed meanwhile does not leave its session",
        before: &[PACKING, PACK_ANN],
        meanwhile: COMPLETE_ANN,
        call: REMOVE_ANN,
        wait: Wait::Waits,
        end: End::Commit,
        answer: "SESSION_STATE_CONFLICT",
        then: ONE_PARCEL,
    },
    Scene {
        name: "an order that is completed meanwhile stays so when the session is given up",
        before: &[PACKING, PACK_ANN],
        meanwhile: COMPLETE_ANN,
        call: ABANDON,
        wait: Wait::Waits,
        end: End::Commit,
        answer: "\"completed\"",
        then: "status = 'completed' and completed_orders = 1 from interlock.picking_sessions where id = '{batch}'",
    },
    Scene {
        name: "a session that is given up has all its baskets, in the order of their products, before an order leaves it",
        before: &[PACKING, CROSSED],
        meanwhile: PACK_BOB,
        call: ABANDON,
        wait: Wait::WaitsWithout(
            "interlock.picking_session_items where picking_session_id = '{batch}' and product_id = '{product2}'",
        ),
        end: End::Commit,
        answer: "\"abandoned\"",
        then: "sum(quantity_packed + quantity_needed) = 0 from interlock.picking_session_items where picking_session_id = '{batch}'",
    },
    Scene {
        name: "an order that leaves waits for its own baskets, and for no other",
        before: &[PACKING, CROSSED],
        meanwhile: (
            By::Shop,
            "select public.pack_item('{batch}', '{cart2}', '{product}'); select public.pick_item('{id}', '{product2}')",
        ),
        call: REMOVE_ANN,
        wait: Wait::DoesNot,
        end: End::Commit,
        answer: "\"removed\"",
        then: "quantity_needed = 0 from interlock.picking_session_items where picking_session_id = '{batch}' and product_id = '{product2}'",
    },
    Scene {
        name: "an order leaves a session that is given up meanwhile once",
        before: &[PACKING, PACK_ANN],
        meanwhile: ABANDON,
        call: CANCEL_ANN,
        wait: Wait::Waits,
        end: End::Commit,
        answer: "\"cancelled\"",
        then: "status = 'abandoned' and open_orders = 0 from interlock.picking_sessions where id = '{batch}'",
    },
    Scene {
        name: "an order of which somebody makes a session meanwhile is in that one",
        before: &[PACKING],
        meanwhile: ANOTHER,
        call: ANOTHER,
        wait: Wait::Waits,
        end: End::Commit,
        answer: "ORDER_IN_SESSION",
        then: "count(*) = 1 from interlock.picking_session_orders where order_id = '{batch2}'",
    },
    Scene {
        name: "no more is picked than is needed, whoever picks meanwhile",
        before: &[PACKING],
        meanwhile: PICK,
        call: PICK,
        wait: Wait::Waits,
        end: End::Commit,
        answer: "PICK_EXCEEDS_NEEDED",
        then: "quantity_picked = 2 from interlock.picking_session_items where picking_session_id = '{batch}'",
    },
    Scene {
        name: "a product that somebody claims meanwhile is theirs",
        before: &[PACKING],
        meanwhile: ANN_CLAIMS,
        call: BOB_CLAIMS,
        wait: Wait::Waits,
        end: End::Commit,
        answer: "PICK_CLAIMED",
        then: "picker_id = '{ann}' from interlock.picking_session_items where picking_session_id = '{batch}'",
    },
    Scene {
        name: "of all that is to be picked a picker has what nobody claims meanwhile, at once",
        before: &[PACKING, CROSSED, NOTHING_IS_PICKED],
        meanwhile: ANN_CLAIMS,
        call: BOB_CLAIMS_THE_REST,
        wait: Wait::DoesNot,
        end: End::Commit,
        answer: "\"product_ids\": [\"{product2}\"]",
        then:
            "count(*) = 2 from interlock.picking_session_items where picking_session_id = '{batch}'
           and picker_id = case product_id when '{product}' then '{ann}'::uuid else '{bob}' end",
    },
    Scene {
        name: "a product that is claimed meanwhile is waited for if it is the only one, and theirs",
        before: &[PACKING],
        meanwhile: ANN_CLAIMS,
        call: BOB_CLAIMS_THE_REST,
        wait: Wait::Waits,
        end: End::Commit,
        answer: "NOTHING_TO_PICK",
        then: "picker_id = '{ann}' from interlock.picking_session_items where picking_session_id = '{batch}'",
    },
    Scene {
        name: "a product that is claimed meanwhile is had by whoever waits for it if they give up",
        before: &[PACKING],
        meanwhile: ANN_CLAIMS,
        call: BOB_CLAIMS_THE_REST,
        wait: Wait::Waits,
        end: End::Rollback,
        answer: "\"product_ids\": [\"{product}\"]",
        then: "picker_id = '{bob}' from interlock.picking_session_items where picking_session_id = '{batch}'",
    },
    Scene {
        name: "a picker who has a product has it for longer, though somebody packs of it meanwhile",
        before: &[PACKING, ANN_CLAIMS],
        meanwhile: PACK_BOB,
        call: ANN_CLAIMS_THE_REST,
        wait: Wait::Waits,
        end: End::Commit,
        answer: "\"product_ids\": [\"{product}\"]",
        then: "picker_id = '{ann}' and quantity_packed = 1 from interlock.picking_session_items where picking_session_id = '{batch}'",
    },
    Scene {
        name: "a picker gives back nothing that somebody else claims meanwhile",
        before: &[PACKING, ANN_CLAIMS, LEASE_IS_OVER],
        meanwhile: BOB_CLAIMS,
        call: ANN_GIVES_BACK,
        wait: Wait::Waits,
        end: End::Commit,
        answer: "\"product_ids\": []",
        then: "picker_id = '{bob}' from interlock.picking_session_items where picking_session_id = '{batch}'",
    },
    Scene {
        name: "nobody claims of a session that is given up meanwhile",
        before: &[PACKING],
        meanwhile: ABANDON,
        call: ANN_CLAIMS,
        wait: Wait::Waits,
        end: End::Commit,
        answer: "SESSION_STATE_CONFLICT",
        then: "picker_id is null from interlock.picking_session_items where picking_session_id = '{batch}'",
    },
];

crate::meanwhile::test_scenes!(SCENES);
