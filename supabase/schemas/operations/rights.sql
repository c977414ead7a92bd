-- Who may call what of operations. What is not here belongs to its owner.
revoke execute on all functions in schema interlock from public;
revoke all on function
  public.browse_shop(text, text, text, text, int),
  public.log_position(),
  public.metrics(),
  public.order_story(uuid),
  public.shop_health(boolean)
from public, anon, authenticated, service_role;

grant execute on function
  -- For whoever may have written something.
  public.log_position(), interlock.log_position,
  -- By token: metrics or staff; anybody else is refused.
  public.metrics(), interlock.metrics,
  -- For the shop: staff by token, anybody else is refused.
  public.browse_shop(text, text, text, text, int), interlock.browse_shop,
  public.order_story(uuid), interlock.order_story,
  public.shop_health(boolean), interlock.shop_health
to authenticated, service_role;
