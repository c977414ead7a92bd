create function public.reject_payment(p_order_id uuid)
returns json
language sql
security invoker
set search_path = ''
as $$
  select interlock.decide_payment(p_order_id, false)
$$;

comment on function public.reject_payment(uuid) is
  'The payment of an order by bank transfer is rejected: it is cancelled, everything comes back. For the service role.';
