set local lock_timeout = '5s';

do $$
begin
  if to_regprocedure('cron.unschedule(text)') is not null then
    perform cron.unschedule(j.jobname) from cron.job j where j.jobname like 'interlock-%';
  end if;
end
$$;
