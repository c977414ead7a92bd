-- Decide an order's payment and with it its open proofs: accepted (paid), or rejected (cancelled, everything
-- comes back).
--
-- Callers: service_role, through public.accept_payment and public.reject_payment.
-- Locks: order, then as interlock.settle_orders; each wait two seconds at most.
-- Errors: ORDER_NOT_FOUND, ORDER_STATE_CONFLICT; 55P03 is transient.
-- Security definer: nobody has the right to write orders.
create function interlock.decide_payment(p_order_id uuid, p_accept boolean)
returns json
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
set timezone = 'UTC'
as $$
begin
  if p_accept then
    perform interlock.move_order(
      p_order_id, array['pending_payment', 'confirmed'], 'paid', 'ORDER_STATE_CONFLICT'
    );
  else
    perform interlock.move_order(p_order_id, array['pending_payment'], 'cancelled', 'ORDER_STATE_CONFLICT');
  end if;

  update interlock.payment_proofs f
  set status = case when p_accept then 'accepted' else 'rejected' end,
      decided_at = interlock.clock()
  where f.order_id = p_order_id
    and f.status = 'submitted';

  return interlock.order_answer(p_order_id);
end
$$;
