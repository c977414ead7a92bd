create function public.refund_order(p_order_id uuid)
returns json
language sql
security invoker
set search_path = ''
as $$
  select interlock.refund_order(p_order_id)
$$;

comment on function public.refund_order(uuid) is
  'Refunds a paid order, once: wallet money, promo use and stock come back. For staff and the service role.';
