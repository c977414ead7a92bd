create function public.cancel_order(p_order_id uuid, p_idempotency_key text default null)
returns json
language plpgsql
security invoker
set search_path = ''
as $$
begin
  return interlock.cancel_order(p_order_id, p_idempotency_key);
end
$$;

comment on function public.cancel_order(uuid, text) is
  'Cancels an order: its buyer while unpaid and on the shelf, the shop until it is shipped, or when an unpaid parcel came back. Stock, promo use and wallet money come back.';
