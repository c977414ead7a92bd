-- What has happened, to be told outside.
--
-- Made of supabase/schemas by `cargo xtask codegen`, in the order in which it is loaded. Bodies of functions name objects
-- that come with later files, so they are not checked here.

set local lock_timeout = '5s';
set local check_function_bodies = off;

create domain interlock.delivery_state as text
  constraint delivery_state_known check (value in ('pending', 'delivered', 'dead'));

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

-- What an event says has happened: what it is about, a dot, what happened to it (order.paid).
create domain interlock.event_type as text
  constraint event_type_format check (value ~ '^[a-z_]+[.][a-z_]+$' and char_length(value) <= 60);

-- Whether webhooks may be sent to a URL: https, a name that the public DNS can have (no address in whatever notation, no
-- name of one label, none that is local by its ending), no user, no fragment. Where they may go anywhere
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
      h.host ~ '^([a-z0-9]([a-z0-9_-]{0,61}[a-z0-9])?[.])+[a-z]([a-z0-9-]{0,61}[a-z0-9])?(:[0-9]{1,5})?$'
      and h.host !~ '(^|[.])(localhost|local|localdomain|internal|intranet|lan|home|corp|private|arpa|onion|test|invalid)(:[0-9]+)?$',
      false
    ))
  from (select substring(p_url from '^https://([^/?#]+)') as host) h
$$;

-- Where a shop has its events sent. Written by create_webhook_endpoint and its kin.
create table interlock.webhook_endpoints (
  id uuid not null default interlock.new_id()
    constraint webhook_endpoints_pkey primary key,
  url interlock.webhook_url not null,
  description interlock.label,
  event_types interlock.event_types,
  ordered boolean not null default false,
  active boolean not null default true,
  active_since timestamptz not null default now(),
  failing_since timestamptz,
  disabled_at timestamptz,
  created_at timestamptz not null default now(),
  constraint webhook_endpoints_disabled_inactive check (disabled_at is null or not active)
);

comment on table interlock.webhook_endpoints is
  'Where the shop has its events sent, after Standard Webhooks.';
comment on column interlock.webhook_endpoints.url is
  'Where to.';
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
  'pending, delivered (the endpoint has accepted it), or dead (it is not tried any more; retry_delivery does).';
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
create index deliveries_by_end on interlock.deliveries (ended_at) where ended_at is not null;
create index deliveries_dead on interlock.deliveries (ended_at) where state = 'dead';

alter table interlock.deliveries enable row level security;

grant select on table interlock.deliveries to service_role;

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

-- What has happened and no history of its own tells, one row for each event, written in the transaction that made it happen.
-- Append-only; interlock.purge_history removes old ones (settings.keep_events). It is read as interlock.events, with the others.
create table interlock.outbox (
  position bigint not null default nextval('interlock.event_position')
    constraint outbox_pkey primary key,
  type interlock.event_type not null,
  subject interlock.label not null,
  payload jsonb not null,
  created_at timestamptz not null default now(),
  transaction xid8 not null default pg_current_xact_id()
);

comment on table interlock.outbox is
  'What has happened, to be told outside, as far as no history of its own tells it. Append-only; read as events.';
comment on column interlock.outbox.type is
  'What has happened: sale.completed, audit.finding and so on (docs/event-types.md has them all).';
comment on column interlock.outbox.subject is
  'What it happened to: the id of the sale, the customer, the product.';
comment on column interlock.outbox.payload is
  'What there is to say of it, without secrets.';
comment on column interlock.outbox.transaction is
  'The transaction that wrote it, by which interlock.make_deliveries knows whether it has seen it.';

-- What has come since the deliveries were made last.
create index outbox_by_transaction on interlock.outbox (transaction);

create trigger outbox_append_only
  before update or delete on interlock.outbox
  for each row
  execute function interlock.refuse_change();

create trigger outbox_no_truncate
  before truncate on interlock.outbox
  for each statement
  execute function interlock.refuse_change();

alter table interlock.outbox enable row level security;

grant select on table interlock.outbox to service_role;

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

-- Broadcast a message on a private topic, where the platform's realtime is there; else nothing is done. It goes out when the
-- transaction commits, and never fails what it tells of: the platform makes a warning of every error. So what it has to say can be read,
-- too, and a client that was away reads it.
--
-- Callers: triggers, which are their owner's: interlock.broadcast_batch, broadcast_order, broadcast_packing, broadcast_stock.
-- Locks: none.
create function interlock.broadcast(p_topic text, p_event text, p_payload jsonb)
returns void
language plpgsql
set search_path = ''
as $$
begin
  if to_regprocedure('realtime.send(jsonb,text,text,boolean)') is not null then
    perform realtime.send(p_payload, p_event, p_topic, true);
  end if;
