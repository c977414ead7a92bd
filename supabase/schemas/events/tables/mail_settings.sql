-- How the shop writes its mails: one row, once it does. Written by set_mail_settings.
create table interlock.mail_settings (
  endpoint_id uuid not null
    constraint mail_settings_pkey primary key
    constraint mail_settings_endpoint references interlock.webhook_endpoints (id) on delete cascade,
  sender interlock.mail_sender not null,
  reply_to interlock.mail_address,
  language interlock.mail_language not null default 'en',
  kinds interlock.mail_kinds not null
    default '{order_confirmed,payment_received,order_shipped,order_refunded,payment_reminder}',
  order_url interlock.order_url,
  remind_before interlock.lead_time not null default '24 hours'
);

comment on table interlock.mail_settings is
  'How the shop writes its mails. Written by set_mail_settings.';
comment on column interlock.mail_settings.sender is
  'Who they come from: Shop <orders@example.com>.';
comment on column interlock.mail_settings.reply_to is
  'Where answers go, if not to the sender.';
comment on column interlock.mail_settings.language is
  'The language of those whose language is not known: en or de.';
comment on column interlock.mail_settings.kinds is
  'Which mails are written.';
comment on column interlock.mail_settings.order_url is
  'Where customers see their order, with {order_id} in it; null: mails have no link.';
comment on column interlock.mail_settings.remind_before is
  'How long before an order expires its buyer is reminded to pay.';

alter table interlock.mail_settings enable row level security;

grant select on table interlock.mail_settings to service_role;
