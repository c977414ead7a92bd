-- Share units of a counter out to its empty slots, if there are at least 16 for each.
--
-- Callers: whoever holds the gate, after interlock.call_in_slots.
-- Locks: every slot of the owner, which nobody has a use for while they are empty.
create function interlock.grant_slots(p_owner_id uuid, p_slots int, p_units int)
returns void
language plpgsql
set search_path = ''
as $$
begin
  if p_slots > 0 and p_units / p_slots >= 16 then
    update interlock.counter_slots s
    set granted = p_units / p_slots
    where s.owner_id = p_owner_id;
  end if;
end
$$;
