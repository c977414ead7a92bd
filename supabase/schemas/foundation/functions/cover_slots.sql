-- Take back what is granted to slots if a lower counter of their owner does not cover it. Returns what was used in
-- them if the counter does not cover even that: the caller refuses the change.
--
-- Callers: the triggers on the owners' tables, for a counter of slots that goes down.
-- Locks: the owner is locked by the statement; as interlock.lock_slots, if the counter does not cover what is granted.
-- Errors: 55P03 after lock_timeout.
create function interlock.cover_slots(p_owner_id uuid, p_units int)
returns int
language plpgsql
set search_path = ''
as $$
declare
  v_used int;
begin
  if p_units >= (select sum(s.granted) from interlock.counter_slots s where s.owner_id = p_owner_id) then
    return null;
  end if;

  v_used := interlock.lock_slots(p_owner_id);
  if p_units < v_used then
    return v_used;
  end if;

  update interlock.counter_slots s
  set granted = s.used
  where s.owner_id = p_owner_id
    and s.granted > s.used;

  return null;
end
$$;
