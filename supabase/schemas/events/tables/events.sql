-- What has happened, to be told outside: one row for each event, written in the transaction that made it happen, so there is
-- no event without its effect and no effect without its event. Append-only; interlock.purge_history removes old ones
-- (settings.keep_events).
create table interlock.events (
  id uuid not null default interlock.new_id()
    constraint events_pkey primary key,
  type interlock.event_type not null,
  subject interlock.label not null,
  payload jsonb not null,
  created_at timestamptz not null default now()
);

comment on table interlock.events is
  'What has happened, to be told outside. Append-only; read by the service role.';
comment on column interlock.events.id is
  'Ordered by time; a receiver knows a repetition by it.';
comment on column interlock.events.type is
  'What has happened: sale.completed, audit.finding and so on (docs/operations.md has them all).';
comment on column interlock.events.subject is
  'What it happened to: the id of the sale, the customer, the product.';
comment on column interlock.events.payload is
  'What there is to say of it, without secrets.';

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
