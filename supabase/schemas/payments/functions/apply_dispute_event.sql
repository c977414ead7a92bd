-- What an event about a dispute does: its state stands with the payment, for staff. One that is closed stays closed.
--
-- Callers: interlock.payment_webhook.
-- Locks: the account of the buyer and the order; the payment.
-- Errors: 55P03 is transient.
create function interlock.apply_dispute_event(
  p_provider text,
  p_object jsonb,
  out outcome text,
  out order_id uuid
)
language plpgsql
set search_path = ''
as $$
declare
  v_payment_id uuid;
begin
  select p.id, p.order_id
  into v_payment_id, order_id
  from interlock.payments p
  where (p.provider, p.provider_id) = (p_provider, p_object ->> 'payment_intent')
    and p.succeeded_at is not null;
  if v_payment_id is null or coalesce(p_object ->> 'status', '') = '' then
    return;
  end if;

  if order_id is not null then
    perform interlock.lock_order(order_id);
  end if;
  update interlock.payments p
  set dispute = left(p_object ->> 'status', 200)
  where p.id = v_payment_id
    and coalesce(p.dispute, '') not in ('won', 'lost', 'warning_closed');
  outcome := 'noted';
end
$$;
