create function public.expire_promo_holds(p_limit int default 1000)
returns jsonb
language sql
security invoker
set search_path = ''
as $$
  select jsonb_build_object('success', true, 'expired', interlock.expire_promo_holds(p_limit))
$$;

comment on function public.expire_promo_holds(int) is
  'Takes back up to p_limit holds of promo codes whose time is over. For the service role.';
