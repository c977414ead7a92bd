-- Decide what an order's open proofs are once it no longer waits for its payment, whoever moved it: paid, so accepted, or
-- ended without a decision, so closed.
--
-- Callers: trigger orders_close_payment_proofs.
-- Locks: proofs of the order, which change under the order's lock only.
-- Security definer: whoever may change an order need not have rights on its proofs.
create function interlock.close_payment_proofs()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
begin
  update interlock.payment_proofs f
  set status = case new.status when 'paid' then 'accepted' else 'closed' end,
      decided_at = interlock.clock()
  where f.order_id = new.id
    and f.status = 'submitted';
  return null;
end
$$;
