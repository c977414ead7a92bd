-- Where a shop has its events sent: webhooks, written by create_webhook_endpoint and its kin, and one row each for its mails
-- (set_mail_settings) and its CRMs (set_crm_settings, set_crm_mappings), whose URLs and keys only the function deliver knows.
create table interlock.webhook_endpoints (
  id uuid not null default interlock.new_id()
    constraint webhook_endpoints_pkey primary key,
  channel interlock.delivery_channel not null default 'webhook',
  url interlock.webhook_url,
  description interlock.label,
  event_types interlock.event_types,
  ordered boolean not null default false,
  active boolean not null default true,
  active_since timestamptz not null default now(),
  failing_since timestamptz,
  disabled_at timestamptz,
  created_at timestamptz not null default now(),
  constraint webhook_endpoints_url_of_webhook check ((channel = 'webhook') = (url is not null)),
  constraint webhook_endpoints_disabled_inactive check (disabled_at is null or not active)
);

comment on table interlock.webhook_endpoints is
  'Where the shop has its events sent, after Standard Webhooks.';
comment on column interlock.webhook_endpoints.channel is
  'webhook, or what else it is: email (the shop''s mails), alpine_iq or crm (its CRM).';
comment on column interlock.webhook_endpoints.url is
  'Where to; empty for what is no webhook.';
comment on column interlock.webhook_endpoints.description is
  'What the shop calls it.';
comment on column interlock.webhook_endpoints.event_types is
  'The types of events that it gets; null: all.';
comment on column interlock.webhook_endpoints.ordered is
  'Whether events of one subject are sent one after the other, in their order.';
comment on column interlock.webhook_endpoints.active is
  'Whether events are sent there.';
comment on column interlock.webhook_endpoints.active_since is
  'It gets events of transactions that began later.';
comment on column interlock.webhook_endpoints.failing_since is
  'Since when nothing has been accepted; null: the latest was.';
comment on column interlock.webhook_endpoints.disabled_at is
  'When it was switched off because it had failed for days or said 410 Gone.';

create unique index webhook_endpoints_one_of_channel on interlock.webhook_endpoints (channel) where channel <> 'webhook';

alter table interlock.webhook_endpoints enable row level security;

grant select on table interlock.webhook_endpoints to service_role;
