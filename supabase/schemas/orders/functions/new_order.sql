-- A new order with the terms that follow from how it is paid: its first status, and when it is paid or has to be.
-- Nothing to pay beside the wallet's part is paid. p_confirmation_window is settings.confirmation_window, which the caller has read.
--
-- Callers: interlock.checkout. Takes a number, which is used up whatever becomes of the order.
create function interlock.new_order(
  p_id uuid,
  p_user_id uuid,
  p_currency text,
  p_subtotal bigint,
  p_discount bigint,
  p_payment_method text,
  p_promo_code_id uuid,
  p_cart_id uuid,
  p_confirmation_window interval,
  p_shipping_method text,
  p_shipping bigint,
  p_shipping_tax bigint,
  p_tax bigint,
  p_tax_included bigint,
  p_wallet_amount bigint
)
returns interlock.orders
language plpgsql
set search_path = ''
as $$
declare
  v_order interlock.orders;
begin
  v_order.id := p_id;
  v_order.number := nextval('interlock.orders_number_seq');
  v_order.user_id := p_user_id;
  v_order.currency := p_currency;
  v_order.subtotal := p_subtotal;
  v_order.discount := p_discount;
  v_order.shipping_method := p_shipping_method;
  v_order.shipping := p_shipping;
  v_order.shipping_tax := p_shipping_tax;
  v_order.tax := p_tax;
  v_order.tax_included := p_tax_included;
  v_order.total := p_subtotal - p_discount + p_shipping + p_tax - p_tax_included;
  v_order.payment_method := p_payment_method;
  -- Where the wallet pays alone, payment_method says so.
  v_order.wallet_amount := case
    when p_payment_method = 'wallet' then 0
    else least(coalesce(p_wallet_amount, 0), v_order.total)
  end;
  v_order.promo_code_id := p_promo_code_id;
  v_order.cart_id := p_cart_id;
  v_order.created_at := interlock.clock();
  v_order.refunded_outside := false;
  v_order.refunded := 0;
  v_order.fulfillment := 'unfulfilled';

  if p_payment_method = 'wallet' or v_order.total = v_order.wallet_amount then
    v_order.status := 'paid';
    v_order.paid_at := v_order.created_at;
  elsif p_payment_method in ('bank_transfer', 'card') then
    v_order.status := 'pending_payment';
    v_order.payment_expires_at := v_order.created_at + (
      select case p_payment_method when 'card' then s.card_payment_window else s.payment_window end
      from interlock.settings s
    );
  else
    v_order.status := 'confirmed';
    v_order.payment_expires_at := v_order.created_at + p_confirmation_window;
  end if;

  return v_order;
end
$$;
