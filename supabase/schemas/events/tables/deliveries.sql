-- Events on their way to endpoints. Their ids are given out in the order in which the events happened. An event is found by its
-- transaction and its position; interlock.purge_history keeps those that are still to be delivered.
create table interlock.deliveries (
  id bigint generated always as identity
    constraint deliveries_pkey primary key,
  position bigint not null,
  transaction xid8 not null,
  endpoint_id uuid not null
    constraint deliveries_endpoint references interlock.webhook_endpoints (id) on delete cascade,
  subject interlock.label not null,
  state interlock.delivery_state not null default 'pending',
  attempts interlock.unit_count not null default 0,
  next_attempt_at timestamptz not null default now(),
  lease uuid,
  lease_until timestamptz,
  created_at timestamptz not null default now(),
  ended_at timestamptz,
  constraint deliveries_once unique (position, endpoint_id),
  constraint deliveries_lease_whole check ((lease is null) = (lease_until is null)),
  constraint deliveries_lease_pending check (lease is null or state = 'pending'),
  constraint deliveries_ended check ((ended_at is null) = (state = 'pending'))
);

comment on table interlock.deliveries is
  'Events on their way to the shop''s endpoints, and what became of them.';
comment on column interlock.deliveries.position is
  'The position of the event.';
comment on column interlock.deliveries.transaction is
  'The transaction that wrote the event, by which it is found.';
comment on column interlock.deliveries.state is
  'pending, delivered (the endpoint has accepted it), dead (it is not tried any more; retry_delivery does), or skipped (there was nothing to send: a mail to nobody; the log says why).';
comment on column interlock.deliveries.attempts is
  'How often it has been tried since it was made or sent again.';
comment on column interlock.deliveries.lease is
  'The claim under which it is being sent; null if nobody is at it.';
comment on column interlock.deliveries.lease_until is
  'Then another worker may try it.';

create index deliveries_due on interlock.deliveries (endpoint_id, next_attempt_at, id) where state = 'pending';
create index deliveries_pending_by_subject on interlock.deliveries (endpoint_id, subject, id) where state = 'pending';
create index deliveries_leased on interlock.deliveries (endpoint_id, lease_until) where lease is not null;
create index deliveries_by_endpoint on interlock.deliveries (endpoint_id, id);
create index deliveries_by_end on interlock.deliveries (endpoint_id, ended_at) where ended_at is not null;
create index deliveries_dead on interlock.deliveries (ended_at) where state = 'dead';

alter table interlock.deliveries enable row level security;

grant select on table interlock.deliveries to service_role;
