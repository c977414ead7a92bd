-- What an event about a refund does: the refund is kept, and counts towards what had to go back. Whoever made it: the shop
-- in the provider's own pages as well. One that failed has given nothing back, whatever comes after it.
--
-- Callers: interlock.payment_webhook.
-- Locks: the account of the buyer and the order; the refund; the payment.
-- Errors: 55P03 is transient.
create function interlock.apply_refund_event(
  p_provider text,
  p_object jsonb,
  p_told_at timestamptz,
  out outcome text,
  out order_id uuid
)
language plpgsql
set search_path = ''
as $$
declare
  v_provider_payment_id constant text := p_object ->> 'payment_intent';
  v_amount constant bigint := interlock.to_amount(p_object -> 'amount');
  v_payment_id uuid;
begin
  if (
    interlock.is_provider_id(p_object ->> 'id')
    and v_amount > 0
    and upper(p_object ->> 'currency') ~ '^[A-Z]{3}$'
  ) is not true then
    return;
  end if;

  select p.id, p.order_id
  into v_payment_id, order_id
  from interlock.payments p
  where (p.provider, p.provider_id) = (p_provider, v_provider_payment_id)
    and p.succeeded_at is not null;
  if order_id is not null then
    perform interlock.lock_order(order_id);
  end if;

  insert into interlock.payment_refunds as f (
    provider, refund_id, provider_payment_id, amount, currency, status, told_at
  )
  values (
    p_provider,
    p_object ->> 'id',
    v_provider_payment_id,
    v_amount,
    upper(p_object ->> 'currency'),
    case p_object ->> 'status'
      when 'succeeded' then 'succeeded'
      when 'failed' then 'failed'
      when 'canceled' then 'failed'
      else 'pending'
    end,
    p_told_at
  )
  on conflict on constraint payment_refunds_pkey do update
  set status = excluded.status,
      told_at = excluded.told_at
  where f.status <> 'failed'
    and (f.told_at, f.status <> 'pending') <= (excluded.told_at, excluded.status <> 'pending');

  outcome := 'noted';
  if v_payment_id is not null then
    perform interlock.settle_payment(v_payment_id);
  end if;
end
$$;
