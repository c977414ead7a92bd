create domain interlock.delivery_state as text
  constraint delivery_state_known check (value in ('pending', 'delivered', 'dead', 'skipped'));

-- What an endpoint is: a URL of the shop's, its mails (Resend), or its CRM (Alpine IQ, or any other by crm_mappings).
create domain interlock.delivery_channel as text
  constraint delivery_channel_known check (value in ('webhook', 'email', 'alpine_iq', 'crm'));

-- By which what is sent is signed: whsec_ and the base64 of 24 to 64 bytes (Standard Webhooks).
create domain interlock.webhook_secret as text
  constraint webhook_secret_format check (value ~ '^whsec_[A-Za-z0-9+/]+={0,2}$' and char_length(value) between 38 and 94);

-- Why there is no answer, or what the answer of a receiver was, as far as it is kept.
create domain interlock.answer_text as text
  constraint answer_text_size check (octet_length(value) <= 1024);

-- Where webhooks are sent. Which of these URLs a shop may use, interlock.is_webhook_url says.
create domain interlock.webhook_url as text
  constraint webhook_url_format check (value ~ '^https?://' and char_length(value) <= 2000);

-- The types of events that somebody wants.
create domain interlock.event_types as text[]
  constraint event_types_some check (cardinality(value) between 1 and 100);

create domain interlock.http_status as int
  constraint http_status_range check (value between 100 and 599);
