-- Write down what was done with a line, and tell it as an event where somebody wants to know (settings.packing_events): with the
-- numbers as they are and the line's version, so what comes late or twice does no harm.
--
-- Callers: interlock.pack_units, interlock.give_up_units.
-- Locks: none.
create function interlock.note_packing(p_line interlock.packing_progress, p_action text, p_quantity int)
returns void
language plpgsql
set search_path = ''
as $$
begin
  insert into interlock.packing_scans (picking_session_id, order_id, product_id, action, quantity, actor)
  values (p_line.picking_session_id, p_line.order_id, p_line.product_id, p_action, p_quantity, auth.uid());
  insert into interlock.events (type, subject, payload)
  select 'packing.progress', p_line.picking_session_id::text, jsonb_build_object(
    'session_id', p_line.picking_session_id,
    'order_id', p_line.order_id,
    'product_id', p_line.product_id,
    'change', case when p_action = 'short' then 0 else p_quantity end,
    'quantity_packed', p_line.quantity_packed,
    'quantity_needed', p_line.quantity_needed,
    'quantity_short', p_line.quantity_short,
    'version', p_line.version
  )
  from interlock.settings s
  where s.packing_events;
end
$$;
