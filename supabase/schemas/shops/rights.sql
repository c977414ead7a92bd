-- Who may call what of shops. What is not here belongs to its owner.
revoke execute on all functions in schema interlock from public;
revoke all on function
  public.add_shop(text),
  public.list_shops(int, int),
  public.set_shop(int, text, int, text)
from public, anon, authenticated, service_role;

-- Policies and defaults ask, as whoever reads or writes.
grant execute on function interlock.shop_id to anon, authenticated, service_role;

grant execute on function
  public.add_shop(text), interlock.add_shop,
  public.list_shops(int, int), interlock.list_shops,
  public.set_shop(int, text, int, text), interlock.set_shop
to service_role;
