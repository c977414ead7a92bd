-- What has happened and no history of its own tells, one row for each event, written in the transaction that made it happen.
-- Append-only; interlock.purge_history removes old ones (settings.keep_events). It is read as interlock.events, with the others.
create table interlock.outbox (
  position bigint not null default nextval('interlock.event_position'),
  type interlock.event_type not null,
  subject interlock.label not null,
  payload jsonb not null,
  created_at timestamptz not null default now(),
  transaction xid8 not null default pg_current_xact_id(),
  -- By transaction, because what has come since the deliveries were made last is asked for so.
  constraint outbox_pkey primary key (transaction, position)
) partition by range (position);

-- What interlock.make_history_parts goes on from, and what takes rows that no part is there for.
create table interlock_parts.outbox_0 partition of interlock.outbox for values from (minvalue) to (5000000);
create table interlock_parts.outbox_rest partition of interlock.outbox default;

alter table interlock_parts.outbox_0 enable row level security;
alter table interlock_parts.outbox_rest enable row level security;

create trigger outbox_no_truncate
  before truncate on interlock_parts.outbox_0
  for each statement
  execute function interlock.refuse_change();

create trigger outbox_no_truncate
  before truncate on interlock_parts.outbox_rest
  for each statement
  execute function interlock.refuse_change();

comment on table interlock.outbox is
  'What has happened, to be told outside, as far as no history of its own tells it. Append-only; read as events.';
comment on column interlock.outbox.type is
  'What has happened: sale.completed, audit.finding and so on (docs/event-types.md has them all).';
comment on column interlock.outbox.subject is
  'What it happened to: the id of the sale, the customer, the product.';
comment on column interlock.outbox.payload is
  'What there is to say of it, without secrets.';
comment on column interlock.outbox.transaction is
  'The transaction that wrote it, by which interlock.make_deliveries knows whether it has seen it.';

create trigger outbox_append_only
  before update or delete on interlock.outbox
  for each row
  execute function interlock.refuse_change();

create trigger outbox_no_truncate
  before truncate on interlock.outbox
  for each statement
  execute function interlock.refuse_change();

alter table interlock.outbox enable row level security;

grant select on table interlock.outbox to service_role;
