-- Note that something has happened, in the transaction that did it.
--
-- Callers: the functions of this schema that do what others want to know.
-- Locks: none.
create function interlock.note_event(p_type text, p_subject_id uuid, p_payload jsonb)
returns void
language sql
set search_path = ''
as $$
  insert into interlock.events (type, subject_id, payload) values (p_type, p_subject_id, p_payload)
$$;
