create function public.validate_promo(
  p_code text,
  p_cart_items jsonb default null,
  p_subtotal bigint default null,
  p_cart_id uuid default null,
  p_dry_run boolean default false,
  p_action text default 'apply',
  p_currency text default null
)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
begin
  return interlock.validate_promo(
    p_code, p_cart_items, p_subtotal, p_cart_id, p_dry_run, p_action, p_currency
  );
end
$$;

comment on function public.validate_promo(text, jsonb, bigint, uuid, boolean, text, text) is
  'Applies a promo code to the caller''s cart: the discount, and a hold on one use. p_dry_run only asks, p_action release gives the hold back.';
