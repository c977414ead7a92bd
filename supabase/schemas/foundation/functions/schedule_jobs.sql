-- Schedule what has to be done again and again, where pg_cron is present. Returns how many jobs; called again it
-- changes nothing. Called when this is installed; if you enable pg_cron later, call it once yourself:
--
--   select interlock.schedule_jobs();
--
-- Each job is a transaction of its own: one that took all their locks would wait for checkouts and be waited for by
-- them.
--
-- Callers: the installation; postgres.
create function interlock.schedule_jobs()
returns int
language plpgsql
set search_path = ''
as $$
declare
  v_job record;
  v_scheduled int := 0;
begin
  if to_regprocedure('cron.schedule(text, text, text)') is null then
    return 0;
  end if;

  for v_job in
    select j.name, j.schedule, j.command
    from (values
      ('interlock-expire-orders', '* * * * *', 'do $do$ begin while interlock.expire_orders(100) > 0 loop commit; end loop; end $do$'),
      ('interlock-expire-promo-holds', '* * * * *', 'select interlock.expire_promo_holds()'),
      ('interlock-settle-slots', '* * * * *', 'select interlock.settle_slots()'),
      ('interlock-purge-idempotency-keys', '17 * * * *', 'select interlock.purge_idempotency_keys()')
    ) as j (name, schedule, command)
  loop
    perform cron.schedule(v_job.name, v_job.schedule, v_job.command);
    v_scheduled := v_scheduled + 1;
  end loop;

  return v_scheduled;
end
$$;
