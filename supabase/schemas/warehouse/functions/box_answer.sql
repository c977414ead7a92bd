-- What is answered of an order that was completed, or taken out of its session.
--
-- Callers: interlock.complete_box, interlock.remove_order_from_session.
-- Locks: none.
create function interlock.box_answer(p_session_id uuid, p_order_id uuid)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select jsonb_build_object(
      'success', true,
      'session_id', s.id,
      'order_id', b.order_id,
      'status', b.status,
      'shipment_id', b.shipment_id,
      'tracking', (select h.tracking from interlock.order_shipments h where h.id = b.shipment_id),
      'fulfillment', o.fulfillment,
      'order', (
        select jsonb_build_object(
          'units_packed', sum(p.quantity_packed),
          'units_needed', sum(p.quantity_needed),
          'units_short', sum(p.quantity_short),
          'is_order_complete', b.status = 'completed'
        )
        from interlock.packing_progress p
        where p.picking_session_id = s.id
          and p.order_id = b.order_id
      ),
      'session', jsonb_build_object(
        'status', s.status, 'open_orders', s.open_orders, 'completed_orders', s.completed_orders
      )
    )
    from interlock.picking_sessions s
    join interlock.picking_session_orders b on b.picking_session_id = s.id
    join interlock.orders o on o.id = b.order_id
    where s.id = p_session_id
      and b.order_id = p_order_id
  );
end
$$;
