-- The shop's account with its CRM: one row, once it has one. Written by set_crm_settings.
create table interlock.crm_settings (
  endpoint_id uuid not null
    constraint crm_settings_pkey primary key
    constraint crm_settings_endpoint references interlock.webhook_endpoints (id) on delete cascade,
  account interlock.crm_account not null
);

comment on table interlock.crm_settings is
  'The shop''s account with its CRM. Written by set_crm_settings.';
comment on column interlock.crm_settings.account is
  'By what Alpine IQ knows the shop: the uid in its URLs.';

alter table interlock.crm_settings enable row level security;

grant select on table interlock.crm_settings to service_role;
