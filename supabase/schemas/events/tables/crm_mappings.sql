-- What the shop's CRM is told of which events, and how: a row for each type. Written by set_crm_mappings, all at once.
create table interlock.crm_mappings (
  event_type interlock.event_type not null
    constraint crm_mappings_pkey primary key,
  method interlock.crm_method not null,
  path interlock.crm_path not null,
  body interlock.crm_body not null
);

comment on table interlock.crm_mappings is
  'What a CRM is told of which events: its API''s fields out of ours. Written by set_crm_mappings.';
comment on column interlock.crm_mappings.method is
  'POST, PUT or PATCH.';
comment on column interlock.crm_mappings.path is
  'Where in the API of the CRM, with placeholders.';
comment on column interlock.crm_mappings.body is
  'The JSON that is sent, with placeholders in its texts.';

alter table interlock.crm_mappings enable row level security;

grant select on table interlock.crm_mappings to service_role;
