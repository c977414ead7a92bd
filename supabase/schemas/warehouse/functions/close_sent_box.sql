-- Close the box of an order that has left without being completed at the packing table: what is packed has gone with it, and
-- what was picked for it and is not packed is there for the others, or goes back to the shelf (interlock.put_backs).
--
-- Callers: interlock.move_goods, interlock.ship_order_lines, interlock.fulfill_order; with the order locked.
-- Locks: the box; the baskets by product; the lines; the session; as interlock.take_packed_stock.
-- Errors: INSUFFICIENT_INVENTORY; 55P03 after lock_timeout.
create function interlock.close_sent_box(p_order_id uuid, p_shipment_id uuid default null)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_session interlock.picking_sessions;
begin
  select s.*
  into v_session
  from interlock.picking_session_orders b
  join interlock.picking_sessions s on s.id = b.picking_session_id
  where b.order_id = p_order_id
    and b.status = 'open';
  if not found or (interlock.lock_box(v_session.id, p_order_id)).status <> 'open' then
    return;
  end if;

  -- Who packs into it at this moment is waited for.
  perform interlock.lock_baskets(v_session.id, array(
    select p.product_id from interlock.packing_progress p where p.picking_session_id = v_session.id and p.order_id = p_order_id
  ));
  perform interlock.take_off_lines(
    v_session.id, p_order_id, array_agg(p.product_id), array_agg((p.quantity_needed - p.quantity_packed)::int)
  )
  from interlock.packing_progress p
  where p.picking_session_id = v_session.id
    and p.order_id = p_order_id;
  perform interlock.note_scan(v_session.id, p_order_id, null, 'complete', null);
  perform interlock.close_box(v_session.id, p_order_id, 'completed', p_shipment_id);
  perform interlock.take_packed_stock(v_session, p_order_id);
end
$$;
