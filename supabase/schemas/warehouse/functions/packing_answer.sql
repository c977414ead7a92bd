-- What a worker's screen needs after a scan: the line, how far its order and the session are, what is left in the basket.
--
-- Callers: the functions that pack.
-- Locks: none.
create function interlock.packing_answer(p_session_id uuid, p_order_id uuid, p_product_id uuid)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  v_order record;
  v_session record;
begin
  select
    sum(l.quantity_packed) as packed, sum(l.quantity_needed) as needed, sum(l.quantity_short) as short,
    -- Of the one line.
    (array_agg(l.id) filter (where l.product_id = p_product_id))[1] as line_id,
    max(l.quantity_packed) filter (where l.product_id = p_product_id) as line_packed,
    max(l.quantity_needed) filter (where l.product_id = p_product_id) as line_needed,
    max(l.quantity_short) filter (where l.product_id = p_product_id) as line_short,
    max(l.version) filter (where l.product_id = p_product_id) as line_version
  into v_order
  from interlock.packing_progress l
  where l.picking_session_id = p_session_id
    and l.order_id = p_order_id;
  select
    sum(i.quantity_packed) as packed, sum(i.quantity_picked) as picked, sum(i.quantity_needed) as needed,
    -- Of the one product's row.
    max(i.quantity_picked) filter (where i.product_id = p_product_id) as basket_picked,
    max(i.quantity_packed) filter (where i.product_id = p_product_id) as basket_packed,
    max(i.version) filter (where i.product_id = p_product_id) as basket_version
  into v_session
  from interlock.picking_session_items i
  where i.picking_session_id = p_session_id;

  return jsonb_build_object(
    'success', true,
    'progress_id', v_order.line_id,
    'session_id', p_session_id,
    'order_id', p_order_id,
    'product_id', p_product_id,
    'quantity_packed', v_order.line_packed,
    'quantity_needed', v_order.line_needed,
    'quantity_short', v_order.line_short,
    'is_item_complete', v_order.line_packed + v_order.line_short >= v_order.line_needed,
    'version', v_order.line_version,
    'order', jsonb_build_object(
      'units_packed', v_order.packed,
      'units_needed', v_order.needed,
      'units_short', v_order.short,
      'is_order_complete', v_order.packed + v_order.short >= v_order.needed
    ),
    'basket', jsonb_build_object(
      'quantity_picked', v_session.basket_picked,
      'quantity_packed', v_session.basket_packed,
      'available', v_session.basket_picked - v_session.basket_packed,
      'version', v_session.basket_version
    ),
    'session', jsonb_build_object(
      'units_packed', v_session.packed, 'units_picked', v_session.picked, 'units_needed', v_session.needed
    )
  );
end
$$;
