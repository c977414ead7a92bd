-- What has happened, to be told outside.
--
-- Made of supabase/schemas by `cargo xtask codegen`, in the order in which it is loaded. Bodies of functions name objects
-- that come with later files, so they are not checked here.

set local lock_timeout = '5s';
set local check_function_bodies = off;

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

-- Whether webhooks may be sent to a URL: https, a name that the public DNS can have (no address in whatever notation, no
-- name of one label, none that is local by its ending), a port that there is, no user, no fragment. Where they may go anywhere
-- (settings.webhooks_anywhere, for development) any http or https URL will do.
--
-- Callers: interlock.find_webhook_problems, and interlock.claim_deliveries each time that something is sent there.
-- Locks: none.
create function interlock.is_webhook_url(p_url text, p_anywhere boolean)
returns boolean
language sql
immutable
strict
parallel safe
set search_path = ''
as $$
  select char_length(p_url) <= 2000
    and p_url ~ '^https?://[^/?#@\\[:space:][:cntrl:]]+([/?][^#\\[:space:][:cntrl:]]*)?$'
    and (p_anywhere or coalesce(
      h.host ~ '^([a-z0-9]([a-z0-9_-]{0,61}[a-z0-9])?[.])+[a-z]([a-z0-9-]{0,61}[a-z0-9])?(:([0-9]{1,4}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]))?$'
      and h.host !~ '(^|[.])(localhost|local|localdomain|internal|intranet|lan|home|corp|private|arpa|onion|test|invalid)(:[0-9]+)?$',
      false
    ))
  from (select substring(p_url from '^https://([^/?#]+)') as host) h
$$;

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

-- Events on their way to endpoints. Their ids are given out in the order in which the events happened. An event is found by its
-- transaction and its position; interlock.purge_history keeps those that are still to be delivered.
create table interlock.deliveries (
  id bigint generated always as identity
    constraint deliveries_pkey primary key,
  position bigint not null,
  transaction xid8 not null,
  endpoint_id uuid not null
    constraint deliveries_endpoint references interlock.webhook_endpoints (id) on delete cascade,
  subject interlock.label not null,
  state interlock.delivery_state not null default 'pending',
  attempts interlock.unit_count not null default 0,
  next_attempt_at timestamptz not null default now(),
  lease uuid,
  lease_until timestamptz,
  created_at timestamptz not null default now(),
  ended_at timestamptz,
  constraint deliveries_once unique (position, endpoint_id),
  constraint deliveries_lease_whole check ((lease is null) = (lease_until is null)),
  constraint deliveries_lease_pending check (lease is null or state = 'pending'),
  constraint deliveries_ended check ((ended_at is null) = (state = 'pending'))
);

comment on table interlock.deliveries is
  'Events on their way to the shop''s endpoints, and what became of them.';
comment on column interlock.deliveries.position is
  'The position of the event.';
comment on column interlock.deliveries.transaction is
  'The transaction that wrote the event, by which it is found.';
comment on column interlock.deliveries.state is
  'pending, delivered (the endpoint has accepted it), dead (it is not tried any more; retry_delivery does), or skipped (there was nothing to send: a mail to nobody; the log says why).';
comment on column interlock.deliveries.attempts is
  'How often it has been tried since it was made or sent again.';
comment on column interlock.deliveries.lease is
  'The claim under which it is being sent; null if nobody is at it.';
comment on column interlock.deliveries.lease_until is
  'Then another worker may try it.';

create index deliveries_due on interlock.deliveries (endpoint_id, next_attempt_at, id) where state = 'pending';
create index deliveries_pending_by_subject on interlock.deliveries (endpoint_id, subject, id) where state = 'pending';
create index deliveries_leased on interlock.deliveries (endpoint_id, lease_until) where lease is not null;
create index deliveries_by_endpoint on interlock.deliveries (endpoint_id, id);
create index deliveries_by_end on interlock.deliveries (endpoint_id, ended_at) where ended_at is not null;
create index deliveries_dead on interlock.deliveries (ended_at) where state = 'dead';

alter table interlock.deliveries enable row level security;

grant select on table interlock.deliveries to service_role;

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

-- By what the worker is known that sends deliveries: hashes, so that nobody who reads the database can be it.
create table interlock.deliver_secrets (
  id bigint generated always as identity
    constraint deliver_secrets_pkey primary key,
  hash bytea not null
    constraint deliver_secrets_once unique,
  created_at timestamptz not null default now()
);

comment on table interlock.deliver_secrets is
  'Hashes of the latest two secrets of the worker that sends deliveries. Written by set_deliver_secret.';

alter table interlock.deliver_secrets enable row level security;

-- What receivers have answered.
create table interlock.delivery_attempts (
  id bigint generated always as identity
    constraint delivery_attempts_pkey primary key,
  delivery_id bigint not null
    constraint delivery_attempts_delivery references interlock.deliveries (id) on delete cascade,
  status interlock.http_status,
  error interlock.label,
  duration_ms interlock.unit_count not null,
  answer interlock.answer_text,
  created_at timestamptz not null default now(),
  constraint delivery_attempts_outcome check (num_nonnulls(status, error) = 1)
);

comment on table interlock.delivery_attempts is
  'Each attempt to deliver an event, and what was answered.';
comment on column interlock.delivery_attempts.status is
  'The HTTP status; null if there was no answer.';
comment on column interlock.delivery_attempts.error is
  'Why there was no answer: unsent, broken or timed_out.';
comment on column interlock.delivery_attempts.duration_ms is
  'How long it took, in milliseconds.';
comment on column interlock.delivery_attempts.answer is
  'What the answer began with, at most 1 KiB.';

create index delivery_attempts_by_delivery on interlock.delivery_attempts (delivery_id, id);

alter table interlock.delivery_attempts enable row level security;

grant select on table interlock.delivery_attempts to service_role;

-- Up to where deliveries have been made of events: all that was visible in `seen`, and of what is visible in `target` what
-- has a lower position than `position`. No plain number would do: neither ids nor positions nor transactions are committed
-- in their order, so whoever commits late would be passed over.
create table interlock.delivery_cursor (
  singleton boolean not null default true
    constraint delivery_cursor_pkey primary key
    constraint delivery_cursor_single_row check (singleton),
  seen pg_snapshot not null,
  target pg_snapshot,
  position bigint not null default 0
);

comment on table interlock.delivery_cursor is
  'Up to where deliveries have been made of events.';
comment on column interlock.delivery_cursor.seen is
  'The snapshot whose events are all dealt with.';
comment on column interlock.delivery_cursor.target is
  'The snapshot whose events are being dealt with, if they are too many for one call.';
comment on column interlock.delivery_cursor.position is
  'The position of the latest of these.';

alter table interlock.delivery_cursor enable row level security;

insert into interlock.delivery_cursor (seen) values (pg_current_snapshot());

-- Orders whose buyers were reminded to pay, each once.
create table interlock.mail_reminders (
  order_id uuid not null
    constraint mail_reminders_pkey primary key
    constraint mail_reminders_order references interlock.orders (id),
  created_at timestamptz not null default now()
);

comment on table interlock.mail_reminders is
  'Orders whose buyers were reminded to pay. Written by interlock.remind_payments.';

alter table interlock.mail_reminders enable row level security;

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

-- The shop's own words in place of those of interlock.mail_template. Written by set_mail_template.
create table interlock.mail_templates (
  kind interlock.mail_kind not null,
  language interlock.mail_language not null,
  subject interlock.label not null,
  body interlock.mail_text not null,
  html interlock.mail_html,
  constraint mail_templates_pkey primary key (kind, language)
);

comment on table interlock.mail_templates is
  'The shop''s own words for its mails. Written by set_mail_template.';
comment on column interlock.mail_templates.body is
  'Paragraphs with placeholders; one of which a placeholder is empty is left out.';
comment on column interlock.mail_templates.html is
  'A page around them, with {{body}} in it; null: the usual one.';

alter table interlock.mail_templates enable row level security;

grant select on table interlock.mail_templates to service_role;

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

-- The secrets by which what is sent to an endpoint is signed. No role reads them; the one who makes an endpoint or rolls its
-- secret is told it, once. While a secret is rolled two of them sign.
create table interlock.webhook_secrets (
  id bigint generated always as identity
    constraint webhook_secrets_pkey primary key,
  endpoint_id uuid not null
    constraint webhook_secrets_endpoint references interlock.webhook_endpoints (id) on delete cascade,
  secret interlock.webhook_secret not null,
  created_at timestamptz not null default now(),
  valid_until timestamptz
);

comment on table interlock.webhook_secrets is
  'Secrets by which webhooks are signed: the present one of each endpoint, and the one before it while that still counts.';
comment on column interlock.webhook_secrets.valid_until is
  'When it ceases to sign; null for the present one.';

create unique index webhook_secrets_one_present on interlock.webhook_secrets (endpoint_id) where valid_until is null;
create index webhook_secrets_by_endpoint on interlock.webhook_secrets (endpoint_id);

alter table interlock.webhook_secrets enable row level security;

-- Make the secret by which an endpoint's webhooks are signed from now on, and answer it: 32 random bytes.
--
-- Callers: interlock.create_webhook_endpoint, interlock.roll_webhook_secret.
-- Locks: none that is not held.
create function interlock.add_webhook_secret(p_endpoint_id uuid)
returns text
language plpgsql
set search_path = ''
as $$
declare
  v_secret constant text := 'whsec_' || encode(
    sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())), 'base64'
  );
begin
  insert into interlock.webhook_secrets (endpoint_id, secret) values (p_endpoint_id, v_secret);
  return v_secret;
end
$$;

-- What public.allow_email does, with its owner's rights: mails are sent to an address again. What was skipped stays so: retry_delivery.
--
-- Callers: authenticated (staff) and service_role, through public.allow_email.
-- Locks: the address's row.
-- Errors: UNAUTHENTICATED, FORBIDDEN, VALIDATION_FAILED; 55P03 is transient.
-- Security definer: nobody has the right to write suppressions.
create function interlock.allow_email(p_email text)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
as $$
declare
  v_email constant text := interlock.normal_email(p_email);
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;

  perform interlock.refuse_unless_shop();
  perform interlock.refuse_problems(
    case when v_email is null then interlock.problem('/p_email', 'must be an e-mail address') else '[]' end
  );
  delete from interlock.mail_suppressions s where s.email = v_email;
  return jsonb_build_object('success', true, 'email', v_email, 'suppressed', false);
end
$$;

-- Have the function deliver called, if there is anything to deliver, where the platform has pg_net and its vault:
-- settings.deliver_url says where it is, the vault's secret interlock_deliver_secret what it is called with. Where they are
-- not, `npm run deliver` or another scheduler calls it.
--
-- A call sends a few deliveries of each endpoint, so the job calls it again, a second later, for as long as something is due and calls come to
-- something. They do not where the secret is wrong, say, or where a receiver refuses all: once something of an endpoint has been due for a minute in
-- which no delivery of this endpoint came to its end, there is one call a minute for it. Answers 1 if the job is to look again, or 0.
--
-- Callers: the jobs of interlock.jobs.
-- Locks: none.
-- Errors: P0001, which the job reports, if the vault does not have the secret.
create function interlock.call_deliver()
returns int
language plpgsql
set search_path = ''
as $$
declare
  v_url constant text := (select s.deliver_url from interlock.settings s);
  v_due record;
begin
  if v_url is null then
    return 0;
  end if;
  select d.since, d.again into v_due from interlock.deliveries_due() d;
  if v_due.since is not null and not interlock.post_deliver(v_url) then
    return 0;
  end if;
  return case when v_due.again then 1 else 0 end;
end
$$;

-- What public.claim_deliveries does, with its owner's rights: makes deliveries of what is new, and leases up to p_limit that are due to
-- the caller for a minute, each with all that has to be sent. Nobody is signed in; the worker's secret gives it its right.
-- What is not recorded within the minute is claimed again: so a receiver may get an event twice, and none is lost.
--
-- An endpoint has at most five under way, one while it fails, and every endpoint has its turn before one has its second: a
-- slow one holds up no other. Where it asks for order, a subject has one under way, and never one before which another is pending. The
-- endpoints are locked so that two who claim at once do not count past each other, and waited for: who answers that there is
-- nothing has seen what those before it have made.
-- The secrets stay here: what is answered is signed. Where a URL leads the function finds out, and sends nothing to an address that is not
-- public (`public`). For a mail, or a call of a CRM, the function adds the key (`outlet`), which is not here.
--
-- A session that has planned while the queue was empty would read all of it for each delivery when it no longer is: so nothing is read but by
-- index (enable_seqscan), and what costs more than anything by that is not compiled for it (jit).
--
-- Callers: anon, authenticated and service_role, through public.claim_deliveries, of the function deliver.
-- Locks: as interlock.make_deliveries; the endpoints that are active, by id; deliveries of theirs, accounts that mails are written to, skip
--   locked.
-- Errors: DELIVER_SECRET_INVALID; 55P03 is transient.
-- Security definer: nobody has the right to read or write deliveries and secrets.
create function interlock.claim_deliveries(p_secret text, p_limit int)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
set timezone = 'UTC'
set enable_seqscan = off
set jit = off
as $$
declare
  v_now constant timestamptz := interlock.clock();
  v_timestamp constant bigint := extract(epoch from clock_timestamp());
  v_limit constant int := least(greatest(coalesce(p_limit, 20), 1), 50);
  v_endpoints uuid[];
  v_due bigint[];
  v_ids bigint[];
  v_calls jsonb;
  v_deliveries jsonb;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;

  if not exists (
    select from interlock.deliver_secrets s where s.hash = sha256(convert_to(p_secret, 'UTF8'))
  ) then
    perform interlock.raise_error('DELIVER_SECRET_INVALID');
  end if;

  perform interlock.make_deliveries(1000);

  if clock_timestamp() > statement_timestamp() + interval '100 milliseconds' then
    perform interlock.limit_wait();
  end if;
  select array_agg(e.id) into v_endpoints
  from (
    select w.id
    from interlock.webhook_endpoints w
    cross join interlock.settings s
    where w.active
      and (w.channel <> 'webhook' or interlock.is_webhook_url(w.url, s.webhooks_anywhere))
    order by w.id
    for no key update of w
  ) e;

  -- A statement of its own: it sees what whoever had an endpoint before has done.
  select array_agg(d.id order by d.turn, d.next_attempt_at, d.id)
  into v_due
  from (
    select
      d.id, d.next_attempt_at,
      row_number() over (partition by w.id order by d.next_attempt_at, d.id) as turn
    from interlock.webhook_endpoints w
    cross join lateral (
      select q.id, q.next_attempt_at
      from interlock.deliveries q
      where q.endpoint_id = w.id
        and q.state = 'pending'
        and q.next_attempt_at <= v_now
        and (q.lease is null or q.lease_until <= v_now)
        -- In two: neither reads what else waits of the subject.
        and not (w.ordered and exists (
          select
          from interlock.deliveries b
          where b.endpoint_id = q.endpoint_id
            and b.subject = q.subject
            and b.state = 'pending'
            and b.id < q.id
        ))
        and not (w.ordered and exists (
          select
          from interlock.deliveries l
          where l.endpoint_id = q.endpoint_id
            and l.subject = q.subject
            and l.lease is not null
            and l.lease_until > v_now
        ))
      order by q.next_attempt_at, q.id
      limit greatest(0, case when w.failing_since is null then 5 else 1 end - (
        select count(*) from interlock.deliveries l where l.endpoint_id = w.id and l.lease is not null and l.lease_until > v_now
      ))
      for no key update of q skip locked
    ) d
    where w.id = any (v_endpoints)
  ) d;

  -- By their ids: of how many a limit leaves Postgres knows nothing, and would read all deliveries that there are to find these.
  select array_agg(s.id)
  into v_ids
  from (
    -- What is answered must fit into what the function reads, and one always does.
    select d.id, sum(b.bytes) over w - b.bytes as bytes_before
    from unnest(v_due[:v_limit]) with ordinality as n (id, place)
    join interlock.deliveries d on d.id = n.id
    cross join interlock.find_event(d.transaction, d.position) e
    join interlock.webhook_endpoints t on t.id = d.endpoint_id
    left join interlock.mails m on m.delivery_id = d.id
    cross join lateral (select case t.channel
      when 'email' then coalesce(octet_length(m.body), 20000) else octet_length(e.payload::text)
    end as bytes) b
    window w as (order by n.place rows unbounded preceding)
  ) s
  where s.bytes_before < 300000;

  update interlock.deliveries d
  set lease = gen_random_uuid(),
      lease_until = v_now + interval '1 minute'
  where d.id = any (v_ids);

  perform interlock.write_mails(v_ids);
  v_calls := interlock.crm_calls(v_ids);

  select jsonb_agg(
    jsonb_build_object('id', m.id, 'lease', m.lease)
    || case m.channel
      when 'email' then jsonb_build_object(
        'outlet', 'RESEND', 'url', '/emails', 'body', m.body,
        'headers', jsonb_build_object('idempotency-key', concat_ws('.', m.event_id, m.endpoint_id))
      )
      when 'alpine_iq' then v_calls -> m.id::text
      when 'crm' then v_calls -> m.id::text
      else jsonb_build_object('url', m.url, 'public', m.public, 'body', m.body, 'headers', jsonb_build_object(
        'webhook-id', m.event_id,
        'webhook-timestamp', v_timestamp::text,
        'webhook-signature', interlock.sign_webhook(m.endpoint_id, m.event_id::text, v_timestamp, m.body)
      ))
    end
    order by m.id
  )
  into v_deliveries
  from (
    select
      d.id, d.lease, e.id as event_id, d.endpoint_id, w.channel, w.url, not s.webhooks_anywhere as public,
      case w.channel
        when 'email' then (select t.body from interlock.mails t where t.delivery_id = d.id)
        else jsonb_build_object(
          'id', e.id, 'type', e.type, 'timestamp', e.created_at, 'position', d.position, 'subject', e.subject, 'data', e.payload
        )::text
      end as body
    from interlock.deliveries d
    cross join interlock.find_event(d.transaction, d.position) e
    join interlock.webhook_endpoints w on w.id = d.endpoint_id
    cross join interlock.settings s
    where d.id = any (v_ids)
      and d.lease is not null
  ) m;

  return jsonb_build_object('success', true, 'deliveries', coalesce(v_deliveries, '[]'));
end
$$;

