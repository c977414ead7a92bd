-- The secrets by which providers sign their events. No role reads them: interlock.find_signature_problem does. While a
-- secret is rolled two of them count.
create table interlock.payment_secrets (
  id bigint generated always as identity
    constraint payment_secrets_pkey primary key,
  provider interlock.payment_provider not null,
  secret interlock.signing_secret not null,
  created_at timestamptz not null default now(),
  constraint payment_secrets_once unique (provider, secret)
);

comment on table interlock.payment_secrets is
  'Secrets by which payment providers sign their events: the latest two of each provider. Written by set_payment_secret.';

alter table interlock.payment_secrets enable row level security;
