-- Whether an order's way of payment and deadline are those of its status. Only an order whose proof the shop may decide
-- whenever it likes (settings.review_window is null) waits without a deadline.
--
-- Callers: the trigger orders_record_event.
create function interlock.order_deadline_matches(
  p_status text,
  p_payment_method text,
  p_payment_expires_at timestamptz,
  p_proof_submitted_at timestamptz
)
returns boolean
language plpgsql
immutable
set search_path = ''
as $$
begin
  return case p_status
    when 'pending_payment' then
      p_payment_method in ('bank_transfer', 'card') and num_nonnulls(p_payment_expires_at, p_proof_submitted_at) > 0
    when 'confirmed' then p_payment_method = 'cash_on_delivery'
    when 'expired' then p_payment_method <> 'wallet'
    else true
  end;
end
$$;