-- The snapshot of the statement that asks, without the transaction that it belongs to: that one may have yet to write, and
-- whatever it has written is nothing before it commits.
--
-- Callers: interlock.make_deliveries, interlock.watch_events.
-- Locks: none.
create function interlock.committed_snapshot()
returns pg_snapshot
language plpgsql
stable
set search_path = ''
as $$
declare
  v_snapshot constant pg_snapshot := pg_current_snapshot();
  v_own constant xid8 := pg_current_xact_id();
begin
  if v_own >= pg_snapshot_xmax(v_snapshot) then
    return v_snapshot;
  end if;
  return format(
    '%s:%s:%s', least(pg_snapshot_xmin(v_snapshot), v_own), pg_snapshot_xmax(v_snapshot),
    (
      select string_agg(x.id::text, ',' order by x.id)
      from (select v_own as id union select pg_snapshot_xip(v_snapshot)) x
    )
  )::pg_snapshot;
end
$$;

-- What public.create_webhook_endpoint does, with its owner's rights: an endpoint that gets the events of all transactions
-- that begin from now on, of some types or of all. Its secret is answered here and never again.
--
-- Callers: authenticated (staff) and service_role, through public.create_webhook_endpoint.
-- Locks: the cursor.
-- Errors: UNAUTHENTICATED, FORBIDDEN, VALIDATION_FAILED; 55P03 is transient.
-- Security definer: nobody has the right to write endpoints.
create function interlock.create_webhook_endpoint(p_url text, p_description text, p_event_types text[], p_ordered boolean)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
set timezone = 'UTC'
as $$
declare
  v_endpoint interlock.webhook_endpoints;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;

  perform interlock.refuse_unless_shop();
  perform interlock.refuse_problems(
    case when p_url is null then interlock.problem('/p_url', 'is required') else '[]' end
    || interlock.find_webhook_problems(p_url, p_description, p_event_types)
  );

  perform interlock.watch_events();
  insert into interlock.webhook_endpoints (url, description, event_types, ordered)
  values (p_url, nullif(btrim(p_description), ''), nullif(p_event_types, '{}'), coalesce(p_ordered, false))
  returning * into v_endpoint;

  return jsonb_build_object(
    'success', true,
    'endpoint', interlock.webhook_endpoint_to_json(v_endpoint),
    'secret', interlock.add_webhook_secret(v_endpoint.id)
  );
end
$$;

-- What Alpine IQ is told of an event, as it is now: `{outlet, url, body, headers}`; null for nothing. Who does not want to be written to is not told of,
-- and what they buy is told without them.
--
-- Callers: interlock.crm_calls.
-- Locks: none.
create function interlock.crm_call(p_event_type text, p_subject text)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  v_account constant text := (select c.account from interlock.crm_settings c);
  v_path text;
  v_body jsonb;
