-- Tell of money that somebody has to see to: what has to go back (payment.refund_due, with what is still due), and what pays no order
-- (payment.flagged).
--
-- Callers: triggers payments_note_first, payments_note_change.
-- Locks: none.
-- Security definer: nobody has insert on the outbox.
create function interlock.note_payment()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
begin
  perform interlock.note_event('payment.' || new.status, new.id::text, jsonb_build_object(
    'payment_id', new.id,
    'order_id', new.order_id,
    'amount', case when new.status = 'flagged' then new.amount else new.refund_asked - new.refunded end,
    'currency', new.currency,
    'flag', new.flag
  ));
  return null;
end
$$;
