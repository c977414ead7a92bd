-- Events of payment providers that had a right signature, each of which counts once, by the provider's own id. What an
-- event said of people is not kept.
create table interlock.payment_events (
  provider interlock.payment_provider not null,
  event_id interlock.provider_id not null,
  type interlock.label not null,
  provider_payment_id interlock.provider_id,
  order_id uuid,
  outcome interlock.webhook_outcome not null,
  created_at timestamptz not null default now(),
  constraint payment_events_pkey primary key (provider, event_id)
);

comment on table interlock.payment_events is
  'Events of payment providers and what they did. Each counts once.';
comment on column interlock.payment_events.order_id is
  'The order that it is about, as far as one is known.';
comment on column interlock.payment_events.outcome is
  'paid, reopened (an order that had ended is paid), refund_due, flagged, noted, or ignored (nothing of ours).';

create index payment_events_by_order on interlock.payment_events (order_id, created_at) where order_id is not null;

alter table interlock.payment_events enable row level security;

grant select on table interlock.payment_events to service_role;
