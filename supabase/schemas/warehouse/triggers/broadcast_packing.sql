-- Broadcast to the screens of a picking session what has changed in it: a line with the basket that it is packed from, what there is of a
-- product, its status. With the numbers as they are, and the version of their row where it has one, so what comes late or twice does no harm.
-- What a worker does with a line interlock.pack_units and interlock.give_up_units tell.
--
-- Callers: triggers packing_progress_broadcast, picking_session_items_broadcast and picking_sessions_broadcast.
-- Locks: none.
-- Security definer: whoever packs has no right to broadcast.
create function interlock.broadcast_packing()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
begin
  if tg_table_name = 'packing_progress' then
    perform interlock.broadcast_line(
      new.picking_session_id, new.order_id, new.product_id, new.quantity_packed - old.quantity_packed
    );
  elsif tg_table_name = 'picking_session_items' then
    perform interlock.broadcast('packing:' || new.picking_session_id, 'packing.item', jsonb_build_object(
      'session_id', new.picking_session_id,
      'product_id', new.product_id,
      'quantity_needed', new.quantity_needed,
      'quantity_picked', new.quantity_picked,
      'quantity_packed', new.quantity_packed,
      'version', new.version
    ));
  else
    perform interlock.broadcast('packing:' || new.id, 'packing.session', jsonb_build_object(
      'session_id', new.id,
      'status', new.status
    ));
  end if;
  return null;
end
$$;
