-- Who may call what of tills. What is not here belongs to its owner.
revoke execute on all functions in schema interlock from public;
revoke all on function
  public.close_shift(uuid, bigint),
  public.move_cash(uuid, text, bigint, text, text),
  public.open_shift(uuid, bigint, uuid, timestamptz),
  public.pos_sale(uuid, jsonb, jsonb, jsonb, jsonb, text, uuid, timestamptz, uuid, uuid, bigint, text),
  public.sale_receipt(uuid, text, int, text),
  public.void_sale(uuid, text)
from public, anon, authenticated, service_role;

-- Policies ask.
grant execute on function interlock.till_role to authenticated;

grant execute on function
  -- Cashiers, managers and staff by token; anybody else is refused.
  public.close_shift(uuid, bigint), interlock.close_shift,
  public.move_cash(uuid, text, bigint, text, text), interlock.move_cash,
  public.open_shift(uuid, bigint, uuid, timestamptz), interlock.open_shift,
  public.pos_sale(uuid, jsonb, jsonb, jsonb, jsonb, text, uuid, timestamptz, uuid, uuid, bigint, text), interlock.pos_sale,
  public.sale_receipt(uuid, text, int, text), interlock.sale_receipt,
  public.void_sale(uuid, text), interlock.void_sale
to authenticated, service_role;
