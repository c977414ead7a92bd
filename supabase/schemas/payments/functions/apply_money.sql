-- Money has come in: what it pays, or why it pays nothing. Never both, and it is never kept without a word.
--
--   paid        the order waited for it, and it is what it costs, or what it cost when the attempt began: what lines that
--               were cancelled since have taken off goes back (refund_asked)
--   reopened    the order had ended unpaid: its goods, codes and promo use are taken again, all or nothing, and it is
--               paid. settings.late_payments says for which ends
--   refund_due  the order is paid otherwise, or has ended for good: all of it has to go back
--   flagged     it is not what the order costs, or the order is not there: staff decide
--
-- Callers: interlock.apply_payment_event, with the order locked. p_payment is all nulls for a payment that the shop's own
--   code has made: it gets its row here.
-- Locks: as interlock.retake_order and interlock.settle_orders.
-- Errors: 55P03 is transient.
create function interlock.apply_money(
  p_provider text,
  p_payment interlock.payments,
  p_order interlock.orders,
  p_object jsonb,
  p_told_at timestamptz
)
returns text
language plpgsql
set search_path = ''
as $$
declare
  v_payment_id constant uuid := coalesce(p_payment.id, interlock.new_id());
  v_amount constant bigint := interlock.to_amount(coalesce(p_object -> 'amount_received', p_object -> 'amount'));
  v_currency constant text := upper(p_object ->> 'currency');
  v_due constant bigint := p_order.total - p_order.wallet_amount - p_order.refunded;
  v_flag text;
  v_outcome text;
begin
  v_flag := case
    when p_order.id is null then 'unknown_order'
    when v_currency is distinct from p_order.currency then 'wrong_currency'
    when v_amount is distinct from coalesce(p_payment.amount, v_due) then 'wrong_amount'
  end;

  v_outcome := case
    when v_flag is not null then 'flagged'
    when p_order.status in ('pending_payment', 'confirmed') then 'paid'
    when p_order.status in ('expired', 'cancelled') and interlock.retake_for_late_money(p_order) then 'reopened'
    else 'refund_due'
  end;
  if v_outcome = 'refund_due' then
    v_flag := case when p_order.paid_at is null then 'late' else 'paid_otherwise' end;
  end if;

  insert into interlock.payments as p (
    id, order_id, provider, provider_id, attempt, amount, currency, status, flag, refund_asked, told_at, succeeded_at
  )
  values (
    v_payment_id,
    p_order.id,
    p_provider,
    p_object ->> 'id',
    coalesce(p_payment.attempt, 1 + (
      select coalesce(max(a.attempt), 0) from interlock.payments a where a.order_id = p_order.id
    )),
    -- What cannot be read is flagged, with the least that it can be and ISO 4217's code for no currency.
    coalesce(nullif(v_amount, 0), 1),
    case when v_currency ~ '^[A-Z]{3}$' then v_currency else 'XXX' end,
    case v_outcome when 'flagged' then 'flagged' when 'refund_due' then 'refund_due' else 'succeeded' end,
    v_flag,
    case v_outcome
      when 'flagged' then 0
      when 'refund_due' then v_amount
      -- Lines were cancelled after the attempt had begun.
      else v_amount - v_due
    end,
    p_told_at,
    interlock.clock()
  )
  on conflict on constraint payments_pkey do update
  set provider_id = excluded.provider_id,
      amount = excluded.amount,
      currency = excluded.currency,
      status = excluded.status,
      flag = excluded.flag,
      refund_asked = excluded.refund_asked,
      told_at = excluded.told_at,
      succeeded_at = excluded.succeeded_at;
  perform interlock.settle_payment(v_payment_id);

  if v_outcome in ('paid', 'reopened') then
    update interlock.orders o
    set status = 'paid'
    where o.id = p_order.id;
  end if;

  return v_outcome;
end
$$;
