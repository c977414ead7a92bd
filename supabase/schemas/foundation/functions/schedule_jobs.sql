-- Schedule what has to be done again and again, where pg_cron is present. Returns how many jobs; called again it
-- changes nothing. Called when this is installed; if you enable pg_cron later, call it once yourself:
--
--   select interlock.schedule_jobs();
--
-- Two jobs hold locks that checkouts wait for, and are DO blocks that commit as they go: the expiry of orders after every
-- five orders, the settling after each product or code. So does the purge of history, after 1000 rows of each table. The
-- others do a bounded piece of work, or take what nobody waits for, in one transaction. The last one keeps the run log of
-- pg_cron, which nobody else empties, for a week: only what our own jobs have left there.
--
-- Callers: the installation; postgres.
create function interlock.schedule_jobs()
returns int
language plpgsql
set search_path = ''
as $schedule$
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
      ('interlock-expire-orders', '* * * * *', 'do $do$ begin while interlock.expire_orders(5) > 0 loop commit; end loop; end $do$'),
      ('interlock-expire-promo-holds', '* * * * *', 'select interlock.expire_promo_holds()'),
      ('interlock-settle-slots', '* * * * *', $job$do $$ declare v_owner_id uuid; begin
  for v_owner_id in select distinct s.owner_id from interlock.counter_slots s where s.used > 0 order by 1 loop
    perform interlock.settle_slots(v_owner_id);
    commit;
  end loop;
end $$$job$),
      ('interlock-purge-idempotency-keys', '17 * * * *', 'select interlock.purge_idempotency_keys()'),
      ('interlock-purge-history', '29 3 * * *', $job$do $$ begin
  while (select sum(t.rows::int) from jsonb_each_text(interlock.purge_history(1000)) as t (name, rows)) > 0 loop
    commit;
  end loop;
end $$$job$),
      ('interlock-purge-run-log', '41 3 * * *', $job$do $$ begin
  if to_regclass('cron.job_run_details') is not null then
    delete from cron.job_run_details d
    where d.end_time < now() - interval '7 days'
      and d.jobid in (select j.jobid from cron.job j where j.jobname like 'interlock-%');
  end if;
end $$$job$)
    ) as j (name, schedule, command)
  loop
    perform cron.schedule(v_job.name, v_job.schedule, v_job.command);
    v_scheduled := v_scheduled + 1;
  end loop;

  return v_scheduled;
end
$schedule$;
