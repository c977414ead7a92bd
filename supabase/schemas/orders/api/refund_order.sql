create function public.refund_order(p_order_id uuid, p_outside boolean default false)
returns json
language plpgsql
security invoker
set search_path = ''
as $$
begin
  return interlock.refund_order(p_order_id, p_outside);
end
$$;

comment on function public.refund_order(uuid, boolean) is
  'Refunds a paid order, once: wallet money (unless p_outside says that the shop has paid it back itself), promo use and stock come back. For staff and the service role.';
