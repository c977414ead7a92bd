-- Empty the slots of a counter. Returns what was used in them, which the caller counts on the owner's row.
--
-- Callers: whoever holds the gate.
-- Locks: as interlock.lock_slots; none if nothing is granted, which cannot change under the gate.
-- Errors: 55P03 after lock_timeout.
create function interlock.call_in_slots(p_owner_id uuid)
returns int
language plpgsql
set search_path = ''
as $$
declare
  v_used int;
begin
  if not exists (select from interlock.counter_slots s where s.owner_id = p_owner_id and s.granted > 0) then
    return 0;
  end if;

  v_used := interlock.lock_slots(p_owner_id);

  update interlock.counter_slots s
  set granted = 0,
      used = 0
  where s.owner_id = p_owner_id
    and s.granted > 0;

  return v_used;
end
$$;
