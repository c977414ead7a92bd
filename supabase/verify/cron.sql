-- What `npm run doctor` asks of pg_cron, where it is: whether it does all jobs of interlock.jobs, as they are now, and how their
-- latest runs ended. Reads only.
select 'jobs' as part, 'problem' as level, format('pg_cron does not do the job %s', j.name) as subject, 'select interlock.schedule_jobs()' as todo
from interlock.jobs() j
where not exists (select from cron.job c where c.jobname = 'interlock-' || j.name and c.active)
union all
select 'jobs', 'problem', format('pg_cron has another job %s than this version', j.name), 'select interlock.schedule_jobs()'
from interlock.jobs() j
join cron.job c on c.jobname = 'interlock-' || j.name and c.active
where (c.command, c.schedule) is distinct from (j.command, j.schedule)
union all
select
  'jobs', 'problem', format('the latest run of %s failed: %s', r.jobname, left(split_part(r.return_message, E'\n', 1), 200)),
  'mend what it names; cron.job_run_details has its runs'
from (
  select distinct on (c.jobid) c.jobname, d.status, d.return_message
  from cron.job c
  join cron.job_run_details d on d.jobid = c.jobid
  where c.jobname like 'interlock-%' and d.status in ('succeeded', 'failed')
  order by c.jobid, d.runid desc
) r
where r.status = 'failed'
order by subject;
