-- By what its CRM knows a shop.
create domain interlock.crm_account as text
  constraint crm_account_format check (value ~ '^[A-Za-z0-9_-]{1,100}$');

-- How a CRM is told.
create domain interlock.crm_method as text
  constraint crm_method_known check (value in ('POST', 'PUT', 'PATCH'));

-- Where in an API: nothing that could make another host of it.
create domain interlock.crm_path as text
  constraint crm_path_format check (value ~ '^/[^#\\[:space:][:cntrl:]]*$' and char_length(value) <= 500);

-- What it is told: an object, with placeholders.
create domain interlock.crm_body as jsonb
  constraint crm_body_sane check (jsonb_typeof(value) = 'object' and octet_length(value::text) <= 20000);
