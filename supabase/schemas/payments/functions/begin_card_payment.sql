-- What public.begin_card_payment does, with its owner's rights: the attempt to pay the caller's order that is open, or a
-- new one. Called again, also in another tab, it answers the same one, until the provider says that it is canceled. An
-- order has twenty attempts at most: each may have an intent at the provider.
--
-- Callers: authenticated and service_role, through public.begin_card_payment, of the function payment-intent.
-- Locks: the buyer's account, the order; two seconds at most.
-- Errors: UNAUTHENTICATED, VALIDATION_FAILED, ORDER_NOT_FOUND (also for somebody else's order), ORDER_STATE_CONFLICT (not
--   one that waits for a payment by card, or its time is over), TOO_MANY_PAYMENT_ATTEMPTS; 55P03 is transient.
-- Security definer: nobody has the right to write payments.
create function interlock.begin_card_payment(p_order_id uuid)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
set timezone = 'UTC'
as $$
declare
  v_user_id constant uuid := auth.uid();
  v_max_attempts constant int := 20;
  v_attempts int;
  v_order interlock.orders;
  v_payment interlock.payments;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;

  perform interlock.require_user();
  if p_order_id is null then
    perform interlock.refuse_problems(interlock.problem('/order_id', 'is required'));
  end if;
  if not exists (select from interlock.orders o where o.id = p_order_id and o.user_id = v_user_id) then
    perform interlock.raise_error('ORDER_NOT_FOUND', jsonb_build_object('order_id', p_order_id));
  end if;

  perform interlock.lock_order(p_order_id);
  select o.* into v_order from interlock.orders o where o.id = p_order_id;
  -- It may have moved to another account meanwhile.
  if v_order.user_id <> v_user_id then
    perform interlock.raise_error('ORDER_NOT_FOUND', jsonb_build_object('order_id', p_order_id));
  end if;
  if v_order.status <> 'pending_payment'
    or v_order.payment_method <> 'card'
    or v_order.payment_expires_at <= interlock.clock()
  then
    perform interlock.raise_error('ORDER_STATE_CONFLICT', jsonb_build_object(
      'order_id', p_order_id, 'status', v_order.status, 'fulfillment', v_order.fulfillment
    ));
  end if;

  select p.* into v_payment
  from interlock.payments p
  where p.order_id = p_order_id
    and p.status in ('open', 'processing');
  if not found then
    select coalesce(max(p.attempt), 0) into v_attempts
    from interlock.payments p
    where p.order_id = p_order_id;
    if v_attempts >= v_max_attempts then
      perform interlock.raise_error('TOO_MANY_PAYMENT_ATTEMPTS', jsonb_build_object(
        'order_id', p_order_id, 'max_attempts', v_max_attempts
      ));
    end if;
    insert into interlock.payments (order_id, provider, attempt, amount, currency)
    values (p_order_id, 'stripe', v_attempts + 1, v_order.total - v_order.wallet_amount - v_order.refunded, v_order.currency)
    returning * into v_payment;
  end if;

  return jsonb_build_object('success', true, 'payment', jsonb_build_object(
    'id', v_payment.id,
    'order_id', p_order_id,
    'provider', v_payment.provider,
    'provider_id', v_payment.provider_id,
    'attempt', v_payment.attempt,
    'status', v_payment.status,
    'amount', v_payment.amount,
    'currency', v_payment.currency,
    'expires_at', v_order.payment_expires_at
  ));
end
$$;
