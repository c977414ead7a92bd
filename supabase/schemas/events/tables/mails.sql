-- Mails as they are sent: written once, when they are first due, so that each repetition is the same, byte for byte. They
-- go with their delivery, and with the person (interlock.forget_order_details).
create table interlock.mails (
  delivery_id bigint not null
    constraint mails_pkey primary key
    constraint mails_delivery references interlock.deliveries (id) on delete cascade,
  order_id uuid not null,
  kind interlock.mail_kind not null,
  recipient interlock.mail_address not null,
  body text not null,
  tried_at timestamptz
);

comment on table interlock.mails is
  'Mails as they are sent to customers. They go with their delivery, and when the account is erased.';
comment on column interlock.mails.body is
  'What Resend is sent.';
comment on column interlock.mails.tried_at is
  'Since when it may have arrived: a day later its idempotency key is forgotten, so it is not sent again by itself.';

create index mails_by_order on interlock.mails (order_id);

alter table interlock.mails enable row level security;

grant select on table interlock.mails to service_role;
