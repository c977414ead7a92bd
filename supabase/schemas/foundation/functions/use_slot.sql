-- Use units of one slot. With p_wait it waits for one that somebody is using.
--
-- Callers: interlock.take_from_slot, interlock.take_from_slots, interlock.take_promo_use, in a sub-transaction of their own.
-- Locks: one slot; without p_wait never waiting.
-- Errors: IL002 if no slot has enough, or without p_wait none that is free; whoever catches it must have ended
--   the sub-transaction, and with it the locks. 55P03 after lock_timeout.
create function interlock.use_slot(p_owner_id uuid, p_units int, p_wait boolean)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_slot int;
begin
  if p_wait then
    select s.slot
    into v_slot
    from interlock.counter_slots s
    where s.owner_id = p_owner_id
      and s.granted - s.used >= p_units
    order by random()
    limit 1;
  else
    select s.slot
    into v_slot
    from interlock.counter_slots s
    where s.owner_id = p_owner_id
      and s.granted - s.used >= p_units
    order by random()
    limit 1
    for no key update skip locked;
  end if;

  if clock_timestamp() > statement_timestamp() + interval '100 milliseconds' then
    perform interlock.limit_wait();
  end if;
  update interlock.counter_slots s
  set used = s.used + p_units
  where s.owner_id = p_owner_id
    and s.slot = v_slot
    and s.granted - s.used >= p_units;

  if not found then
    raise exception using errcode = 'IL002', message = 'no slot has enough';
  end if;
end
$$;
