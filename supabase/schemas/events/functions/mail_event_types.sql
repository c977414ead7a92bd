-- The types of events that mails are made of; interlock.mail_kind_of says of which comes what.
--
-- Callers: interlock.set_mail_settings.
-- Locks: none.
create function interlock.mail_event_types()
returns text[]
language plpgsql
immutable
set search_path = ''
as $$
begin
  return array[
    'order.pending_payment', 'order.confirmed', 'order.paid', 'order.shipped', 'order.partly_shipped',
    'order.refunded', 'order.lines_refunded', 'order.cancelled', 'order.payment_due'
  ];
end
$$;
