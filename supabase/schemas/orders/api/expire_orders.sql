create function public.expire_orders(p_limit int default 100)
returns jsonb
language sql
security invoker
set search_path = ''
as $$
  select jsonb_build_object('success', true, 'expired', interlock.expire_orders(p_limit))
$$;

comment on function public.expire_orders(int) is
  'Ends up to p_limit orders that were not paid in time. For the service role.';
