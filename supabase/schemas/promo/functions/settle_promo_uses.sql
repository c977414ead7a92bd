-- Call in the slots of a code, so that its uses are in its row again. Returns them, exactly.
--
-- Callers: functions that have locked the code.
-- Locks: its slots in order, waiting.
-- Errors: 55P03 after lock_timeout.
create function interlock.settle_promo_uses(p_promo_id uuid)
returns int
language plpgsql
set search_path = ''
as $$
declare
  v_used constant int := interlock.call_in_slots(p_promo_id);
begin
  if v_used > 0 then
    update interlock.promo_codes p
    set used_count = p.used_count + v_used
    where p.id = p_promo_id;
  end if;

  return (select p.used_count from interlock.promo_codes p where p.id = p_promo_id);
end
$$;
