-- Payments by card: the money is decided by somebody else (the provider), later, twice and out of order. A row is one
-- attempt to pay one order; what the provider says of it comes by public.payment_webhook alone.
--
--   open        the buyer may pay; no money has moved. A payment that failed is open again
--   processing  the provider is deciding: its order waits for settings.card_processing_window
--   canceled    given up; the next try is another attempt
--   succeeded   the money is here, and pays its order
--   refund_due  the money is here, and some of it has to go back: refund_asked is more than refunded
--   refunded    what was asked for has gone back
--   flagged     the money is here, and it is not what the order costs, or the order is not known: staff decide
--
-- Money is the provider's word: succeeded is never undone by a later event about the attempt. One attempt of an order is
-- open or processing at a time (payments_one_open).
create table interlock.payments (
  id uuid not null default interlock.new_id()
    constraint payments_pkey primary key,
  -- Empty for money that names an order which is not there.
  order_id uuid
    constraint payments_order_id_fkey references interlock.orders (id),
  provider interlock.payment_provider not null,
  provider_id interlock.provider_id,
  attempt interlock.positive_count not null,
  amount interlock.positive_amount not null,
  currency interlock.currency_code not null,
  status interlock.payment_status not null default 'open',
  flag interlock.payment_flag,
  failure interlock.label,
  refund_asked interlock.amount not null default 0,
  refunded interlock.amount not null default 0,
  dispute interlock.label,
  -- What the provider's latest event about the attempt was created at: an older one changes nothing.
  told_at timestamptz,
  created_at timestamptz not null default now(),
  succeeded_at timestamptz,

  constraint payments_refund_within_amount check (refund_asked <= amount),
  constraint payments_refund_of_money check (
    status in ('succeeded', 'refund_due', 'refunded', 'flagged') or refund_asked = 0
  ),
  constraint payments_money_has_time check (
    (status in ('succeeded', 'refund_due', 'refunded', 'flagged')) = (succeeded_at is not null)
  )
);

comment on table interlock.payments is
  'Payments by card, one row for each attempt to pay an order. Its buyer sees it, nobody writes.';
comment on column interlock.payments.order_id is
  'The order that is paid; empty if the provider has named one that is not there.';
comment on column interlock.payments.provider_id is
  'The provider''s own id, as pi_…; empty until it is known.';
comment on column interlock.payments.amount is
  'What the order costs, in minor units; for flagged money what has come in.';
comment on column interlock.payments.status is
  'open, processing, canceled, succeeded, refund_due, refunded or flagged; docs/payments.md has the transitions.';
comment on column interlock.payments.flag is
  'Why the money pays no order: wrong_amount, wrong_currency, unknown_order, late (the order had ended), paid_otherwise.';
comment on column interlock.payments.failure is
  'What the provider says of the latest try that failed, as card_declined.';
comment on column interlock.payments.refund_asked is
  'How much of it has to go back, in all.';
comment on column interlock.payments.refunded is
  'How much has gone back by the provider''s word.';
comment on column interlock.payments.dispute is
  'The state of the buyer''s dispute with their bank, in the provider''s words; empty if there is none.';

-- Money by the provider's id, which only a signed event can have said: what a buyer's own call has stored before does not
-- count.
create unique index payments_money on interlock.payments (provider, provider_id)
  where succeeded_at is not null;

create unique index payments_one_open on interlock.payments (order_id)
  where status in ('open', 'processing');

create index payments_by_order on interlock.payments (order_id, attempt);

-- What staff have to look at, the oldest first.
create index payments_to_settle on interlock.payments (id) where status in ('refund_due', 'flagged');

create trigger payments_no_truncate
  before truncate on interlock.payments
  for each statement
  execute function interlock.refuse_change();

create trigger payments_no_delete
  before delete on interlock.payments
  for each row
  execute function interlock.refuse_change();

alter table interlock.payments enable row level security;

grant select on table interlock.payments to authenticated, service_role;

create policy payments_select_own
  on interlock.payments
  for select
  to authenticated
  using (order_id = any (array(
    select o.id from interlock.orders o where o.user_id = (select auth.uid())
  )));

create trigger payments_note_first
  after insert on interlock.payments
  for each row
  when (new.status in ('refund_due', 'flagged'))
  execute function interlock.note_payment();

create trigger payments_note_change
  after update on interlock.payments
  for each row
  when (
    new.status in ('refund_due', 'flagged')
    and (new.status <> old.status or new.refund_asked > old.refund_asked)
  )
  execute function interlock.note_payment();
