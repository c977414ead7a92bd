-- Who may call what of stock. What is not here belongs to its owner.
revoke execute on all functions in schema interlock from public;
revoke all on function
  public.adjust_stock(uuid, int, text, text),
  public.count_stock(uuid, int, int, text, text),
  public.decrement_inventory(uuid, numeric, text),
  public.decrement_product_quantity(uuid, int, text),
  public.get_stock(uuid[]),
  public.manage_inventory(text, jsonb, text, text, uuid, boolean, timestamptz, boolean, text),
  public.set_stock_slots(uuid, int)
from public, anon, authenticated, service_role;

grant execute on function
  public.get_stock(uuid[]), interlock.get_stock
to anon, authenticated, service_role;

grant execute on function
  -- Staff by token; anybody else is refused.
  public.adjust_stock(uuid, int, text, text), interlock.adjust_stock,
  public.count_stock(uuid, int, int, text, text), interlock.count_stock,
  public.decrement_inventory(uuid, numeric, text), interlock.decrement_inventory,
  public.manage_inventory(text, jsonb, text, text, uuid, boolean, timestamptz, boolean, text), interlock.manage_inventory
to authenticated, service_role;

grant execute on function
  public.decrement_product_quantity(uuid, int, text), interlock.decrement_product_quantity,
  public.set_stock_slots(uuid, int), interlock.set_stock_slots
to service_role;

-- Views of the shop and the trigger of a location that it removes ask this.
grant execute on function interlock.online_location to service_role;
