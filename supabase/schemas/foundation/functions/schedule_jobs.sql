-- Schedule the jobs of interlock.jobs, where pg_cron is present. Returns how many; called again it changes nothing.
-- Called when this is installed; if you enable pg_cron later, call it once yourself:
--
--   select interlock.schedule_jobs();
--
-- Callers: the installation; postgres.
create function interlock.schedule_jobs()
returns int
language plpgsql
set search_path = ''
as $$
declare
  v_scheduled int := 0;
begin
  if to_regprocedure('cron.schedule(text, text, text)') is null then
    return 0;
  end if;

  perform cron.schedule('interlock-' || j.name, j.schedule, j.command)
  from interlock.jobs() j;
  get diagnostics v_scheduled = row_count;
  return v_scheduled;
end
$$;
