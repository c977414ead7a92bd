-- Tell that a line has changed: as an event, where somebody wants to know (settings.packing_events), and to the screens of the session, where
-- the platform's realtime is there. Both have the numbers as they are and the line's version, so what comes late or twice does no harm.
--
-- Callers: interlock.pack_units, interlock.give_up_units.
-- Locks: none.
create function interlock.note_packing(p_line interlock.packing_progress, p_change int)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_events boolean;
  v_broadcast constant boolean := to_regprocedure('realtime.send(jsonb,text,text,boolean)') is not null;
  v_payload jsonb;
begin
  select s.packing_events into v_events from interlock.settings s;
  if not v_events and not v_broadcast then
    return;
  end if;
  v_payload := jsonb_build_object(
    'session_id', (p_line).picking_session_id,
    'order_id', (p_line).order_id,
    'product_id', (p_line).product_id,
    'change', p_change,
    'quantity_packed', (p_line).quantity_packed,
    'quantity_needed', (p_line).quantity_needed,
    'quantity_short', (p_line).quantity_short,
    'version', (p_line).version
  );
  if v_events then
    -- Written here: a scan is the most frequent thing that is told.
    insert into interlock.events (type, subject, payload)
    values ('packing.progress', (p_line).picking_session_id::text, v_payload);
  end if;
  if v_broadcast then
    execute 'select realtime.send($1, ''packing.progress'', $2, true)'
    using v_payload, 'packing:' || (p_line).picking_session_id;
  end if;
end
$$;
