set local lock_timeout = '5s';

drop function
  public.browse_shop(text, text, text, text, int),
  public.log_position(),
  public.metrics(),
  public.order_story(uuid),
  public.shop_health(boolean);
drop view interlock.queues;
drop function
  interlock.browse_shop,
  interlock.database_replicas,
  interlock.database_sessions,
  interlock.log_position,
  interlock.metrics,
  interlock.order_story,
  interlock.shop_health;
drop domain
  interlock."text/plain";
