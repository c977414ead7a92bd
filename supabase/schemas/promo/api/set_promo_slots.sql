create function public.set_promo_slots(p_promo_id uuid, p_slots int)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
begin
  return interlock.set_promo_slots(p_promo_id, p_slots);
end
$$;

comment on function public.set_promo_slots(uuid, int) is
  'Spreads the uses of a hot promo code over p_slots slots (0 switches off), while it is in use. For the service role.';
