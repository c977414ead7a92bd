-- Which mail an event of an order is worth; null for none. An order is confirmed once: by bank transfer and cash on delivery when it is
-- placed, by card and wallet when it is paid, so a card that is never charged has no mail.
--
-- Callers: interlock.write_mail.
-- Locks: none.
create function interlock.mail_kind_of(p_event_type text, p_order interlock.orders)
returns text
language plpgsql
immutable
set search_path = ''
as $$
declare
  v_waits constant boolean := p_order.payment_method in ('bank_transfer', 'cash_on_delivery');
begin
  return case
    when p_event_type in ('order.pending_payment', 'order.confirmed') then
      case when v_waits and p_order.status in ('pending_payment', 'confirmed', 'paid', 'fulfilled') then 'order_confirmed' end
    when p_event_type = 'order.paid' then
      case when v_waits then 'payment_received' else 'order_confirmed' end
    when p_event_type in ('order.shipped', 'order.partly_shipped') then 'order_shipped'
    when p_event_type in ('order.refunded', 'order.lines_refunded') then 'order_refunded'
    when p_event_type = 'order.cancelled' then case when p_order.paid_at is not null then 'order_refunded' end
    when p_event_type = 'order.payment_due' then
      case when p_order.status = 'pending_payment' and p_order.proof_submitted_at is null then 'payment_reminder' end
  end;
end
$$;