begin
  if p_event_type = 'customer.changed' then
    v_path := 'createUpdateMember';
    v_body := interlock.alpine_iq_member(p_subject::uuid);
  else
    v_path := 'createUpdateSale';
    v_body := interlock.alpine_iq_sale(p_subject::uuid);
    if not exists (
      select from interlock.customers c where c.id = (v_body #>> '{visit,pos_user}')::uuid and c.marketing
    ) then
      v_body := v_body #- '{visit,pos_user}';
    end if;
  end if;
  return case when v_body is not null then jsonb_build_object(
    'outlet', 'ALPINE_IQ', 'url', format('/api/v1.1/%s/%s', v_path, v_account), 'body', v_body::text, 'headers', '{}'::jsonb
  ) end;
end
$$;

-- The calls of CRMs that deliveries come to, by their ids. Where there is nothing to tell the delivery ends here; what cannot be told is dead,
-- and stops no other.
--
-- Callers: interlock.claim_deliveries.
-- Locks: the deliveries, which the caller has.
create function interlock.crm_calls(p_delivery_ids bigint[])
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  v_calls jsonb := jsonb '{}';
  v_call jsonb;
  v_one record;
begin
  for v_one in
    select
      d.id, w.channel, e.type, e.subject, concat_ws('.', e.id, w.id) as key,
      jsonb_build_object('id', e.id, 'type', e.type, 'timestamp', e.created_at, 'subject', e.subject, 'data', e.payload) as event
    from interlock.deliveries d
    join interlock.webhook_endpoints w on w.id = d.endpoint_id and w.channel in ('alpine_iq', 'crm')
    cross join interlock.find_event(d.transaction, d.position) e
    where d.id = any (p_delivery_ids)
    order by d.id
  loop
    begin
      v_call := case v_one.channel
        when 'alpine_iq' then interlock.crm_call(v_one.type, v_one.subject)
        else interlock.mapped_call(v_one.event, v_one.key)
      end;
    exception
      when others then
        perform interlock.skip_delivery(v_one.id, 'dead', format('it cannot be told: %s', sqlerrm));
        continue;
    end;
    if v_call is null then
      perform interlock.skip_delivery(v_one.id, 'skipped', 'nobody who may be written to');
    else
      v_calls := v_calls || jsonb_build_object(v_one.id, v_call);
    end if;
  end loop;
  return v_calls;
end
$$;

-- What public.delete_webhook_endpoint does, with its owner's rights: removes an endpoint with its secrets, and with what was sent or was
-- still to be sent there.
--
-- Callers: authenticated (staff) and service_role, through public.delete_webhook_endpoint.
-- Locks: the endpoint against everybody, its deliveries.
-- Errors: UNAUTHENTICATED, FORBIDDEN, WEBHOOK_ENDPOINT_NOT_FOUND; 55P03 is transient.
-- Security definer: nobody has the right to write endpoints.
create function interlock.delete_webhook_endpoint(p_endpoint_id uuid)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
as $$
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;

  perform interlock.refuse_unless_shop();
  delete from interlock.webhook_endpoints w where w.id = p_endpoint_id and w.channel = 'webhook';
  if not found then
    perform interlock.raise_error('WEBHOOK_ENDPOINT_NOT_FOUND', jsonb_build_object('endpoint_id', p_endpoint_id));
  end if;
  return jsonb_build_object('success', true, 'endpoint_id', p_endpoint_id);
end
$$;

-- What a worker could take now, by what interlock.claim_deliveries asks of endpoints and their deliveries: an endpoint to which nothing may be sent, or
-- that has all under way that it may have, is no reason to call, and neither is what an earlier delivery of its subject holds back where order is
-- asked for, or an event of which deliveries are made where nobody listens.
--
--   since   since when the one that has waited longest could be taken; null if there is none
--   again   whether it is worth a look in a second: of an endpoint where something waits, something could be taken or is under way, and it waits for
--           less than a minute, or something of this very endpoint has come to its end in the last one. Null if nothing waits
--
-- Callers: interlock.call_deliver.
-- Locks: none.
-- What is asked of an endpoint that has nothing due are looks into indexes: the rest is asked of the others, hence of `f`. What is leased is not
-- passed over in `c`: without order `f` comes first, and with it nothing of a subject goes of which something is leased. Read by index whatever Postgres expects (enable_seqscan), and not compiled (jit), as in interlock.new_events.
create function interlock.deliveries_due(out since timestamptz, out again boolean)
language plpgsql
stable
set search_path = ''
set enable_seqscan = off
set jit = off
as $$
declare
  v_now constant timestamptz := interlock.clock();
  v_minute_ago constant timestamptz := v_now - interval '1 minute';
  v_event_at constant timestamptz := (select n.created_at from interlock.new_events(1) n);
begin
  select
    min(c.next_attempt_at) filter (where u.under_way < case when w.failing_since is null then 5 else 1 end),
    bool_or(f.next_attempt_at > v_minute_ago or exists (
      select from interlock.deliveries e where e.endpoint_id = w.id and e.ended_at > v_minute_ago
    )) filter (where c.next_attempt_at is not null or u.under_way > 0)
  into since, again
  from interlock.webhook_endpoints w
  cross join interlock.settings s
  cross join lateral (
    select d.next_attempt_at
    from interlock.deliveries d
    where d.endpoint_id = w.id
      and d.state = 'pending'
      and d.next_attempt_at <= v_now
      and (d.lease is null or d.lease_until <= v_now)
    order by d.next_attempt_at, d.id
    limit 1
  ) f
  cross join lateral (
    select count(*) as under_way
    from interlock.deliveries l
    where l.endpoint_id = w.id
      and l.lease is not null
      and l.lease_until > v_now
  ) u
  left join lateral (
    select q.next_attempt_at
    from interlock.deliveries q
    where q.endpoint_id = w.id
      and q.state = 'pending'
      and q.next_attempt_at between f.next_attempt_at and v_now
      and not (w.ordered and exists (
        select
        from interlock.deliveries b
        where b.endpoint_id = q.endpoint_id
          and b.subject = q.subject
          and b.state = 'pending'
          and b.id < q.id
      ))
      and not (w.ordered and exists (
        select
        from interlock.deliveries b
        where b.endpoint_id = q.endpoint_id
          and b.subject = q.subject
          and b.lease is not null
          and b.lease_until > v_now
      ))
    order by q.next_attempt_at, q.id
    limit 1
  ) c on true
  where w.active
    and case when f.next_attempt_at is not null then w.channel <> 'webhook' or interlock.is_webhook_url(w.url, s.webhooks_anywhere) end;
  if v_event_at is not null then
    since := least(since, v_event_at);
    -- Whoever gets through makes deliveries of it, of whichever endpoint.
    again := coalesce(again, false) or v_event_at > v_minute_ago or exists (
      select
      from interlock.webhook_endpoints w
      join interlock.deliveries e on e.endpoint_id = w.id
      where e.ended_at > v_minute_ago
    );
  end if;
end
$$;

-- How long a delivery rests after so many failed attempts; null when it is given up: eleven attempts in some three days, and
-- up to a fifth more each time, so that what failed together does not come again together. What the receiver asks for by
-- Retry-After counts, up to a day.
--
-- Callers: interlock.record_delivery.
create function interlock.delivery_pause(p_attempts int, p_retry_after_s int)
returns interval
language plpgsql
volatile
set search_path = ''
as $$
declare
  v_pauses constant interval[] := array[
    '5 seconds', '30 seconds', '2 minutes', '10 minutes', '30 minutes', '1 hour', '3 hours', '6 hours', '12 hours', '24 hours',
    '24 hours'
  ]::interval[];
begin
  return greatest(
    v_pauses[p_attempts] * (1 + random() / 5), make_interval(secs => least(greatest(p_retry_after_s, 0), 86400))
  ) * case when p_attempts <= cardinality(v_pauses) then 1 end;
end
$$;

-- The id of an event, by which a receiver knows a repetition: a UUID (version 7) of when it was and its position, so that it need not be
-- kept. The same position after a restored copy is another id.
--
-- Callers: interlock.events.
-- Locks: none.
create function interlock.event_id(p_created_at timestamptz, p_position bigint)
returns uuid
language sql
immutable
strict
parallel safe
set search_path = ''
as $$
  select (
    lpad(to_hex((extract(epoch from p_created_at) * 1000)::bigint), 12, '0') || '70008' || lpad(to_hex(p_position), 15, '0')
  )::uuid
$$;

-- A JSON template with its placeholders filled in. A text that is one placeholder becomes what there is, of whatever type; in any other text
-- it becomes text. `{"$each": "data.lines", "$item": …}` becomes a list: the template once for each of the list, which it finds
-- as `item`. Members for which there is nothing are left out.
--
-- Callers: interlock.mapped_call, itself.
-- Locks: none.
create function interlock.fill_json(p_template jsonb, p_facts jsonb)
returns jsonb
language plpgsql
immutable
set search_path = ''
as $$
declare
  v_text text;
  v_name text;
begin
  case jsonb_typeof(p_template)
    when 'object' then
      if p_template ? '$each' then
        return (
          select jsonb_agg(interlock.fill_json(p_template -> '$item', p_facts || jsonb_build_object('item', i.item)) order by i.n)
          from jsonb_array_elements(p_facts #> string_to_array(p_template ->> '$each', '.')) with ordinality as i (item, n)
        );
      end if;
      return (
        select coalesce(jsonb_object_agg(f.name, f.value), '{}')
        from (select m.name, interlock.fill_json(m.value, p_facts) as value from jsonb_each(p_template) as m (name, value)) f
        where f.value <> 'null'
      );
    when 'array' then
      return (
        select coalesce(jsonb_agg(coalesce(interlock.fill_json(i.item, p_facts), 'null') order by i.n), '[]')
        from jsonb_array_elements(p_template) with ordinality as i (item, n)
      );
    when 'string' then
      v_text := p_template #>> '{}';
      v_name := substring(v_text from '^\{\{ *([a-z0-9_.]+) *\}\}$');
      if v_name is not null then
        return p_facts #> string_to_array(v_name, '.');
      end if;
      return (
        select to_jsonb(string_agg(
          case when s.n % 2 = 1 then s.part else p_facts #>> string_to_array(btrim(s.part), '.') end, '' order by s.n
        ))
        from regexp_split_to_table(v_text, '\{\{|\}\}') with ordinality as s (part, n)
      );
    else
      return p_template;
  end case;
end
$$;

-- A text with its placeholders filled in, as text or as HTML; null if one of them is empty. What is filled in is not read again, so
-- no value can name a placeholder, and in HTML nothing but the template's own page is markup.
--
-- Callers: interlock.render_mail.
-- Locks: none.
create function interlock.fill_mail(p_text text, p_values jsonb, p_html boolean)
returns text
language plpgsql
immutable
set search_path = ''
as $$
begin
  return (
    select case when bool_and(f.filled is not null) then string_agg(f.filled, '' order by f.n) end
    from (
      select
        p.n,
        case
          when p.n % 2 = 1 then case when p_html then replace(interlock.escape_html(p.part), E'\n', '<br>') else p.part end
          when p_html and btrim(p.part) = 'order_url' then
            '<a href="' || interlock.escape_html(p_values ->> 'order_url') || '">' || interlock.escape_html(p_values ->> 'order_url') || '</a>'
          when p_html then interlock.escape_html(p_values ->> btrim(p.part))
          else p_values ->> btrim(p.part)
        end as filled
      from regexp_split_to_table(p_text, '\{\{|\}\}') with ordinality as p (part, n)
    ) f
  );
end
$$;

-- A path with its placeholders filled in, each as one part of it: whatever is no letter, digit, -, _, . or ~ is written by its bytes. What is
-- not there, or would be a step in the path, is refused.
--
-- Callers: interlock.mapped_call.
-- Locks: none.
-- Errors: P0001, which ends the delivery.
create function interlock.fill_path(p_path text, p_facts jsonb)
returns text
language plpgsql
immutable
set search_path = ''
as $$
declare
  v_path text := '';
  v_value text;
  v_part record;
begin
  for v_part in
    select s.part, s.n % 2 = 0 as is_name from regexp_split_to_table(p_path, '\{\{|\}\}') with ordinality as s (part, n) order by s.n
  loop
    if not v_part.is_name then
      v_path := v_path || v_part.part;
      continue;
    end if;
    v_value := p_facts #>> string_to_array(btrim(v_part.part), '.');
    if coalesce(v_value, '') in ('', '.', '..') then
      raise exception 'there is no %', btrim(v_part.part);
    end if;
    v_path := v_path || (
      select string_agg(
        case
          when b.byte ~ '^[A-Za-z0-9._~-]$' then b.byte
          else regexp_replace(upper(encode(convert_to(b.byte, 'UTF8'), 'hex')), '(..)', '%\1', 'g')
        end,
        '' order by b.n
      )
      from regexp_split_to_table(v_value, '') with ordinality as b (byte, n)
    );
  end loop;
  return v_path;
end
$$;

-- What is wrong with mappings of events to calls of a CRM; an empty list if nothing is.
--
-- Callers: interlock.set_crm_mappings.
-- Locks: none.
-- Not compiled (jit): its steps are expected to give far more than they do, and on Postgres 15 compiling took seconds.
create function interlock.find_crm_problems(p_mappings jsonb)
returns jsonb
language plpgsql
immutable
set search_path = ''
set jit = off
as $$
declare
  v_problems jsonb := jsonb '[]';
  v_one record;
  v_at text;
  v_wrong text;
begin
  if jsonb_typeof(p_mappings) <> 'array' or jsonb_array_length(p_mappings) > 50 then
    return interlock.problem('/p_mappings', 'must be a list of at most 50');
  end if;
  for v_one in select m.mapping, m.n - 1 as place from jsonb_array_elements(p_mappings) with ordinality as m (mapping, n) loop
    v_at := '/p_mappings/' || v_one.place;
    if jsonb_typeof(v_one.mapping) <> 'object' or v_one.mapping - '{event_type,method,path,body}'::text[] <> '{}' then
      v_problems := v_problems || interlock.problem(v_at, 'must be {event_type, method?, path, body}');
      continue;
    end if;
    if (jsonb_typeof(v_one.mapping -> 'event_type') = 'string'
      and v_one.mapping ->> 'event_type' ~ '^[a-z_]+[.][a-z_]+$' and char_length(v_one.mapping ->> 'event_type') <= 60) is not true
    then
      v_problems := v_problems || interlock.problem(v_at || '/event_type', 'must be a type of events, as customer.changed');
    elsif exists (
      select from jsonb_path_query(p_mappings, 'strict $[*].event_type', silent => true) with ordinality as t (type, n)
      where t.type = v_one.mapping -> 'event_type' and t.n - 1 < v_one.place
    ) then
      v_problems := v_problems || interlock.problem(v_at || '/event_type', 'must be one that no other has');
    end if;
    if coalesce(v_one.mapping ->> 'method', 'POST') not in ('POST', 'PUT', 'PATCH') then
      v_problems := v_problems || interlock.problem(v_at || '/method', 'must be POST, PUT or PATCH');
    end if;
    if (jsonb_typeof(v_one.mapping -> 'path') = 'string'
      and v_one.mapping ->> 'path' ~ '^/[^#\\[:space:][:cntrl:]]*$' and char_length(v_one.mapping ->> 'path') <= 500) is not true
    then
      v_problems := v_problems || interlock.problem(v_at || '/path', 'must be a path of the API, as /contacts/{{customer.id}}');
    end if;
    if (jsonb_typeof(v_one.mapping -> 'body') = 'object' and octet_length((v_one.mapping -> 'body')::text) <= 20000) is not true then
      v_problems := v_problems || interlock.problem(v_at || '/body', 'must be an object of at most 20000 bytes');
    end if;
    -- Whatever stands in braces, in the path or anywhere in the body, and what lists are made of.
    select coalesce(min(p.name), min(p.braces)) into v_wrong
    from (
      select
        case when s.n % 2 = 0 and btrim(s.part) !~ '^(event|data|customer|item)([.][a-z0-9_]+)+$' and btrim(s.part) <> 'item' then s.part end
          as name,
        case when s.n % 2 = 1 and s.part ~ '[{}]' or max(s.n) over (partition by t.n) % 2 = 0 then t.text end as braces
      from (
        select row_number() over () as n, v.value #>> '{}' as text
        from jsonb_path_query(v_one.mapping - 'event_type', '$.** ? (@.type() == "string")') as v (value)
      ) t
      cross join lateral regexp_split_to_table(t.text, '\{\{|\}\}') with ordinality as s (part, n)
      union all
      select e.name #>> '{}', null
      from jsonb_path_query(v_one.mapping -> 'body', '$.**."$each"') as e (name)
      where (e.name #>> '{}' ~ '^(data|item)([.][a-z0-9_]+)+$') is not true
    ) p;
    if v_wrong is not null then
      v_problems := v_problems || interlock.problem(
        v_at, format('must name event.…, data.…, customer.… or item.… in {{ }}, not %s', left(v_wrong, 100))
      );
    end if;
  end loop;
  return v_problems;
end
$$;

-- One event. A join with the view would read the histories whole: Postgres hands what it joins by into no part of a union that is more than a table,
-- and with 200,000 orders a worker that claimed twenty deliveries was not done in minutes.
--
-- Callers: the functions that say what a delivery is of.
-- Locks: none.
create function interlock.find_event(p_transaction xid8, p_position bigint)
returns table (id uuid, type text, subject text, payload jsonb, created_at timestamptz)
language plpgsql
stable
rows 1
set search_path = ''
as $$
begin
  return query
    select e.id, e.type, e.subject, e.payload, e.created_at
    from interlock.events e
    where e.transaction = p_transaction
      and e.position = p_position;
end
$$;

-- What is wrong with the kind and the language of a mail; an empty list if nothing is.
--
-- Callers: interlock.set_mail_template, interlock.preview_mail.
-- Locks: none.
create function interlock.find_mail_problems(p_kind text, p_language text)
returns jsonb
language plpgsql
immutable
set search_path = ''
as $$
begin
  return case
    when (p_kind in (
      'order_confirmed', 'payment_received', 'order_shipped', 'order_refunded', 'payment_reminder'
    )) is not true then interlock.problem(
      '/p_kind', 'must be order_confirmed, payment_received, order_shipped, order_refunded or payment_reminder'
    )
    else '[]'
  end || case
    when (p_language in ('en', 'de')) is not true then interlock.problem('/p_language', 'must be en or de')
    else '[]'
  end;
end
$$;

-- Why what is told of a mail is not Resend's own; null if it is. Svix's scheme, which became Standard Webhooks: the headers svix-id,
-- svix-timestamp and svix-signature, here with a blank between; the signature is `v1,` and the base64 of the HMAC-SHA256 of
-- `ID.TIMESTAMP.BODY` with the endpoint's secret, and several stand there while a secret is rolled, with blanks between. Times may differ
-- by five minutes.
--
-- Hashes of the signatures are compared and not the signatures, so that how long it takes says nothing about them.
--
-- Callers: interlock.mail_webhook.
-- Locks: none.
-- Errors: none; answers missing, malformed, no_secret, too_old, in_the_future or mismatch.
create function interlock.find_mail_signature_problem(p_body text, p_signature text)
returns text
language plpgsql
stable
set search_path = ''
as $$
declare
  v_id constant text := split_part(p_signature, ' ', 1);
  v_time constant text := split_part(p_signature, ' ', 2);
  v_signatures bytea[];
  v_age interval;
  v_secrets int;
  v_matches boolean;
begin
  if btrim(coalesce(p_signature, '')) = '' then
    return 'missing';
  elsif char_length(p_signature) > 4096 or v_id = '' or v_time !~ '^[0-9]{1,12}$' then
    return 'malformed';
  end if;

  select array_agg(decode(substr(s.part, 4), 'base64'))
  into v_signatures
  from string_to_table(p_signature, ' ') as s (part)
  -- Of 32 bytes, and nothing that could not be decoded.
  where s.part ~ '^v1,[A-Za-z0-9+/]{43}=$';
  if v_signatures is null then
    return 'malformed';
  end if;

  -- Once for each secret, however many signatures somebody sends.
  with expected as materialized (
    select interlock.hmac_sha256(
      decode(substr(s.secret, 7), 'base64'), convert_to(concat_ws('.', v_id, v_time, p_body), 'UTF8')
    ) as signature
    from interlock.mail_webhook_secrets s
  )
  select count(*), bool_or(sha256(e.signature) = sha256(g.signature))
  into v_secrets, v_matches
  from expected e
  cross join unnest(v_signatures) as g (signature);

  v_age := interlock.clock() - to_timestamp(v_time::bigint);
  return case
    when v_secrets = 0 then 'no_secret'
    when not v_matches then 'mismatch'
    when v_age > interval '5 minutes' then 'too_old'
    when v_age < interval '-5 minutes' then 'in_the_future'
  end;
end
$$;

-- What is wrong with a text of a template, at p_at: a placeholder that there is not, by its name, or braces that do not close.
--
-- Callers: interlock.set_mail_template.
-- Locks: none.
create function interlock.find_template_problems(p_at text, p_text text, p_placeholders text[])
returns jsonb
language plpgsql
immutable
set search_path = ''
as $$
declare
  v_left constant text := regexp_replace(p_text, '\{\{ *[a-z_]+ *\}\}', '', 'g');
begin
  return (
    select coalesce(jsonb_agg(p.problem), '[]')
    from (
      select interlock.problem(
        p_at, format('has the unknown placeholder %s; there are %s', f.name, array_to_string(p_placeholders, ', '))
      ) -> 0 as problem
      from (
        select distinct m.found[1] as name
        from regexp_matches(p_text, '\{\{ *([a-z_]+) *\}\}', 'g') as m (found)
      ) f
      where not f.name = any (p_placeholders)
      union all
      select interlock.problem(p_at, 'has {{ or }} that belong to no placeholder') -> 0
      where v_left ~ '\{\{|\}\}'
    ) p
  );
end
$$;

-- What is wrong with what is said of an endpoint; null stands for what is not said, an empty list for all types.
--
-- Callers: interlock.create_webhook_endpoint, interlock.update_webhook_endpoint.
-- Locks: none.
create function interlock.find_webhook_problems(p_url text, p_description text, p_event_types text[])
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  v_problems jsonb := '[]'::jsonb;
begin
  if not interlock.is_webhook_url(p_url, (select s.webhooks_anywhere from interlock.settings s)) then
    v_problems := v_problems || interlock.problem(
      '/p_url',
      'must be an https URL of at most 2000 characters whose host is a public name: no address, no local name, no user, no fragment'
    );
  end if;
  if p_description <> '' and not interlock.is_line(p_description, 200) then
    v_problems := v_problems || interlock.problem('/p_description', 'must be one line of at most 200 characters');
  end if;
  if cardinality(p_event_types) > 100
    or exists (
      select from unnest(p_event_types) as t (type)
      where (t.type ~ '^[a-z_]+[.][a-z_]+$' and char_length(t.type) <= 60) is not true
    )
  then
    v_problems := v_problems || interlock.problem(
      '/p_event_types', 'must be at most 100 types of events, as order.paid'
    );
  end if;
  return v_problems;
end
$$;

-- What of a text fits into a kilobyte of UTF-8, by whole characters.
--
-- Callers: interlock.record_delivery.
create function interlock.first_kilobyte(p_text text)
returns text
language plpgsql
immutable
set search_path = ''
as $$
declare
  v_text text := nullif(left(p_text, 1024), '');
begin
  while octet_length(v_text) > 1024 loop
    v_text := left(v_text, -greatest((octet_length(v_text) - 1024) / 4, 1));
  end loop;
  return v_text;
end
$$;

-- An amount in minor units with its currency, as people read it; a blank that does not break stands between.
--
-- Callers: interlock.mail_values, interlock.mail_rows.
-- Locks: none.
create function interlock.format_money(p_amount bigint, p_currency text, p_language text)
returns text
language plpgsql
immutable
set search_path = ''
as $$
begin
  return interlock.format_amount(p_amount, p_currency, p_language) || U&'\00A0' || p_currency;
end
$$;

-- Whether an API has refused a call for good, so that the same one will be refused again. A key that it does not know, or an
-- address that is not verified, is the shop's to set right; 409 is for good unless the very call is still under way (Resend).
--
-- Callers: interlock.record_delivery.
-- Locks: none.
create function interlock.is_refused(p_status int, p_answer text)
returns boolean
language plpgsql
immutable
set search_path = ''
as $$
begin
  return p_status between 400 and 499
    and p_status not in (401, 403, 408, 425, 429)
    and not (p_status = 409 and coalesce(p_answer, '') like '%concurrent_idempotent_requests%');
end
$$;

-- What public.list_deliveries does, with its owner's rights: what was sent to endpoints or is to be sent there, the newest
-- first, with each attempt, a page at a time.
--
-- Callers: authenticated (staff) and service_role, through public.list_deliveries.
-- Errors: UNAUTHENTICATED, FORBIDDEN, VALIDATION_FAILED.
-- Security definer: staff read no deliveries otherwise.
create function interlock.list_deliveries(p_endpoint_id uuid, p_state text, p_before bigint, p_limit int)
returns jsonb
language plpgsql
stable
security definer
set search_path = ''
set timezone = 'UTC'
as $$
declare
  v_problems jsonb := '[]'::jsonb;
begin
  perform interlock.refuse_unless_shop();
  if p_state not in ('pending', 'delivered', 'dead', 'skipped') then
    v_problems := v_problems || interlock.problem('/p_state', 'must be pending, delivered, dead or skipped');
  end if;
  if p_limit is null or p_limit not between 1 and 200 then
    v_problems := v_problems || interlock.problem('/p_limit', 'must be an integer from 1 to 200');
  end if;
  perform interlock.refuse_problems(v_problems);

  return jsonb_build_object('success', true, 'deliveries', coalesce((
    select jsonb_agg(
      to_jsonb(q) - '{shop_id,lease,position,transaction}'::text[] || jsonb_build_object('event_id', e.id, 'event_type', e.type, 'attempts', q.attempts, 'log', coalesce((
        select jsonb_agg(to_jsonb(a) - '{shop_id,id,delivery_id}'::text[] order by a.id)
        from interlock.delivery_attempts a
        where a.delivery_id = q.id
      ), '[]')) || coalesce((
        select jsonb_build_object('mail', jsonb_build_object('kind', m.kind, 'recipient', m.recipient))
        from interlock.mails m
        where m.delivery_id = q.id
      ), '{}')
      order by q.id desc
    )
    from (
      select d.*
      from interlock.deliveries d
      where (p_endpoint_id is null or d.endpoint_id = p_endpoint_id)
        and (p_state is null or d.state = p_state)
        and (p_before is null or d.id < p_before)
      order by d.id desc
      limit p_limit
    ) q
    cross join interlock.find_event(q.transaction, q.position) e
  ), '[]'));
end
$$;

-- What public.list_webhook_endpoints does, with its owner's rights: the endpoints, without their secrets.
--
-- Callers: authenticated (staff) and service_role, through public.list_webhook_endpoints.
-- Errors: UNAUTHENTICATED, FORBIDDEN.
-- Security definer: staff read no endpoints otherwise.
create function interlock.list_webhook_endpoints()
returns jsonb
language plpgsql
stable
security definer
set search_path = ''
set timezone = 'UTC'
as $$
begin
  perform interlock.refuse_unless_shop();
  return jsonb_build_object('success', true, 'endpoints', coalesce((
    select jsonb_agg(interlock.webhook_endpoint_to_json(w) order by w.id) from interlock.webhook_endpoints w
  ), '[]'));
end
$$;

-- Lock an endpoint for webhooks and answer it.
--
-- Callers: the functions that change endpoints.
-- Locks: the endpoint.
-- Errors: WEBHOOK_ENDPOINT_NOT_FOUND.
create function interlock.lock_webhook_endpoint(p_endpoint_id uuid)
returns interlock.webhook_endpoints
language plpgsql
set search_path = ''
as $$
declare
  v_endpoint interlock.webhook_endpoints;
begin
  if clock_timestamp() > statement_timestamp() + interval '100 milliseconds' then
    perform interlock.limit_wait();
  end if;
  select w.* into v_endpoint
  from interlock.webhook_endpoints w
  where w.id = p_endpoint_id
    and w.channel = 'webhook'
  for no key update;
  if not found then
    perform interlock.raise_error('WEBHOOK_ENDPOINT_NOT_FOUND', jsonb_build_object('endpoint_id', p_endpoint_id));
  end if;
  return v_endpoint;
end
$$;

-- The types of events that mails are made of; interlock.mail_kind_of says of which comes what.
--
-- Callers: interlock.set_mail_settings.
-- Locks: none.
create function interlock.mail_event_types()
returns text[]
language plpgsql
immutable
set search_path = ''
as $$
begin
  return array[
    'order.pending_payment', 'order.confirmed', 'order.paid', 'order.shipped', 'order.partly_shipped',
    'order.refunded', 'order.lines_refunded', 'order.cancelled', 'order.payment_due'
  ];
end
$$;

-- Which mail an event of an order is worth; null for none. An order is confirmed once: by bank transfer and cash on delivery when it is
-- placed, by card and wallet when it is paid, so a card that is never charged has no mail.
--
-- Callers: interlock.write_mail.
-- Locks: none.
create function interlock.mail_kind_of(p_event_type text, p_order interlock.orders)
returns text
language plpgsql
immutable
set search_path = ''
as $$
declare
  v_waits constant boolean := p_order.payment_method in ('bank_transfer', 'cash_on_delivery');
begin
  return case
    when p_event_type in ('order.pending_payment', 'order.confirmed') then
      case when v_waits and p_order.status in ('pending_payment', 'confirmed', 'paid', 'fulfilled') then 'order_confirmed' end
    when p_event_type = 'order.paid' then
      case when v_waits then 'payment_received' else 'order_confirmed' end
    when p_event_type in ('order.shipped', 'order.partly_shipped') then 'order_shipped'
    when p_event_type in ('order.refunded', 'order.lines_refunded') then 'order_refunded'
    when p_event_type = 'order.cancelled' then case when p_order.paid_at is not null then 'order_refunded' end
    when p_event_type = 'order.payment_due' then
      case when p_order.status = 'pending_payment' and p_order.proof_submitted_at is null then 'payment_reminder' end
  end;
end
$$;

-- The language of an order: what its contact says (`locale`, such as de-AT), its metadata, or its buyer's account; else the
-- one of the settings.
--
-- Callers: interlock.write_mail, interlock.preview_mail.
-- Locks: none.
create function interlock.mail_language(p_order_id uuid)
returns text
language plpgsql
stable
set search_path = ''
as $$
begin
  return coalesce(
    (
      select l.language
      from interlock.orders o
      left join interlock.order_details d on d.order_id = o.id
      left join interlock.accounts u on u.id = o.user_id
      cross join lateral (values
        (1, d.contact ->> 'locale'), (2, d.metadata ->> 'locale'), (3, u.raw_user_meta_data ->> 'locale')
      ) as s (n, locale)
      cross join lateral (select lower(substring(s.locale from '^[A-Za-z]{2}(?![A-Za-z])')) as language) l
      where o.id = p_order_id
        and l.language in ('en', 'de')
      order by s.n
      limit 1
    ),
    (select s.language from interlock.mail_settings s),
    'en'
  );
end
$$;

-- A page around the paragraphs of a mail. It is light or dark as its reader has it.
--
-- Callers: interlock.render_mail.
-- Locks: none.
create function interlock.mail_page(p_language text, p_title text, p_shop text, p_body text, p_footer text)
returns text
language sql
immutable
set search_path = ''
as $$
  select format($html$<!doctype html>
<html lang="%1$s">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<meta name="supported-color-schemes" content="light dark">
<title>%2$s</title>
<style>
:root { color-scheme: light dark; }
body { margin: 0; background: #f3f4f6; color: #1f2430; }
main { box-sizing: border-box; margin: 0 auto; max-width: 600px; padding: 24px 16px; font: 16px/1.5 system-ui, -apple-system, "Segoe UI", sans-serif; overflow-wrap: anywhere; }
section { border-radius: 8px; padding: 24px; background: #fff; }
h1 { margin: 0 0 16px; font-size: 20px; line-height: 1.3; }
p { margin: 0 0 16px; }
section p:last-child { margin: 0; }
a { color: #1d4ed8; }
table { margin: 0 0 16px; width: 100%%; border-collapse: collapse; font-variant-numeric: tabular-nums; }
td { padding: 6px 0; border-top: 1px solid #e3e5ea; vertical-align: top; text-align: left; }
td:first-child { width: 100%%; }
td + td { padding-left: 16px; text-align: right; white-space: nowrap; }
.detail td { padding: 0 0 6px; border: 0; color: #5b6270; font-size: 14px; }
.detail td + td { padding-left: 16px; }
.total td { border-top: 2px solid #1f2430; font-weight: 700; }
footer { padding: 16px 24px 0; color: #5b6270; font-size: 13px; }
@media (prefers-color-scheme: dark) {
body { background: #14161b; color: #e8eaf0; }
section { background: #1f232b; }
a { color: #93b4ff; }
td { border-color: #363c48; }
.detail td, footer { color: #a3abba; }
.total td { border-color: #e8eaf0; }
}
@media (max-width: 480px) {
main { padding: 0; }
section { border-radius: 0; padding: 20px 16px; }
footer { padding: 16px; }
}
</style>
</head>
<body>
<main>
<section>
<h1>%3$s</h1>
%4$s
</section>
<footer>%5$s</footer>
</main>
</body>
</html>
$html$, p_language, p_title, p_shop, p_body, p_footer)
$$;

-- What a template of a mail can say, by name; `lines` is a table, and a paragraph of its own.
--
-- Callers: interlock.find_template_problems.
-- Locks: none.
create function interlock.mail_placeholders()
returns text[]
language plpgsql
immutable
set search_path = ''
as $$
begin
  return array[
    'shop', 'order_number', 'order_date', 'total', 'paid_by', 'transfer_until', 'cash_due', 'tracking', 'items_left',
    'refund', 'refunded_to', 'reduction', 'new_total', 'order_url', 'lines'
  ];
end
$$;

-- Whom a mail about an order goes to, in its normal form: the account's address, or what a guest has said (`email` of the order's
-- contact). Null where nobody is known.
--
-- Callers: interlock.write_mail, interlock.preview_mail.
-- Locks: none.
create function interlock.mail_recipient(p_order_id uuid)
returns text
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select coalesce(
      case when not coalesce(u.is_anonymous, false) then interlock.normal_email(u.email) end,
      interlock.normal_email(d.contact ->> 'email')
    )
    from interlock.orders o
    join interlock.accounts u on u.id = o.user_id
    left join interlock.order_details d on d.order_id = o.id
    where o.id = p_order_id
  );
end
$$;

-- The table of a mail, in the styles of interlock.receipt_rows: what was ordered and what it costs, what is in a parcel, or what
-- was refunded. A reminder has none.
--
-- Callers: interlock.render_mail.
-- Locks: none.
create function interlock.mail_rows(
  p_order interlock.orders, p_kind text, p_language text, p_event_type text, p_at timestamptz
)
returns table (n bigint, style text, o_left text, o_right text)
language plpgsql
stable
set search_path = ''
as $$
begin
  return query
  with words as (select interlock.mail_words(p_language) as words),
  lines as (
    select
      i.*, row_number() over (order by i.name, i.product_id) as place,
      nullif(i.quantity, 1) as several
    from interlock.order_items i
    where i.order_id = p_order.id
      and p_kind in ('order_confirmed', 'payment_received')
  ),
  parcel as (
    select s.id
    from interlock.order_shipments s
    where s.order_id = p_order.id
      and s.created_at <= p_at
      and p_kind = 'order_shipped'
    order by s.id desc
    limit 1
  ),
  refund as (
    select r.*
    from interlock.order_refunds r
    where r.order_id = p_order.id
      and r.created_at <= p_at
      and p_kind = 'order_refunded'
      and p_event_type = 'order.lines_refunded'
    order by r.id desc
    limit 1
  ),
  rows (part, place, style, o_left, amount, o_right) as (
    select
      1, l.place * 3, 'row', l.name, case when l.several is null then l.quantity * l.unit_price end, null::text
    from lines l
    union all
    select
      1, l.place * 3 + 1, 'detail',
      format('%s x %s', l.several, interlock.format_amount(l.unit_price, p_order.currency, p_language)),
      l.quantity * l.unit_price, null
    from lines l
    where l.several is not null
    union all
    select 1, l.place * 3 + 2, 'detail', w.words ->> 'discount', -l.discount, null
    from lines l
    cross join words w
    where l.discount > 0
    union all
    select 2, 0, 'row', w.words ->> 'shipping', p_order.shipping, null
    from words w
    where p_order.shipping > 0
      and exists (select from lines)
    union all
    select
      case when t.inclusive then 5 else 3 end, row_number() over (order by t.percent), 'detail',
      format(
        t.words ->> case when t.inclusive then 'tax_in' else 'tax_on' end,
        interlock.format_number(trim_scale(t.percent), p_language), interlock.format_amount(t.base, p_order.currency, p_language)
      ),
      t.tax, null
    from (
      select
        w.words, l.tax_percent as percent, l.tax_inclusive as inclusive, sum(l.tax)::bigint as tax,
        sum(l.quantity * l.unit_price - l.discount)::bigint as base
      from lines l
      cross join words w
      where l.tax > 0
        and l.tax_percent is not null
      group by w.words, l.tax_percent, l.tax_inclusive
    ) t
    union all
    select 4, 0, 'total', w.words ->> 'total', p_order.total, null
    from words w
    where exists (select from lines)
    union all
    select 4, 1, 'detail', w.words ->> 'wallet_part', p_order.wallet_amount, null
    from words w
    where p_order.wallet_amount > 0
      and exists (select from lines)
    union all
    select 1, row_number() over (order by i.name, i.product_id), 'row', i.name, null, format('%s x', x.quantity)
    from parcel p
    join interlock.order_shipment_items x on x.shipment_id = p.id
    join interlock.order_items i on i.order_id = x.order_id and i.product_id = x.product_id
    union all
    select
      1, row_number() over (order by i.name, i.product_id), 'row',
      case when x.quantity = 1 then i.name else format('%s x %s', x.quantity, i.name) end, x.amount, null
    from refund r
    join interlock.order_refund_items x on x.refund_id = r.id
    join interlock.order_items i on i.order_id = x.order_id and i.product_id = x.product_id
    union all
    select 2, 0, 'row', w.words ->> 'shipping', r.shipping, null
    from refund r
    cross join words w
    where r.with_shipping
      and r.shipping > 0
    union all
    select 4, 0, 'total', w.words ->> 'refund', r.amount, null
    from refund r
    cross join words w
  )
  select
    row_number() over (order by r.part, r.place), r.style, r.o_left,
    coalesce(
      r.o_right,
      case r.style
        when 'total' then interlock.format_money(r.amount, p_order.currency, p_language)
        else interlock.format_amount(r.amount, p_order.currency, p_language)
      end
    )
  from rows r;
end
$$;

-- What a mail says, in a language: a subject, and paragraphs with placeholders. The shop's own words count where it has some.
--
-- Callers: interlock.render_mail.
-- Locks: none.
create function interlock.mail_template(p_kind text, p_language text)
returns interlock.mail_templates
language plpgsql
stable
set search_path = ''
as $$
declare
  v_template interlock.mail_templates;
begin
  select t.* into v_template
  from interlock.mail_templates t
  where t.kind = p_kind
    and t.language = p_language;
  if found then
    return v_template;
  end if;

  v_template.kind := p_kind;
  v_template.language := p_language;
  select t.subject, t.body into v_template.subject, v_template.body
  from (values
    ('order_confirmed', 'en', 'Your order {{order_number}} at {{shop}}',
$mail$Thank you for your order {{order_number}} of {{order_date}}.

{{lines}}

It is paid: {{paid_by}}.

Please transfer {{transfer_until}}, and name the order number {{order_number}}.

You pay on delivery: {{cash_due}}.

See your order: {{order_url}}$mail$),
    ('order_confirmed', 'de', 'Ihre Bestellung {{order_number}} bei {{shop}}',
$mail$Vielen Dank für Ihre Bestellung {{order_number}} vom {{order_date}}.

{{lines}}

Sie ist bezahlt: {{paid_by}}.

Bitte überweisen Sie {{transfer_until}} und geben Sie dabei die Bestellnummer {{order_number}} an.

Sie zahlen bei der Lieferung: {{cash_due}}.

Ihre Bestellung ansehen: {{order_url}}$mail$),
    ('payment_received', 'en', 'We have your payment for order {{order_number}}',
$mail$Thank you: we have received your payment for order {{order_number}}.

{{lines}}

See your order: {{order_url}}$mail$),
    ('payment_received', 'de', 'Ihre Zahlung für Bestellung {{order_number}} ist da',
$mail$Vielen Dank: Ihre Zahlung für Bestellung {{order_number}} ist bei uns eingegangen.

{{lines}}

Ihre Bestellung ansehen: {{order_url}}$mail$),
    ('order_shipped', 'en', 'Your order {{order_number}} is on its way',
$mail$Your order {{order_number}} has left us.

{{lines}}

Tracking number: {{tracking}}

Still to come in another parcel: {{items_left}}.

See your order: {{order_url}}$mail$),
    ('order_shipped', 'de', 'Ihre Bestellung {{order_number}} ist unterwegs',
$mail$Ihre Bestellung {{order_number}} hat unser Haus verlassen.

{{lines}}

Sendungsnummer: {{tracking}}

Es folgen in einem weiteren Paket: {{items_left}}.

Ihre Bestellung ansehen: {{order_url}}$mail$),
    ('order_refunded', 'en', 'Your order {{order_number}}: what has changed',
$mail$We give back {{refund}} of your order {{order_number}}.

We have taken {{reduction}} off your order {{order_number}}. It costs {{new_total}} now.

{{lines}}

The money goes back where it came from: {{refunded_to}}. This can take a few days.

See your order: {{order_url}}$mail$),
    ('order_refunded', 'de', 'Ihre Bestellung {{order_number}}: was sich geändert hat',
$mail$Wir erstatten Ihnen {{refund}} zu Ihrer Bestellung {{order_number}}.

Ihre Bestellung {{order_number}} kostet {{reduction}} weniger, also jetzt {{new_total}}.

{{lines}}

Das Geld geht dorthin zurück, woher es kam: {{refunded_to}}. Das kann einige Tage dauern.

Ihre Bestellung ansehen: {{order_url}}$mail$),
    ('payment_reminder', 'en', 'Your order {{order_number}} waits for your payment',
$mail$We have kept the goods of your order {{order_number}} for you, but have not seen a payment yet.

Please transfer {{transfer_until}}, and name the order number {{order_number}}. After that the order ends by itself.

If your payment is on its way already, there is nothing more to do.

See your order: {{order_url}}$mail$),
    ('payment_reminder', 'de', 'Ihre Bestellung {{order_number}} wartet auf Ihre Zahlung',
$mail$Wir halten die Ware Ihrer Bestellung {{order_number}} für Sie bereit, haben aber noch keine Zahlung gesehen.

Bitte überweisen Sie {{transfer_until}} und geben Sie dabei die Bestellnummer {{order_number}} an. Danach endet die Bestellung von selbst.

Falls Ihre Zahlung schon unterwegs ist, brauchen Sie nichts weiter zu tun.

Ihre Bestellung ansehen: {{order_url}}$mail$)
  ) as t (kind, language, subject, body)
  where t.kind = p_kind
    and t.language = p_language;
  return v_template;
end
$$;

-- What there is to say of an order in a mail, by the placeholders of interlock.mail_placeholders but `lines`; what is not the
-- case is left out. p_event_type and p_at are the event's: they tell which parcel or refund it is about.
--
-- Callers: interlock.render_mail.
-- Locks: none.
create function interlock.mail_values(
  p_order interlock.orders, p_kind text, p_language text, p_event_type text, p_at timestamptz
)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  v_words constant jsonb := interlock.mail_words(p_language);
  v_settings constant interlock.settings := (select s from interlock.settings s);
  v_mail constant interlock.mail_settings := (select m from interlock.mail_settings m);
  v_due constant bigint := p_order.total - p_order.refunded - p_order.wallet_amount;
  v_refund interlock.order_refunds;
  v_amount bigint;
  v_is_open constant boolean := p_order.status in ('pending_payment', 'confirmed');
begin
  if p_kind = 'order_refunded' then
    if p_event_type = 'order.lines_refunded' then
      select r.* into v_refund
      from interlock.order_refunds r
      where r.order_id = p_order.id and r.created_at <= p_at
      order by r.id desc
      limit 1;
      v_amount := v_refund.amount;
    else
      v_amount := p_order.total - p_order.refunded;
      v_refund.paid := true;
      v_refund.to_wallet := case when p_order.payment_method = 'wallet' then 1 else p_order.wallet_amount end;
      v_refund.to_card := case when p_order.payment_method = 'card' then 1 else 0 end;
    end if;
  end if;
  return jsonb_strip_nulls(jsonb_build_object(
    'shop', coalesce(v_settings.shop_name, btrim(substring(v_mail.sender from '^(.*)<')), split_part(v_mail.sender, '@', 2), 'Shop'),
    'order_number', p_order.number,
    'order_date', to_char(p_order.created_at at time zone v_settings.shop_time_zone, v_words ->> 'day'),
    'total', interlock.format_money(p_order.total - p_order.refunded, p_order.currency, p_language),
    'paid_by', case when p_order.paid_at is not null then v_words ->> p_order.payment_method::text end,
    'transfer_until', case when v_is_open and p_order.payment_method = 'bank_transfer' then
      interlock.format_money(v_due, p_order.currency, p_language)
        || case p_language when 'de' then ' bis ' else ' by ' end
        || to_char(p_order.payment_expires_at at time zone v_settings.shop_time_zone, v_words ->> 'date')
    end,
    'cash_due', case when v_is_open and p_order.payment_method = 'cash_on_delivery' then
      interlock.format_money(v_due, p_order.currency, p_language)
    end,
    'tracking', case when p_kind = 'order_shipped' then coalesce(
      (
        select s.tracking
        from interlock.order_shipments s
        where s.order_id = p_order.id and s.created_at <= p_at
        order by s.id desc
        limit 1
      ),
      p_order.tracking
    ) end,
    'items_left', case when p_event_type = 'order.partly_shipped' then interlock.format_number((
      select nullif(greatest(0, sum(i.quantity) - (
        select coalesce(sum(x.quantity), 0)
        from interlock.order_shipment_items x
        join interlock.order_shipments s on s.id = x.shipment_id
        where x.order_id = p_order.id and s.created_at <= p_at
      ) - (
        select coalesce(sum(x.quantity), 0) from interlock.order_refund_items x where x.order_id = p_order.id
      )), 0)
      from interlock.order_items i
      where i.order_id = p_order.id
        and i.kind = 'physical'
    ), p_language) end,
    'refund', case when v_refund.paid and v_amount > 0 then interlock.format_money(v_amount, p_order.currency, p_language) end,
    'refunded_to', case when v_refund.paid and v_amount > 0 then nullif(concat_ws(', ',
      case when v_refund.to_card > 0 then v_words ->> 'card' end,
      case when v_refund.to_wallet > 0 then v_words ->> 'wallet' end
    ), '') end,
    'reduction', case when not v_refund.paid and v_amount > 0 then interlock.format_money(v_amount, p_order.currency, p_language) end,
    'new_total', case when not v_refund.paid and v_amount > 0 then
      interlock.format_money(p_order.total - p_order.refunded, p_order.currency, p_language)
    end,
    'order_url', replace(v_mail.order_url, '{order_id}', p_order.id::text)
  ));
end
$$;

-- What public.mail_webhook does, with its owner's rights: what Resend tells of a mail. Nobody is signed in; the signature of the raw body is
-- what gives it its right, and is asked for before anything is read or written. To an address that has bounced for good, or whose reader
-- has complained, nothing is sent from now on. Told twice it is the same. All else is answered with success, too: it would be sent
-- again for days.
--
-- Callers: anon, authenticated and service_role, through public.mail_webhook, of the function mail-webhook.
-- Locks: the addresses' rows, in their order.
-- Errors: VALIDATION_FAILED, WEBHOOK_SIGNATURE_INVALID with the reason; 55P03 is transient.
-- Security definer: nobody has the right to write suppressions.
create function interlock.mail_webhook(p_body text, p_signature text)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
as $$
declare
  v_problem text;
  v_event jsonb;
  v_reason text;
  v_suppressed int := 0;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;

  if p_body is null or octet_length(p_body) > 65536 then
    perform interlock.refuse_problems(interlock.problem('', 'must be an event of at most 64 KiB'));
  end if;
  v_problem := interlock.find_mail_signature_problem(p_body, p_signature);
  if v_problem is not null then
    perform interlock.raise_error('WEBHOOK_SIGNATURE_INVALID', jsonb_build_object('reason', v_problem));
  end if;

  begin
    v_event := p_body::jsonb;
  exception
    when others then
      -- No JSON, or text that the database cannot hold.
      v_event := null;
  end;
  if (jsonb_typeof(v_event -> 'type') = 'string') is not true then
    perform interlock.refuse_problems(interlock.problem('', 'must be an event: a JSON object with type and data'));
  end if;

  v_reason := case
    when v_event ->> 'type' = 'email.complained' then 'complained'
    -- A full mailbox, or a server that is away, is no reason for good.
    when v_event ->> 'type' = 'email.bounced' and coalesce(v_event #>> '{data,bounce,type}', 'Permanent') = 'Permanent' then 'bounced'
  end;
  if v_reason is not null and jsonb_typeof(v_event #> '{data,to}') = 'array' then
    insert into interlock.mail_suppressions (email, reason)
    select distinct interlock.normal_email(t.address), v_reason
    from (select * from jsonb_array_elements_text(v_event #> '{data,to}') limit 100) as t (address)
    where interlock.normal_email(t.address) is not null
    order by 1
    on conflict on constraint mail_suppressions_pkey do update set reason = excluded.reason;
    get diagnostics v_suppressed = row_count;
  end if;

  return jsonb_build_object(
    'success', true, 'outcome', case when v_suppressed > 0 then 'suppressed' else 'ignored' end
  );
end
$$;

-- Words of mails beside those of receipts, in a language.
--
-- Callers: interlock.mail_rows, interlock.mail_values.
-- Locks: none.
create function interlock.mail_words(p_language text)
returns jsonb
language plpgsql
immutable
set search_path = ''
as $$
begin
  return interlock.receipt_words(p_language) || case p_language
    when 'de' then jsonb_build_object(
      'shipping', 'Versand', 'total', 'Gesamt', 'wallet_part', 'davon aus dem Guthaben', 'refund', 'Erstattung', 'day', 'DD.MM.YYYY',
      'wallet', 'Guthaben', 'card', 'Karte', 'bank_transfer', 'Überweisung', 'cash_on_delivery', 'Barzahlung bei Lieferung'
    )
    else jsonb_build_object(
      'shipping', 'Shipping', 'total', 'Total', 'wallet_part', 'of it from your balance', 'refund', 'Refund', 'day', 'YYYY-MM-DD',
      'wallet', 'balance', 'card', 'card', 'bank_transfer', 'bank transfer', 'cash_on_delivery', 'cash on delivery'
    )
  end;
end
$$;

-- Make deliveries of events that are new, at most p_limit events of them; answers how many were looked at. The events of
-- several transactions come in the order in which they were written, which for one subject is the order in which they
-- happened: of two transactions of which the second saw what the first had done, none sees the second alone.
--
-- New is what this statement sees and the cursor's snapshot did not, so it does not matter who committed when: transactions that
-- began after it, and those that were open in it. Named so, and planned for these very ones, they are found by index; all since the
-- oldest that was open may be a day's, if somebody left one open. A cursor of another database, whose transactions were counted further (a copy that was restored), begins again from now on.
--
-- Callers: interlock.claim_deliveries.
-- Locks: the cursor; if somebody else has it they make them, and there is nothing to do.
create function interlock.make_deliveries(p_limit int)
returns int
language plpgsql
set search_path = ''
set plan_cache_mode = force_custom_plan
as $$
declare
  v_cursor interlock.delivery_cursor;
  v_next xid8;
  v_open xid8[];
  v_events int;
begin
  if not exists (select from interlock.webhook_endpoints w where w.active) then
    return 0;
  end if;
  select c.* into v_cursor from interlock.delivery_cursor c for update skip locked;
  if not found then
    return 0;
  end if;
  if pg_snapshot_xmin(v_cursor.seen) > pg_snapshot_xmax(pg_current_snapshot()) then
    update interlock.delivery_cursor set seen = interlock.committed_snapshot(), target = null, position = 0;
    return 0;
  end if;

  v_next := pg_snapshot_xmax(v_cursor.seen);
  v_open := array(select pg_snapshot_xip(v_cursor.seen));
  with target as materialized (
    select coalesce(v_cursor.target, interlock.committed_snapshot()) as snapshot
  ), fresh as materialized (
    select e.type, e.subject, e.created_at, e.position, e.transaction
    from interlock.events e
    cross join target t
    where (e.transaction >= v_next or e.transaction = any (v_open))
      and pg_visible_in_snapshot(e.transaction, t.snapshot)
      and e.position > v_cursor.position
    order by e.position
    limit p_limit
  ), made as (
    insert into interlock.deliveries (position, transaction, endpoint_id, subject)
    select f.position, f.transaction, w.id, f.subject
    from fresh f
    join interlock.webhook_endpoints w
      on w.active
      and f.created_at >= w.active_since
      and (w.event_types is null or f.type = any (w.event_types))
    where f.type <> 'webhook.test'
    order by f.position
    on conflict do nothing
  ), counted as (
    select count(*) as events, max(f.position) as position from fresh f
  ), moved as (
    update interlock.delivery_cursor c
    set seen = case when n.events < p_limit then t.snapshot else c.seen end,
        target = case when n.events < p_limit then null else t.snapshot end,
        position = case when n.events < p_limit then 0 else n.position end
    from counted n
    cross join target t
    where n.events > 0 or v_cursor.target is not null
  )
  select n.events into v_events from counted n;
  return v_events;
end
$$;

-- What the shop's CRM is told of an event by its mapping (interlock.crm_mappings): `{outlet, method, url, body, headers}`; null for nothing.
-- Placeholders find the event itself (`event.id`, `event.type`, `event.timestamp`, `event.subject`), what it says (`data.…`), and as
-- they are now the customer whom it names (`customer.…`). Who does not want to be written to is not told of, and what they buy is told
-- without them.
--
-- Callers: interlock.crm_calls.
-- Locks: none.
create function interlock.mapped_call(p_event jsonb, p_key text)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  v_mapping interlock.crm_mappings;
  v_customer jsonb;
  v_facts jsonb;
begin
  select m.* into v_mapping from interlock.crm_mappings m where m.event_type = p_event ->> 'type';
  if not found then
    return null;
  end if;
  select jsonb_build_object(
    'id', c.id,
    'name', c.name,
    'first_name', split_part(c.name, ' ', 1),
    'last_name', nullif(substr(c.name, char_length(split_part(c.name, ' ', 1)) + 2), ''),
    'phone', c.phone,
    'email', c.email,
    'tier', a.tier,
    'since', c.created_at
  )
  into v_customer
  from interlock.customers c
  left join interlock.points_accounts a on a.customer_id = c.id
  where c.id = (p_event #>> '{data,customer_id}')::uuid
    and c.marketing
    and num_nonnulls(c.phone, c.email) > 0;
  if v_customer is null and p_event #>> '{data,customer_id}' = p_event ->> 'subject' then
    return null;
  end if;

  v_facts := jsonb_build_object(
    'event', p_event - 'data',
    'data', case when v_customer is null then (p_event -> 'data') - 'customer_id' else p_event -> 'data' end,
    'customer', v_customer
  );
  return jsonb_build_object(
    'outlet', 'CRM',
    'method', v_mapping.method,
    'url', interlock.fill_path(v_mapping.path, v_facts),
    'body', interlock.fill_json(v_mapping.body, v_facts)::text,
    'headers', jsonb_build_object('idempotency-key', p_key)
  );
end
$$;

-- Whether the caller may hear what is broadcast under a topic:
--
--   batches            active drivers, and the shop
--   order:ORDER_ID     its buyer, and the shop
--   packing:SESSION_ID who works at the location of the picking session
--   stock:PRODUCT_ID   everybody, if the product is active; the shop
--
-- In all but shop 1 its name ends with @ and the shop's id.
--
-- Callers: the policy on the platform's messages (interlock.prepare_realtime), as anon and authenticated.
-- Locks: none.
-- Security definer: whoever may hear of a thing need not have rights on its table.
create function interlock.may_hear(p_topic text)
returns boolean
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  v_topic constant text := split_part(p_topic, '@', 1);
  v_kind constant text := split_part(v_topic, ':', 1);
  v_id uuid;
begin
  -- A browser cannot say its shop in a header here.
  if interlock.serves_shops() then
    perform interlock.find_shop(coalesce(nullif(split_part(p_topic, '@', 2), ''), '1'));
  end if;
  if v_topic = 'batches' then
    return exists (select from interlock.drivers d where d.user_id = auth.uid() and d.active) or interlock.acts_for_shop();
  end if;
  if interlock.is_uuid(substr(v_topic, length(v_kind) + 2)) is not true then
    return false;
  end if;
  v_id := substr(v_topic, length(v_kind) + 2)::uuid;
  return case v_kind
    when 'order' then
      exists (select from interlock.orders o where o.id = v_id and (o.user_id = auth.uid() or interlock.acts_for_shop()))
    when 'packing' then
      exists (select from interlock.picking_sessions s where s.id = v_id and interlock.works_at(s.location_id))
    when 'stock' then
      exists (select from interlock.products p where p.id = v_id and (p.active or interlock.acts_for_shop()))
    else false
  end;
end
$$;

-- Events of which no deliveries were made yet, p_limit of them at most, in no order; none where nobody listens. What is new, and why it is named
-- so, interlock.make_deliveries says, which takes them in their order.
--
-- Callers: interlock.deliveries_due, the view interlock.queues.
-- Locks: none.
-- They are found by index, whatever Postgres expects: of a table that was always empty it expects rows, and so to find the first one at once.
-- Not compiled (jit), which what is forbidden costs enough for.
create function interlock.new_events(p_limit int)
returns table (event_position bigint, created_at timestamptz)
language plpgsql
stable
set search_path = ''
set enable_seqscan = off
set jit = off
as $$
declare
  v_next xid8;
  v_open xid8[];
begin
  if not exists (select from interlock.webhook_endpoints w where w.active) then
    return;
  end if;
  select pg_snapshot_xmax(c.seen), array(select pg_snapshot_xip(c.seen)) into v_next, v_open
  from interlock.delivery_cursor c;
  return query
    select n.position, n.created_at
    from (
      select e.position, e.created_at from interlock.events e where e.transaction >= v_next
      union all
      select e.position, e.created_at from interlock.events e where e.transaction = any (v_open)
    ) n
    limit p_limit;
end
$$;

-- Make the endpoint of a channel that is no webhook, or switch it on or off; null leaves it as it is. One that is switched on
-- begins afresh, as webhooks do. Of one subject it gets one event after the other.
--
-- Callers: interlock.set_mail_settings, interlock.set_crm_settings, interlock.set_crm_mappings.
-- Locks: the cursor; the endpoint.
create function interlock.open_channel(p_channel text, p_description text, p_event_types text[], p_active boolean)
returns interlock.webhook_endpoints
language plpgsql
set search_path = ''
as $$
declare
  v_endpoint interlock.webhook_endpoints;
begin
  perform interlock.watch_events();
  if clock_timestamp() > statement_timestamp() + interval '100 milliseconds' then
    perform interlock.limit_wait();
  end if;
  loop
    update interlock.webhook_endpoints w
    set event_types = p_event_types,
        active = coalesce(p_active, w.active),
        active_since = case when p_active and not w.active then now() else w.active_since end,
        failing_since = case when p_active and not w.active then null else w.failing_since end,
        disabled_at = case when p_active then null else w.disabled_at end
    where w.channel = p_channel
      and w.channel <> 'webhook'
    returning * into v_endpoint;
    exit when found;

    insert into interlock.webhook_endpoints (channel, description, event_types, ordered, active)
    values (p_channel, p_description, p_event_types, true, coalesce(p_active, true))
    on conflict do nothing
    returning * into v_endpoint;
    exit when found;
  end loop;
  return v_endpoint;
end
$$;

-- Call the function deliver for the present shop, with the secret that the platform's vault has; answers whether pg_net and the vault are there.
--
-- Callers: interlock.call_deliver.
-- Locks: none.
-- Errors: P0001, which the job reports, if the vault does not have the secret.
-- Security definer: what is the platform's belongs to no shop (interlock.serve_shops).
create function interlock.post_deliver(p_url text)
returns boolean
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_secret text;
begin
  if
    to_regprocedure('net.http_post(text, jsonb, jsonb, jsonb, integer)') is null
    or to_regclass('vault.decrypted_secrets') is null
  then
    return false;
  end if;
  execute 'select s.decrypted_secret from vault.decrypted_secrets s where s.name = $1'
  into v_secret
  using 'interlock_deliver_secret';
  if v_secret is null then
    raise exception 'the vault has no secret interlock_deliver_secret'
      using hint = 'select vault.create_secret(SECRET, ''interlock_deliver_secret''), with the one that set_deliver_secret was given';
  end if;
  execute 'select net.http_post($1, $2, $3, $4, $5)'
  using p_url, '{}'::jsonb, '{}'::jsonb, jsonb_build_object(
    'content-type', 'application/json', 'x-deliver-secret', v_secret
  ) || case when interlock.serves_shops() then jsonb_build_object('x-shop', interlock.shop_id()::text) else '{}' end, 60000;
  return true;
end
$$;

-- Let those hear our broadcasts who may (interlock.may_hear), where the platform's realtime is there. Returns whether it is; called again
-- it changes nothing. Called when this is installed; if realtime comes later, call it once yourself:
--
--   select interlock.prepare_realtime();
--
-- Callers: the installation; postgres.
create function interlock.prepare_realtime()
returns boolean
language plpgsql
set search_path = ''
as $$
begin
  if to_regclass('realtime.messages') is null or to_regprocedure('realtime.topic()') is null then
    return false;
  end if;
  drop policy if exists interlock_select_listeners on realtime.messages;
  create policy interlock_select_listeners
    on realtime.messages
    for select
    to anon, authenticated
    using (extension = 'broadcast' and interlock.may_hear(realtime.topic()));
  return true;
end
$$;

-- What public.preview_mail does, with its owner's rights: a mail about an order as it would be written now, and who would get it.
--
-- Callers: authenticated (staff) and service_role, through public.preview_mail.
-- Locks: none.
-- Errors: UNAUTHENTICATED, FORBIDDEN, VALIDATION_FAILED, ORDER_NOT_FOUND.
-- Security definer: nobody has the right to read templates and accounts.
create function interlock.preview_mail(p_order_id uuid, p_kind text, p_language text)
returns jsonb
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  v_order interlock.orders;
  v_language text;
begin
  perform interlock.refuse_unless_shop();
  select o.* into v_order from interlock.orders o where o.id = p_order_id;
  v_language := coalesce(p_language, interlock.mail_language(p_order_id));
  perform interlock.refuse_problems(interlock.find_mail_problems(p_kind, v_language));
  if v_order.id is null then
    perform interlock.raise_error('ORDER_NOT_FOUND', jsonb_build_object('order_id', p_order_id));
  end if;
  return jsonb_build_object('success', true, 'to', interlock.mail_recipient(p_order_id), 'language', v_language)
    || interlock.render_mail(
      v_order, p_kind, v_language,
      case
        when p_kind = 'order_shipped' and v_order.fulfillment = 'partly_shipped' then 'order.partly_shipped'
        when p_kind = 'order_refunded' and exists (
          select from interlock.order_refunds r where r.order_id = p_order_id
        ) then 'order.lines_refunded'
      end,
      interlock.clock()
    );
end
$$;

-- What public.record_delivery does, with its owner's rights: what came of an attempt, told by whoever has its lease. 2xx is accepted;
-- after anything else it is tried again later, or is dead after the last attempt. 410 Gone switches the endpoint off at once, and so does a
-- failure when nothing has been accepted for five days; an event webhook.disabled tells it to the others. What an API refuses for good
-- (interlock.is_refused) is dead at once, and so is a mail that would be tried when its idempotency key is forgotten.
--
-- Callers: anon, authenticated and service_role, through public.record_delivery, of the function deliver: the lease, which
--   only interlock.claim_deliveries tells, is its right.
-- Locks: the endpoint (shared), the delivery, the endpoint.
-- Errors: VALIDATION_FAILED; 55P03 is transient. A lease that is not there any more is no error: `recorded` is false.
-- Security definer: nobody has the right to write deliveries.
create function interlock.record_delivery(
  p_delivery_id bigint, p_lease uuid, p_status int, p_error text, p_duration_ms int, p_retry_after_s int, p_answer text
)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
as $$
declare
  v_now constant timestamptz := interlock.clock();
  v_delivery interlock.deliveries;
  v_endpoint interlock.webhook_endpoints;
  v_pause interval;
  v_state text;
  v_reason text;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;

  if num_nonnulls(p_status, p_error) <> 1
    or p_status not between 100 and 599
    or char_length(p_error) not between 1 and 200
    or p_delivery_id is null
    or p_lease is null
  then
    perform interlock.refuse_problems(interlock.problem(
      '', 'must have p_delivery_id, p_lease, and either p_status (100 to 599) or p_error (at most 200 characters)'
    ));
  end if;

  perform
  from interlock.webhook_endpoints w
  join interlock.deliveries d on d.endpoint_id = w.id
  where d.id = p_delivery_id
  for key share of w;
  if clock_timestamp() > statement_timestamp() + interval '100 milliseconds' then
    perform interlock.limit_wait();
  end if;
  select d.* into v_delivery
  from interlock.deliveries d
  where d.id = p_delivery_id and d.lease = p_lease
  for no key update;
  if not found then
    return jsonb_build_object('success', true, 'recorded', false);
  end if;

  select w.* into v_endpoint from interlock.webhook_endpoints w where w.id = v_delivery.endpoint_id;
  insert into interlock.delivery_attempts (delivery_id, status, error, duration_ms, answer)
  values (
    p_delivery_id, p_status, p_error, greatest(p_duration_ms, 0),
    -- What is said of a mail goes with it.
    case when v_endpoint.channel <> 'email' or exists (select from interlock.mails m where m.delivery_id = p_delivery_id) then
      interlock.first_kilobyte(p_answer)
    end
  );

  -- What has never left may be tried whenever.
  update interlock.mails m
  set tried_at = null
  where m.delivery_id = p_delivery_id
    and (p_error = 'unsent' or p_error like '% is not set')
    and m.tried_at >= v_delivery.lease_until - interval '1 minute';

  v_pause := interlock.delivery_pause(v_delivery.attempts + 1, p_retry_after_s);
  v_state := case
    when p_status between 200 and 299 then 'delivered'
    when v_pause is null
      or case v_endpoint.channel when 'webhook' then p_status = 410 else interlock.is_refused(p_status, p_answer) end
      or exists (
        select from interlock.mails m
        where m.delivery_id = p_delivery_id and m.tried_at < v_now + v_pause - interval '23 hours'
      )
    then 'dead'
    else 'pending'
  end;
  update interlock.deliveries d
  set state = v_state,
      attempts = d.attempts + 1,
      next_attempt_at = case when v_state = 'pending' then v_now + v_pause else d.next_attempt_at end,
      lease = null,
      lease_until = null,
      ended_at = case when v_state <> 'pending' then v_now end
  where d.id = p_delivery_id;

  if v_state = 'delivered' then
    if v_endpoint.failing_since is not null then
      update interlock.webhook_endpoints w set failing_since = null where w.id = v_endpoint.id;
    end if;
  -- A mail that is refused says nothing of the others.
  elsif v_endpoint.active and (v_endpoint.channel = 'webhook' or v_state = 'pending' or v_pause is null) then
    v_reason := case
      when p_status = 410 and v_endpoint.channel = 'webhook' then 'gone'
      when v_endpoint.failing_since < v_now - interval '5 days' then 'failing'
    end;
    if v_reason is not null then
      update interlock.webhook_endpoints w
      set active = false, disabled_at = v_now, failing_since = coalesce(w.failing_since, v_now)
      where w.id = v_endpoint.id and w.active;
      if found then
        perform interlock.note_event('webhook.disabled', v_endpoint.id::text, jsonb_build_object(
          'endpoint_id', v_endpoint.id, 'reason', v_reason,
          'failing_since', coalesce(v_endpoint.failing_since, v_now)
        ));
      end if;
    elsif v_endpoint.failing_since is null then
      update interlock.webhook_endpoints w set failing_since = v_now where w.id = v_endpoint.id and w.failing_since is null;
    end if;
  end if;

  return jsonb_build_object('success', true, 'recorded', true, 'state', v_state);
end
$$;

-- Note as an event, once for each, that orders by bank transfer end soon unless they are paid; answers how many were noted. Only if
-- somebody is to be reminded by mail.
--
-- Callers: the jobs of interlock.jobs.
-- Locks: none that is waited for, but for one who reminds of the same order.
create function interlock.remind_payments(p_limit int)
returns int
language plpgsql
set search_path = ''
as $$
declare
  v_order_id uuid;
  v_count int := 0;
begin
  for v_order_id in
    insert into interlock.mail_reminders (order_id)
    select o.id
    from interlock.mail_settings s
    join interlock.webhook_endpoints w on w.id = s.endpoint_id and w.active
    join interlock.orders o
      on o.status = 'pending_payment'
      and o.payment_expires_at > interlock.clock()
      and o.payment_expires_at <= interlock.clock() + s.remind_before
    where 'payment_reminder' = any (s.kinds)
      and o.payment_method = 'bank_transfer'
      and o.proof_submitted_at is null
      -- Who has so little time was told when they ordered.
      and o.created_at < o.payment_expires_at - 2 * s.remind_before
      and not exists (select from interlock.mail_reminders r where r.order_id = o.id)
    order by o.payment_expires_at
    limit p_limit
    on conflict do nothing
    returning order_id
  loop
    perform interlock.note_event('order.payment_due', v_order_id::text, jsonb_build_object('order_id', v_order_id));
    v_count := v_count + 1;
  end loop;
  return v_count;
end
$$;

-- A mail about an order: `{subject, text, html}`. Of its template a paragraph is left out that has nothing to say.
--
-- Callers: interlock.write_mail, interlock.preview_mail.
-- Locks: none.
create function interlock.render_mail(
  p_order interlock.orders, p_kind text, p_language text, p_event_type text, p_at timestamptz
)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  v_template constant interlock.mail_templates := interlock.mail_template(p_kind, p_language);
  v_values constant jsonb := interlock.mail_values(p_order, p_kind, p_language, p_event_type, p_at);
  v_subject constant text := interlock.fill_mail(v_template.subject, v_values, false);
  v_shop constant text := v_values ->> 'shop';
  v_address constant text := (select s.shop_address from interlock.settings s);
  v_lines_text text;
  v_lines_html text;
  v_text text;
  v_html text;
begin
  select
    string_agg(interlock.receipt_as_text(r.style, r.o_left, r.o_right, 60), E'\n' order by r.n),
    '<table role="presentation">' || string_agg(
      format('<tr class="%s"><td>%s</td><td>%s</td></tr>', r.style, interlock.escape_html(r.o_left), interlock.escape_html(r.o_right)),
      E'\n' order by r.n
    ) || '</table>'
  into v_lines_text, v_lines_html
  from interlock.mail_rows(p_order, p_kind, p_language, p_event_type, p_at) r;

  select string_agg(f.text, E'\n\n' order by f.n), string_agg(f.html, E'\n' order by f.n)
  into v_text, v_html
  from (
    select
      p.n,
      case when p.is_table then v_lines_text else interlock.fill_mail(p.paragraph, v_values, false) end as text,
      case when p.is_table then v_lines_html else '<p>' || interlock.fill_mail(p.paragraph, v_values, true) || '</p>' end as html
    from (
      select s.n, btrim(s.part, E' \t\r\n') as paragraph, s.part ~ '^\s*\{\{ *lines *\}\}\s*$' as is_table
      from regexp_split_to_table(v_template.body, '\r?\n[ \t]*\r?\n') with ordinality as s (part, n)
    ) p
    where p.paragraph <> ''
  ) f;

  return jsonb_build_object(
    'subject', coalesce(v_subject, v_shop),
    'text', concat_ws(E'\n\n', v_text, concat_ws(E'\n', '-- ', v_shop, v_address)) || E'\n',
    'html', case
      when v_template.html is null then interlock.mail_page(
        p_language, interlock.escape_html(coalesce(v_subject, v_shop)), interlock.escape_html(v_shop), v_html,
        replace(interlock.escape_html(concat_ws(E'\n', v_shop, v_address)), E'\n', '<br>')
      )
      else (
        select string_agg(
          case
            when p.n % 2 = 1 then p.part
            when btrim(p.part) = 'body' then v_html
            when btrim(p.part) = 'lines' then v_lines_html
            else interlock.escape_html(v_values ->> btrim(p.part))
          end,
          '' order by p.n
        )
        from regexp_split_to_table(v_template.html, '\{\{|\}\}') with ordinality as p (part, n)
      )
    end
  );
end
$$;

-- What public.retry_delivery does, with its owner's rights: sends again what is named, beginning anew with its attempts: one
-- delivery by its id, in whatever state, or up to a thousand dead ones of an endpoint whose events came in a range of time (call
-- it until it answers 0).
--
-- Callers: authenticated (staff) and service_role, through public.retry_delivery.
-- Locks: the deliveries; of a range those that somebody is using are passed over.
-- Errors: UNAUTHENTICATED, FORBIDDEN, VALIDATION_FAILED, DELIVERY_NOT_FOUND; 55P03 is transient.
-- Security definer: nobody has the right to write deliveries.
create function interlock.retry_delivery(
  p_delivery_id bigint, p_endpoint_id uuid, p_from timestamptz, p_to timestamptz
)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
as $$
declare
  v_ids bigint[];
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;

  perform interlock.refuse_unless_shop();
  if num_nonnulls(p_delivery_id, p_endpoint_id) <> 1 then
    perform interlock.refuse_problems(interlock.problem('', 'must have p_delivery_id, or p_endpoint_id'));
  end if;

  if p_delivery_id is not null then
    if clock_timestamp() > statement_timestamp() + interval '100 milliseconds' then
      perform interlock.limit_wait();
    end if;
    select array_agg(d.id) into v_ids
    from (select q.id from interlock.deliveries q where q.id = p_delivery_id for no key update) d;
    if v_ids is null then
      perform interlock.raise_error('DELIVERY_NOT_FOUND', jsonb_build_object('delivery_id', p_delivery_id));
    end if;
  else
    select array_agg(d.id) into v_ids
    from (
      select q.id
      from interlock.deliveries q
      where q.endpoint_id = p_endpoint_id
        and q.state = 'dead'
        and q.created_at >= coalesce(p_from, '-infinity')
        and q.created_at < coalesce(p_to, 'infinity')
      order by q.id
      limit 1000
      for no key update skip locked
    ) d;
  end if;

  update interlock.mails m set tried_at = null where m.delivery_id = any (v_ids);
  -- One that is being sent at this moment keeps its lease: it is not sent twice at a time.
  update interlock.deliveries d
  set state = 'pending', attempts = 0, next_attempt_at = interlock.clock(), ended_at = null
  where d.id = any (v_ids);
  return jsonb_build_object('success', true, 'retried', coalesce(cardinality(v_ids), 0));
end
$$;

-- What public.roll_webhook_secret does, with its owner's rights: makes another secret for an endpoint and answers it. The
-- one before it signs, too, for as long as the receiver may need to take the new one up; one that is older ceases.
--
-- Callers: authenticated (staff) and service_role, through public.roll_webhook_secret.
-- Locks: the endpoint.
-- Errors: UNAUTHENTICATED, FORBIDDEN, VALIDATION_FAILED, WEBHOOK_ENDPOINT_NOT_FOUND; 55P03 is transient.
-- Security definer: nobody reads or writes secrets.
create function interlock.roll_webhook_secret(p_endpoint_id uuid, p_overlap_hours int)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
set timezone = 'UTC'
as $$
declare
  v_endpoint interlock.webhook_endpoints;
  v_until timestamptz;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;

  perform interlock.refuse_unless_shop();
  if (p_overlap_hours between 0 and 168) is not true then
    perform interlock.refuse_problems(interlock.problem('/p_overlap_hours', 'must be an integer from 0 to 168'));
  end if;

  v_endpoint := interlock.lock_webhook_endpoint(p_endpoint_id);
  v_until := interlock.clock() + make_interval(hours => p_overlap_hours);
  delete from interlock.webhook_secrets s where s.endpoint_id = p_endpoint_id and s.valid_until is not null;
  update interlock.webhook_secrets s set valid_until = v_until where s.endpoint_id = p_endpoint_id;

  return jsonb_build_object(
    'success', true,
    'endpoint', interlock.webhook_endpoint_to_json(v_endpoint),
    'secret', interlock.add_webhook_secret(p_endpoint_id),
    'previous_valid_until', v_until
  );
end
$$;

-- What public.send_test_event does, with its owner's rights: an event webhook.test for this endpoint alone, whatever types
-- it wants. What comes of it, list_deliveries tells.
--
-- Callers: authenticated (staff) and service_role, through public.send_test_event.
-- Locks: the endpoint.
-- Errors: UNAUTHENTICATED, FORBIDDEN, WEBHOOK_ENDPOINT_NOT_FOUND, WEBHOOK_ENDPOINT_INACTIVE; 55P03 is transient.
-- Security definer: nobody has the right to write deliveries.
create function interlock.send_test_event(p_endpoint_id uuid)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
as $$
declare
  v_endpoint interlock.webhook_endpoints;
  v_position bigint;
  v_delivery_id bigint;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;

  perform interlock.refuse_unless_shop();
  v_endpoint := interlock.lock_webhook_endpoint(p_endpoint_id);
  if not v_endpoint.active then
    perform interlock.raise_error('WEBHOOK_ENDPOINT_INACTIVE', jsonb_build_object('endpoint_id', p_endpoint_id));
  end if;

  v_position := interlock.note_event(
    'webhook.test', p_endpoint_id::text, jsonb_build_object('endpoint_id', p_endpoint_id)
  );
  insert into interlock.deliveries (position, transaction, endpoint_id, subject)
  values (v_position, pg_current_xact_id(), p_endpoint_id, p_endpoint_id::text)
  returning id into v_delivery_id;
  return jsonb_build_object('success', true, 'delivery_id', v_delivery_id, 'event_id', interlock.event_id(now(), v_position));
end
$$;

-- What public.set_crm_mappings does, with its owner's rights: has the shop's CRM told of these events from now on, each by its mapping, and of
-- no others; null leaves them as they are.
--
-- Callers: authenticated (staff) and service_role, through public.set_crm_mappings.
-- Locks: the cursor; the endpoint of the CRM; its mappings.
-- Errors: UNAUTHENTICATED, FORBIDDEN, VALIDATION_FAILED; 55P03 is transient.
-- Security definer: nobody has the right to write endpoints and mappings.
create function interlock.set_crm_mappings(p_mappings jsonb, p_active boolean)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
as $$
declare
  v_endpoint interlock.webhook_endpoints;
  v_types text[];
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;

  perform interlock.refuse_unless_shop();
  if p_mappings is not null then
    perform interlock.refuse_problems(interlock.find_crm_problems(p_mappings));
  end if;
  -- Whoever sets it up meanwhile waits here, and comes after us.
  perform interlock.watch_events();
  v_types := case
    when p_mappings is not null then array(select m ->> 'event_type' from jsonb_array_elements(p_mappings) m)
    else array(select m.event_type::text from interlock.crm_mappings m)
  end;
  if v_types = '{}' and p_active is not false then
    if p_mappings is null then
      perform interlock.refuse_problems(interlock.problem('/p_mappings', 'must be there at first'));
    end if;
    p_active := false;
  end if;

  v_endpoint := interlock.open_channel('crm', 'CRM', nullif(v_types, '{}'), p_active);
  if p_mappings is not null then
    delete from interlock.crm_mappings m where m.event_type <> all (v_types);
    insert into interlock.crm_mappings (event_type, method, path, body)
    select m ->> 'event_type', coalesce(m ->> 'method', 'POST'), m ->> 'path', m -> 'body'
    from jsonb_array_elements(p_mappings) m
    on conflict on constraint crm_mappings_pkey
    do update set method = excluded.method, path = excluded.path, body = excluded.body;
  end if;
  return jsonb_build_object('success', true, 'crm', jsonb_build_object(
    'endpoint_id', v_endpoint.id,
    'active', v_endpoint.active,
    'mappings', (
      select coalesce(jsonb_agg(to_jsonb(m) - 'shop_id' order by m.event_type), '[]') from interlock.crm_mappings m
    )
  ));
end
$$;

-- What public.set_crm_settings does, with its owner's rights: has Alpine IQ told of sales and customers from now on, or changes which
-- account; what is null stays.
--
-- Callers: authenticated (staff) and service_role, through public.set_crm_settings.
-- Locks: the cursor; the endpoint of the CRM.
-- Errors: UNAUTHENTICATED, FORBIDDEN, VALIDATION_FAILED; 55P03 is transient.
-- Security definer: nobody has the right to write endpoints and settings of the CRM.
create function interlock.set_crm_settings(p_account text, p_active boolean)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
as $$
declare
  v_endpoint interlock.webhook_endpoints;
  v_account constant text := coalesce(p_account, (select c.account from interlock.crm_settings c));
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;

  perform interlock.refuse_unless_shop();
  if (v_account ~ '^[A-Za-z0-9_-]{1,100}$') is not true then
    perform interlock.refuse_problems(interlock.problem('/p_account', 'must be the uid of your account: letters, digits, - and _'));
  end if;

  v_endpoint := interlock.open_channel('alpine_iq', 'Alpine IQ', '{sale.completed,sale.voided,customer.changed}', p_active);
  insert into interlock.crm_settings (endpoint_id, account) values (v_endpoint.id, v_account)
  on conflict on constraint crm_settings_pkey do update set account = excluded.account;
  return jsonb_build_object('success', true, 'crm', jsonb_build_object(
    'endpoint_id', v_endpoint.id, 'account', v_account, 'active', v_endpoint.active
  ));
end
$$;

-- What public.set_deliver_secret does, with its owner's rights: the secret by which a worker may claim deliveries counts from
-- now on, and the one before it still does, until the next one comes. Its hash alone is kept.
--
-- Callers: service_role, through public.set_deliver_secret.
-- Locks: the table of secrets, against another one who sets a secret.
-- Errors: VALIDATION_FAILED; 55P03 is transient.
-- Security definer: nobody reads or writes secrets.
create function interlock.set_deliver_secret(p_secret text)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
as $$
declare
  v_hash constant bytea := sha256(convert_to(p_secret, 'UTF8'));
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;

  if (char_length(p_secret) between 32 and 255 and p_secret ~ '^[\x21-\x7e]+$') is not true then
    perform interlock.refuse_problems(interlock.problem('/p_secret', 'must be 32 to 255 printable ASCII characters'));
  end if;

  lock table interlock.deliver_secrets in share row exclusive mode;
  delete from interlock.deliver_secrets s where s.hash = v_hash;
  insert into interlock.deliver_secrets (hash) values (v_hash);
  delete from interlock.deliver_secrets s
  where s.id not in (select l.id from interlock.deliver_secrets l order by l.id desc limit 2);
  return jsonb_build_object('success', true);
end
$$;

-- What public.set_mail_settings does, with its owner's rights: has mails written from now on, or changes how; what is null stays. An empty
-- text takes reply_to or order_url away.
--
-- Callers: authenticated (staff) and service_role, through public.set_mail_settings.
-- Locks: the cursor; the endpoint of mails.
-- Errors: UNAUTHENTICATED, FORBIDDEN, VALIDATION_FAILED; 55P03 is transient.
-- Security definer: nobody has the right to write endpoints and settings of mails.
create function interlock.set_mail_settings(
  p_sender text, p_reply_to text, p_language text, p_kinds text[], p_order_url text, p_remind_before interval, p_active boolean
)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
as $$
declare
  v_kinds constant text[] := array[
    'order_confirmed', 'payment_received', 'order_shipped', 'order_refunded', 'payment_reminder'
  ];
  v_endpoint interlock.webhook_endpoints;
  v_settings interlock.mail_settings;
  v_problems jsonb := '[]'::jsonb;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;

  perform interlock.refuse_unless_shop();
  if p_sender is null and not exists (select from interlock.mail_settings) then
    v_problems := v_problems || interlock.problem('/p_sender', 'is required');
  elsif not (
    char_length(p_sender) <= 320
    and p_sender ~ '^([^<>@"\\[:cntrl:]]+ <[^@<>\s]+@[^@<>\s]+[.][^@<>\s]+>|[^@<>\s]+@[^@<>\s]+[.][^@<>\s]+)$'
  ) then
    v_problems := v_problems || interlock.problem('/p_sender', 'must be an address, or as Shop <orders@example.com>');
  end if;
  if p_reply_to <> '' and interlock.normal_email(p_reply_to) is null then
    v_problems := v_problems || interlock.problem('/p_reply_to', 'must be an e-mail address');
  end if;
  if p_language not in ('en', 'de') then
    v_problems := v_problems || interlock.problem('/p_language', 'must be en or de');
  end if;
  if not p_kinds <@ v_kinds then
    v_problems := v_problems || interlock.problem('/p_kinds', format('must be some of %s', array_to_string(v_kinds, ', ')));
  end if;
  if p_order_url <> '' and not (
    p_order_url ~ '^https?://[^[:space:]<>"]+$' and char_length(p_order_url) <= 500 and p_order_url like '%{order\_id}%'
  ) then
    v_problems := v_problems || interlock.problem(
      '/p_order_url', 'must be a URL of at most 500 characters with {order_id} in it'
    );
  end if;
  if not p_remind_before between interval '10 minutes' and interval '30 days' then
    v_problems := v_problems || interlock.problem('/p_remind_before', 'must be 10 minutes to 30 days');
  end if;
  perform interlock.refuse_problems(v_problems);

  v_endpoint := interlock.open_channel('email', 'E-mail', interlock.mail_event_types(), p_active);
  insert into interlock.mail_settings as m (endpoint_id, sender, reply_to, language, kinds, order_url, remind_before)
  values (
    v_endpoint.id, coalesce(p_sender, (select s.sender from interlock.mail_settings s)), interlock.normal_email(p_reply_to),
    coalesce(p_language, 'en'), coalesce(p_kinds, v_kinds), nullif(p_order_url, ''), coalesce(p_remind_before, interval '24 hours')
  )
  on conflict on constraint mail_settings_pkey
  do update
  set sender = coalesce(p_sender, m.sender),
      reply_to = case when p_reply_to is null then m.reply_to else excluded.reply_to end,
      language = coalesce(p_language, m.language),
      kinds = coalesce(p_kinds, m.kinds),
      order_url = case when p_order_url is null then m.order_url else excluded.order_url end,
      remind_before = coalesce(p_remind_before, m.remind_before)
  returning * into v_settings;

  return jsonb_build_object(
    'success', true, 'mail', to_jsonb(v_settings) - 'shop_id' || jsonb_build_object('active', v_endpoint.active)
  );
end
$$;

-- What public.set_mail_template does, with its owner's rights: puts the shop's own words in place of a mail's, in a language;
-- without subject and body the usual ones count again.
--
-- Callers: authenticated (staff) and service_role, through public.set_mail_template.
-- Locks: the template's row.
-- Errors: UNAUTHENTICATED, FORBIDDEN, VALIDATION_FAILED; 55P03 is transient.
-- Security definer: nobody has the right to write templates.
create function interlock.set_mail_template(p_kind text, p_language text, p_subject text, p_body text, p_html text)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
as $$
declare
  v_problems jsonb;
  v_placeholders constant text[] := interlock.mail_placeholders();
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;

  perform interlock.refuse_unless_shop();
  v_problems := interlock.find_mail_problems(p_kind, p_language);
  if num_nonnulls(p_subject, p_body) = 1 or num_nonnulls(p_subject, p_body, p_html) = 1 then
    v_problems := v_problems || interlock.problem('', 'must have p_subject and p_body, or neither');
  end if;
  if not interlock.is_line(p_subject, 200) then
    v_problems := v_problems || interlock.problem('/p_subject', 'must be one line of at most 200 characters');
  end if;
  if not char_length(p_body) between 1 and 20000 then
    v_problems := v_problems || interlock.problem('/p_body', 'must have 1 to 20000 characters');
  end if;
  if not char_length(p_html) between 1 and 50000 then
    v_problems := v_problems || interlock.problem('/p_html', 'must have 1 to 50000 characters');
  elsif p_html !~ '\{\{ *body *\}\}' then
    v_problems := v_problems || interlock.problem('/p_html', 'must have {{body}} in it');
  end if;
  perform interlock.refuse_problems(
    v_problems
    -- These every mail has.
    || interlock.find_template_problems('/p_subject', p_subject, array['shop', 'order_number', 'order_date', 'total'])
    || interlock.find_template_problems('/p_body', p_body, v_placeholders)
    || interlock.find_template_problems('/p_html', p_html, v_placeholders || '{body}')
  );

  if p_subject is null then
    delete from interlock.mail_templates t where t.kind = p_kind and t.language = p_language;
  else
    insert into interlock.mail_templates (kind, language, subject, body, html)
    values (p_kind, p_language, p_subject, p_body, p_html)
    on conflict on constraint mail_templates_pkey
    do update set subject = excluded.subject, body = excluded.body, html = excluded.html;
  end if;
  return jsonb_build_object(
    'success', true, 'template', to_jsonb(interlock.mail_template(p_kind, p_language))
  );
end
$$;

-- What public.set_mail_webhook_secret does, with its owner's rights: the secret by which Resend signs what it tells of mails counts from now on,
-- and the one before it still does, until the next one comes. Given again it is the latest.
--
-- Callers: service_role, through public.set_mail_webhook_secret.
-- Locks: the table of secrets, against another one who sets a secret.
-- Errors: UNAUTHENTICATED, FORBIDDEN, VALIDATION_FAILED.
-- Security definer: nobody reads or writes secrets.
create function interlock.set_mail_webhook_secret(p_secret text)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
as $$
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;

  if (p_secret ~ '^whsec_([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$' and char_length(p_secret) between 38 and 94) is not true then
    perform interlock.refuse_problems(interlock.problem('/p_secret', 'must be whsec_ and the base64 of 24 to 64 bytes'));
  end if;

  lock table interlock.mail_webhook_secrets in share row exclusive mode;
  delete from interlock.mail_webhook_secrets s where s.secret = p_secret;
  insert into interlock.mail_webhook_secrets (secret) values (p_secret);
  delete from interlock.mail_webhook_secrets s
  where s.id not in (select l.id from interlock.mail_webhook_secrets l order by l.id desc limit 2);
  return jsonb_build_object('success', true);
end
$$;

-- The header webhook-signature (Standard Webhooks): for each secret of the endpoint that counts `v1,` and the base64 of the
-- HMAC-SHA256 of `ID.TIMESTAMP.BODY`, the present secret's first.
--
-- Callers: interlock.claim_deliveries.
-- Locks: none.
create function interlock.sign_webhook(p_endpoint_id uuid, p_id text, p_timestamp bigint, p_body text)
returns text
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select string_agg(
      'v1,' || encode(
        interlock.hmac_sha256(
          decode(substr(s.secret, 7), 'base64'), convert_to(concat_ws('.', p_id, p_timestamp, p_body), 'UTF8')
        ),
        'base64'
      ),
      ' ' order by s.id desc
    )
    from interlock.webhook_secrets s
    where s.endpoint_id = p_endpoint_id
      and (s.valid_until is null or s.valid_until > interlock.clock())
  );
end
$$;

-- End a delivery that is leased and not sent, and say why in its log.
--
-- Callers: interlock.write_mails, interlock.crm_calls.
-- Locks: the delivery, which the caller has.
create function interlock.skip_delivery(p_delivery_id bigint, p_state text, p_reason text)
returns void
language plpgsql
set search_path = ''
as $$
begin
  update interlock.deliveries d
  set state = p_state, lease = null, lease_until = null, ended_at = interlock.clock()
  where d.id = p_delivery_id;
  insert into interlock.delivery_attempts (delivery_id, error, duration_ms) values (p_delivery_id, left(p_reason, 200), 0);
end
$$;

-- What public.suppress_email does, with its owner's rights: nothing is sent to an address from now on.
--
-- Callers: authenticated (staff) and service_role, through public.suppress_email.
-- Locks: the address's row.
-- Errors: UNAUTHENTICATED, FORBIDDEN, VALIDATION_FAILED; 55P03 is transient.
-- Security definer: nobody has the right to write suppressions.
create function interlock.suppress_email(p_email text, p_reason text)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
as $$
declare
  v_email constant text := interlock.normal_email(p_email);
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;

  perform interlock.refuse_unless_shop();
  perform interlock.refuse_problems(
    case when v_email is null then interlock.problem('/p_email', 'must be an e-mail address') else '[]' end
    || case when (p_reason in ('bounced', 'complained', 'unwanted')) is not true then
      interlock.problem('/p_reason', 'must be bounced, complained or unwanted') else '[]' end
  );
  insert into interlock.mail_suppressions (email, reason) values (v_email, p_reason)
  on conflict on constraint mail_suppressions_pkey do update set reason = excluded.reason;
  return jsonb_build_object('success', true, 'email', v_email, 'suppressed', true);
end
$$;

-- What public.update_webhook_endpoint does, with its owner's rights: changes what is not null of an endpoint. An empty list of types is all of
-- them, an empty description none. One that is switched on again begins afresh: it gets what had been waiting for it, and
-- the events of all transactions that begin from now on.
--
-- Callers: authenticated (staff) and service_role, through public.update_webhook_endpoint.
-- Locks: the cursor if it is switched on; the endpoint.
-- Errors: UNAUTHENTICATED, FORBIDDEN, VALIDATION_FAILED, WEBHOOK_ENDPOINT_NOT_FOUND; 55P03 is transient.
-- Security definer: nobody has the right to write endpoints.
create function interlock.update_webhook_endpoint(
  p_endpoint_id uuid, p_url text, p_description text, p_event_types text[], p_ordered boolean, p_active boolean
)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
set timezone = 'UTC'
as $$
declare
  v_endpoint interlock.webhook_endpoints;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;

  perform interlock.refuse_unless_shop();
  perform interlock.refuse_problems(interlock.find_webhook_problems(p_url, p_description, p_event_types));

  if p_active then
    perform interlock.watch_events();
  end if;
  v_endpoint := interlock.lock_webhook_endpoint(p_endpoint_id);
  update interlock.webhook_endpoints w
  set url = coalesce(p_url, w.url),
      description = case when p_description is null then w.description else nullif(btrim(p_description), '') end,
      event_types = case when p_event_types is null then w.event_types else nullif(p_event_types, '{}') end,
      ordered = coalesce(p_ordered, w.ordered),
      active = coalesce(p_active, w.active),
      active_since = case when p_active and not w.active then now() else w.active_since end,
      failing_since = case when p_active and not w.active then null else w.failing_since end,
      disabled_at = case when p_active then null else w.disabled_at end
  where w.id = p_endpoint_id
  returning w.* into v_endpoint;

  return jsonb_build_object('success', true, 'endpoint', interlock.webhook_endpoint_to_json(v_endpoint));
end
$$;

-- Begin with what happens from now on, if no endpoint has been listening: what nobody wanted is not looked through.
--
-- Callers: interlock.create_webhook_endpoint, interlock.update_webhook_endpoint, interlock.open_channel,
--   interlock.set_crm_mappings, before an endpoint becomes active.
-- Locks: the cursor.
create function interlock.watch_events()
returns void
language plpgsql
set search_path = ''
as $$
begin
  if clock_timestamp() > statement_timestamp() + interval '100 milliseconds' then
    perform interlock.limit_wait();
  end if;
  perform from interlock.delivery_cursor c for update;
  if not exists (select from interlock.webhook_endpoints w where w.active) then
    update interlock.delivery_cursor set seen = interlock.committed_snapshot(), target = null, position = 0;
  end if;
end
$$;

-- An endpoint as the functions answer it: all but its secrets.
--
-- Callers: the functions of endpoints.
-- Locks: none.
create function interlock.webhook_endpoint_to_json(p_endpoint interlock.webhook_endpoints)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return to_jsonb(p_endpoint) - 'shop_id' - 'active_since';
end
$$;

-- Write the mail of a delivery, once; answers why there is none to send, or null. While somebody removes or moves the buyer's account it is
-- `busy`: what is written of a person must not outlive them.
--
-- Callers: interlock.write_mails.
-- Locks: the buyer's account, shared; it is not waited for.
create function interlock.write_mail(
  p_delivery_id bigint, p_subject text, p_event_type text, p_at timestamptz
)
returns text
language plpgsql
set search_path = ''
as $$
declare
  v_settings constant interlock.mail_settings := (select s from interlock.mail_settings s);
  v_order interlock.orders;
  v_kind text;
  v_recipient text;
  v_mail jsonb;
begin
  select o.* into v_order from interlock.orders o where o.id = p_subject::uuid;
  v_kind := interlock.mail_kind_of(p_event_type, v_order);
  if v_kind is null then
    return 'nothing to say';
  elsif not v_kind = any (v_settings.kinds) then
    return 'not of the kinds that are written';
  end if;
  if v_order.user_id is not null then
    perform from interlock.accounts u where u.id = v_order.user_id for key share skip locked;
    if not found then
      return 'busy';
    end if;
  end if;
  v_recipient := interlock.mail_recipient(v_order.id);
  if v_recipient is null then
    return 'no address';
  elsif exists (select from interlock.mail_suppressions s where s.email = v_recipient) then
    return 'suppressed';
  end if;

  v_mail := interlock.render_mail(v_order, v_kind, interlock.mail_language(v_order.id), p_event_type, p_at);
  insert into interlock.mails (delivery_id, order_id, kind, recipient, body)
  values (p_delivery_id, v_order.id, v_kind, v_recipient, jsonb_strip_nulls(jsonb_build_object(
    'from', v_settings.sender, 'to', jsonb_build_array(v_recipient), 'reply_to', v_settings.reply_to,
    'subject', v_mail -> 'subject', 'text', v_mail -> 'text', 'html', v_mail -> 'html',
    'tags', jsonb_build_array(jsonb_build_object('name', 'kind', 'value', v_kind))
  ))::text);
  return null;
end
$$;

-- Have all mails of deliveries written that are about to be sent. What is not to be sent ends here: a mail to nobody or to
-- an address that is suppressed is skipped; one that was tried a day ago is dead, as Resend has forgotten by then whether it
-- had it; and one that cannot be written is dead, and stops no other.
--
-- Callers: interlock.claim_deliveries.
-- Locks: the deliveries, which the caller has; as interlock.write_mail.
create function interlock.write_mails(p_delivery_ids bigint[])
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_now constant timestamptz := interlock.clock();
  v_one record;
  v_reason text;
begin
  for v_one in
    select d.id, d.subject, e.type, e.created_at, m.delivery_id is not null as written, m.tried_at, s.reason as suppressed
    from interlock.deliveries d
    join interlock.webhook_endpoints w on w.id = d.endpoint_id and w.channel = 'email'
    cross join interlock.find_event(d.transaction, d.position) e
    left join interlock.mails m on m.delivery_id = d.id
    left join interlock.mail_suppressions s on s.email = m.recipient
    where d.id = any (p_delivery_ids)
    order by d.id
  loop
    v_reason := null;
    if v_one.tried_at < v_now - interval '23 hours' then
      perform interlock.skip_delivery(v_one.id, 'dead', 'tried a day ago: it may have arrived');
      continue;
    elsif v_one.suppressed is not null then
      v_reason := 'suppressed';
    elsif not v_one.written then
      begin
        v_reason := interlock.write_mail(v_one.id, v_one.subject, v_one.type, v_one.created_at);
      exception
        when others then
          perform interlock.skip_delivery(v_one.id, 'dead', format('it cannot be written: %s', sqlerrm));
          continue;
      end;
    end if;
    if v_reason = 'busy' then
      update interlock.deliveries d
      set lease = null, lease_until = null, next_attempt_at = v_now + interval '5 seconds'
      where d.id = v_one.id;
    elsif v_reason is not null then
      perform interlock.skip_delivery(v_one.id, 'skipped', v_reason);
    else
      update interlock.mails m set tried_at = v_now where m.delivery_id = v_one.id and m.tried_at is null;
    end if;
  end loop;
end
$$;

-- What has happened, to be told outside: one row for each event, written in the transaction that made it happen, so there is no event
-- without its effect and no effect without its event. It is the histories that there are, and for the rest interlock.outbox: nothing is written twice.
create view interlock.events
with (security_invoker = true)
as
select
  interlock.event_id(b.created_at, b.position) as id,
  b.type::text as type,
  b.subject::text as subject,
  b.payload,
  b.created_at,
  b.position,
  b.transaction
from interlock.outbox b
union all
select
  interlock.event_id(e.created_at, e.id),
  'order.' || e.event,
  e.order_id::text,
  jsonb_build_object(
    'order_id', e.order_id,
    'is_new', e.created_at = o.created_at,
    'status', o.status,
    'fulfillment', o.fulfillment,
    'tracking', e.tracking,
    'total', o.total,
    'refunded', o.refunded,
    'currency', o.currency
  ),
  e.created_at,
  e.id,
  e.transaction
from interlock.order_events e
left join interlock.orders o on o.id = e.order_id
union all
select
  interlock.event_id(e.created_at, e.id),
  'batch.' || e.event,
  e.batch_id::text,
  jsonb_build_object('batch_id', e.batch_id, 'driver_id', e.driver_id, 'version', e.version, 'reason', e.reason),
  e.created_at,
  e.id,
  e.transaction
from interlock.batch_events e
union all
select
  interlock.event_id(s.created_at, s.id),
  'packing.progress',
  s.picking_session_id::text,
  jsonb_build_object(
    'session_id', s.picking_session_id,
    'order_id', s.order_id,
    'product_id', s.product_id,
    'change', case when s.action = 'short' then 0 else s.quantity end,
    'quantity_packed', s.quantity_packed,
    'quantity_needed', s.quantity_needed,
    'quantity_short', s.quantity_short,
    'version', s.version
  ),
  s.created_at,
  s.id,
  s.transaction
from interlock.packing_scans s
where s.version is not null;

comment on view interlock.events is
  'What has happened, to be told outside. Append-only; read by the service role.';
comment on column interlock.events.id is
  'Ordered by time; a receiver knows a repetition by it.';
comment on column interlock.events.type is
  'What has happened: order.paid, sale.completed, audit.finding and so on (docs/event-types.md has them all).';
comment on column interlock.events.subject is
  'What it happened to: the id of the order, the sale, the customer, the product.';
comment on column interlock.events.payload is
  'What there is to say of it, without secrets.';
comment on column interlock.events.position is
  'The order in which events were written; those of one subject happened in this order.';
comment on column interlock.events.transaction is
  'The transaction that wrote it.';

grant select on interlock.events to service_role;

create function public.allow_email(
  p_email text
)
returns jsonb
language sql
volatile
security invoker
set search_path = ''
as $$
  select interlock.allow_email(p_email)
$$;

comment on function public.allow_email(text) is
  'For staff and the service role: mails are sent again to an address that was suppressed.';

create function public.claim_deliveries(p_secret text, p_limit int default 20)
returns jsonb
language sql
volatile
security invoker
set search_path = ''
as $$
  select interlock.claim_deliveries(p_secret, p_limit)
$$;

comment on function public.claim_deliveries(text, int) is
  'Leases deliveries that are due to a worker that knows the secret, with all that has to be sent. Called by the function deliver.';

create function public.create_webhook_endpoint(
  p_url text, p_description text default null, p_event_types text[] default null, p_ordered boolean default false
)
returns jsonb
language sql
volatile
security invoker
set search_path = ''
as $$
  select interlock.create_webhook_endpoint(p_url, p_description, p_event_types, p_ordered)
$$;

comment on function public.create_webhook_endpoint(text, text, text[], boolean) is
  'Has events sent to a URL, of some types or of all; answers the secret by which they are signed, once. For staff and the service role.';

create function public.delete_webhook_endpoint(p_endpoint_id uuid)
returns jsonb
language sql
volatile
security invoker
set search_path = ''
as $$
  select interlock.delete_webhook_endpoint(p_endpoint_id)
$$;

comment on function public.delete_webhook_endpoint(uuid) is
  'Removes an endpoint and all that was sent or was to be sent there. For staff and the service role.';

create function public.list_deliveries(
  p_endpoint_id uuid default null, p_state text default null, p_before bigint default null, p_limit int default 50
)
returns jsonb
language sql
stable
security invoker
set search_path = ''
as $$
  select interlock.list_deliveries(p_endpoint_id, p_state, p_before, p_limit)
$$;

comment on function public.list_deliveries(uuid, text, bigint, int) is
  'For staff and the service role: what was sent to endpoints, the newest first, with each attempt; p_before is the id of the last one of the page before.';

create function public.list_webhook_endpoints()
returns jsonb
language sql
stable
security invoker
set search_path = ''
as $$
  select interlock.list_webhook_endpoints()
$$;

comment on function public.list_webhook_endpoints() is
  'Where events are sent, without the secrets. For staff and the service role.';

create function public.mail_webhook(p_body text, p_signature text)
returns jsonb
language plpgsql
volatile
security invoker
set search_path = ''
as $$
begin
  return interlock.mail_webhook(p_body, p_signature);
end
$$;

comment on function public.mail_webhook(text, text) is
  'What Resend tells of a mail, signed: p_body as it came, p_signature its headers svix-id, svix-timestamp and svix-signature with a blank between. Called by the function mail-webhook.';

create function public.preview_mail(
  p_order_id uuid, p_kind text, p_language text default null
)
returns jsonb
language sql
stable
security invoker
set search_path = ''
as $$
  select interlock.preview_mail(p_order_id, p_kind, p_language)
$$;

comment on function public.preview_mail(uuid, text, text) is
  'For staff and the service role: a mail about an order as it would be written now: to, subject, text, html.';

create function public.record_delivery(
  p_delivery_id bigint,
  p_lease uuid,
  p_status int default null,
  p_error text default null,
  p_duration_ms int default null,
  p_retry_after_s int default null,
  p_answer text default null
)
returns jsonb
language sql
volatile
security invoker
set search_path = ''
as $$
  select interlock.record_delivery(
    p_delivery_id, p_lease, p_status, p_error, p_duration_ms, p_retry_after_s, p_answer
  )
$$;

comment on function public.record_delivery(bigint, uuid, int, text, int, int, text) is
  'What came of an attempt to deliver, told by who has its lease. Called by the function deliver.';

create function public.retry_delivery(
  p_delivery_id bigint default null,
  p_endpoint_id uuid default null,
  p_from timestamptz default null,
  p_to timestamptz default null
)
returns jsonb
language sql
volatile
security invoker
set search_path = ''
as $$
  select interlock.retry_delivery(p_delivery_id, p_endpoint_id, p_from, p_to)
$$;

comment on function public.retry_delivery(bigint, uuid, timestamptz, timestamptz) is
  'Sends a delivery again, or up to a thousand dead ones of an endpoint from p_from until p_to. For staff and the service role.';

create function public.roll_webhook_secret(p_endpoint_id uuid, p_overlap_hours int default 24)
returns jsonb
language sql
volatile
security invoker
set search_path = ''
as $$
  select interlock.roll_webhook_secret(p_endpoint_id, p_overlap_hours)
$$;

comment on function public.roll_webhook_secret(uuid, int) is
  'Makes another secret for an endpoint and answers it, once; the one before it signs, too, for p_overlap_hours. For staff and the service role.';

create function public.send_test_event(p_endpoint_id uuid)
returns jsonb
language sql
volatile
security invoker
set search_path = ''
as $$
  select interlock.send_test_event(p_endpoint_id)
$$;

comment on function public.send_test_event(uuid) is
  'Sends an event webhook.test to an endpoint. For staff and the service role.';

create function public.set_crm_mappings(p_mappings jsonb default null, p_active boolean default null)
returns jsonb
language sql
volatile
security invoker
set search_path = ''
as $$
  select interlock.set_crm_mappings(p_mappings, p_active)
$$;

comment on function public.set_crm_mappings(jsonb, boolean) is
  'For staff and the service role: has any CRM told of events, each as {event_type, method?, path, body} with placeholders; what is left out stays.';

create function public.set_crm_settings(p_account text default null, p_active boolean default null)
returns jsonb
language sql
volatile
security invoker
set search_path = ''
as $$
  select interlock.set_crm_settings(p_account, p_active)
$$;

comment on function public.set_crm_settings(text, boolean) is
  'For staff and the service role: has Alpine IQ told of sales and customers, under the shop''s account there; what is left out stays.';

create function public.set_deliver_secret(p_secret text)
returns jsonb
language sql
volatile
security invoker
set search_path = ''
as $$
  select interlock.set_deliver_secret(p_secret)
$$;

comment on function public.set_deliver_secret(text) is
  'For the service role only: the secret by which the worker claims deliveries. The one before it counts until the next.';

create function public.set_mail_settings(
  p_sender text default null,
  p_reply_to text default null,
  p_language text default null,
  p_kinds text[] default null,
  p_order_url text default null,
  p_remind_before interval default null,
  p_active boolean default null
)
returns jsonb
language sql
volatile
security invoker
set search_path = ''
as $$
  select interlock.set_mail_settings(p_sender, p_reply_to, p_language, p_kinds, p_order_url, p_remind_before, p_active)
$$;

comment on function public.set_mail_settings(text, text, text, text[], text, interval, boolean) is
  'For staff and the service role: has mails written to customers, by Resend, and changes how; what is left out stays. Answers the settings.';

create function public.set_mail_template(
  p_kind text, p_language text, p_subject text default null, p_body text default null, p_html text default null
)
returns jsonb
language sql
volatile
security invoker
set search_path = ''
as $$
  select interlock.set_mail_template(p_kind, p_language, p_subject, p_body, p_html)
$$;

comment on function public.set_mail_template(text, text, text, text, text) is
  'For staff and the service role: the shop''s own words for a mail in a language; without subject and body the usual ones count again.';

create function public.set_mail_webhook_secret(p_secret text)
returns jsonb
language plpgsql
volatile
security invoker
set search_path = ''
as $$
begin
  return interlock.set_mail_webhook_secret(p_secret);
end
$$;

comment on function public.set_mail_webhook_secret(text) is
  'For the service role only: the secret by which Resend signs what it tells of mails. The one before it counts until the next.';

create function public.suppress_email(
  p_email text, p_reason text default 'unwanted'
)
returns jsonb
language sql
volatile
security invoker
set search_path = ''
as $$
  select interlock.suppress_email(p_email, p_reason)
$$;

comment on function public.suppress_email(text, text) is
  'For staff and the service role: no mail is sent to an address any more; p_reason is bounced, complained or unwanted.';

create function public.update_webhook_endpoint(
  p_endpoint_id uuid,
  p_url text default null,
  p_description text default null,
  p_event_types text[] default null,
  p_ordered boolean default null,
  p_active boolean default null
)
returns jsonb
language sql
volatile
security invoker
set search_path = ''
as $$
  select interlock.update_webhook_endpoint(p_endpoint_id, p_url, p_description, p_event_types, p_ordered, p_active)
$$;

comment on function public.update_webhook_endpoint(uuid, text, text, text[], boolean, boolean) is
  'Changes what is given of an endpoint; an empty list of types is all of them. For staff and the service role.';

-- Who may hear what is broadcast, where the platform's realtime is there.
select interlock.prepare_realtime();

-- Generated by `cargo xtask codegen`: the first sentence of the header of each function.
comment on function interlock.add_webhook_secret is
  'Make the secret by which an endpoint''s webhooks are signed from now on, and answer it: 32 random bytes.';
comment on function interlock.allow_email is
  'What public.allow_email does, with its owner''s rights: mails are sent to an address again.';
comment on function interlock.call_deliver is
  'Have the function deliver called, if there is anything to deliver, where the platform has pg_net and its vault: settings.deliver_url says where it is, the vault''s secret interlock_deliver_secret what it is called with.';
comment on function interlock.claim_deliveries is
  'What public.claim_deliveries does, with its owner''s rights: makes deliveries of what is new, and leases up to p_limit that are due to the caller for a minute, each with all that has to be sent.';
comment on function interlock.committed_snapshot is
  'The snapshot of the statement that asks, without the transaction that it belongs to: that one may have yet to write, and whatever it has written is nothing before it commits.';
comment on function interlock.create_webhook_endpoint is
  'What public.create_webhook_endpoint does, with its owner''s rights: an endpoint that gets the events of all transactions that begin from now on, of some types or of all.';
comment on function interlock.crm_call is
  'What Alpine IQ is told of an event, as it is now: `{outlet, url, body, headers}`; null for nothing.';
comment on function interlock.crm_calls is
  'The calls of CRMs that deliveries come to, by their ids.';
comment on function interlock.delete_webhook_endpoint is
  'What public.delete_webhook_endpoint does, with its owner''s rights: removes an endpoint with its secrets, and with what was sent or was still to be sent there.';
comment on function interlock.deliveries_due is
  'What a worker could take now, by what interlock.claim_deliveries asks of endpoints and their deliveries: an endpoint to which nothing may be sent, or that has all under way that it may have, is no reason to call, and neither is what an earlier delivery of its subject holds back where order is asked for, or an event of which deliveries are made where nobody listens.';
comment on function interlock.delivery_pause is
  'How long a delivery rests after so many failed attempts; null when it is given up: eleven attempts in some three days, and up to a fifth more each time, so that what failed together does not come again together.';
comment on function interlock.event_id is
  'The id of an event, by which a receiver knows a repetition: a UUID (version 7) of when it was and its position, so that it need not be kept.';
comment on function interlock.fill_json is
  'A JSON template with its placeholders filled in.';
comment on function interlock.fill_mail is
  'A text with its placeholders filled in, as text or as HTML; null if one of them is empty.';
comment on function interlock.fill_path is
  'A path with its placeholders filled in, each as one part of it: whatever is no letter, digit, -, _, .';
comment on function interlock.find_crm_problems is
  'What is wrong with mappings of events to calls of a CRM; an empty list if nothing is.';
comment on function interlock.find_event is
  'One event.';
comment on function interlock.find_mail_problems is
  'What is wrong with the kind and the language of a mail; an empty list if nothing is.';
comment on function interlock.find_mail_signature_problem is
  'Why what is told of a mail is not Resend''s own; null if it is.';
comment on function interlock.find_template_problems is
  'What is wrong with a text of a template, at p_at: a placeholder that there is not, by its name, or braces that do not close.';
comment on function interlock.find_webhook_problems is
  'What is wrong with what is said of an endpoint; null stands for what is not said, an empty list for all types.';
comment on function interlock.first_kilobyte is
  'What of a text fits into a kilobyte of UTF-8, by whole characters.';
comment on function interlock.format_money is
  'An amount in minor units with its currency, as people read it; a blank that does not break stands between.';
comment on function interlock.is_refused is
  'Whether an API has refused a call for good, so that the same one will be refused again.';
comment on function interlock.is_webhook_url is
  'Whether webhooks may be sent to a URL: https, a name that the public DNS can have (no address in whatever notation, no name of one label, none that is local by its ending), a port that there is, no user, no fragment.';
comment on function interlock.list_deliveries is
  'What public.list_deliveries does, with its owner''s rights: what was sent to endpoints or is to be sent there, the newest first, with each attempt, a page at a time.';
comment on function interlock.list_webhook_endpoints is
  'What public.list_webhook_endpoints does, with its owner''s rights: the endpoints, without their secrets.';
comment on function interlock.lock_webhook_endpoint is
  'Lock an endpoint for webhooks and answer it.';
comment on function interlock.mail_event_types is
  'The types of events that mails are made of; interlock.mail_kind_of says of which comes what.';
comment on function interlock.mail_kind_of is
  'Which mail an event of an order is worth; null for none.';
comment on function interlock.mail_language is
  'The language of an order: what its contact says (`locale`, such as de-AT), its metadata, or its buyer''s account; else the one of the settings.';
comment on function interlock.mail_page is
  'A page around the paragraphs of a mail.';
comment on function interlock.mail_placeholders is
  'What a template of a mail can say, by name; `lines` is a table, and a paragraph of its own.';
comment on function interlock.mail_recipient is
  'Whom a mail about an order goes to, in its normal form: the account''s address, or what a guest has said (`email` of the order''s contact).';
comment on function interlock.mail_rows is
  'The table of a mail, in the styles of interlock.receipt_rows: what was ordered and what it costs, what is in a parcel, or what was refunded.';
comment on function interlock.mail_template is
  'What a mail says, in a language: a subject, and paragraphs with placeholders.';
comment on function interlock.mail_values is
  'What there is to say of an order in a mail, by the placeholders of interlock.mail_placeholders but `lines`; what is not the case is left out.';
comment on function interlock.mail_webhook is
  'What public.mail_webhook does, with its owner''s rights: what Resend tells of a mail.';
comment on function interlock.mail_words is
  'Words of mails beside those of receipts, in a language.';
comment on function interlock.make_deliveries is
  'Make deliveries of events that are new, at most p_limit events of them; answers how many were looked at.';
comment on function interlock.mapped_call is
  'What the shop''s CRM is told of an event by its mapping (interlock.crm_mappings): `{outlet, method, url, body, headers}`; null for nothing.';
comment on function interlock.may_hear is
  'Whether the caller may hear what is broadcast under a topic:';
comment on function interlock.new_events is
  'Events of which no deliveries were made yet, p_limit of them at most, in no order; none where nobody listens.';
comment on function interlock.open_channel is
  'Make the endpoint of a channel that is no webhook, or switch it on or off; null leaves it as it is.';
comment on function interlock.post_deliver is
  'Call the function deliver for the present shop, with the secret that the platform''s vault has; answers whether pg_net and the vault are there.';
comment on function interlock.prepare_realtime is
  'Let those hear our broadcasts who may (interlock.may_hear), where the platform''s realtime is there.';
comment on function interlock.preview_mail is
  'What public.preview_mail does, with its owner''s rights: a mail about an order as it would be written now, and who would get it.';
comment on function interlock.record_delivery is
  'What public.record_delivery does, with its owner''s rights: what came of an attempt, told by whoever has its lease.';
comment on function interlock.remind_payments is
  'Note as an event, once for each, that orders by bank transfer end soon unless they are paid; answers how many were noted.';
comment on function interlock.render_mail is
  'A mail about an order: `{subject, text, html}`.';
comment on function interlock.retry_delivery is
  'What public.retry_delivery does, with its owner''s rights: sends again what is named, beginning anew with its attempts: one delivery by its id, in whatever state, or up to a thousand dead ones of an endpoint whose events came in a range of time (call it until it answers 0).';
comment on function interlock.roll_webhook_secret is
  'What public.roll_webhook_secret does, with its owner''s rights: makes another secret for an endpoint and answers it.';
comment on function interlock.send_test_event is
  'What public.send_test_event does, with its owner''s rights: an event webhook.test for this endpoint alone, whatever types it wants.';
comment on function interlock.set_crm_mappings is
  'What public.set_crm_mappings does, with its owner''s rights: has the shop''s CRM told of these events from now on, each by its mapping, and of no others; null leaves them as they are.';
comment on function interlock.set_crm_settings is
  'What public.set_crm_settings does, with its owner''s rights: has Alpine IQ told of sales and customers from now on, or changes which account; what is null stays.';
comment on function interlock.set_deliver_secret is
  'What public.set_deliver_secret does, with its owner''s rights: the secret by which a worker may claim deliveries counts from now on, and the one before it still does, until the next one comes.';
comment on function interlock.set_mail_settings is
  'What public.set_mail_settings does, with its owner''s rights: has mails written from now on, or changes how; what is null stays.';
comment on function interlock.set_mail_template is
  'What public.set_mail_template does, with its owner''s rights: puts the shop''s own words in place of a mail''s, in a language; without subject and body the usual ones count again.';
comment on function interlock.set_mail_webhook_secret is
  'What public.set_mail_webhook_secret does, with its owner''s rights: the secret by which Resend signs what it tells of mails counts from now on, and the one before it still does, until the next one comes.';
comment on function interlock.sign_webhook is
  'The header webhook-signature (Standard Webhooks): for each secret of the endpoint that counts `v1,` and the base64 of the HMAC-SHA256 of `ID.TIMESTAMP.BODY`, the present secret''s first.';
comment on function interlock.skip_delivery is
  'End a delivery that is leased and not sent, and say why in its log.';
comment on function interlock.suppress_email is
  'What public.suppress_email does, with its owner''s rights: nothing is sent to an address from now on.';
comment on function interlock.update_webhook_endpoint is
  'What public.update_webhook_endpoint does, with its owner''s rights: changes what is not null of an endpoint.';
comment on function interlock.watch_events is
  'Begin with what happens from now on, if no endpoint has been listening: what nobody wanted is not looked through.';
comment on function interlock.webhook_endpoint_to_json is
  'An endpoint as the functions answer it: all but its secrets.';
comment on function interlock.write_mail is
  'Write the mail of a delivery, once; answers why there is none to send, or null.';
comment on function interlock.write_mails is
  'Have all mails of deliveries written that are about to be sent.';

-- Who may call what of events. What is not here belongs to its owner.
revoke execute on all functions in schema interlock from public;
revoke all on function
  public.allow_email(text),
  public.claim_deliveries(text, int),
  public.create_webhook_endpoint(text, text, text[], boolean),
  public.delete_webhook_endpoint(uuid),
  public.list_deliveries(uuid, text, bigint, int),
  public.list_webhook_endpoints(),
  public.mail_webhook(text, text),
  public.preview_mail(uuid, text, text),
  public.record_delivery(bigint, uuid, int, text, int, int, text),
  public.retry_delivery(bigint, uuid, timestamptz, timestamptz),
  public.roll_webhook_secret(uuid, int),
  public.send_test_event(uuid),
  public.set_deliver_secret(text),
  public.set_crm_mappings(jsonb, boolean),
  public.set_crm_settings(text, boolean),
  public.set_mail_settings(text, text, text, text[], text, interval, boolean),
  public.set_mail_template(text, text, text, text, text),
  public.set_mail_webhook_secret(text),
  public.suppress_email(text, text),
  public.update_webhook_endpoint(uuid, text, text, text[], boolean, boolean)
from public, anon, authenticated, service_role;

grant execute on function
  -- Staff by token; anybody else is refused.
  public.allow_email(text), interlock.allow_email,
  public.create_webhook_endpoint(text, text, text[], boolean), interlock.create_webhook_endpoint,
  public.delete_webhook_endpoint(uuid), interlock.delete_webhook_endpoint,
  public.list_deliveries(uuid, text, bigint, int), interlock.list_deliveries,
  public.list_webhook_endpoints(), interlock.list_webhook_endpoints,
  public.preview_mail(uuid, text, text), interlock.preview_mail,
  public.retry_delivery(bigint, uuid, timestamptz, timestamptz), interlock.retry_delivery,
  public.roll_webhook_secret(uuid, int), interlock.roll_webhook_secret,
  public.send_test_event(uuid), interlock.send_test_event,
  public.set_crm_mappings(jsonb, boolean), interlock.set_crm_mappings,
  public.set_crm_settings(text, boolean), interlock.set_crm_settings,
  public.set_mail_settings(text, text, text, text[], text, interval, boolean), interlock.set_mail_settings,
  public.set_mail_template(text, text, text, text, text), interlock.set_mail_template,
  public.suppress_email(text, text), interlock.suppress_email,
  public.update_webhook_endpoint(uuid, text, text, text[], boolean, boolean), interlock.update_webhook_endpoint
to authenticated, service_role;

grant execute on function
  public.set_deliver_secret(text), interlock.set_deliver_secret,
  public.set_mail_webhook_secret(text), interlock.set_mail_webhook_secret
to service_role;

-- The worker has a secret, and for what it has claimed a lease; nobody else has a right here.
grant execute on function
  public.claim_deliveries(text, int), interlock.claim_deliveries,
  public.record_delivery(bigint, uuid, int, text, int, int, text), interlock.record_delivery
to anon, authenticated, service_role;

-- The signature is what gives it its right.
grant execute on function
  public.mail_webhook(text, text), interlock.mail_webhook
to anon, authenticated, service_role;

-- The view of what has happened runs with its reader's rights.
grant execute on function interlock.event_id to service_role;

-- The policy on what is broadcast asks.
grant execute on function interlock.may_hear to anon, authenticated;

-- What the shop reads of events over REST, where the name is free in public (interlock.expose).
select interlock.expose('events');
