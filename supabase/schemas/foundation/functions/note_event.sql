-- Write down what has happened, in the transaction in which it does; answers its position.
--
-- Callers: whatever has something to tell: sales, stock, customers, tiers, audits, endpoints.
-- Locks: none.
create function interlock.note_event(p_type text, p_subject text, p_payload jsonb)
returns bigint
language plpgsql
set search_path = ''
as $$
declare
  v_position bigint;
begin
  insert into interlock.outbox (type, subject, payload)
  values (p_type, p_subject, p_payload)
  returning position into v_position;
  return v_position;
end
$$;
