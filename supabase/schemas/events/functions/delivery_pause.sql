-- How long a delivery rests after so many failed attempts; null when it is given up: eleven attempts in some three days, and
-- up to a fifth more each time, so that what failed together does not come again together. What the receiver asks for by
-- Retry-After counts, up to a day.
--
-- Callers: interlock.record_delivery.
create function interlock.delivery_pause(p_attempts int, p_retry_after_s int)
returns interval
language plpgsql
volatile
set search_path = ''
as $$
declare
  v_pauses constant interval[] := array[
    '5 seconds', '30 seconds', '2 minutes', '10 minutes', '30 minutes', '1 hour', '3 hours', '6 hours', '12 hours', '24 hours',
    '24 hours'
  ]::interval[];
begin
  return greatest(
    v_pauses[p_attempts] * (1 + random() / 5), make_interval(secs => least(greatest(p_retry_after_s, 0), 86400))
  ) * case when p_attempts <= cardinality(v_pauses) then 1 end;
end
$$;
