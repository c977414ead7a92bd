create function public.reserve_cart(p_cart_items jsonb)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
begin
  return interlock.reserve_cart(p_cart_items);
end
$$;

comment on function public.reserve_cart(jsonb) is
  'Keeps a cart [{"product_id", "quantity"}] for the calling user for a few minutes, in place of what they had reserved; checkout redeems it.';
