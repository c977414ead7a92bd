-- What a worker's screen needs after a scan: the line, how far its order and the session are, what is left in the basket.
--
-- Callers: the functions that pack.
-- Locks: none.
create function interlock.packing_answer(p_line interlock.packing_progress)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  v_order record;
  v_session record;
begin
  select sum(l.quantity_packed) as packed, sum(l.quantity_needed) as needed, sum(l.quantity_short) as short
  into v_order
  from interlock.packing_progress l
  where l.picking_session_id = p_line.picking_session_id
    and l.order_id = p_line.order_id;
  select
    sum(i.quantity_packed) as packed, sum(i.quantity_picked) as picked, sum(i.quantity_needed) as needed,
    -- Of the one product's row.
    max(i.quantity_picked) filter (where i.product_id = p_line.product_id) as basket_picked,
    max(i.quantity_packed) filter (where i.product_id = p_line.product_id) as basket_packed,
    max(i.version) filter (where i.product_id = p_line.product_id) as basket_version
  into v_session
  from interlock.picking_session_items i
  where i.picking_session_id = p_line.picking_session_id;

  return jsonb_build_object(
    'success', true,
    'progress_id', p_line.id,
    'session_id', p_line.picking_session_id,
    'order_id', p_line.order_id,
    'product_id', p_line.product_id,
    'quantity_packed', p_line.quantity_packed,
    'quantity_needed', p_line.quantity_needed,
    'quantity_short', p_line.quantity_short,
    'is_item_complete', p_line.quantity_packed + p_line.quantity_short >= p_line.quantity_needed,
    'version', p_line.version,
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
