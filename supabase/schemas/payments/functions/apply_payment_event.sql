-- What an event about a payment does.
--
--   succeeded         interlock.apply_money
--   processing        the order waits for it, for settings.card_processing_window
--   payment_failed,   noted; the order waits for another try until its time is over, and is never ended by it
--   canceled
--
-- Which order it is for stands in the payment's own metadata (order_id, payment_id), which the provider has signed. A
-- payment that the shop's own code has made counts too, if its metadata has the order_id. Without one it is none of ours.
--
-- Callers: interlock.payment_webhook.
-- Locks: the account of the buyer and the order, its payments; then as interlock.apply_money.
-- Errors: 55P03 is transient.
create function interlock.apply_payment_event(
  p_provider text,
  p_type text,
  p_object jsonb,
  p_told_at timestamptz,
  out outcome text,
  out order_id uuid
)
language plpgsql
set search_path = ''
as $$
declare
  v_order interlock.orders;
  v_payment interlock.payments;
begin
  order_id := interlock.to_uuid(p_object #>> '{metadata,order_id}');
  if order_id is null then
    return;
  end if;

  perform interlock.lock_order(order_id);
  select o.* into v_order from interlock.orders o where o.id = apply_payment_event.order_id;
  v_payment := interlock.take_payment(p_provider, p_object, order_id);

  if p_type = 'payment_intent.succeeded' and v_payment.succeeded_at is null then
    outcome := interlock.apply_money(p_provider, v_payment, v_order, p_object, p_told_at);
    return;
  end if;

  outcome := 'noted';
  if v_payment.status not in ('open', 'processing') or v_payment.told_at > p_told_at then
    return;
  end if;

  update interlock.payments p
  set provider_id = p_object ->> 'id',
      told_at = p_told_at,
      status = case p_type
        when 'payment_intent.processing' then 'processing'
        when 'payment_intent.payment_failed' then 'open'
        when 'payment_intent.canceled' then 'canceled'
        else p.status
      end,
      failure = case p_type
        when 'payment_intent.payment_failed' then
          left(coalesce(nullif(p_object #>> '{last_payment_error,code}', ''), 'failed'), 200)
        else p.failure
      end
  where p.id = v_payment.id;

  -- An order whose payment is being decided waits longer, and goes back to its own time afterwards.
  if v_order.status = 'pending_payment' and v_order.payment_method = 'card' then
    update interlock.orders o
    set payment_expires_at = case
      when p_type = 'payment_intent.processing' then
        greatest(o.payment_expires_at, interlock.clock() + s.card_processing_window)
      else least(o.payment_expires_at, greatest(o.created_at + s.card_payment_window, interlock.clock()))
    end
    from interlock.settings s
    where o.id = v_order.id
      and (
        p_type = 'payment_intent.processing'
        or (v_payment.status = 'processing' and p_type in ('payment_intent.payment_failed', 'payment_intent.canceled'))
      );
  end if;
end
$$;
