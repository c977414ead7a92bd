-- Who may call what of customers and points. What is not here belongs to its owner.
revoke execute on all functions in schema interlock from public;
revoke all on function
  public.adjust_points(uuid, text, text, bigint, bigint),
  public.alpine_iq_member(uuid),
  public.erase_customer(uuid),
  public.find_customer(text, text),
  public.link_customer(uuid, uuid),
  public.merge_customers(uuid, uuid),
  public.redeem_points(bigint, text, text),
  public.save_customer(jsonb, uuid)
from public, anon, authenticated, service_role;

grant execute on function
  -- Managers and staff by token; anybody else is refused.
  public.adjust_points(uuid, text, text, bigint, bigint), interlock.adjust_points,
  public.erase_customer(uuid), interlock.erase_customer,
  public.link_customer(uuid, uuid), interlock.link_customer,
  public.merge_customers(uuid, uuid), interlock.merge_customers,
  -- Cashiers, too.
  public.find_customer(text, text), interlock.find_customer,
  public.save_customer(jsonb, uuid), interlock.save_customer
to authenticated, service_role;

-- For whoever delivers events.
grant execute on function
  public.alpine_iq_member(uuid), interlock.alpine_iq_member
to service_role;

grant execute on function
  -- For the signed-in customer; the shop's key without one is told to sign in.
  public.redeem_points(bigint, text, text), interlock.redeem_points
to authenticated, service_role;
