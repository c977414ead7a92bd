-- Share the uses that are left out to the slots of a code.
--
-- Callers: functions that have locked the code and called its slots in.
-- Locks: its slots.
create function interlock.grant_promo_uses(p_promo_id uuid)
returns void
language plpgsql
set search_path = ''
as $$
begin
  perform interlock.grant_slots(p.id, p.use_slots, coalesce(p.max_uses, 2147483647) - p.used_count)
  from interlock.promo_codes p
  where p.id = p_promo_id;
end
$$;
