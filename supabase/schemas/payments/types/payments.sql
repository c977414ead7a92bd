-- Who decides about the money.
create domain interlock.payment_provider as text
  constraint payments_provider_known check (value in ('stripe'));

-- The provider's own name of a payment, a refund or an event.
create domain interlock.provider_id as text
  constraint provider_id_format check (interlock.is_provider_id(value));

create domain interlock.payment_status as text
  constraint payments_status_known
    check (value in ('open', 'processing', 'canceled', 'succeeded', 'refund_due', 'refunded', 'flagged'));

-- Why money is here that no order could take.
create domain interlock.payment_flag as text
  constraint payments_flag_known
    check (value in ('wrong_amount', 'wrong_currency', 'unknown_order', 'late', 'paid_otherwise'));

-- What a provider signs its events with.
create domain interlock.signing_secret as text
  constraint payment_secrets_length check (char_length(value) between 16 and 255);

create domain interlock.refund_status as text
  constraint payment_refunds_status_known check (value in ('pending', 'succeeded', 'failed'));

create domain interlock.webhook_outcome as text
  constraint payment_events_outcome_known
    check (value in ('paid', 'reopened', 'refund_due', 'flagged', 'noted', 'ignored'));
