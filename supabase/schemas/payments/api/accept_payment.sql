create function public.accept_payment(p_order_id uuid)
returns json
language sql
security invoker
set search_path = ''
as $$
  select interlock.accept_payment(p_order_id)
$$;

comment on function public.accept_payment(uuid) is
  'The payment of an order has come: it is paid, its codes are delivered. For staff and the service role.';
