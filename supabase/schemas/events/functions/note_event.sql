-- Write down what has happened, in the transaction in which it does; answers the event's id.
--
-- Callers: whatever has something to tell: sales, customers, tiers, audits, endpoints.
-- Locks: none.
create function interlock.note_event(p_type text, p_subject text, p_payload jsonb)
returns uuid
language plpgsql
set search_path = ''
as $$
declare
  v_id uuid;
begin
  insert into interlock.events (type, subject, payload)
  values (p_type, p_subject, p_payload)
  returning id into v_id;
  return v_id;
end
$$;
