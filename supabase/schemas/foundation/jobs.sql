-- What pg_cron does from now on, where it is present.
select interlock.schedule_jobs();
