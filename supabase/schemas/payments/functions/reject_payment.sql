-- What public.reject_payment does, with its owner's rights: the open proofs of an order are rejected, for a reason that
-- its buyer reads. The order then waits for another proof, for settings.payment_window from now on, unless it is to be
-- cancelled or has had all the proofs it may have. Called again it changes nothing: proofs that are rejected already are
-- not rejected once more, and the order is not given more time. An order that never had a proof is cancelled.
--
-- Callers: authenticated (staff) and service_role, through public.reject_payment.
-- Locks: order, then as interlock.settle_orders; each wait two seconds at most.
-- Errors: UNAUTHENTICATED, FORBIDDEN, VALIDATION_FAILED, ORDER_NOT_FOUND, ORDER_STATE_CONFLICT, STOCK_LIMIT_EXCEEDED; 55P03 is transient.
-- Security definer: nobody has the right to write orders and proofs.
create function interlock.reject_payment(p_order_id uuid, p_reason text, p_cancel boolean)
returns json
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
set timezone = 'UTC'
as $$
declare
  v_status text;
  v_rejected int;
  v_tries_left int;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;
  perform interlock.refuse_unless_shop();

  if char_length(p_reason) not between 1 and 500 then
    perform interlock.refuse_problems(interlock.problem('/p_reason', 'must be 1 to 500 characters'));
  end if;

  v_status := interlock.lock_order(p_order_id);

  if v_status = 'pending_payment' then
    update interlock.payment_proofs f
    set status = 'rejected',
        reason = p_reason,
        decided_at = interlock.clock()
    where f.order_id = p_order_id
      and f.status = 'submitted';
    get diagnostics v_rejected = row_count;

    select s.max_payment_proofs - (select count(*) from interlock.payment_proofs f where f.order_id = p_order_id)
    into v_tries_left
    from interlock.settings s;

    if p_cancel is not true
      and v_tries_left > 0
      and exists (select from interlock.payment_proofs f where f.order_id = p_order_id)
    then
      if v_rejected > 0 then
        update interlock.orders o
        set proof_submitted_at = null,
            payment_expires_at = interlock.clock() + s.payment_window
        from interlock.settings s
        where o.id = p_order_id;
      end if;
      return interlock.order_answer(p_order_id);
    end if;
  end if;

  perform interlock.move_order(p_order_id, array['pending_payment'], 'cancelled', 'ORDER_STATE_CONFLICT');
  return interlock.order_answer(p_order_id);
end
$$;
