create function public.expire_parked_sales(p_limit int default 100)
returns jsonb
language sql
security invoker
set search_path = ''
as $$
  select jsonb_build_object('success', true, 'expired', interlock.expire_parked_sales(p_limit))
$$;

comment on function public.expire_parked_sales(int) is
  'Ends up to p_limit parked sales whose time is over. For the service role.';
