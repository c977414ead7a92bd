-- Tell that a line has changed, where somebody wants to know (settings.packing_events).
--
-- Callers: interlock.pack_units, interlock.give_up_units.
-- Locks: none.
create function interlock.note_packing(p_line interlock.packing_progress, p_change int)
returns void
language plpgsql
set search_path = ''
as $$
begin
  insert into interlock.events (type, subject, payload)
  select
    'packing.progress',
    (p_line).picking_session_id,
    jsonb_build_object(
      'session_id', (p_line).picking_session_id,
      'order_id', (p_line).order_id,
      'product_id', (p_line).product_id,
      'change', p_change,
      'quantity_packed', (p_line).quantity_packed,
      'quantity_needed', (p_line).quantity_needed,
      'quantity_short', (p_line).quantity_short,
      'version', (p_line).version
    )
  from interlock.settings s
  where s.packing_events;
end
$$;
