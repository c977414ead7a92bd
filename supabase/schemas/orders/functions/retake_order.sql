-- Bring an order that ended unpaid back: it takes its units, codes, promo use and the wallet's part again, all or nothing,
-- for the price it had, and waits for its payment as it did at first. Lines that were cancelled before stay so.
--
-- The discount is the one that was granted: of the promo code only its uses are asked for, not its dates.
--
-- Callers: interlock.reopen_order, for one that has expired; interlock.retake_for_late_money, for a cancelled one too. With
--   the order locked.
-- Locks: cart, limits of the customer (with a product that has some), wallet (for its part), promo, stock rows by id, their slots, their codes.
-- Errors: ORDER_OWNER_GONE, CART_ALREADY_ORDERED, INSUFFICIENT_FUNDS, CURRENCY_MISMATCH, PRODUCT_CUSTOMER_LIMIT, INSUFFICIENT_INVENTORY with every shortage, PROMO_NOT_APPLICABLE (no
--   longer a first order), PROMO_ALREADY_APPLIED, PROMO_EXHAUSTED, PROMO_CHANGED, PROMO_NOT_FOUND, PRODUCT_NOT_FOUND; 55P03
--   is transient.
create function interlock.retake_order(p_order_id uuid)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_order interlock.orders;
  v_ordered jsonb;
begin
  select o.* into v_order from interlock.orders o where o.id = p_order_id;
  if v_order.user_id is null then
    perform interlock.raise_error('ORDER_OWNER_GONE', jsonb_build_object('order_id', p_order_id));
  end if;

  if v_order.cart_id is not null then
    perform interlock.lock_cart(v_order.user_id, v_order.cart_id);
    v_ordered := interlock.find_ordered_cart(v_order.user_id, v_order.cart_id);
    if v_ordered is not null then
      perform interlock.raise_error('CART_ALREADY_ORDERED', v_ordered);
    end if;
  end if;

  perform interlock.take_customer_limits(
    v_order.user_id, array_agg(r.product_id), array_agg(r.quantity)
  )
  from interlock.order_rest(p_order_id) r
  where r.quantity > 0;

  perform set_config('interlock.reopening', 'on', true);
  update interlock.orders o
  set status = case o.payment_method when 'cash_on_delivery' then 'confirmed' else 'pending_payment' end,
      cancelled_at = null,
      proof_submitted_at = null,
      payment_expires_at = interlock.clock()
        + case o.payment_method
          when 'bank_transfer' then s.payment_window
          when 'card' then s.card_payment_window
          else s.confirmation_window
        end
  from interlock.settings s
  where o.id = p_order_id;
  perform set_config('interlock.reopening', '', true);

  if v_order.wallet_amount > 0 then
    perform interlock.pay_from_wallet(
      interlock.lock_wallet(v_order.user_id),
      v_order.wallet_amount - interlock.wallet_returned(v_order, v_order.refunded),
      v_order.currency,
      'order_reopened',
      p_order_id
    );
  end if;

  if v_order.promo_code_id is not null then
    if exists (select from interlock.promo_codes p where p.id = v_order.promo_code_id and p.first_order_only) then
      perform interlock.lock_first_order(v_order.user_id);
      if interlock.has_other_order(v_order.user_id, p_order_id) then
        perform interlock.raise_error('PROMO_NOT_APPLICABLE', jsonb_build_object('reason', 'first_order_only'));
      end if;
    end if;
    perform interlock.take_promo_use(
      v_order.promo_code_id, v_order.user_id, v_order.cart_id, p_order_id, v_order.discount, v_order.currency, null
    );
  end if;

  -- As products are sold now, and not as they were then.
  update interlock.order_items i
  set untracked = p.stock_policy = 'untracked',
      backordered = 0
  from interlock.products p
  where i.order_id = p_order_id
    and p.id = i.product_id;

  if (
    select interlock.take_stock(array_agg(r.product_id), array_agg(r.quantity), 'order_reopened', p_order_id)
    from interlock.order_rest(p_order_id) r
    where r.quantity > 0
      and not r.untracked
    having count(*) > 0
  ) then
    perform interlock.note_backorders(p_order_id);
  end if;

  perform interlock.take_product_codes(
    array_agg(r.product_id), array_agg(r.quantity), p_order_id, 'order_reopened', false
  )
  from interlock.order_rest(p_order_id) r
  where r.quantity > 0
    and r.kind = 'digital'
  having count(*) > 0;
end
$$;
