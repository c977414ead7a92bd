-- Who may call what of stock. What is not here belongs to its owner.
revoke execute on all functions in schema interlock from public;
revoke all on function
  public.decrement_product_quantity(uuid, int),
  public.get_stock(uuid[]),
  public.set_stock_slots(uuid, int)
from public, anon, authenticated, service_role;

grant execute on function
  public.get_stock(uuid[]), interlock.get_stock
to anon, authenticated, service_role;

grant execute on function
  public.decrement_product_quantity(uuid, int), interlock.decrement_product_quantity,
  public.set_stock_slots(uuid, int), interlock.set_stock_slots
to service_role;
