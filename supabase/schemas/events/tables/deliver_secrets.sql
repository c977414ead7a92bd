-- By what the worker is known that sends deliveries: hashes, so that nobody who reads the database can be it.
create table interlock.deliver_secrets (
  id bigint generated always as identity
    constraint deliver_secrets_pkey primary key,
  hash bytea not null
    constraint deliver_secrets_once unique,
  created_at timestamptz not null default now()
);

comment on table interlock.deliver_secrets is
  'Hashes of the latest two secrets of the worker that sends deliveries. Written by set_deliver_secret.';

alter table interlock.deliver_secrets enable row level security;
