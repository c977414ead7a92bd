create function public.increment_promo_usage(p_promo_id uuid, p_reference text default null)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
begin
  return interlock.increment_promo_usage(p_promo_id, p_reference);
end
$$;

comment on function public.increment_promo_usage(uuid, text) is
  'Counts one use of a promo code, once for each p_reference; PROMO_EXHAUSTED when none is left. For the service role.';
