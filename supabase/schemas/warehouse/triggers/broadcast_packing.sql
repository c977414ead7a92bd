-- Broadcast a line that has changed to the screens of its session: with the numbers as they are and the line's version, so what
-- comes late or twice does no harm.
--
-- Callers: trigger packing_progress_broadcast.
-- Locks: none.
-- Security definer: whoever packs has no right to broadcast.
create function interlock.broadcast_packing()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
begin
  perform interlock.broadcast('packing:' || new.picking_session_id, 'packing.progress', jsonb_build_object(
    'session_id', new.picking_session_id,
    'order_id', new.order_id,
    'product_id', new.product_id,
    'change', new.quantity_packed - old.quantity_packed,
    'quantity_packed', new.quantity_packed,
    'quantity_needed', new.quantity_needed,
    'quantity_short', new.quantity_short,
    'version', new.version
  ));
  return null;
end
$$;
