create domain interlock.order_status as text
  constraint orders_status_known
    check (value in (
      'pending_payment', 'confirmed', 'paid', 'fulfilled', 'cancelled', 'expired', 'refunded'
    ));

-- Where the goods of an order are; its status says what is paid.
create domain interlock.fulfillment as text
  constraint orders_fulfillment_known
    check (value in ('unfulfilled', 'processing', 'partly_shipped', 'shipped', 'delivered'));

create domain interlock.payment_method as text
  constraint orders_payment_method_known
    check (value in ('wallet', 'bank_transfer', 'cash_on_delivery', 'card'));

create domain interlock.order_event as text
  constraint order_events_event_known
    check (value in (
      'pending_payment', 'confirmed', 'paid', 'fulfilled', 'cancelled', 'expired', 'refunded',
      'proof_submitted', 'proof_rejected', 'processing', 'shipped', 'corrected', 'tracking_changed',
      'lines_refunded', 'moved', 'partly_shipped'
    ));
