-- Make the number of slots of a counter p_slots. The slots are empty.
--
-- Callers: interlock.set_stock_slots, interlock.set_promo_slots, which hold the gate and have called in.
-- Locks: the slots that it deletes.
create function interlock.make_slots(p_owner_id uuid, p_slots int)
returns void
language plpgsql
set search_path = ''
as $$
begin
  delete from interlock.counter_slots s
  where s.owner_id = p_owner_id
    and s.slot >= p_slots;

  insert into interlock.counter_slots (owner_id, slot)
  select p_owner_id, n.slot
  from generate_series(0, p_slots - 1) as n (slot)
  on conflict do nothing;
end
$$;