end
$$;

-- Have the function deliver called, if there is anything to deliver, where the platform has pg_net and its vault:
-- settings.deliver_url says where it is, the vault's secret interlock_deliver_secret what it is called with. Where they are
-- not, `npm run deliver` or another scheduler calls it.
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
  v_secret text;
begin
  if v_url is null
    or to_regprocedure('net.http_post(text, jsonb, jsonb, jsonb, integer)') is null
    or to_regclass('vault.decrypted_secrets') is null
    or not interlock.has_deliveries_due()
  then
    return 0;
  end if;
  execute 'select s.decrypted_secret from vault.decrypted_secrets s where s.name = $1'
  into v_secret
  using 'interlock_deliver_secret';
  if v_secret is null then
    raise exception 'the vault has no secret interlock_deliver_secret'
      using hint = 'select vault.create_secret(SECRET, ''interlock_deliver_secret''), with the one that set_deliver_secret was given';
  end if;
  execute 'select net.http_post($1, $2, $3, $4, $5)'
  using v_url, '{}'::jsonb, '{}'::jsonb, jsonb_build_object(
    'content-type', 'application/json', 'x-deliver-secret', v_secret
  ), 60000;
  return 0;
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
-- The secrets stay here: what is answered is signed.
--
-- Callers: anon, authenticated and service_role, through public.claim_deliveries, of the function deliver.
-- Locks: as interlock.make_deliveries; the endpoints that are active, by id; deliveries of theirs, skip locked.
-- Errors: DELIVER_SECRET_INVALID; 55P03 is transient.
-- Security definer: nobody has the right to read or write deliveries and secrets.
create function interlock.claim_deliveries(p_secret text, p_limit int)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
set timezone = 'UTC'
as $$
declare
  v_now constant timestamptz := interlock.clock();
  v_timestamp constant bigint := extract(epoch from clock_timestamp());
  v_limit constant int := least(greatest(coalesce(p_limit, 20), 1), 50);
  v_endpoints uuid[];
  v_deliveries jsonb;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;

  if not exists (
    select from interlock.deliver_secrets s where s.hash = sha256(convert_to(coalesce(p_secret, ''), 'UTF8'))
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
      and interlock.is_webhook_url(w.url, s.webhooks_anywhere)
    order by w.id
    for no key update of w
  ) e;

  -- A statement of its own: it sees what whoever had an endpoint before has done.
  with due as materialized (
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
        and not (w.ordered and exists (
          select
          from interlock.deliveries b
          where b.endpoint_id = q.endpoint_id
            and b.subject = q.subject
            and b.state = 'pending'
            and (b.id < q.id or b.lease_until > v_now)
        ))
      order by q.next_attempt_at, q.id
      limit greatest(0, case when w.failing_since is null then 5 else 1 end - (
        select count(*) from interlock.deliveries l where l.endpoint_id = w.id and l.lease is not null and l.lease_until > v_now
      ))
      for no key update of q skip locked
    ) d
    where w.id = any (v_endpoints)
  ), sized as (
    -- What is answered must fit into what the function reads, and one always does.
    select d.id, sum(octet_length(e.payload::text)) over w - octet_length(e.payload::text) as bytes_before, row_number() over w as place
    from due d
    join interlock.deliveries q on q.id = d.id
    join interlock.events e on e.transaction = q.transaction and e.position = q.position
    window w as (order by d.turn, d.next_attempt_at, d.id rows unbounded preceding)
  ), chosen as (
    select s.id from sized s where s.place <= v_limit and s.bytes_before < 300000
  ), claimed as (
    update interlock.deliveries d
    set lease = gen_random_uuid(),
        lease_until = v_now + interval '1 minute'
    from chosen c
    where d.id = c.id
    returning d.*
  )
  select jsonb_agg(
    jsonb_build_object('id', m.id, 'lease', m.lease, 'url', m.url, 'body', m.body, 'headers', jsonb_build_object(
      'webhook-id', m.event_id,
      'webhook-timestamp', v_timestamp::text,
      'webhook-signature', interlock.sign_webhook(m.endpoint_id, m.event_id::text, v_timestamp, m.body)
    ))
    order by m.id
  )
  into v_deliveries
  from (
    select
      c.id, c.lease, e.id as event_id, c.endpoint_id, w.url,
      jsonb_build_object(
        'id', e.id, 'type', e.type, 'timestamp', e.created_at, 'subject', e.subject, 'data', e.payload
      )::text as body
    from claimed c
    join interlock.events e on e.transaction = c.transaction and e.position = c.position
    join interlock.webhook_endpoints w on w.id = c.endpoint_id
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
  delete from interlock.webhook_endpoints w where w.id = p_endpoint_id;
  if not found then
    perform interlock.raise_error('WEBHOOK_ENDPOINT_NOT_FOUND', jsonb_build_object('endpoint_id', p_endpoint_id));
  end if;
  return jsonb_build_object('success', true, 'endpoint_id', p_endpoint_id);
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
  ];
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

