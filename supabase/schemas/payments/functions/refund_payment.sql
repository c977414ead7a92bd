-- What public.refund_payment does, with its owner's rights: so much of a payment has to go back, or all that is left of
-- it. It goes back by the provider, whose event says when (public.payment_webhook). The order stays as it is: goods are
-- another matter. With a reference it counts once.
--
-- Callers: authenticated (staff) and service_role, through public.refund_payment.
-- Locks: the reference; the account of the buyer and the order; the payment. Two seconds at most.
-- Errors: UNAUTHENTICATED, FORBIDDEN, VALIDATION_FAILED, PAYMENT_NOT_FOUND, REFUND_EXCEEDS_PAYMENT (more than was paid,
--   or nothing was), IDEMPOTENCY_KEY_REUSED; 55P03 is transient.
-- Security definer: nobody has the right to write payments.
create function interlock.refund_payment(p_payment_id uuid, p_amount bigint, p_reference text)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
set timezone = 'UTC'
as $$
declare
  v_problems jsonb := '[]'::jsonb;
  v_answer jsonb;
  v_payment interlock.payments;
  v_amount bigint;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;
  perform interlock.refuse_unless_shop();

  if p_payment_id is null then
    v_problems := v_problems || interlock.problem('/p_payment_id', 'is required');
  end if;
  if p_amount < 1 then
    v_problems := v_problems || interlock.problem('/p_amount', 'must be a whole number of minor units, 1 or more');
  end if;
  perform interlock.refuse_problems(v_problems);

  v_answer := interlock.begin_reference(
    'refund_payment', p_reference, jsonb_build_array(p_payment_id, p_amount)
  );
  if v_answer is not null then
    return v_answer;
  end if;

  perform interlock.lock_order(p.order_id) from interlock.payments p where p.id = p_payment_id;
  if clock_timestamp() > statement_timestamp() + interval '100 milliseconds' then
    perform interlock.limit_wait();
  end if;
  -- Money without an order has no other lock.
  select p.* into v_payment from interlock.payments p where p.id = p_payment_id for no key update;
  if not found then
    perform interlock.raise_error('PAYMENT_NOT_FOUND', jsonb_build_object('payment_id', p_payment_id));
  end if;

  v_amount := coalesce(p_amount, v_payment.amount - v_payment.refund_asked);
  if v_payment.succeeded_at is null or v_amount = 0 or v_payment.refund_asked + v_amount > v_payment.amount then
    perform interlock.raise_error('REFUND_EXCEEDS_PAYMENT', jsonb_build_object(
      'payment_id', p_payment_id,
      'amount', v_amount,
      'refundable', case when v_payment.succeeded_at is null then 0 else v_payment.amount - v_payment.refund_asked end,
      'currency', v_payment.currency
    ));
  end if;

  update interlock.payments p
  set refund_asked = p.refund_asked + v_amount
  where p.id = p_payment_id;
  perform interlock.settle_payment(p_payment_id);

  return interlock.finish_reference('refund_payment', p_reference, (
    select jsonb_build_object('success', true, 'payment', to_jsonb(p) - 'shop_id')
    from interlock.payments p
    where p.id = p_payment_id
  ));
end
$$;
