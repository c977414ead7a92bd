-- When a code ends: at a moment, with a day in a time zone, or at the earlier of both; null means never.
--
-- Callers: interlock.evaluate_promo, interlock.validate_promo, a check of promo_codes.
-- Locks: none.
create function interlock.promo_end(p_expires_at timestamptz, p_last_day date, p_time_zone text)
returns timestamptz
language plpgsql
immutable
parallel safe
set search_path = ''
as $$
begin
  return least(p_expires_at, (p_last_day + 1)::timestamp at time zone p_time_zone);
end
$$;
