create function public.reserve_cart(p_cart_items jsonb)
returns jsonb
language sql
security invoker
set search_path = ''
as $$
  select interlock.reserve_cart(p_cart_items)
$$;

comment on function public.reserve_cart(jsonb) is
  'Keeps a cart [{"product_id", "quantity"}] for the calling user for a few minutes, in place of what they had reserved; checkout redeems it.';
