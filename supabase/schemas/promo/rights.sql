-- Who may call what of promo codes. What is not here belongs to its owner.
revoke execute on all functions in schema interlock from public;
revoke all on function
  public.expire_promo_holds(int),
  public.increment_promo_usage(uuid, text),
  public.set_promo_slots(uuid, int),
  public.validate_promo(text, jsonb, bigint, uuid, boolean, text, text)
from public, anon, authenticated, service_role;

grant execute on function
  public.validate_promo(text, jsonb, bigint, uuid, boolean, text, text), interlock.validate_promo
to authenticated, service_role;

-- The shop writes codes, whose checks ask these.
grant execute on function interlock.is_time_zone, interlock.promo_end to service_role;

grant execute on function
  public.expire_promo_holds(int), interlock.expire_promo_holds,
  public.increment_promo_usage(uuid, text), interlock.increment_promo_usage,
  public.set_promo_slots(uuid, int), interlock.set_promo_slots
to service_role;
