create function public.quote_order(
  p_cart_items jsonb,
  p_promo_code text default null,
  p_shipping_method text default null,
  p_shipping_address jsonb default null,
  p_cart_id uuid default null
)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
begin
  return interlock.quote_order(p_cart_items, p_promo_code, p_shipping_method, p_shipping_address, p_cart_id);
end
$$;

comment on function public.quote_order(jsonb, text, text, jsonb, uuid) is
  'What checkout would charge for a cart: discount, shipping, tax and total, line by line, and what each shipping method costs. Holds nothing.';
