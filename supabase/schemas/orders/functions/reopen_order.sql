-- What public.reopen_order does, with its owner's rights: an order that has expired, and whose money is there after all,
-- takes its units, codes, promo use and the wallet's part again, all or nothing, for the price it had. It then waits for its payment as it
-- did at first, or is paid at once with p_paid. Called again it changes nothing.
--
-- Callers: authenticated (staff) and service_role, through public.reopen_order.
-- Locks: order, then as interlock.retake_order; each wait two seconds at most.
-- Errors: UNAUTHENTICATED, FORBIDDEN, ORDER_NOT_FOUND, ORDER_STATE_CONFLICT, ORDER_OWNER_GONE, CART_ALREADY_ORDERED,
--   INSUFFICIENT_FUNDS, CURRENCY_MISMATCH,
--   PRODUCT_CUSTOMER_LIMIT, INSUFFICIENT_INVENTORY with every shortage, PROMO_NOT_APPLICABLE (no longer a first order), PROMO_ALREADY_APPLIED, PROMO_EXHAUSTED,
--   PROMO_CHANGED, PROMO_NOT_FOUND, PRODUCT_NOT_FOUND; 55P03 is transient.
-- Security definer: nobody has the right to write orders.
create function interlock.reopen_order(p_order_id uuid, p_paid boolean)
returns json
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
set timezone = 'UTC'
as $$
declare
  v_status text;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;
  perform interlock.refuse_unless_shop();

  v_status := interlock.lock_order(p_order_id);
  if v_status is null then
    perform interlock.raise_error('ORDER_NOT_FOUND', jsonb_build_object('order_id', p_order_id));
  elsif v_status not in ('expired', 'pending_payment', 'confirmed', 'paid') then
    perform interlock.raise_error(
      'ORDER_STATE_CONFLICT', jsonb_build_object('order_id', p_order_id, 'status', v_status)
    );
  end if;

  if v_status = 'expired' then
    perform interlock.retake_order(p_order_id);
  end if;

  if p_paid then
    perform interlock.move_order(
      p_order_id, array['pending_payment', 'confirmed'], 'paid', 'ORDER_STATE_CONFLICT'
    );
  end if;

  return interlock.order_answer(p_order_id);
end
$$;
