-- The secrets by which Resend signs what it tells of mails. No role reads them: interlock.find_mail_signature_problem does.
-- While a secret is rolled two of them count.
create table interlock.mail_webhook_secrets (
  id bigint generated always as identity
    constraint mail_webhook_secrets_pkey primary key,
  secret interlock.webhook_secret not null
    constraint mail_webhook_secrets_once unique,
  created_at timestamptz not null default now()
);

comment on table interlock.mail_webhook_secrets is
  'Secrets by which Resend signs what it tells of mails: the latest two. Written by set_mail_webhook_secret.';

alter table interlock.mail_webhook_secrets enable row level security;
