-- The id of an event, by which a receiver knows a repetition: a UUID (version 7) of when it was and its position, so that it need not be
-- kept. The same position after a restored copy is another id.
--
-- Callers: interlock.events.
-- Locks: none.
create function interlock.event_id(p_created_at timestamptz, p_position bigint)
returns uuid
language sql
immutable
strict
parallel safe
set search_path = ''
as $$
  select (
    lpad(to_hex((extract(epoch from p_created_at) * 1000)::bigint), 12, '0') || '70008' || lpad(to_hex(p_position), 15, '0')
  )::uuid
$$;
