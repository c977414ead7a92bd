-- Lock every slot of a counter, and say what was used in them.
--
-- Callers: whoever holds the gate.
-- Locks: every slot of the owner in the order of their numbers, waiting.
-- Errors: 55P03 after lock_timeout.
create function interlock.lock_slots(p_owner_id uuid)
returns int
language plpgsql
set search_path = ''
as $$
begin
  return (
    select sum(l.used)
    from (
      select
        s.used,
        clock_timestamp() < statement_timestamp() + interval '100 milliseconds' or interlock.limit_wait()
      from interlock.counter_slots s
      where s.owner_id = p_owner_id
      order by s.slot
      for no key update
    ) l
  );
end
$$;
