create function public.expire_cart_reservations(p_limit int default 100)
returns jsonb
language sql
security invoker
set search_path = ''
as $$
  select jsonb_build_object('success', true, 'expired', interlock.expire_cart_reservations(p_limit))
$$;

comment on function public.expire_cart_reservations(int) is
  'Ends up to p_limit reservations of carts whose time is over. For the service role.';
