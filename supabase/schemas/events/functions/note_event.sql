-- Write down what has happened, in the transaction in which it does.
--
-- Callers: whatever has something to tell: sales, customers, tiers, audits.
-- Locks: none.
create function interlock.note_event(p_type text, p_subject text, p_payload jsonb)
returns void
language plpgsql
set search_path = ''
as $$
begin
  insert into interlock.events (type, subject, payload)
  values (p_type, p_subject, p_payload);
end
$$;
