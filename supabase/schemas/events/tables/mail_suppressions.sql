-- Addresses that get nothing. Written by suppress_email and allow_email.
create table interlock.mail_suppressions (
  email interlock.mail_address not null
    constraint mail_suppressions_pkey primary key,
  reason interlock.suppression_reason not null,
  created_at timestamptz not null default now()
);

comment on table interlock.mail_suppressions is
  'Addresses that no mail is sent to. Written by suppress_email and allow_email.';
comment on column interlock.mail_suppressions.reason is
  'bounced, complained or unwanted.';

alter table interlock.mail_suppressions enable row level security;

grant select on table interlock.mail_suppressions to service_role;
