-- Who may call what of tills. What is not here belongs to its owner.
revoke execute on all functions in schema interlock from public;
revoke all on function
  public.alpine_iq_sale(uuid),
  public.approve_sale(uuid, text[], text),
  public.close_shift(uuid, bigint),
  public.discard_parked_sale(uuid),
  public.expire_parked_sales(int),
  public.move_cash(uuid, text, bigint, text, text),
  public.open_shift(uuid, bigint, uuid, timestamptz),
  public.park_sale(uuid, text, jsonb, jsonb, boolean, timestamptz, uuid, text),
  public.pos_sale(uuid, jsonb, jsonb, jsonb, jsonb, text, uuid, timestamptz, uuid, uuid, bigint, text),
  public.resume_parked_sale(uuid, uuid),
  public.sale_receipt(uuid, text, int, text),
  public.void_sale(uuid, text, uuid)
from public, anon, authenticated, service_role;

-- A domain of what the shop writes asks it, and policies the other.
grant execute on function interlock.is_barcode to service_role;
grant execute on function interlock.till_role to authenticated;

grant execute on function
  -- Cashiers, managers and staff by token; anybody else is refused.
  public.approve_sale(uuid, text[], text), interlock.approve_sale,
  public.close_shift(uuid, bigint), interlock.close_shift,
  public.discard_parked_sale(uuid), interlock.discard_parked_sale,
  public.move_cash(uuid, text, bigint, text, text), interlock.move_cash,
  public.open_shift(uuid, bigint, uuid, timestamptz), interlock.open_shift,
  public.park_sale(uuid, text, jsonb, jsonb, boolean, timestamptz, uuid, text), interlock.park_sale,
  public.pos_sale(uuid, jsonb, jsonb, jsonb, jsonb, text, uuid, timestamptz, uuid, uuid, bigint, text), interlock.pos_sale,
  public.resume_parked_sale(uuid, uuid), interlock.resume_parked_sale,
  public.sale_receipt(uuid, text, int, text), interlock.sale_receipt,
  public.void_sale(uuid, text, uuid), interlock.void_sale
to authenticated, service_role;

grant execute on function
  public.expire_parked_sales(int), interlock.expire_parked_sales,
  -- For whoever delivers events.
  public.alpine_iq_sale(uuid), interlock.alpine_iq_sale
to service_role;
