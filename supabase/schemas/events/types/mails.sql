-- What a shop writes to its customers.
create domain interlock.mail_kind as text
  constraint mail_kind_known check (
    value in ('order_confirmed', 'payment_received', 'order_shipped', 'order_refunded', 'payment_reminder')
  );

create domain interlock.mail_kinds as text[]
  constraint mail_kinds_known check (
    value <@ array['order_confirmed', 'payment_received', 'order_shipped', 'order_refunded', 'payment_reminder']
  );

-- Where a mail goes: an e-mail address in its normal form (interlock.normal_email).
create domain interlock.mail_address as text
  constraint mail_address_format check (value ~ '^[^@\s]+@[^@\s]+[.][^@\s]+$' and char_length(value) <= 254);

-- The languages that there are templates in.
create domain interlock.mail_language as text
  constraint mail_language_known check (value in ('en', 'de'));

-- Who a mail comes from: an address, perhaps behind a name.
create domain interlock.mail_sender as text
  constraint mail_sender_format check (
    char_length(value) <= 320 and value ~ '^([^<>@"\\[:cntrl:]]+ <[^@<>\s]+@[^@<>\s]+[.][^@<>\s]+>|[^@<>\s]+@[^@<>\s]+[.][^@<>\s]+)$'
  );

-- Why nothing is sent to an address.
create domain interlock.suppression_reason as text
  constraint mail_suppressions_reason_known check (value in ('bounced', 'complained', 'unwanted'));

-- Where customers see their order.
create domain interlock.order_url as text
  constraint order_url_format check (value ~ '^https?://[^[:space:]<>"]+$' and char_length(value) <= 500);

-- How long before something.
create domain interlock.lead_time as interval
  constraint lead_time_sane check (value between interval '10 minutes' and interval '30 days');

create domain interlock.mail_text as text
  constraint mail_text_size check (char_length(value) between 1 and 20000);

create domain interlock.mail_html as text
  constraint mail_html_size check (char_length(value) between 1 and 50000);
