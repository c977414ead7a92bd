create function public.accept_payment(p_order_id uuid)
returns json
language plpgsql
security invoker
set search_path = ''
as $$
begin
  return interlock.accept_payment(p_order_id);
end
$$;

comment on function public.accept_payment(uuid) is
  'The payment of an order has come: it is paid, its codes are delivered. For staff and the service role.';
