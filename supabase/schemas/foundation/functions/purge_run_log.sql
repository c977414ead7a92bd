-- Keep what our jobs leave in pg_cron's run log, which nobody else empties, for a week; answers how many rows went.
--
-- Callers: the jobs of interlock.jobs.
-- Locks: the rows it deletes.
-- Security definer: what is the platform's belongs to no shop (interlock.serve_shops).
create function interlock.purge_run_log()
returns int
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_purged int := 0;
begin
  -- Looked up when it runs: pg_cron need not be there, and its older versions keep no log.
  if to_regclass('cron.job_run_details') is not null then
    execute $run_log$
      delete from cron.job_run_details d
      where d.end_time < now() - interval '7 days'
        and d.jobid in (select j.jobid from cron.job j where j.jobname like 'interlock-%')
    $run_log$;
    get diagnostics v_purged = row_count;
  end if;
  return v_purged;
end
$$;