-- Whether there is anything to deliver at this moment.
--
-- Callers: interlock.call_deliver.
-- Locks: none.
create function interlock.has_deliveries_due()
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  return exists (
    select
    from interlock.webhook_endpoints w
    join interlock.deliveries d on d.endpoint_id = w.id
    where w.active
      and d.state = 'pending'
      and d.next_attempt_at <= interlock.clock()
  )
  or (
    exists (select from interlock.webhook_endpoints w where w.active)
    and exists (
      select
      from interlock.events e
      cross join interlock.delivery_cursor c
      where e.transaction >= pg_snapshot_xmin(c.seen)
        and not pg_visible_in_snapshot(e.transaction, c.seen)
    )
  );
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
  if p_state not in ('pending', 'delivered', 'dead') then
    v_problems := v_problems || interlock.problem('/p_state', 'must be pending, delivered or dead');
  end if;
  if p_limit is null or p_limit not between 1 and 200 then
    v_problems := v_problems || interlock.problem('/p_limit', 'must be an integer from 1 to 200');
  end if;
  perform interlock.refuse_problems(v_problems);

  return jsonb_build_object('success', true, 'deliveries', coalesce((
    select jsonb_agg(
      to_jsonb(q) - '{lease,position,transaction}'::text[] || jsonb_build_object('event_id', e.id, 'event_type', e.type, 'attempts', q.attempts, 'log', coalesce((
        select jsonb_agg(to_jsonb(a) - '{id,delivery_id}'::text[] order by a.id)
        from interlock.delivery_attempts a
        where a.delivery_id = q.id
      ), '[]'))
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
    join interlock.events e on e.transaction = q.transaction and e.position = q.position
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

-- Lock an endpoint and answer it.
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
  for no key update;
  if not found then
    perform interlock.raise_error('WEBHOOK_ENDPOINT_NOT_FOUND', jsonb_build_object('endpoint_id', p_endpoint_id));
  end if;
  return v_endpoint;
end
$$;

-- Make deliveries of events that are new, at most p_limit events of them; answers how many were looked at. The events of
-- several transactions come in the order in which they were written, which for one subject is the order in which they
-- happened: of two transactions of which the second saw what the first had done, none sees the second alone.
--
-- New is what this statement sees and the cursor's snapshot did not, so it does not matter who committed when. A cursor of
-- another database, whose transactions were counted further (a copy that was restored), begins again from now on.
--
-- Callers: interlock.claim_deliveries.
-- Locks: the cursor; if somebody else has it they make them, and there is nothing to do.
create function interlock.make_deliveries(p_limit int)
returns int
language plpgsql
set search_path = ''
as $$
declare
  v_cursor interlock.delivery_cursor;
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

  with target as materialized (
    select coalesce(v_cursor.target, interlock.committed_snapshot()) as snapshot
  ), fresh as materialized (
    select e.type, e.subject, e.created_at, e.position, e.transaction
    from interlock.events e
    cross join target t
    where e.transaction >= pg_snapshot_xmin(v_cursor.seen)
      and not pg_visible_in_snapshot(e.transaction, v_cursor.seen)
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

-- Whether the caller may hear what is broadcast under a topic:
--
--   batches            active drivers, and the shop
--   order:ORDER_ID     its buyer, and the shop
--   packing:SESSION_ID who works at the location of the picking session
--   stock:PRODUCT_ID   everybody, if the product is active; the shop
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
  v_kind constant text := split_part(p_topic, ':', 1);
  v_id uuid;
begin
  if p_topic = 'batches' then
    return exists (select from interlock.drivers d where d.user_id = auth.uid() and d.active) or interlock.acts_for_shop();
  end if;
  if interlock.is_uuid(substr(p_topic, length(v_kind) + 2)) is not true then
    return false;
  end if;
  v_id := substr(p_topic, length(v_kind) + 2);
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

-- Write down what has happened, in the transaction in which it does; answers its position.
--
-- Callers: whatever has something to tell: sales, customers, tiers, audits, endpoints.
-- Locks: none.
create function interlock.note_event(p_type text, p_subject text, p_payload jsonb)
returns bigint
language plpgsql
set search_path = ''
as $$
declare
  v_position bigint;
begin
  insert into interlock.outbox (type, subject, payload)
  values (p_type, p_subject, p_payload)
  returning position into v_position;
  return v_position;
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

-- What public.record_delivery does, with its owner's rights: what came of an attempt, told by whoever has its lease. 2xx is accepted;
-- after anything else it is tried again later, or is dead after the last attempt. 410 Gone switches the endpoint off at once, and so does a
-- failure when nothing has been accepted for five days; an event webhook.disabled tells it to the others.
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

  insert into interlock.delivery_attempts (delivery_id, status, error, duration_ms, answer)
  values (
    p_delivery_id, p_status, p_error, greatest(coalesce(p_duration_ms, 0), 0), interlock.first_kilobyte(p_answer)
  );

  v_pause := interlock.delivery_pause(v_delivery.attempts + 1, p_retry_after_s);
  v_state := case
    when p_status between 200 and 299 then 'delivered'
    when p_status = 410 or v_pause is null then 'dead'
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

  select w.* into v_endpoint from interlock.webhook_endpoints w where w.id = v_delivery.endpoint_id;
  if v_state = 'delivered' then
    if v_endpoint.failing_since is not null then
      update interlock.webhook_endpoints w set failing_since = null where w.id = v_endpoint.id;
    end if;
  elsif v_endpoint.active then
    v_reason := case
      when p_status = 410 then 'gone'
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
-- Callers: interlock.create_webhook_endpoint, interlock.update_webhook_endpoint, before an endpoint becomes active.
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
  return to_jsonb(p_endpoint) - 'active_since';
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
comment on function interlock.broadcast is
  'Broadcast a message on a private topic, where the platform''s realtime is there; else nothing is done.';
comment on function interlock.call_deliver is
  'Have the function deliver called, if there is anything to deliver, where the platform has pg_net and its vault: settings.deliver_url says where it is, the vault''s secret interlock_deliver_secret what it is called with.';
comment on function interlock.claim_deliveries is
  'What public.claim_deliveries does, with its owner''s rights: makes deliveries of what is new, and leases up to p_limit that are due to the caller for a minute, each with all that has to be sent.';
comment on function interlock.committed_snapshot is
  'The snapshot of the statement that asks, without the transaction that it belongs to: that one may have yet to write, and whatever it has written is nothing before it commits.';
comment on function interlock.create_webhook_endpoint is
  'What public.create_webhook_endpoint does, with its owner''s rights: an endpoint that gets the events of all transactions that begin from now on, of some types or of all.';
comment on function interlock.delete_webhook_endpoint is
  'What public.delete_webhook_endpoint does, with its owner''s rights: removes an endpoint with its secrets, and with what was sent or was still to be sent there.';
comment on function interlock.delivery_pause is
  'How long a delivery rests after so many failed attempts; null when it is given up: eleven attempts in some three days, and up to a fifth more each time, so that what failed together does not come again together.';
comment on function interlock.event_id is
  'The id of an event, by which a receiver knows a repetition: a UUID (version 7) of when it was and its position, so that it need not be kept.';
comment on function interlock.find_webhook_problems is
  'What is wrong with what is said of an endpoint; null stands for what is not said, an empty list for all types.';
comment on function interlock.first_kilobyte is
  'What of a text fits into a kilobyte of UTF-8, by whole characters.';
comment on function interlock.has_deliveries_due is
  'Whether there is anything to deliver at this moment.';
comment on function interlock.is_webhook_url is
  'Whether webhooks may be sent to a URL: https, a name that the public DNS can have (no address in whatever notation, no name of one label, none that is local by its ending), no user, no fragment.';
comment on function interlock.list_deliveries is
  'What public.list_deliveries does, with its owner''s rights: what was sent to endpoints or is to be sent there, the newest first, with each attempt, a page at a time.';
comment on function interlock.list_webhook_endpoints is
  'What public.list_webhook_endpoints does, with its owner''s rights: the endpoints, without their secrets.';
comment on function interlock.lock_webhook_endpoint is
  'Lock an endpoint and answer it.';
comment on function interlock.make_deliveries is
  'Make deliveries of events that are new, at most p_limit events of them; answers how many were looked at.';
comment on function interlock.may_hear is
  'Whether the caller may hear what is broadcast under a topic:';
comment on function interlock.note_event is
  'Write down what has happened, in the transaction in which it does; answers its position.';
comment on function interlock.prepare_realtime is
  'Let those hear our broadcasts who may (interlock.may_hear), where the platform''s realtime is there.';
comment on function interlock.record_delivery is
  'What public.record_delivery does, with its owner''s rights: what came of an attempt, told by whoever has its lease.';
comment on function interlock.retry_delivery is
  'What public.retry_delivery does, with its owner''s rights: sends again what is named, beginning anew with its attempts: one delivery by its id, in whatever state, or up to a thousand dead ones of an endpoint whose events came in a range of time (call it until it answers 0).';
comment on function interlock.roll_webhook_secret is
  'What public.roll_webhook_secret does, with its owner''s rights: makes another secret for an endpoint and answers it.';
comment on function interlock.send_test_event is
  'What public.send_test_event does, with its owner''s rights: an event webhook.test for this endpoint alone, whatever types it wants.';
comment on function interlock.set_deliver_secret is
  'What public.set_deliver_secret does, with its owner''s rights: the secret by which a worker may claim deliveries counts from now on, and the one before it still does, until the next one comes.';
comment on function interlock.sign_webhook is
  'The header webhook-signature (Standard Webhooks): for each secret of the endpoint that counts `v1,` and the base64 of the HMAC-SHA256 of `ID.TIMESTAMP.BODY`, the present secret''s first.';
comment on function interlock.update_webhook_endpoint is
  'What public.update_webhook_endpoint does, with its owner''s rights: changes what is not null of an endpoint.';
comment on function interlock.watch_events is
  'Begin with what happens from now on, if no endpoint has been listening: what nobody wanted is not looked through.';
comment on function interlock.webhook_endpoint_to_json is
  'An endpoint as the functions answer it: all but its secrets.';

-- Who may call what of events. What is not here belongs to its owner.
revoke execute on all functions in schema interlock from public;
revoke all on function
  public.claim_deliveries(text, int),
  public.create_webhook_endpoint(text, text, text[], boolean),
  public.delete_webhook_endpoint(uuid),
  public.list_deliveries(uuid, text, bigint, int),
  public.list_webhook_endpoints(),
  public.record_delivery(bigint, uuid, int, text, int, int, text),
  public.retry_delivery(bigint, uuid, timestamptz, timestamptz),
  public.roll_webhook_secret(uuid, int),
  public.send_test_event(uuid),
  public.set_deliver_secret(text),
  public.update_webhook_endpoint(uuid, text, text, text[], boolean, boolean)
from public, anon, authenticated, service_role;

grant execute on function
  -- Staff by token; anybody else is refused.
  public.create_webhook_endpoint(text, text, text[], boolean), interlock.create_webhook_endpoint,
  public.delete_webhook_endpoint(uuid), interlock.delete_webhook_endpoint,
  public.list_deliveries(uuid, text, bigint, int), interlock.list_deliveries,
  public.list_webhook_endpoints(), interlock.list_webhook_endpoints,
  public.retry_delivery(bigint, uuid, timestamptz, timestamptz), interlock.retry_delivery,
  public.roll_webhook_secret(uuid, int), interlock.roll_webhook_secret,
  public.send_test_event(uuid), interlock.send_test_event,
  public.update_webhook_endpoint(uuid, text, text, text[], boolean, boolean), interlock.update_webhook_endpoint
to authenticated, service_role;

grant execute on function
  public.set_deliver_secret(text), interlock.set_deliver_secret
to service_role;

-- The worker has a secret, and for what it has claimed a lease; nobody else has a right here.
grant execute on function
  public.claim_deliveries(text, int), interlock.claim_deliveries,
  public.record_delivery(bigint, uuid, int, text, int, int, text), interlock.record_delivery
to anon, authenticated, service_role;

-- The policy on what is broadcast asks.
grant execute on function interlock.may_hear to anon, authenticated;

-- What the shop reads of events over REST, where the name is free in public (interlock.expose).
select interlock.expose('events');
