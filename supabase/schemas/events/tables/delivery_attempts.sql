-- What receivers have answered.
create table interlock.delivery_attempts (
  id bigint generated always as identity
    constraint delivery_attempts_pkey primary key,
  delivery_id bigint not null
    constraint delivery_attempts_delivery references interlock.deliveries (id) on delete cascade,
  status interlock.http_status,
  error interlock.label,
  duration_ms interlock.unit_count not null,
  answer interlock.answer_text,
  created_at timestamptz not null default now(),
  constraint delivery_attempts_outcome check (num_nonnulls(status, error) = 1)
);

comment on table interlock.delivery_attempts is
  'Each attempt to deliver an event, and what was answered.';
comment on column interlock.delivery_attempts.status is
  'The HTTP status; null if there was no answer.';
comment on column interlock.delivery_attempts.error is
  'Why there was no answer: unsent, broken or timed_out.';
comment on column interlock.delivery_attempts.duration_ms is
  'How long it took, in milliseconds.';
comment on column interlock.delivery_attempts.answer is
  'What the answer began with, at most 1 KiB.';

create index delivery_attempts_by_delivery on interlock.delivery_attempts (delivery_id, id);

alter table interlock.delivery_attempts enable row level security;

grant select on table interlock.delivery_attempts to service_role;
