-- What the provider has given back, or is giving back: one row for each of its refunds, by its own ids. A refund may be
-- told before the payment that it belongs to, so it does not refer to one.
create table interlock.payment_refunds (
  provider interlock.payment_provider not null,
  refund_id interlock.provider_id not null,
  provider_payment_id interlock.provider_id not null,
  amount interlock.positive_amount not null,
  currency interlock.currency_code not null,
  status interlock.refund_status not null,
  told_at timestamptz not null,
  created_at timestamptz not null default now(),
  constraint payment_refunds_pkey primary key (provider, refund_id)
);

comment on table interlock.payment_refunds is
  'Refunds of payments by card, by the provider''s word.';
comment on column interlock.payment_refunds.provider_payment_id is
  'The payment, by the provider''s own id: interlock.payments.provider_id.';
comment on column interlock.payment_refunds.status is
  'pending, succeeded or failed; a failed one has given nothing back.';

create index payment_refunds_by_payment on interlock.payment_refunds (provider, provider_payment_id);

alter table interlock.payment_refunds enable row level security;

grant select on table interlock.payment_refunds to service_role;
