-- Broadcast a line that has changed to the screens of its session: with the numbers as they are and the line's version, so what
-- comes late or twice does no harm.
--
-- Callers: the trigger that interlock.prepare_realtime makes.
-- Locks: none.
create function interlock.broadcast_packing()
returns trigger
language plpgsql
set search_path = ''
as $$
begin
  execute 'select realtime.send($1, ''packing.progress'', $2, true)'
  using
    jsonb_build_object(
      'session_id', new.picking_session_id,
      'order_id', new.order_id,
      'product_id', new.product_id,
      'change', new.quantity_packed - old.quantity_packed,
      'quantity_packed', new.quantity_packed,
      'quantity_needed', new.quantity_needed,
      'quantity_short', new.quantity_short,
      'version', new.version
    ),
    'packing:' || new.picking_session_id;
  return null;
end
$$;
