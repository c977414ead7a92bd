create function public.increment_promo_usage(p_promo_id uuid)
returns jsonb
language sql
security invoker
set search_path = ''
as $$
  select interlock.increment_promo_usage(p_promo_id)
$$;

comment on function public.increment_promo_usage(uuid) is
  'Counts one use of a promo code, for the service role; PROMO_EXHAUSTED when none is left.';
