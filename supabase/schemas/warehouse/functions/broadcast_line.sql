-- Broadcast to the screens of a picking session what has become of a line, with the basket that it is packed from, which is changed first: a scan is one message.
-- With the numbers as they are and the version of their row, so what comes late or twice does no harm.
--
-- Callers: interlock.pack_units, interlock.give_up_units, interlock.broadcast_packing, where the platform's realtime is there.
-- Locks: none.
create function interlock.broadcast_line(p_session_id uuid, p_order_id uuid, p_product_id uuid, p_change int)
returns void
language plpgsql
set search_path = ''
as $$
begin
  perform interlock.broadcast('packing:' || p_session_id, 'packing.progress', jsonb_build_object(
    'session_id', p_session_id,
    'order_id', p_order_id,
    'product_id', p_product_id,
    'change', p_change,
    'quantity_packed', p.quantity_packed,
    'quantity_needed', p.quantity_needed,
    'quantity_short', p.quantity_short,
    'version', p.version,
    'basket', jsonb_build_object(
      'quantity_needed', i.quantity_needed,
      'quantity_picked', i.quantity_picked,
      'quantity_packed', i.quantity_packed,
      'version', i.version
    )
  ))
  from interlock.packing_progress p
  join interlock.picking_session_items i
    on i.picking_session_id = p.picking_session_id and i.product_id = p.product_id
  where p.picking_session_id = p_session_id
    and p.order_id = p_order_id
    and p.product_id = p_product_id;
end
$$;
