create function public.checkout(
  p_cart_items jsonb,
  p_promo_code text default null,
  p_cart_id uuid default null,
  p_payment_method text default 'cash_on_delivery',
  p_idempotency_key text default null,
  p_expected_total bigint default null,
  p_shipping_address jsonb default null,
  p_contact jsonb default null,
  p_metadata jsonb default null,
  p_shipping_method text default null,
  p_on_behalf_of uuid default null,
  p_reservation_id uuid default null,
  p_wallet_amount bigint default null
)
returns json
language plpgsql
security invoker
set search_path = ''
as $$
declare
  v_answer json;
begin
  if p_cart_items -> 1 is null
    and num_nonnulls(p_promo_code, p_shipping_method, p_on_behalf_of, p_reservation_id, p_wallet_amount) = 0
  then
    v_answer := interlock.checkout_line(
      p_cart_items, p_cart_id, p_payment_method, p_idempotency_key, p_expected_total, p_shipping_address, p_contact, p_metadata
    );
    if v_answer is not null then
      return v_answer;
    end if;
  end if;
  return interlock.checkout(
    p_cart_items, p_promo_code, p_cart_id, p_payment_method, p_idempotency_key, p_expected_total,
    p_shipping_address, p_contact, p_metadata, p_shipping_method, p_on_behalf_of, p_reservation_id,
    p_wallet_amount
  );
end
$$;

comment on function public.checkout(jsonb, text, uuid, text, text, bigint, jsonb, jsonb, jsonb, text, uuid, uuid, bigint) is
  'Buys a cart [{"product_id", "quantity"}] for the calling user, or for staff on behalf of another one: order, payment, stock, codes and promo use together, or nothing.';
