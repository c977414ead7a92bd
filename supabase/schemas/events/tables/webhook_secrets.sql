-- The secrets by which what is sent to an endpoint is signed. No role reads them; the one who makes an endpoint or rolls its
-- secret is told it, once. While a secret is rolled two of them sign.
create table interlock.webhook_secrets (
  id bigint generated always as identity
    constraint webhook_secrets_pkey primary key,
  endpoint_id uuid not null
    constraint webhook_secrets_endpoint references interlock.webhook_endpoints (id) on delete cascade,
  secret interlock.webhook_secret not null,
  created_at timestamptz not null default now(),
  valid_until timestamptz
);

comment on table interlock.webhook_secrets is
  'Secrets by which webhooks are signed: the present one of each endpoint, and the one before it while that still counts.';
comment on column interlock.webhook_secrets.valid_until is
  'When it ceases to sign; null for the present one.';

create unique index webhook_secrets_one_present on interlock.webhook_secrets (endpoint_id) where valid_until is null;
create index webhook_secrets_by_endpoint on interlock.webhook_secrets (endpoint_id);

alter table interlock.webhook_secrets enable row level security;
