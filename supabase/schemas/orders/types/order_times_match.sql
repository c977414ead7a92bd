-- Whether an order has the times and goods that its status says, and no others.
--
-- Callers: the trigger orders_record_event.
create function interlock.order_times_match(
  p_status text,
  p_paid_at timestamptz,
  p_fulfilled_at timestamptz,
  p_cancelled_at timestamptz,
  p_refunded_at timestamptz,
  p_fulfillment text,
  p_shipped_at timestamptz
)
returns boolean
language plpgsql
immutable
set search_path = ''
as $$
begin
  return case p_status
    when 'pending_payment' then num_nonnulls(p_paid_at, p_fulfilled_at, p_cancelled_at, p_refunded_at) = 0
    when 'confirmed' then num_nonnulls(p_paid_at, p_fulfilled_at, p_cancelled_at, p_refunded_at) = 0
    when 'paid' then p_paid_at is not null and num_nonnulls(p_fulfilled_at, p_cancelled_at, p_refunded_at) = 0
    when 'fulfilled' then
      num_nulls(p_paid_at, p_fulfilled_at) = 0 and num_nonnulls(p_cancelled_at, p_refunded_at) = 0
    when 'cancelled' then p_cancelled_at is not null and num_nonnulls(p_fulfilled_at, p_refunded_at) = 0
    when 'expired' then
      p_cancelled_at is not null and num_nonnulls(p_paid_at, p_fulfilled_at, p_refunded_at) = 0
    when 'refunded' then num_nulls(p_paid_at, p_refunded_at) = 0 and p_cancelled_at is null
    else true
  end
  and (p_fulfillment = 'delivered') = (p_fulfilled_at is not null)
  and case p_fulfillment
    when 'unfulfilled' then p_shipped_at is null
    when 'processing' then p_shipped_at is null and p_status not in ('pending_payment', 'expired')
    when 'partly_shipped' then p_shipped_at is null and p_status not in ('pending_payment', 'expired')
    when 'shipped' then p_shipped_at is not null and p_status not in ('pending_payment', 'expired')
    else true
  end;
end
$$;
