create function public.set_promo_slots(p_promo_id uuid, p_slots int)
returns jsonb
language sql
security invoker
set search_path = ''
as $$
  select interlock.set_promo_slots(p_promo_id, p_slots)
$$;

comment on function public.set_promo_slots(uuid, int) is
  'Spreads the uses of a hot promo code over p_slots slots (0 switches off), while it is in use. For the service role.';
