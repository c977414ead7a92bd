-- What has happened, for whoever is told outside: one row for each event, written in the transaction that did it. Append-only.
--
-- `subject_id` is what it happened to; events of one subject are told in the order of their ids. A receiver recognises a
-- repetition by the id.
create table interlock.events (
  id bigint generated always as identity
    constraint events_pkey primary key,
  type interlock.event_type not null,
  subject_id uuid not null,
  payload jsonb not null,
  created_at timestamptz not null default now()
);

comment on table interlock.events is
  'What has happened, for whoever is told outside. Written in the transaction that did it; append-only.';
comment on column interlock.events.type is
  'What: sale.completed, sale.voided, customer.created and the like.';
comment on column interlock.events.subject_id is
  'What it happened to.';
comment on column interlock.events.payload is
  'Ids and amounts; nothing personal.';

create index events_by_subject on interlock.events (subject_id, id);

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
