-- What has happened, to be told outside: one row for each event, written in the transaction that made it happen, so there is
-- no event without its effect and no effect without its event. Append-only; interlock.purge_history removes old ones
-- (settings.keep_events).
create table interlock.events (
  id uuid not null default interlock.new_id()
    constraint events_pkey primary key,
  type interlock.event_type not null,
  subject interlock.label not null,
  payload jsonb not null,
  created_at timestamptz not null default now(),
  position bigint not null generated always as identity,
  transaction xid8 not null default pg_current_xact_id()
);

comment on table interlock.events is
  'What has happened, to be told outside. Append-only; read by the service role.';
comment on column interlock.events.id is
  'Ordered by time; a receiver knows a repetition by it.';
comment on column interlock.events.type is
  'What has happened: sale.completed, audit.finding and so on (docs/events.md has them all).';
comment on column interlock.events.subject is
  'What it happened to: the id of the sale, the customer, the product.';
comment on column interlock.events.payload is
  'What there is to say of it, without secrets.';
comment on column interlock.events.position is
  'The order in which events were written; those of one subject happened in this order.';
comment on column interlock.events.transaction is
  'The transaction that wrote it, by which interlock.make_deliveries knows whether it has seen it.';

-- What has come since the deliveries were made last.
create index events_by_transaction on interlock.events (transaction);

create trigger events_append_only
  before update or delete on interlock.events
  for each row
  execute function interlock.refuse_change();

create trigger events_no_truncate
  before truncate on interlock.events
  for each statement
  execute function interlock.refuse_change();

alter table interlock.events enable row level security;

grant select on table interlock.events to service_role;
