set local lock_timeout = '5s';

drop function
  public.metrics();
drop view interlock.queues;
drop function
  interlock.metrics;
drop domain
  interlock."text/plain";
