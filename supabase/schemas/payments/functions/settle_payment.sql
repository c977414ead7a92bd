-- Compare what has to go back of a payment with what has gone back, by the provider's refunds.
--
-- Callers: interlock.apply_money, interlock.apply_refund_event, interlock.refund_payment, with its order locked.
-- Locks: the row of interlock.payments.
create function interlock.settle_payment(p_payment_id uuid)
returns void
language plpgsql
set search_path = ''
as $$
begin
  update interlock.payments p
  set refunded = r.refunded,
      status = case
        when r.refunded >= p.amount then 'refunded'
        when p.refund_asked > r.refunded then 'refund_due'
        when p.refund_asked > 0 then 'refunded'
        when p.flag in ('wrong_amount', 'wrong_currency', 'unknown_order') then 'flagged'
        else 'succeeded'
      end
  from (
    select q.id, coalesce(sum(f.amount) filter (where f.status = 'succeeded'), 0)::bigint as refunded
    from interlock.payments q
    left join interlock.payment_refunds f on (f.provider, f.provider_payment_id) = (q.provider, q.provider_id)
    where q.id = p_payment_id
    group by q.id
  ) r
  where p.id = r.id;
end
$$;
