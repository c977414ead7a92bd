-- Interlock: what every area stands on: schema, settings, errors, idempotency keys, counter slots.
--
-- Made of supabase/schemas by `cargo xtask codegen`, in the order in which it is loaded. Bodies of functions name objects
-- that come with later files, so they are not checked here.

set local lock_timeout = '5s';
set local check_function_bodies = off;

-- Everything of Interlock lives in one schema that the API does not expose: tables, and the functions that run
-- with their owner's rights. `public` gets thin wrappers for RPC, and a view for each table that apps read, where
-- its name is free (foundation/functions/expose.sql). So it installs beside tables of any name.
--
-- The API's roles may look names up here, because wrappers and views run as their caller. What they may read,
-- write and call is granted by name: for a table in its file, for functions in the file rights.sql of each area.
create schema interlock;

comment on schema interlock is
  'Interlock: its tables, and functions that run with their owner''s rights. Not exposed by the API.';

-- The parts of a history that has parts (interlock.histories). Nobody but their owner may look a name up here: parts are read and
-- written through their table, with its rights, policies and triggers.
create schema interlock_parts;

comment on schema interlock_parts is
  'The parts of the histories of Interlock, by position. Not exposed by the API; nobody has a right here.';

grant usage on schema interlock to anon, authenticated, service_role;

-- Checks of one column are domains: Postgres reads the text of a table's checks again at every statement that
-- writes to it, that of a domain once in a session. Domains stay out of the signatures of functions.

-- Money in minor units (cents).
create domain interlock.amount as bigint
  constraint amount_nonnegative check (value >= 0);

-- An amount that is more than nothing.
create domain interlock.positive_amount as bigint
  constraint positive_amount_range check (value > 0);

-- A change of an amount, in either direction.
create domain interlock.amount_change as bigint
  constraint amount_change_nonzero check (value <> 0);

-- ISO 4217, upper case.
create domain interlock.currency_code as char(3)
  constraint currency_code_format check (value ~ '^[A-Z]{3}$');

-- A number of units that is counted down or up.
create domain interlock.unit_count as int
  constraint unit_count_nonnegative check (value >= 0);

-- A number of units that is asked for, or a limit of at least one.
create domain interlock.positive_count as int
  constraint positive_count_range check (value > 0);

-- How often a row has changed, counted from one.
create domain interlock.row_version as bigint
  constraint row_version_positive check (value >= 1);

-- The order in which things happened, over all histories that interlock.events tells of: those of one subject got their numbers
-- in the order in which they happened. A transaction that is not committed has numbers, too, so they do not become visible in order.
create sequence interlock.event_position as bigint;

comment on sequence interlock.event_position is
  'The order in which things happened, over all histories that interlock.events tells of.';

-- What an event says has happened: what it is about, a dot, what happened to it (order.paid).
create domain interlock.event_type as text
  constraint event_type_format check (value ~ '^[a-z_]+[.][a-z_]+$' and char_length(value) <= 60);

-- Whether a text is one line of at most so many characters, outer blanks not counted.
-- The functions ask the same of a line (crates/domain/src/fields.rs).
--
-- Callers: domains of texts that people type, and whoever checks an argument that is one.
-- Locks: none.
create function interlock.is_line(p_text text, p_most int)
returns boolean
language plpgsql
immutable
strict
parallel safe
set search_path = ''
as $$
declare
  v_line constant text := btrim(
    p_text,
    U&'\0009\000a\000b\000c\000d\0020\0085\00a0\1680\2000\2001\2002\2003\2004\2005\2006\2007\2008\2009\200a\2028\2029\202f\205f\3000'
  );
begin
  return char_length(v_line) between 1 and p_most
    and v_line collate "C" !~ '[\u0001-\u001f\u007f-\u009f]';
end
$$;

-- Whether Postgres knows a time zone of this name. What it takes for a zone by its look is none: `UTC+2`, and
-- `Europe/Berlin+2`, lie west of Greenwich, which nobody means; and an abbreviation such as CEST has no summer time.
--
-- Callers: domain time_zone; settings.
-- Locks: none.
create function interlock.is_time_zone(p_name text)
returns boolean
language plpgsql
immutable
strict
parallel safe
set search_path = ''
as $$
begin
  if p_name collate "C" !~ '^(UTC|[A-Z][A-Za-z]*(/[A-Za-z_-]+)+)$' then
    return false;
  end if;

  return timestamp '2000-01-01' at time zone p_name is not null;
exception
  when invalid_parameter_value then
    return false;
end
$$;

-- Whether a text is a UUID as programs write it.
--
-- Callers: whatever reads ids out of JSON.
create function interlock.is_uuid(p_text text)
returns boolean
language plpgsql
immutable
parallel safe
set search_path = ''
as $$
begin
  return p_text ~ '^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$';
end
$$;

-- The most units that a product may have in stock. The check products_available_quantity_sane says the same number once
-- more: a call there would be made again by every sale.
--
-- Callers: whatever puts units on the shelf, or says how many there may be.
create function interlock.most_units()
returns int
language sql
immutable
parallel safe
set search_path = ''
as $$
  select 1000000000
$$;

-- A time-ordered UUID (version 7, RFC 9562): 48 bits of milliseconds, then random bits. Rows that come one after the
-- other stand beside each other in every index on their id, so a sale writes to few pages.
create function interlock.new_id()
returns uuid
language plpgsql
volatile
set search_path = ''
as $$
begin
  return encode(
    set_bit(
      set_bit(
        overlay(
          uuid_send(gen_random_uuid())
          placing substring(int8send((extract(epoch from clock_timestamp()) * 1000)::bigint) from 3)
          from 1 for 6
        ),
        52, 1
      ),
      53, 1
    ),
    'hex'
  )::uuid;
end
$$;

-- The normal form of text that people type: by it texts are compared, never shown.
--
-- Texts have the same normal form if they look the same to whoever types them: Unicode NFKC (one form of é, plain
-- letters for full-width ones), no case (`GROß` is `gross`; the Turkish İ, I and ı are one letter, as no keyboard
-- language is known here), no blanks and nothing invisible, wherever it stands.
--
-- Nothing here depends on the locale of the database: ICU's root collation knows the case of every letter, and is the
-- same in each database. Upper case alone would leave ẞ beside SS, lower case alone ß.
--
-- Callers: every table that has texts which are typed, and whoever looks for one of them.
-- Locks: none.
create function interlock.normal_text(p_text text)
returns text
language plpgsql
immutable
strict
parallel safe
set search_path = ''
as $$
begin
  return normalize(
    replace(
      lower(upper(lower(
        regexp_replace(
          normalize(p_text, nfkc) collate "C",
          -- Unicode's White_Space and Default_Ignorable_Code_Point.
          '[\u0009-\u000d\u0020\u0085\u00a0\u00ad\u034f\u061c\u115f\u1160\u1680\u17b4\u17b5\u180b-\u180f\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U000e0000-\U000e0fff]+',
          '',
          'g'
        ) collate "und-x-icu"
      ))),
      -- İ in lower case, in two characters.
      U&'i\0307', 'i'
    ),
    nfkc
  );
end
$$;

-- The id of the request under which something is done, as the log of a function has it; null for what came another way.
--
-- Callers: the default of interlock.order_events.request_id.
-- Locks: none.
create function interlock.request_id()
returns text
language plpgsql
stable
set search_path = ''
as $$
declare
  v_id constant text := nullif(current_setting('request.headers', true), '')::json ->> 'interlock-request-id';
begin
  return case when v_id collate "C" ~ '^[!-~]+$' and char_length(v_id) <= 128 then v_id end;
end
$$;

-- A name or reference that people read.
create domain interlock.label as text
  constraint label_length check (char_length(value) between 1 and 200);

-- Why a ledger has a row: a word of ours or of the shop's.
create domain interlock.movement_reason as text
  constraint movement_reason_length check (char_length(value) between 1 and 100);

-- What code calls something by.
create domain interlock.slug as text
  constraint slug_format check (value ~ '^[a-z0-9_-]+$' and char_length(value) <= 40);

-- ISO 3166-1, upper case.
create domain interlock.country_code as char(2)
  constraint country_code_format check (value ~ '^[A-Z]{2}$');

-- What a client may name a submission. A bounded repetition in the expression would cost a tenth of a millisecond
-- at each use.
create domain interlock.idempotency_key as text
  constraint idempotency_key_format check (value ~ '^[\x20-\x7e]+$' and char_length(value) <= 255);

-- Refuse a number of slots in the owner's row that is not the number of its slots: whoever trusts the row would
-- miss units that are granted. An owner that is deleted takes its slots along, unless something was used in
-- them.
--
-- Callers: triggers on the owners' tables, with the name of the column that has the number.
-- Locks: the row itself, locked by the statement; for a delete its slots, waiting.
-- Errors: 23514 check_violation with constraint name slots_counted.
create function interlock.guard_slots()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
begin
  if tg_op = 'DELETE' then
    delete from interlock.counter_slots s
    where s.owner_id = old.id
      and s.used = 0;
    if not exists (select from interlock.counter_slots s where s.owner_id = old.id) then
      return old;
    end if;
  elsif (to_jsonb(new) ->> tg_argv[0])::int
    = (select count(*) from interlock.counter_slots s where s.owner_id = new.id)
  then
    return new;
  end if;

  raise exception using
    errcode = 'check_violation',
    schema = tg_table_schema,
    table = tg_table_name,
    constraint = 'slots_counted',
    message = format('%s of %s %s refused: its slots are in use', lower(tg_op), tg_table_name, coalesce(old.id, new.id)),
    hint = 'Change the number with set_stock_slots or set_promo_slots; 0 switches slots off.';
end
$$;

-- Refuse every update, delete and truncate of an append-only table, but for two things. interlock.purge_history deletes
-- from the table that it names in a setting of its transaction (whoever else may set that has no right to delete). And a
-- person whose account is gone may be taken out: an update that changes nothing but columns named by the trigger, each
-- from one who has no account to nobody (empty, or an id that is no account's).
--
-- Callers: triggers; made for more tables than this one. The arguments are the columns that name a person.
-- Errors: 23001 restrict_violation.
create function interlock.refuse_change()
returns trigger
language plpgsql
set search_path = ''
as $$
declare
  -- Of a part its history.
  v_table text := tg_table_name;
  v_schema text := tg_table_schema;
begin
  if tg_table_schema = 'interlock_parts' then
    select c.relname, c.relnamespace::regnamespace
    into v_table, v_schema
    from pg_catalog.pg_class c
    where c.oid = pg_catalog.pg_partition_root(tg_relid);
  end if;

  if tg_op = 'DELETE' and current_setting('interlock.purging', true) = v_table then
    return old;
  end if;

  if tg_op = 'UPDATE'
    and tg_nargs > 0
    and to_jsonb(new) - tg_argv = to_jsonb(old) - tg_argv
    and not exists (
      select
      from unnest(tg_argv) as c (name)
      join interlock.accounts u on u.id in ((to_jsonb(old) ->> c.name)::uuid, (to_jsonb(new) ->> c.name)::uuid)
      where to_jsonb(new) -> c.name <> to_jsonb(old) -> c.name
    )
  then
    return new;
  end if;

  raise exception using
    errcode = 'restrict_violation',
    schema = v_schema,
    table = v_table,
    message = format('%I.%I is append-only: %s refused', v_schema, v_table, lower(tg_op));
end
$$;

-- Counter slots: a counter that many transactions use at once, spread over rows.
--
-- A row is locked from the update until the commit is on the disk, so one counter in one row lets one transaction
-- pass per flush. With slots the owner of the counter (a product with its stock, a promo code with its uses) grants
-- units to n rows here, and a transaction uses units of whichever row is free: n of them commit in one flush.
--
--   granted   units of the owner's counter that this slot may use; changes under the owner's lock only
--   used      units that were used here since the slot was called in; never more than `granted`
--
-- The owner's counter itself does not move while slots are used. The exact number is the counter and the sum of
-- `used`, read in one statement. Calling in adds `used` to the counter and empties the slots.
--
-- Lock order (docs/locks.md): the owner's row (its gate), then its slots.
--   * Without the gate a transaction waits for one slot of an owner at most, and holds no other one of it.
--   * With the gate it may wait for each of them, in the order of their numbers.
--   * A transaction that holds a slot never waits for a gate: it gives the slot back first, by ending a
--     sub-transaction (IL002). A row that was locked and then found to have too little stays locked until that.
-- Owners are taken in order: promo codes before products, both by id.
--
-- All of a slot's units are used before anybody is refused, because a refusal is decided under the gate with every
-- slot called in. The slots are filled again when there is plenty (16 units for each); below that they stay empty
-- and the owner is a row like any other.
--
-- No index has a quantity in it and each page has room, so updates stay out of the index (HOT).
create table interlock.counter_slots (
  owner_id uuid not null,
  slot interlock.unit_count not null,
  granted int not null default 0,
  used interlock.unit_count not null default 0,
  constraint counter_slots_pkey primary key (owner_id, slot),
  constraint counter_slots_used_within_granted check (used <= granted)
)
with (fillfactor = 10);

comment on table interlock.counter_slots is
  'Units of hot counters (stock of a product, uses of a promo code), spread over rows that are used side by side.';
comment on column interlock.counter_slots.owner_id is
  'The product or promo code.';
comment on column interlock.counter_slots.granted is
  'Units of the owner''s counter that may be used here.';
comment on column interlock.counter_slots.used is
  'Units used here that the owner''s counter does not show yet.';

alter table interlock.counter_slots enable row level security;

grant select on table interlock.counter_slots to service_role;

-- Answers by idempotency key: a request that is sent again is answered, not done again.
--
-- A function takes the key before it locks anything else (interlock.begin_idempotent), and stores its answer in the
-- same transaction, so a twin waits for the first and gets what it answered. A refusal stores nothing: the row goes
-- with the transaction.
create table interlock.idempotency_keys (
  -- The caller; the nil UUID for the shop (service role without a user) and for references, which are the shop's.
  user_id uuid not null,
  operation text not null,
  key interlock.idempotency_key not null,
  request_hash bytea not null,
  -- Empty only inside the transaction that is doing the work.
  response text,
  created_at timestamptz not null default now(),
  expires_at timestamptz not null,
  constraint idempotency_keys_pkey primary key (user_id, operation, key)
)
with (fillfactor = 80);

comment on table interlock.idempotency_keys is
  'Answers by idempotency key: a request that is sent again is answered, not done again.';
comment on column interlock.idempotency_keys.request_hash is
  'SHA-256 of the request: the same key with another request is refused.';

-- Keys end in the order in which they came, so a summary of each few pages is enough for the purge.
create index idempotency_keys_expiry
  on interlock.idempotency_keys
  using brin (expires_at) with (pages_per_range = 16, autosummarize = on);

alter table interlock.idempotency_keys enable row level security;

-- What has happened and no history of its own tells, one row for each event, written in the transaction that made it happen.
-- Append-only; interlock.purge_history removes old ones (settings.keep_events). It is read as interlock.events, with the others.
create table interlock.outbox (
  position bigint not null default nextval('interlock.event_position'),
  type interlock.event_type not null,
  subject interlock.label not null,
  payload jsonb not null,
  created_at timestamptz not null default now(),
  transaction xid8 not null default pg_current_xact_id(),
  -- By transaction, because what has come since the deliveries were made last is asked for so.
  constraint outbox_pkey primary key (transaction, position)
) partition by range (position);

-- What interlock.make_history_parts goes on from, and what takes rows that no part is there for.
create table interlock_parts.outbox_0 partition of interlock.outbox for values from (minvalue) to (5000000);
create table interlock_parts.outbox_rest partition of interlock.outbox default;

alter table interlock_parts.outbox_0 enable row level security;
alter table interlock_parts.outbox_rest enable row level security;

create trigger outbox_no_truncate
  before truncate on interlock_parts.outbox_0
  for each statement
  execute function interlock.refuse_change();

create trigger outbox_no_truncate
  before truncate on interlock_parts.outbox_rest
  for each statement
  execute function interlock.refuse_change();

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

-- What a shop may tune: one row, one typed column for each setting. A change counts from the next statement on and
-- never touches leases, holds and deadlines that already run:
--
--   update interlock.settings set claim_lease = '20 minutes';
create table interlock.settings (
  singleton boolean not null default true
    constraint settings_pkey primary key
    constraint settings_single_row check (singleton),
  claim_lease interval not null default '15 minutes'
    constraint settings_claim_lease_sane
      check (claim_lease between interval '1 second' and interval '1 day'),
  started_lease interval not null default '4 hours'
    constraint settings_started_lease_sane
      check (started_lease between interval '1 second' and interval '7 days'),
  promo_hold interval not null default '15 minutes'
    constraint settings_promo_hold_sane
      check (promo_hold between interval '1 second' and interval '1 day'),
  promo_hold_limit interval not null default '1 hour'
    constraint settings_promo_hold_limit_sane
      check (promo_hold_limit between interval '1 second' and interval '90 days'),
  idempotency_key_lifetime interval not null default '24 hours'
    constraint settings_idempotency_key_lifetime_sane
      check (idempotency_key_lifetime between interval '24 hours' and interval '90 days'),
  reference_lifetime interval not null default '1 year'
    constraint settings_reference_lifetime_sane
      check (reference_lifetime between interval '90 days' and interval '100 years'),
  payment_window interval not null default '24 hours'
    constraint settings_payment_window_sane
      check (payment_window between interval '1 minute' and interval '90 days'),
  checkouts_per_product int
    constraint settings_checkouts_per_product_positive check (checkouts_per_product > 0),

  -- Payment proofs.
  max_payment_proofs int not null default 5
    constraint settings_max_payment_proofs_sane check (max_payment_proofs between 1 and 100),
  review_window interval default '7 days'
    constraint settings_review_window_sane
      check (review_window between interval '1 minute' and interval '365 days'),

  -- Goods that are promised and not paid for.
  payment_methods text[] not null default '{wallet,bank_transfer,cash_on_delivery}'
    constraint settings_payment_methods_known check (
      payment_methods <@ array['wallet', 'bank_transfer', 'cash_on_delivery', 'card'] and cardinality(payment_methods) > 0
    ),
  max_open_orders_per_customer int default 5
    constraint settings_max_open_orders_sane check (max_open_orders_per_customer between 1 and 1000),
  max_open_units_per_customer int default 100
    constraint settings_max_open_units_sane check (max_open_units_per_customer between 1 and interlock.most_units()),
  confirmation_window interval default '7 days'
    constraint settings_confirmation_window_sane
      check (confirmation_window between interval '1 minute' and interval '90 days'),

  -- Payment by card.
  card_payment_window interval not null default '30 minutes'
    constraint settings_card_payment_window_sane
      check (card_payment_window between interval '1 minute' and interval '30 days'),
  card_processing_window interval not null default '1 day'
    constraint settings_card_processing_window_sane
      check (card_processing_window between interval '1 minute' and interval '30 days'),
  late_payments text not null default 'reopen_expired'
    constraint settings_late_payments_known check (late_payments in ('reopen', 'reopen_expired', 'refund')),

  -- Carts that are reserved before they are ordered.
  cart_reservation_window interval not null default '10 minutes'
    constraint settings_cart_reservation_window_sane
      check (cart_reservation_window between interval '1 second' and interval '1 day'),
  cart_reservation_limit interval not null default '30 minutes'
    constraint settings_cart_reservation_limit_sane
      check (cart_reservation_limit between interval '1 second' and interval '7 days'),

  -- Shipping and tax.
  shipping_required boolean not null default false,
  tax_country interlock.country_code,
  taxed boolean not null default false,

  -- Guests.
  transfer_lifetime interval not null default '1 hour'
    constraint settings_transfer_lifetime_sane
      check (transfer_lifetime between interval '1 minute' and interval '7 days'),

  -- How large the parts of histories are (interlock.make_history_parts).
  history_part_rows bigint default 5000000
    constraint settings_history_part_rows_sane check (history_part_rows between 1000 and 1000000000),

  -- How long history is kept (interlock.purge_history, interlock.archive_history).
  keep_promo_attempts interval default '1 day'
    constraint settings_keep_promo_attempts_sane
      check (keep_promo_attempts between interval '1 hour' and interval '100 years'),
  keep_promo_holds interval default '90 days'
    constraint settings_keep_promo_holds_sane
      check (keep_promo_holds between interval '1 day' and interval '100 years'),
  keep_batch_events interval default '1 year'
    constraint settings_keep_batch_events_sane
      check (keep_batch_events between interval '1 day' and interval '100 years'),
  keep_order_events interval
    constraint settings_keep_order_events_sane
      check (keep_order_events between interval '1 day' and interval '100 years'),
  keep_payment_proofs interval
    constraint settings_keep_payment_proofs_sane
      check (keep_payment_proofs between interval '1 day' and interval '100 years'),
  close_ledgers_after interval default '90 days'
    constraint settings_close_ledgers_after_sane
      check (close_ledgers_after between interval '1 day' and interval '100 years'),
  keep_stock_movements interval
    constraint settings_keep_stock_movements_sane
      check (keep_stock_movements between interval '1 day' and interval '100 years'),
  keep_wallet_movements interval
    constraint settings_keep_wallet_movements_sane
      check (keep_wallet_movements between interval '1 day' and interval '100 years'),
  -- A provider sends an event again for up to a month.
  keep_payment_events interval default '1 year'
    constraint settings_keep_payment_events_sane
      check (keep_payment_events between interval '30 days' and interval '100 years'),

  -- Stock at locations.
  keep_inventory_conflicts interval default '90 days'
    constraint settings_keep_inventory_conflicts_sane
      check (keep_inventory_conflicts between interval '1 hour' and interval '100 years'),

  -- Events.
  keep_events interval default '90 days'
    constraint settings_keep_events_sane
      check (keep_events between interval '1 day' and interval '100 years'),
  keep_deliveries interval default '30 days'
    constraint settings_keep_deliveries_sane
      check (keep_deliveries between interval '1 day' and interval '100 years'),
  deliver_url text
    constraint settings_deliver_url_format check (deliver_url ~ '^https?://[^[:space:]]+$'),
  webhooks_anywhere boolean not null default false,

  -- Tills.
  max_cashier_discount numeric default 10
    constraint settings_max_cashier_discount_sane check (max_cashier_discount between 0 and 100),
  hold_parked_stock boolean not null default false,
  parked_sale_limit interval default '30 days'
    constraint settings_parked_sale_limit_sane
      check (parked_sale_limit between interval '1 minute' and interval '100 years'),
  keep_parked_sales interval default '90 days'
    constraint settings_keep_parked_sales_sane
      check (keep_parked_sales between interval '1 day' and interval '100 years'),

  -- The warehouse.
  pick_lease interval not null default '30 minutes'
    constraint settings_pick_lease_sane check (pick_lease between interval '1 second' and interval '1 day'),
  short_lines text not null default 'shorten'
    constraint settings_short_lines_known check (short_lines in ('shorten', 'wait')),
  session_idle interval default '48 hours'
    constraint settings_session_idle_sane check (session_idle between interval '1 hour' and interval '100 years'),
  keep_packing_scans interval
    constraint settings_keep_packing_scans_sane check (keep_packing_scans between interval '1 day' and interval '100 years'),

  -- Customers and their points.
  phone_prefix text
    constraint settings_phone_prefix_format check (phone_prefix ~ '^\+[1-9][0-9]{0,3}$'),
  points_authority text not null default 'shop'
    constraint settings_points_authority_known check (points_authority in ('shop', 'outside')),
  tier_basis text not null default 'points'
    constraint settings_tier_basis_known check (tier_basis in ('points', 'turnover')),
  tier_window interval
    constraint settings_tier_window_sane check (tier_window between interval '1 day' and interval '100 years'),

  -- Receipts.
  shop_name text
    constraint settings_shop_name_readable check (interlock.is_line(shop_name, 100)),
  shop_address text
    constraint settings_shop_address_readable check (interlock.is_line(replace(shop_address, E'\n', ' '), 500)),
  shop_tax_id text
    constraint settings_shop_tax_id_readable check (interlock.is_line(shop_tax_id, 50)),
  shop_time_zone text not null default 'UTC'
    constraint settings_shop_time_zone_known check (interlock.is_time_zone(shop_time_zone)),
  receipt_footer text
    constraint settings_receipt_footer_readable check (interlock.is_line(replace(receipt_footer, E'\n', ' '), 500)),
  receipt_language text not null default 'en'
    constraint settings_receipt_language_known check (receipt_language in ('en', 'de'))
);

comment on table interlock.settings is
  'One row: what a shop may tune. Changed with `update interlock.settings set …`.';
comment on column interlock.settings.singleton is
  'Always true: there is one row.';
comment on column interlock.settings.claim_lease is
  'How long a claimed batch stays with its driver unless the lease is renewed (1 second to 1 day).';
comment on column interlock.settings.started_lease is
  'How long a batch stays with its driver once it is started, counted from the start or the latest renewal (1 second to 7 days).';
comment on column interlock.settings.promo_hold is
  'How long public.validate_promo holds a use of a code for a cart (1 second to 1 day), within promo_hold_limit.';
comment on column interlock.settings.promo_hold_limit is
  'How long one customer may hold a code in all, however often they refresh it; then they hold none for as long (1 second to 90 days).';
comment on column interlock.settings.idempotency_key_lifetime is
  'How long an Idempotency-Key is remembered (24 hours to 90 days).';
comment on column interlock.settings.reference_lifetime is
  'How long a p_reference of the shop''s own code is remembered (90 days to 100 years).';
comment on column interlock.settings.payment_window is
  'How long an order by bank transfer waits for its payment (1 minute to 90 days).';
comment on column interlock.settings.checkouts_per_product is
  'How many checkouts of one product may run at a time; null means no limit. A fifth to a third of the connections that the API has is a good number.';

comment on column interlock.settings.max_payment_proofs is
  'How many payment proofs, and how many uploaded files, one order may have (1 to 100).';
comment on column interlock.settings.review_window is
  'How long an order with a payment proof waits for the shop to decide before it expires (1 minute to 365 days); null means for ever.';

comment on column interlock.settings.payment_methods is
  'How orders may be paid: any of wallet, bank_transfer, cash_on_delivery and card. All but card at first: that needs an account with a provider (docs/payments.md).';
comment on column interlock.settings.max_open_orders_per_customer is
  'How many orders one customer may have that are not paid yet (1 to 1000); null means no limit.';
comment on column interlock.settings.max_open_units_per_customer is
  'How many units one customer may have in orders that are not paid yet (1 to 1000000000); null means no limit.';
comment on column interlock.settings.confirmation_window is
  'How long a cash-on-delivery order waits for the shop to go on with it (process_order, ship_order, accept_payment) before it expires (1 minute to 90 days); null means for ever.';

comment on column interlock.settings.card_payment_window is
  'How long an order by card waits for its payment (1 minute to 30 days).';
comment on column interlock.settings.card_processing_window is
  'How long it waits once the provider is deciding about a payment, counted from then (1 minute to 30 days).';
comment on column interlock.settings.late_payments is
  'What money does that comes after its order has ended: reopen (take the goods again, if all are there), reopen_expired (the same, but not for an order that was cancelled), refund. What pays no order is in list_payments(''refund_due'').';

comment on column interlock.settings.cart_reservation_window is
  'How long reserve_cart keeps a cart unless it is called again (1 second to 1 day), within cart_reservation_limit.';
comment on column interlock.settings.cart_reservation_limit is
  'How long one customer may keep things without an order in all, however often they refresh; then nothing for as long (1 second to 7 days).';

comment on column interlock.settings.shipping_required is
  'Whether a checkout of anything physical has to name a shipping method.';
comment on column interlock.settings.tax_country is
  'The country whose taxes are charged where an order has no address that says one; null means the rates without a country.';
comment on column interlock.settings.taxed is
  'Whether there are tax rates; kept by a trigger of that table, so that a shop without them never looks.';

comment on column interlock.settings.transfer_lifetime is
  'How long the token counts by which a guest''s orders move to the account they sign in to (1 minute to 7 days).';

comment on column interlock.settings.history_part_rows is
  'How many positions a part of a history has that is made from now on (1000 to 1000000000); null: no more parts are made.';
comment on column interlock.settings.keep_promo_attempts is
  'How long guesses at promo codes are kept (1 hour to 100 years); null means for ever.';
comment on column interlock.settings.keep_promo_holds is
  'How long uses of promo codes that came to nothing are kept, from their end on (1 day to 100 years); null means for ever.';
comment on column interlock.settings.keep_batch_events is
  'How long the history of batches that are at their end is kept (1 day to 100 years); null means for ever.';
comment on column interlock.settings.keep_order_events is
  'How long the history of orders that are at their end is kept (1 day to 100 years); null, as at first, means for ever.';
comment on column interlock.settings.keep_payment_proofs is
  'How long payment proofs are kept once they are decided and their order is paid for or at its end (1 day to 100 years); null, as at first, means for ever.';
comment on column interlock.settings.close_ledgers_after is
  'How old movements of stock and wallets are when interlock.close_ledgers adds them to closed balances (1 day to 100 years); null means never.';
comment on column interlock.settings.keep_stock_movements is
  'How long movements of stock are kept once they are closed (1 day to 100 years); null, as at first, means for ever.';
comment on column interlock.settings.keep_wallet_movements is
  'How long movements of wallets are kept once they are closed (1 day to 100 years); null, as at first, means for ever.';
comment on column interlock.settings.keep_payment_events is
  'How long events of payment providers are kept, from their coming on (30 days to 100 years); null means for ever.';

comment on column interlock.settings.keep_inventory_conflicts is
  'How long it is kept that a stock was no longer what had been read (1 hour to 100 years); null means for ever.';
comment on column interlock.settings.keep_events is
  'How long events are kept (1 day to 100 years), unless a delivery of theirs is kept longer; null means for ever.';
comment on column interlock.settings.keep_deliveries is
  'How long it is kept what was sent to endpoints, from its end on (1 day to 100 years); null means for ever.';
comment on column interlock.settings.deliver_url is
  'Where the function deliver is, for pg_cron and pg_net to call it; null: something else does.';
comment on column interlock.settings.webhooks_anywhere is
  'For development: whether webhooks may be sent to any http or https URL, an address of the own network too.';

comment on column interlock.settings.max_cashier_discount is
  'How much of a line''s price a cashier may take off, in per cent (0 to 100); null means all of it. Managers and staff are not limited.';
comment on column interlock.settings.hold_parked_stock is
  'Whether a parked sale keeps its goods for itself, where park_sale does not say.';
comment on column interlock.settings.parked_sale_limit is
  'How long a parked sale waits, where park_sale does not say (1 minute to 100 years): then it ends, and its goods are on the shelf again; null means for ever.';
comment on column interlock.settings.keep_parked_sales is
  'How long parked sales are kept that have ended (1 day to 100 years); null means for ever.';

comment on column interlock.settings.pick_lease is
  'How long a picker has the products of a session that they have claimed, counted from the latest pick (1 second to 1 day).';
comment on column interlock.settings.short_lines is
  'What becomes of units of an order that could not be packed: shorten (they are taken off the order, and paid back), or wait (the order stays partly_shipped, and they go into another session).';
comment on column interlock.settings.session_idle is
  'How long nobody may have done anything in a picking session before it is abandoned (1 hour to 100 years); null means for ever.';
comment on column interlock.settings.keep_packing_scans is
  'How long scans of picking sessions that have ended are kept (1 day to 100 years); null, as at first, means for ever.';

comment on column interlock.settings.phone_prefix is
  'The country of phone numbers that are typed without one, such as +49; null: they are refused.';
comment on column interlock.settings.points_authority is
  'Who keeps the points: the shop, by points_rules; or somebody outside, such as a CRM, whose numbers adjust_points brings in. Then sales earn nothing here.';
comment on column interlock.settings.tier_basis is
  'What counts towards a tier: points that were earned, or turnover in minor units.';
comment on column interlock.settings.tier_window is
  'How far back it counts (1 day to 100 years); null means for ever.';

comment on column interlock.settings.shop_name is
  'What receipts begin with; null: the name of the location.';
comment on column interlock.settings.shop_address is
  'The address on receipts, line by line.';
comment on column interlock.settings.shop_tax_id is
  'The shop''s tax number on receipts.';
comment on column interlock.settings.shop_time_zone is
  'The time zone of dates on receipts, such as Europe/Berlin.';
comment on column interlock.settings.receipt_footer is
  'What receipts end with, line by line: thanks, or how goods are returned.';
comment on column interlock.settings.receipt_language is
  'The language of receipts that are asked for without one: en or de.';

alter table interlock.settings enable row level security;

grant select, update on table interlock.settings to service_role;

insert into interlock.settings default values;

-- Whether the platform's realtime is there, so that it is worth making a message. Asked by triggers before they call anything:
-- a scan or a claim where it is not would pay for the message.
--
-- Callers: interlock.broadcast; triggers of tables that are written often, as whoever writes them.
-- Locks: none.
create function interlock.has_realtime()
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  return to_regprocedure('realtime.send(jsonb,text,text,boolean)') is not null;
end
$$;

-- Whether the caller's token says that they are staff (app_metadata.role, which only the shop can set).
--
-- Callers: policies, and the functions of this schema.
create function interlock.is_staff()
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  return coalesce(auth.jwt() -> 'app_metadata' ->> 'role' = 'staff', false);
end
$$;

-- Whether the caller acts for the shop: the service role, staff by token (whose account exists), or a session of the
-- database itself (the SQL editor, a job of pg_cron, psql), which has no token at all.
--
-- A request of the API always has its role set, by whichever server made it, and that role stays in the setting when a
-- definer function begins. So a session of the database itself is one without a token whose role, its own if none was
-- set, has the rights of the service role: the role that the API connects as does not inherit them, anon and
-- authenticated do not have them. An owner who tries something out as a user (with a token in the settings) is that
-- user.
--
-- Callers: the functions that the shop may call; interlock.refuse_unless_shop for those that are for it alone.
create function interlock.acts_for_shop()
returns boolean
language plpgsql
stable
set search_path = ''
as $$
declare
  v_role constant text := current_setting('role');
begin
  if v_role = 'service_role' then
    return true;
  elsif interlock.is_staff() then
    return exists (select from interlock.accounts u where u.id = auth.uid());
  end if;
  return num_nonnulls(auth.jwt(), auth.uid()) = 0
    -- A job that goes through many shops has taken the role of their owner.
    and pg_has_role(
      case when v_role in ('none', 'interlock_owner') then session_user else v_role::name end, 'service_role', 'usage'
    );
end
$$;

-- Add a part to a history, empty, with the bounds that are given as Postgres writes them. Keys, indexes and triggers of rows come from
-- the table; what does not is made here.
--
-- Callers: interlock.make_history_part.
-- Locks: the new part; of the history what the caller holds; its rest, and the tables that its foreign keys name, for as long as
--   it takes to add it.
create function interlock.add_history_part(p_history text, p_name text, p_bounds text)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_statement text;
begin
  execute format('create table interlock_parts.%I (like interlock.%I including storage including compression)', p_name, p_history);
  execute format('alter table interlock_parts.%I enable row level security', p_name);
  execute format('revoke all on table interlock_parts.%I from public, anon, authenticated, service_role', p_name);
  -- Triggers of statements belong to the table that a statement names.
  for v_statement in
    select replace(pg_get_triggerdef(t.oid), format(' ON interlock.%I ', p_history), format(' ON interlock_parts.%I ', p_name))
    from pg_catalog.pg_trigger t
    where t.tgrelid = format('interlock.%I', p_history)::regclass
      and not t.tgisinternal
      and t.tgtype & 1 = 0
  loop
    execute v_statement;
  end loop;
  execute format('alter table interlock.%I attach partition interlock_parts.%I %s', p_history, p_name, p_bounds);
  if interlock.serves_shops() then
    perform interlock.guard_by_shop(format('interlock_parts.%I', p_name)::regclass);
  end if;
end
$$;

-- Archive a part of a history in which everything is older than the settings have it kept, and nothing is what interlock.purge_history
-- would keep; answers how many it archived, 0 or 1: call it until it answers 0. What is in it is no longer read by anything: it is the
-- shop's to dump and to drop (docs/operations.md).
--
-- Callers: the jobs of interlock.jobs; public.arrange_history.
-- Locks: the part, in which nobody writes any more but a purge and an erasure; interlock.lock_history; waiting 50 ms for each. Where
--   somebody holds them for longer, the part is the next call's.
-- Security definer: parts belong to whom their table belongs to.
create function interlock.archive_history()
returns int
language plpgsql
security definer
set search_path = ''
set lock_timeout = '50ms'
as $$
declare
  v_part record;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;

  for v_part in
    select h.name, p.part, interlock.clock() - h.keep as before, h.stays, h.together, h.position_column
    from interlock.histories() h
    cross join lateral interlock.history_parts(h.name) p
    where h.keep is not null
      and p.after <= pg_sequence_last_value(h.sequence::regclass)
    order by h.name, p.after
  loop
    -- Asked before anything is locked, which is the answer for nearly all; and again when nothing can come to it any more.
    if interlock.history_stays(v_part.part, v_part.before, v_part.stays, v_part.together, v_part.position_column) then
      continue;
    end if;
    begin
      execute format('lock table %s in share row exclusive mode', v_part.part);
      if not interlock.history_stays(v_part.part, v_part.before, v_part.stays, v_part.together, v_part.position_column) then
        perform interlock.archive_history_part(v_part.name, v_part.part);
        return 1;
      end if;
    exception
      when lock_not_available then
        -- The next call's.
        null;
    end;
  end loop;
  return 0;
end
$$;

-- Take a part out of its history, into the schema interlock_archive, where it is a table of its owner's alone, of plain types, that nothing of
-- Interlock asks or needs any more. No row is read or written for that.
--
-- Callers: interlock.archive_history.
-- Locks: interlock.lock_history.
create function interlock.archive_history_part(p_history text, p_part regclass)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_name text := (select c.relname from pg_catalog.pg_class c where c.oid = p_part);
  v_statement text;
begin
  perform interlock.lock_history(p_history);
  execute format('alter table interlock.%I detach partition %s', p_history, p_part);
  -- Of many shops it is nobody's but the installation's any more.
  execute format('alter table %s owner to current_user, no force row level security', p_part);
  for v_statement in
    select format('drop policy %I on %s', p.polname, p_part)
    from pg_catalog.pg_policy p
    where p.polrelid = p_part
    union all
    select format('alter table %s drop constraint %I', p_part, k.conname)
    from pg_catalog.pg_constraint k
    where k.conrelid = p_part
      and k.contype = 'f'
    union all
    select format('drop trigger %I on %s', t.tgname, p_part)
    from pg_catalog.pg_trigger t
    where t.tgrelid = p_part
      and not t.tgisinternal
    union all
    select format('alter table %s alter column %I drop default', p_part, a.attname)
    from pg_catalog.pg_attribute a
    where a.attrelid = p_part
      and a.atthasdef
    union all
    -- All at once: each change of a type looks at every index again. A domain is stored as what it is made of.
    select format(
      'alter table %s %s', p_part,
      string_agg(format('alter column %I type %s', a.attname, format_type(t.typbasetype, t.typtypmod)), ', ')
    )
    from pg_catalog.pg_attribute a
    join pg_catalog.pg_type t on t.oid = a.atttypid and t.typtype = 'd'
    where a.attrelid = p_part
      and a.attnum > 0
    having count(*) > 0
  loop
    execute v_statement;
  end loop;
  if to_regnamespace('interlock_archive') is null then
    create schema interlock_archive;
  end if;
  -- Of a part that was the rest, indexes are called after that, as those of others may be; and where Interlock was installed anew there may
  -- be an archive of before.
  if to_regclass(format('interlock_archive.%I', v_name)) is not null then
    v_name := v_name || '_' || p_part::oid;
    execute format('alter table %s rename to %I', p_part, v_name);
  end if;
  for v_statement in
    select format('alter index %s rename to %I', i.indexrelid::regclass, v_name || '_index_' || row_number() over (order by i.indexrelid))
    from pg_catalog.pg_index i
    where i.indrelid = p_part
  loop
    execute v_statement;
  end loop;
  execute format('alter table %s set schema interlock_archive', p_part);
end
$$;

-- Take the key for this transaction, or answer what a twin has answered. With p_response, the answer that the
-- caller will give, nothing is left to be finished. With p_shop the key is a reference of the shop's own code
-- (interlock.begin_reference): it is nobody's in particular, and lives longer.
--
-- Callers: every function with p_idempotency_key, before it locks anything else.
-- Locks: the key's row until the transaction ends. Waits for a twin, holding nothing.
-- Errors: VALIDATION_FAILED for a key of wrong length or characters; as interlock.find_idempotent; 55P03 after
--   lock_timeout. Null means: do the work, then, without p_response, call interlock.finish_idempotent.
create function interlock.begin_idempotent(
  p_operation text,
  p_key text,
  p_request jsonb,
  p_response text default null,
  p_shop boolean default false
)
returns text
language plpgsql
set search_path = ''
as $$
declare
  v_answer text;
begin
  if p_key is null then
    return null;
  end if;

  if p_key !~ '^[\x20-\x7e]+$' or char_length(p_key) > 255 then
    perform interlock.refuse_problems(
      interlock.problem(
        case when p_shop then '/p_reference' else '/headers/idempotency-key' end,
        'must be 1 to 255 printable ASCII characters'
      )
    );
  end if;

  loop
    if clock_timestamp() > statement_timestamp() + interval '100 milliseconds' then
      perform interlock.limit_wait();
    end if;
    -- A key that is over is taken over; a live one changes nothing here. Each further turn means that it
    -- was over by the time it was looked for.
    insert into interlock.idempotency_keys as k (user_id, operation, key, request_hash, response, expires_at)
    select
      coalesce(case when not p_shop then auth.uid() end, '00000000-0000-0000-0000-000000000000'),
      p_operation,
      p_key,
      sha256(convert_to(p_request::text, 'UTF8')),
      p_response,
      interlock.clock() + case when p_shop then s.reference_lifetime else s.idempotency_key_lifetime end
    from interlock.settings s
    on conflict on constraint idempotency_keys_pkey do update
      set request_hash = excluded.request_hash,
          response = excluded.response,
          created_at = interlock.clock(),
          expires_at = excluded.expires_at
      where k.expires_at <= interlock.clock();

    exit when found;

    v_answer := interlock.find_idempotent(p_operation, p_key, p_request, p_shop);
    exit when v_answer is not null;
  end loop;

  return v_answer;
end
$$;

-- Take a reference of the shop's own code for this transaction, or answer what was answered under it: what a job
-- sends again after a lost answer acts once. A reference is the shop's, whoever signs the call; the same one under
-- another operation is another one. What stock moves until interlock.finish_reference has it in the ledger.
--
-- Callers: every function with p_reference, before it locks anything else.
-- Locks: as interlock.begin_idempotent.
-- Errors: as interlock.begin_idempotent. Null means: do the work, then call interlock.finish_reference.
create function interlock.begin_reference(p_operation text, p_reference text, p_request jsonb)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  v_answer constant jsonb := interlock.begin_idempotent(p_operation, p_reference, p_request, null, true)::jsonb;
begin
  if v_answer is null then
    perform set_config('interlock.reference', coalesce(p_reference, ''), true);
  end if;
  return v_answer;
end
$$;

-- Broadcast a message on a private topic, where the platform's realtime is there; else nothing is done. It goes out when the
-- transaction commits, and never fails what it tells of: the platform makes a warning of every error. So what it has to say can be read,
-- too, and a client that was away reads it.
--
-- The topic is the present shop's (interlock.topic_of_shop).
--
-- Callers: triggers, which are their owner's: interlock.broadcast_batch, broadcast_order, broadcast_packing; interlock.broadcast_line,
--   interlock.tell_stock.
-- Locks: none.
-- Security definer: what is the platform's belongs to no shop (interlock.serve_shops).
create function interlock.broadcast(p_topic text, p_event text, p_payload jsonb)
returns void
language plpgsql
security definer
set search_path = ''
as $$
begin
  if interlock.has_realtime() then
    perform realtime.send(p_payload, p_event, interlock.topic_of_shop(p_topic), true);
  end if;
end
$$;

-- Empty the slots of a counter. Returns what was used in them, which the caller counts on the owner's row.
--
-- Callers: whoever holds the gate.
-- Locks: as interlock.lock_slots; none if nothing is granted, which cannot change under the gate.
-- Errors: 55P03 after lock_timeout.
create function interlock.call_in_slots(p_owner_id uuid)
returns int
language plpgsql
set search_path = ''
as $$
declare
  v_used int;
begin
  if not exists (select from interlock.counter_slots s where s.owner_id = p_owner_id and s.granted > 0) then
    return 0;
  end if;

  v_used := interlock.lock_slots(p_owner_id);

  update interlock.counter_slots s
  set granted = 0,
      used = 0
  where s.owner_id = p_owner_id
    and s.granted > 0;

  return v_used;
end
$$;

-- The one source of time for leases. It is the time at which the transaction began: an earlier `now` only ever
-- makes a lease look longer, so a call that waited for a lock never takes over a lease that was live when it
-- began.
create function interlock.clock()
returns timestamptz
language plpgsql
stable
set search_path = ''
as $$
begin
  return now();
end
$$;

-- Add what is older than interlock.settings.close_ledgers_after in the ledger of a wallet, a product (its stock in the web
-- shop) or a row of inventory to its closed balance; answers how many movements, at most p_limit.
--
-- A ledger is closed by ids, not by time: a movement has the time at which its transaction began, and may commit after
-- younger ones. Ids are given out under the lock of the wallet, the product or one of its slots, the row of inventory;
-- with these held every movement up to the last that one sees is committed, and each that comes has a higher id.
--
-- Callers: interlock.close_ledgers; the jobs of interlock.jobs, each ledger in a transaction of its own.
-- Locks: the wallet, the product or the row of inventory, never waiting (what somebody is using stays for the next call); slots of the product,
--   50 ms each.
-- Errors: none of a ledger's own.
create function interlock.close_ledger(p_owner_id uuid, p_limit int)
returns int
language plpgsql
set search_path = ''
set lock_timeout = '50ms'
as $$
declare
  v_before constant timestamptz := interlock.clock() - (select s.close_ledgers_after from interlock.settings s);
  v_from bigint;
  v_through bigint;
  v_count int;
  v_row interlock.inventory;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;

  perform 1 from interlock.wallets w where w.user_id = p_owner_id for no key update skip locked;
  if found then
    v_from := coalesce((select b.closed_through from interlock.wallet_balances b where b.user_id = p_owner_id), 0);
    select max(c.id), max(c.count) into v_through, v_count
    from (
      select m.id, m.created_at, row_number() over (order by m.id) as count
      from interlock.wallet_movements m
      where m.user_id = p_owner_id
        and m.id > v_from
      order by m.id
      limit p_limit
    ) c
    where c.created_at < v_before;

    insert into interlock.wallet_balances as b (user_id, closed_through, balance)
    select p_owner_id, v_through, sum(m.delta)
    from interlock.wallet_movements m
    where m.user_id = p_owner_id
      and m.id > v_from
      and m.id <= v_through
    having count(*) > 0
    on conflict on constraint wallet_balances_pkey do update
    set closed_through = excluded.closed_through,
        balance = b.balance + excluded.balance;
    return coalesce(v_count, 0);
  end if;

  begin
    perform 1 from interlock.products p where p.id = p_owner_id for no key update skip locked;
    if found then
      perform interlock.lock_slots(p_owner_id);
      return interlock.close_stock_ledger(p_owner_id, interlock.online_location(), v_before, p_limit);
    end if;
  exception
    when lock_not_available then
      return 0;
  end;

  select i.* into v_row from interlock.inventory i where i.id = p_owner_id for no key update skip locked;
  if not found then
    return 0;
  end if;
  return interlock.close_stock_ledger(v_row.product_id, v_row.location_id, v_before, p_limit);
end
$$;

-- Add what is older than interlock.settings.close_ledgers_after in the ledgers of stock and wallets to their closed
-- balances; answers how many movements, at most p_limit. Nothing is deleted: the views of differences read less.
--
-- A ledger whose first open movement is younger has its turn when that one is old enough. The ledger of a product, a row of
-- inventory or a wallet that is gone stays open.
--
-- It begins no further ledger a tenth of a second after it has closed the first. Call it until it answers 0.
--
-- Callers: service_role, through public.close_ledgers.
-- Locks: as interlock.close_ledger, wallets, then products, then inventory, each in the order of their ids.
-- Errors: none of a ledger's own.
-- Security definer: nobody has the right to write balances.
create function interlock.close_ledgers(p_limit int default 1000)
returns int
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_limit constant int := greatest(coalesce(p_limit, 1000), 0);
  v_owner_id uuid;
  v_until timestamptz;
  v_closed int := 0;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;

  for v_owner_id in
    select l.owner_id from interlock.ledgers_to_close() as l (owner_id)
  loop
    exit when v_closed >= v_limit or clock_timestamp() > v_until;
    v_closed := v_closed + interlock.close_ledger(v_owner_id, v_limit - v_closed);
    if v_closed > 0 then
      v_until := coalesce(v_until, clock_timestamp() + interval '100 milliseconds');
    end if;
  end loop;

  return v_closed;
end
$$;

-- Drop the view in public that interlock.expose has made. Whatever else has that name stays; a view of the same name
-- over the same table is taken for it.
--
-- Callers: the rollback scripts; postgres.
create function interlock.conceal(p_name text)
returns boolean
language plpgsql
set search_path = ''
as $$
begin
  if not exists (
    select
    from pg_catalog.pg_rewrite r
    join pg_catalog.pg_depend d on d.classid = 'pg_rewrite'::regclass and d.objid = r.oid
    where r.ev_class = to_regclass(format('public.%I', p_name))
      and d.refobjid = to_regclass(format('interlock.%I', p_name))
  ) then
    return false;
  end if;

  execute format('drop view public.%I', p_name);
  return true;
end
$$;

-- Take back what is granted to slots if a lower counter of their owner does not cover it. Returns what was used in
-- them if the counter does not cover even that: the caller refuses the change.
--
-- Callers: the triggers on the owners' tables, for a counter of slots that goes down.
-- Locks: the owner is locked by the statement; as interlock.lock_slots, if the counter does not cover what is granted.
-- Errors: 55P03 after lock_timeout.
create function interlock.cover_slots(p_owner_id uuid, p_units int)
returns int
language plpgsql
set search_path = ''
as $$
declare
  v_used int;
begin
  if p_units >= (select sum(s.granted) from interlock.counter_slots s where s.owner_id = p_owner_id) then
    return null;
  end if;

  v_used := interlock.lock_slots(p_owner_id);
  if p_units < v_used then
    return v_used;
  end if;

  update interlock.counter_slots s
  set granted = s.used
  where s.owner_id = p_owner_id
    and s.granted > s.used;

  return null;
end
$$;

-- What public.erase_user does, with its owner's rights: remove an account and take the person out of all that stays.
--
-- Refused while something is owed: an open order, money in the wallet. The details say what, so that the shop can hand
-- over, cancel, refund or pay out, and ask again.
--
-- Removed: the account (auth.users, and with it what the platform keeps of it), the wallet, the driver (a batch that they
-- hold becomes available again), keys and guesses at promo codes; holds of promo codes and what they
-- have reserved are given back; address and contact of orders, and mails about them,
-- by trigger orders_forget_details; what was said of their addresses (mail_suppressions). Kept without the
-- person: orders with their lines, amounts and history, ledgers, uses of promo codes, proofs of payment without path and
-- reason. A ledger of a wallet needs an owner: it gets a new id that is nobody's. A promo code that was named for them is
-- for nobody.
--
-- Files are not ours to delete: the answer lists those in their folder of the bucket payment-proofs, for the Storage API.
-- Called again, also for an account that was deleted in another way, it does what is left to do and lists what is still
-- there. The histories have no index on persons (each would cost every sale), so they are read from end to end.
--
-- Where there are many shops, in each that knows them: what is owed in any of them refuses it.
--
-- Callers: service_role, through public.erase_user.
-- Locks: promo attempts of the customer; the account, against everything; then what a deletion of the account takes
--   (wallet, driver and the batch they hold, orders), proofs of the orders, promo as interlock.end_promo_uses says, codes
--   that they have replaced, their reservation and its stock rows by id, what they have a lease on in picking sessions. Keys that somebody is using are passed over: whoever does waits for the account, and is
--   refused. Each wait lasts two seconds at most.
-- Errors: VALIDATION_FAILED, USER_HAS_OBLIGATIONS; 55P03 and 40P01 are transient and nothing has happened.
-- Security definer: nobody has the right to write any of it.
create function interlock.erase_user(p_user_id uuid)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
as $$
declare
  v_before constant text := coalesce(current_setting('interlock.shop', true), '');
  v_ledger constant uuid := interlock.new_id();
  v_shops int[];
  v_shop int;
  v_known boolean;
  v_order_ids jsonb := '{}'::jsonb;
  v_files text[] := array[]::text[];
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;

  if p_user_id is null or p_user_id = '00000000-0000-0000-0000-000000000000' then
    perform interlock.refuse_problems(interlock.problem('/p_user_id', 'must be the id of a user'));
  end if;

  perform interlock.lock_promo_attempts(p_user_id);
  if clock_timestamp() > statement_timestamp() + interval '100 milliseconds' then
    perform interlock.limit_wait();
  end if;
  perform 1 from interlock.accounts u where u.id = p_user_id for update;
  v_known := found;

  -- From here on nobody can place an order for them.
  v_shops := case when interlock.serves_shops() then interlock.shops_of_user(p_user_id) else '{1}' end;
  foreach v_shop in array v_shops loop
    perform set_config('interlock.shop', v_shop::text, true);
    v_order_ids := v_order_ids || jsonb_build_object(v_shop, interlock.erase_user_before(p_user_id));
  end loop;

  -- In an installation of one shop wallet, driver and the buyer of the orders go with the account.
  delete from interlock.accounts u where u.id = p_user_id;

  foreach v_shop in array v_shops loop
    perform set_config('interlock.shop', v_shop::text, true);
    v_files := v_files || interlock.erase_user_after(
      p_user_id, array(select e::uuid from jsonb_array_elements_text(v_order_ids -> v_shop::text) e), v_ledger
    );
  end loop;
  perform set_config('interlock.shop', v_before, true);

  -- Those of orders that they placed as a guest are in the guest's folder.
  v_files := array(select p.* from interlock.stored_proofs(p_user_id || '/', v_files) p);

  return jsonb_build_object(
    'success', true,
    'user_id', p_user_id,
    'account_removed', v_known,
    'files', coalesce(to_jsonb(v_files), '[]')
  );
end
$$;

-- The part of interlock.erase_user once the account is gone, in the present shop: the person is taken out of all that stays, which is told to be of p_ledger
-- where it needs an owner. Answers the paths of what they had uploaded, which are forgotten here.
--
-- Callers: interlock.erase_user.
-- Locks: orders, wallet, driver with their batch and customer, unless they went with the account; proofs of the orders; promo as interlock.end_promo_uses
--   says; codes that they have replaced; their reservation and its stock rows by id; what they have a lease on in picking sessions. Keys that somebody is using are passed over, and so
--   are points that somebody is booking.
-- Errors: 55P03 and 40P01 are transient.
create function interlock.erase_user_after(p_user_id uuid, p_order_ids uuid[], p_ledger uuid)
returns text[]
language plpgsql
set search_path = ''
as $$
declare
  v_nobody constant uuid := uuid '00000000-0000-0000-0000-000000000000';
  v_files text[];
begin
  -- Where there are many shops an account takes none of this with it.
  update interlock.orders o set user_id = null where o.user_id = p_user_id;
  update interlock.customers c set user_id = null where c.user_id = p_user_id;
  delete from interlock.drivers d where d.user_id = p_user_id;
  delete from interlock.wallets w where w.user_id = p_user_id;

  v_files := array(
    select f.object_path
    from interlock.payment_proofs f
    where f.order_id = any (p_order_ids)
      and f.object_path is not null
  );
  update interlock.payment_proofs f
  set object_path = null,
      reason = null
  where f.order_id = any (p_order_ids);

  perform interlock.lock_promo_users(array_agg(u.promo_id), array_agg(u.user_id))
  from interlock.promo_user_uses u
  where u.user_id = p_user_id;
  perform interlock.end_promo_uses(
    array(select r.id from interlock.promo_redemptions r where r.user_id = p_user_id and r.status = 'held'),
    'held',
    'released'
  );
  update interlock.promo_redemptions r set user_id = null where r.user_id = p_user_id;
  delete from interlock.promo_user_uses u where u.user_id = p_user_id;

  if clock_timestamp() > statement_timestamp() + interval '100 milliseconds' then
    perform interlock.limit_wait();
  end if;
  perform 1 from interlock.promo_codes p where p.user_id = p_user_id order by p.id for no key update;
  update interlock.promo_codes p set user_id = v_nobody where p.user_id = p_user_id;

  perform interlock.end_reservation(p_user_id, 'cart_released');
  delete from interlock.cart_reservations r where r.user_id = p_user_id;
  delete from interlock.customer_open_orders c where c.user_id = p_user_id;
  delete from interlock.promo_attempts a where a.user_id = p_user_id;
  delete from interlock.idempotency_keys
  where ctid = any (array(
    select k.ctid from interlock.idempotency_keys k where k.user_id = p_user_id for update skip locked
  ));

  -- Points of somebody who is no customer any more. Who holds one deletes it.
  delete from interlock.points_due
  where id = any (array(
    select d.id from interlock.points_due d where d.user_id = p_user_id for update skip locked
  ));

  update interlock.wallet_top_ups t set user_id = p_ledger where t.user_id = p_user_id;
  update interlock.wallet_movements m set user_id = p_ledger where m.user_id = p_user_id;
  update interlock.wallet_balances b set user_id = p_ledger where b.user_id = p_user_id;
  update interlock.wallet_movements m set actor = null where m.actor = p_user_id;
  update interlock.inventory_findings f set actor = null, decided_by = null where f.actor = p_user_id;
  update interlock.inventory_findings f
  set subject_id = p_ledger
  where f.kind = 'open_orders'
    and f.subject_id = p_user_id;
  update interlock.order_events e set actor = null where e.actor = p_user_id;
  update interlock.order_detail_changes d set actor = null where d.actor = p_user_id;
  update interlock.order_refunds r set actor = null where r.actor = p_user_id;
  update interlock.order_shipments s set actor = null where s.actor = p_user_id;
  update interlock.stock_movements m set actor = null where m.actor = p_user_id;
  update interlock.stock_transfers t set actor = null where t.actor = p_user_id;
  update interlock.sales s
  set cashier = nullif(s.cashier, p_user_id),
      voided_by = nullif(s.voided_by, p_user_id),
      approved_by = nullif(s.approved_by, p_user_id)
  where p_user_id in (s.cashier, s.voided_by, s.approved_by);
  update interlock.sale_approvals a
  set approved_by = null
  where a.approved_by = p_user_id;
  update interlock.parked_sales p
  set parked_by = null
  where p.parked_by = p_user_id;
  update interlock.shifts s
  set opened_by = nullif(s.opened_by, p_user_id),
      closed_by = nullif(s.closed_by, p_user_id)
  where p_user_id in (s.opened_by, s.closed_by);
  update interlock.cash_movements m set actor = null where m.actor = p_user_id;
  update interlock.points_movements m set actor = null where m.actor = p_user_id;
  update interlock.packing_scans s set actor = null where s.actor = p_user_id;
  update interlock.picking_sessions s set created_by = null where s.created_by = p_user_id;
  update interlock.picking_session_items i
  set picker_id = null,
      picker_until = null
  where i.picker_id = p_user_id;
  update interlock.picking_session_orders o set closed_by = null where o.closed_by = p_user_id;
  update interlock.batch_events e set driver_id = null where e.driver_id = p_user_id;
  update interlock.product_codes c set replaced_actor = null where c.replaced_actor = p_user_id;
  update interlock.batch_events e set actor_id = null where e.actor_id = p_user_id;

  delete from interlock.order_transfers t where t.from_user_id = p_user_id and t.moved_at is null;
  update interlock.order_transfers t
  set from_user_id = nullif(t.from_user_id, p_user_id),
      to_user_id = nullif(t.to_user_id, p_user_id),
      actor = nullif(t.actor, p_user_id)
  where p_user_id in (t.from_user_id, t.to_user_id, t.actor);

  return v_files;
end
$$;

-- The part of interlock.erase_user before the account goes, in the present shop: nothing is owed, the customer that they were at a till is erased, and
-- so is what was said of their addresses. Answers the ids of their orders.
--
-- Callers: interlock.erase_user, which holds the account.
-- Locks: as interlock.erase_customer.
-- Errors: USER_HAS_OBLIGATIONS; 55P03 is transient.
create function interlock.erase_user_before(p_user_id uuid)
returns uuid[]
language plpgsql
set search_path = ''
as $$
declare
  v_open jsonb;
  v_customer_id uuid;
  v_wallet jsonb;
  v_order_ids uuid[];
begin
  -- From here on nobody can place an order for them or end one, nor move their money.
  select jsonb_agg(jsonb_build_object('order_id', o.id, 'status', o.status) order by o.id)
  into v_open
  from interlock.orders o
  where o.user_id = p_user_id
    and interlock.is_owed_order(o.status);

  select jsonb_build_object('balance', w.balance, 'currency', w.currency)
  into v_wallet
  from interlock.wallets w
  where w.user_id = p_user_id
    and w.balance <> 0;

  if num_nonnulls(v_open, v_wallet) > 0 then
    perform interlock.raise_error('USER_HAS_OBLIGATIONS', jsonb_build_object(
      'user_id', p_user_id, 'open_orders', coalesce(v_open, '[]'), 'wallet', v_wallet
    ));
  end if;

  -- The customer that they were at a till.
  select c.id into v_customer_id from interlock.customers c where c.user_id = p_user_id;
  if v_customer_id is not null then
    perform interlock.erase_customer(v_customer_id);
  end if;

  v_order_ids := array(select o.id from interlock.orders o where o.user_id = p_user_id);

  delete from interlock.mail_suppressions s
  where s.email = (select interlock.normal_email(u.email) from interlock.accounts u where u.id = p_user_id)
    or s.email in (
      select interlock.normal_email(d.contact ->> 'email')
      from interlock.order_details d
      where d.order_id = any (v_order_ids)
    );

  return v_order_ids;
end
$$;

-- The body PostgREST makes of an error of the catalogue, without raising it.
--
-- Callers: interlock.refuse_unknown_promo, interlock.manage_inventory, interlock.set_packed_quantity.
create function interlock.error_body(p_code text, p_detail jsonb default null)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  v_state text;
  v_message text;
  v_detail text;
  v_hint text;
begin
  perform interlock.raise_error(p_code, p_detail);
  return null;
exception
  when others then
    get stacked diagnostics
      v_state = returned_sqlstate,
      v_message = message_text,
      v_detail = pg_exception_detail,
      v_hint = pg_exception_hint;
    return jsonb_build_object(
      'code', v_state, 'message', v_message, 'details', nullif(v_detail, ''), 'hint', v_hint
    );
end
$$;

-- Give the API a table or view of this schema as a view of the same name in public, if that name is free there: what
-- belongs to the project stays as it is. The view runs with its caller's rights, and has the grants and the comment
-- of what it shows, so nobody can do through it what they could not do without it. The transaction that wrote a row is not in it:
-- that one is the outbox's business.
--
-- Callers: the installation; postgres. If you free a name later, call it yourself:
--
--   select interlock.expose('products');
create function interlock.expose(p_name text)
returns boolean
language plpgsql
set search_path = ''
as $$
declare
  v_table constant regclass := format('interlock.%I', p_name)::regclass;
  v_grant record;
begin
  if to_regclass(format('public.%I', p_name)) is not null or to_regtype(format('public.%I', p_name)) is not null then
    return false;
  end if;

  perform interlock.make_exposed(p_name);
  execute format(
    'comment on view public.%I is %L', p_name, pg_catalog.obj_description(v_table, 'pg_class')
  );
  execute format('revoke all on table public.%I from public, anon, authenticated, service_role', p_name);

  for v_grant in
    select
      a.privilege_type, '' as columns,
      case when a.grantee = 0 then 'public' else a.grantee::regrole::text end as grantee
    from pg_catalog.pg_class c
    cross join lateral pg_catalog.aclexplode(c.relacl) a
    where c.oid = v_table
      and a.grantee <> c.relowner
    union all
    select
      a.privilege_type, format('(%I)', t.attname),
      case when a.grantee = 0 then 'public' else a.grantee::regrole::text end
    from pg_catalog.pg_attribute t
    cross join lateral pg_catalog.aclexplode(t.attacl) a
    where t.attrelid = v_table
  loop
    execute format(
      'grant %s %s on table public.%I to %s', v_grant.privilege_type, v_grant.columns, p_name, v_grant.grantee
    );
  end loop;

  return true;
end
$$;

-- The stored answer of a request, if its key has one that still counts.
--
-- Callers: interlock.begin_idempotent; functions that look before they lock and have checked the key.
-- Errors: UNAUTHENTICATED (the account is gone), IDEMPOTENCY_KEY_REUSED, INTERNAL. Null without a key, for a new key and
--   for one that is over.
-- Effect: where it answers, PostgREST sends the header Idempotent-Replayed: true.
create function interlock.find_idempotent(
  p_operation text,
  p_key text,
  p_request jsonb,
  p_shop boolean default false
)
returns text
language plpgsql
set search_path = ''
as $$
declare
  v_row interlock.idempotency_keys;
begin
  if p_key is null then
    return null;
  end if;

  select k.*
  into v_row
  from interlock.idempotency_keys k
  where k.user_id = coalesce(case when not p_shop then auth.uid() end, '00000000-0000-0000-0000-000000000000')
    and k.operation = p_operation
    and k.key = p_key
    and k.expires_at > interlock.clock();

  if not found then
    return null;
  end if;

  if auth.uid() is not null then
    perform interlock.require_user();
  end if;

  if v_row.request_hash <> sha256(convert_to(p_request::text, 'UTF8')) then
    perform interlock.raise_error('IDEMPOTENCY_KEY_REUSED', jsonb_build_object('operation', p_operation));
  end if;

  -- Only a function that has begun and not finished leaves a key without an answer.
  if v_row.response is null then
    perform interlock.raise_error('INTERNAL', jsonb_build_object('operation', p_operation));
  end if;

  perform set_config('response.headers', '[{"Idempotent-Replayed": "true"}]', true);
  return v_row.response;
end
$$;

-- What is not as it should be with the parts of histories (interlock.histories), of which there are as many as a shop has come to: `npm run verify`
-- compares all else with what the migrations make. With each what to do, mostly a statement. A part that is gone without having been archived is a
-- problem, unless the shop archives: whoever drops what was archived drops it there, so it is a note.
--
-- Callers: `npm run verify` (supabase/verify/installation.sql).
-- Locks: none.
create function interlock.find_part_problems()
returns table (level text, subject text, todo text)
language sql
stable
set search_path = ''
as $$
  with settings as materialized (
    -- As interlock.make_history_parts has it.
    select max(s.history_part_rows) as history_part_rows from interlock.settings s
  ),
  history as materialized (
    select
      h.name, h.keep, coalesce(pg_sequence_last_value(h.sequence::regclass), 0) as last,
      format('interlock.%I', h.name)::regclass::oid as id,
      (select max(p.after) from interlock.history_parts(h.name) p) as ends
    from interlock.histories() h
  ),
  part as materialized (
    select
      h.name as history, h.id as history_id, c.oid as id, c.relname, c.oid::regclass::text as shown, c.relrowsecurity, c.relforcerowsecurity,
      pg_get_userbyid(c.relowner) as owner, i.inhdetachpending,
      pg_get_expr(c.relpartbound, c.oid) = 'DEFAULT' as is_rest
    from history h
    join pg_catalog.pg_inherits i on i.inhparent = h.id
    join pg_catalog.pg_class c on c.oid = i.inhrelid
  ),
  -- What is in the schema and part of nothing. Its place: where a part of this name begins.
  stray as materialized (
    select c.oid::regclass::text as shown, h.name as history, substring(c.relname from '_([0-9]{1,18})$')::bigint as place
    from pg_catalog.pg_class c
    left join history h on c.relname ~ format('^%s_(rest|[0-9]{1,18})$', h.name)
    where c.relnamespace = 'interlock_parts'::regnamespace
      and c.relkind in ('r', 'p', 'v', 'm', 'f')
      and not exists (select from part p where p.id = c.oid)
  ),
  -- From `first` (null: from the beginning) to before `after`.
  gap as materialized (
    select h.name as history, h.keep, h.last, g.first, g.after
    from history h
    cross join lateral (
      select lag(p.after) over (order by p.after) as first, p.first as after from interlock.history_parts(h.name) p
    ) g
    -- The first one may begin with none: null twice.
    where g.first is distinct from g.after
  ),
  granted as (
    select c.oid as id, a.grantee
    from pg_catalog.pg_class c
    cross join lateral aclexplode(c.relacl) a
    where c.relnamespace = 'interlock_parts'::regnamespace
    union
    select c.attrelid, a.grantee
    from part p
    join pg_catalog.pg_attribute c on c.attrelid = p.id
    cross join lateral aclexplode(c.attacl) a
    union
    select n.oid, a.grantee
    from pg_catalog.pg_namespace n
    cross join lateral aclexplode(n.nspacl) a
    where n.nspname = 'interlock_parts'
  ),
  open_to as (
    select g.id, string_agg(coalesce(r.rolname, 'public'), ', ' order by r.rolname) as roles
    from granted g
    left join pg_catalog.pg_roles r on r.oid = g.grantee
    where g.grantee = 0
      or r.rolname in ('anon', 'authenticated', 'service_role')
    group by g.id
  )
  select 'problem', format('%s has no part for the rest: what no part is there for is refused, and with it the sale', h.name),
    format('select interlock.add_history_part(%L, %L, ''default'')', h.name, h.name || '_rest')
  from history h
  where not exists (select from part p where p.history = h.name and p.is_rest)
    and not exists (select from stray s where s.history = h.name and s.place is null)

  union all
  select 'problem', format('%s has no part for what is written now, which comes to its rest', h.name),
    'select interlock.make_history_parts(), and see to it that the job make-history-parts runs'
  from history h
  cross join settings s
  where s.history_part_rows is not null
    and h.last >= coalesce(h.ends, 0)
    and not exists (select from stray t where t.history = h.name and t.place >= coalesce(h.ends, 0))

  union all
  select
    case when q.may_be_archived then 'note' else 'problem' end,
    format('%s has no part for positions from %s to %s', q.history, coalesce(q.first::text, 'the beginning'), q.after),
    concat(
      case when q.may_be_archived then 'where it was archived and you have dropped it, all is well; else ' end,
      format(
        'select interlock.add_history_part(%L, %L, ''for values from (%s) to (%s)'')',
        q.history, q.history || '_' || coalesce(q.first, 0), coalesce(q.first::text, 'minvalue'), q.after
      )
    )
  from (
    -- Where all parts were archived, parts go on from what is written, with room before them.
    select g.*, (g.after <= g.last or g.first is null) and g.keep is not null as may_be_archived
    from gap g
    where not exists (
      select
      from stray s
      where s.history = g.history
        and s.place >= coalesce(g.first, 0)
        and s.place < g.after
    )
    and not exists (
      select
      from pg_catalog.pg_class c
      join pg_catalog.pg_namespace n on n.oid = c.relnamespace
      cross join lateral (select substring(c.relname from format('^%s_([0-9]{1,18})(_[0-9]+)?$', g.history))::bigint as place) a
      where n.nspname = 'interlock_archive'
        and a.place >= coalesce(g.first, 0)
        and a.place < g.after
        and (g.after <= g.last or g.first is null)
    )
  ) q

  union all
  select 'problem', format('%s is part of nothing: what is in it is in no history', s.shown),
    coalesce(
      -- Null if it fits nowhere.
      'alter table interlock.' || quote_ident(s.history) || ' attach partition ' || s.shown || ' ' || case when s.place is null then 'default' else coalesce(
        (
          select format('for values from (%s) to (%s)', coalesce(g.first::text, 'minvalue'), g.after)
          from gap g
          where g.history = s.history
            and s.place >= coalesce(g.first, 0)
            and s.place < g.after
        ),
        -- The newest one: as long as parts are.
        (
          select format('for values from (%s) to (', coalesce(h.ends::text, nullif(s.place, 0)::text, 'minvalue')) || s.place + t.history_part_rows || ')'
          from history h
          cross join settings t
          where h.name = s.history
            and s.place >= coalesce(h.ends, 0)
        )
      ) end,
      'look what is in it, and move it to another schema'
    )
  from stray s

  union all
  select 'problem', format('%s is being detached: what is in it is in no history', p.shown),
    format('alter table interlock.%I detach partition %s finalize, and attach it again', p.history, p.shown)
  from part p
  where p.inhdetachpending

  union all
  select 'problem', format('%s is without the index %s', p.shown, x.indexrelid::regclass),
    format(
      '%s; alter index %s attach partition interlock_parts.%I',
      replace(
        replace(pg_get_indexdef(x.indexrelid), format(' ON ONLY interlock.%I ', p.history), format(' ON %s ', p.shown)),
        format('INDEX %I ', c.relname), format('INDEX %I ', n.name)
      ),
      x.indexrelid::regclass, n.name
    )
  from part p
  join pg_catalog.pg_index x on x.indrelid = p.history_id
  join pg_catalog.pg_class c on c.oid = x.indexrelid
  cross join lateral (select left(md5(c.relname), 8) || '_' || p.relname as name) n
  where not exists (
    select
    from pg_catalog.pg_inherits i
    join pg_catalog.pg_index y on y.indexrelid = i.inhrelid
    where i.inhparent = x.indexrelid
      and y.indrelid = p.id
  )

  union all
  select 'problem', format('%s is without the trigger %s', p.shown, t.tgname),
    coalesce(
      (select format('alter table %s enable trigger %I', p.shown, o.tgname) from pg_catalog.pg_trigger o where o.tgrelid = p.id and o.tgname = t.tgname),
      replace(pg_get_triggerdef(t.oid), format(' ON interlock.%s ', quote_ident(p.history)), format(' ON %s ', p.shown))
    )
  from part p
  join pg_catalog.pg_trigger t on t.tgrelid = p.history_id and not t.tgisinternal
  where not exists (
    select from pg_catalog.pg_trigger o where o.tgrelid = p.id and o.tgname = t.tgname and o.tgenabled = t.tgenabled
  )

  union all
  select 'problem', format('%s has its row security off', p.shown), format('alter table %s enable row level security', p.shown)
  from part p
  where not p.relrowsecurity

  union all
  select 'problem', format('%s does not keep shops apart', p.shown), format('select interlock.guard_by_shop(%L)', p.shown)
  from part p
  where interlock.serves_shops()
    and not (
      p.relforcerowsecurity
      and p.owner = 'interlock_owner'
      and exists (select from pg_catalog.pg_policy o where o.polrelid = p.id and o.polname = 'of_the_shop')
    )

  union all
  select 'problem', format('%s is open to %s', o.id::regclass, o.roles), format('revoke all on table %s from %s', o.id::regclass, o.roles)
  from open_to o
  where exists (select from pg_catalog.pg_class c where c.oid = o.id)

  union all
  select 'problem', format('the schema interlock_parts is open to %s', o.roles), format('revoke all on schema interlock_parts from %s', o.roles)
  from open_to o
  where o.id = 'interlock_parts'::regnamespace::oid
$$;

-- Store the answer with the key.
--
-- Callers: every function that has called interlock.begin_idempotent.
-- Locks: the key's row, held already.
create function interlock.finish_idempotent(
  p_operation text,
  p_key text,
  p_response text,
  p_shop boolean default false
)
returns void
language plpgsql
set search_path = ''
as $$
begin
  if p_key is not null then
    update interlock.idempotency_keys k
    set response = p_response
    where k.user_id = coalesce(case when not p_shop then auth.uid() end, '00000000-0000-0000-0000-000000000000')
      and k.operation = p_operation
      and k.key = p_key;
  end if;
end
$$;

-- Store the answer with the reference.
--
-- Callers: every function that has called interlock.begin_reference.
-- Locks: the key's row, held already.
create function interlock.finish_reference(p_operation text, p_reference text, p_response jsonb)
returns jsonb
language plpgsql
set search_path = ''
as $$
begin
  perform set_config('interlock.reference', '', true),
    interlock.finish_idempotent(p_operation, p_reference, p_response::text, true);
  return p_response;
end
$$;

-- Give the key back, after nothing was done under it. Whoever waits for it does the work themselves.
--
-- Callers: functions that have called interlock.begin_idempotent and found nothing left to do.
-- Locks: the key's row, held already.
create function interlock.forget_idempotent(p_operation text, p_key text)
returns void
language plpgsql
set search_path = ''
as $$
begin
  delete from interlock.idempotency_keys k
  where k.user_id = coalesce(auth.uid(), '00000000-0000-0000-0000-000000000000')
    and k.operation = p_operation
    and k.key = p_key;
end
$$;

-- A request without what was not given: the members of an object that are not null.
--
-- Callers: interlock.pos_sale.
create function interlock.given(p_request jsonb)
returns jsonb
language plpgsql
immutable
parallel safe
set search_path = ''
as $$
begin
  return (
    select coalesce(jsonb_object_agg(m.key, m.value), '{}')
    from jsonb_each(p_request) m
    where m.value <> 'null'
  );
end
$$;

-- Share units of a counter out to its empty slots, if there are at least 16 for each.
--
-- Callers: whoever holds the gate, after interlock.call_in_slots.
-- Locks: every slot of the owner, which nobody has a use for while they are empty.
create function interlock.grant_slots(p_owner_id uuid, p_slots int, p_units int)
returns void
language plpgsql
set search_path = ''
as $$
begin
  if p_slots > 0 and p_units / p_slots >= 16 then
    update interlock.counter_slots s
    set granted = p_units / p_slots
    where s.owner_id = p_owner_id;
  end if;
end
$$;

-- The histories that have parts: tables partitioned by the position of their rows (ids of a sequence), which is in every key of
-- theirs, so that parts need no other keys. `rest` takes what no part is there for. With each: where its positions come from,
-- how long the settings have it kept, conditions on a row `h` by which interlock.purge_history keeps it whatever its age, and by
-- what rows belong together if the last of them tells for all.
--
-- Callers: interlock.make_history_parts, interlock.archive_history.
-- Locks: none.
create function interlock.histories()
returns table (name text, position_column text, sequence text, keep interval, stays text[], together text)
language sql
stable
rows 3
set search_path = ''
as $histories$
  select h.*
  -- Where many shops are looked at, a history is kept for as long as any of them keeps it.
  from (
    select
      case when bool_and(k.keep_stock_movements is not null) then max(k.keep_stock_movements) end as keep_stock_movements,
      case when bool_and(k.keep_order_events is not null) then max(k.keep_order_events) end as keep_order_events,
      case when bool_and(k.keep_events is not null) then max(k.keep_events) end as keep_events
    from interlock.settings k
  ) s
  cross join lateral (values
    (
      'stock_movements', 'id', pg_get_serial_sequence('interlock.stock_movements', 'id'), s.keep_stock_movements,
      array[
        $$
          not exists (
            select from interlock.stock_balances b
            where b.product_id = h.product_id and b.location_id = h.location_id and b.closed_through >= h.id
          )
        $$
      ],
      'product_id, location_id'
    ),
    (
      'order_events', 'id', 'interlock.event_position', s.keep_order_events,
      array[
        'exists (select from interlock.deliveries d where d.position = h.id)',
        'exists (select from interlock.orders o where o.id = h.order_id and interlock.is_owed_order(o.status))'
      ],
      null
    ),
    (
      'outbox', 'position', 'interlock.event_position', s.keep_events,
      array['exists (select from interlock.deliveries d where d.position = h.position)'],
      null
    )
  ) as h (name, position_column, sequence, keep, stays, together)
$histories$;

-- The parts of a history but for its rest, the oldest first: the positions of each, from `first` (null: from the beginning) to
-- before `after`.
--
-- Callers: interlock.make_history_part, interlock.archive_history.
-- Locks: none.
create function interlock.history_parts(p_history text)
returns table (part regclass, first bigint, after bigint)
language sql
stable
rows 20
set search_path = ''
as $$
  select
    i.inhrelid::regclass,
    substring(pg_get_expr(c.relpartbound, c.oid) from $bound$FROM \('(-?[0-9]+)'\)$bound$)::bigint,
    substring(pg_get_expr(c.relpartbound, c.oid) from $bound$TO \('(-?[0-9]+)'\)$bound$)::bigint
  from pg_catalog.pg_inherits i
  join pg_catalog.pg_class c on c.oid = i.inhrelid
  where i.inhparent = format('interlock.%I', p_history)::regclass
    and pg_get_expr(c.relpartbound, c.oid) <> 'DEFAULT'
  order by 3
$$;

-- Whether anything in a part of a history has to stay: it is younger than the settings have it kept, or one of the history's conditions holds.
-- Each is asked alone, so that it is a join, and ends at the first row; of rows that belong together the last is asked, which an index tells.
--
-- Callers: interlock.archive_history, interlock.purge_parts.
-- Locks: none.
create function interlock.history_stays(p_part regclass, p_before timestamptz, p_stays text[], p_together text, p_column text)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
declare
  v_condition text;
  v_found boolean;
begin
  execute format('select exists (select from %s h where h.created_at >= $1)', p_part) into v_found using p_before;
  foreach v_condition in array p_stays loop
    exit when v_found;
    execute format(
      case when p_together is null then 'select exists (select from %1$s h where %2$s)'
      else 'select exists (select from (select %3$s, max(%4$I) as %4$I from %1$s group by %3$s) h where %2$s)' end,
      p_part, v_condition, p_together, p_column
    )
    into v_found;
  end loop;
  return v_found;
end
$$;

-- What has to be done again and again: the one list, for pg_cron and for `npm run jobs`. `command` does the whole job,
-- `schedule` says when pg_cron does it, `every` how often `npm run jobs --every` does, at most.
--
-- A command is made of
--
--   each     a query of what there is to do, one text for each piece; null where a step finds its work itself
--   step     does a piece ($1), or as much as is good for one transaction, and answers how much that was
--   overdue  what is wrong if work has been left undone for long; null where nothing can be
--
-- and commits after each step, so that nobody waits for more than one, until nothing is left or 50 seconds are over. A
-- step that fails is undone, and the next piece has its turn; then, or if work is overdue, the command fails at its end,
-- with what could be done committed. It is a block, not a procedure: one with a search path of its own cannot commit.
--
-- Where there are many shops it does so for one after the other, each time another one first, and comes back to those in which something is left: so
-- none waits until another one is done with all of it. What is the installation's is done once. The command fails with the reason of one shop and the
-- ids of all that have one.
--
-- Callers: interlock.schedule_jobs, `npm run jobs`.
create function interlock.jobs()
returns table (name text, schedule text, every interval, command text)
language sql
stable
set search_path = ''
as $jobs$
  select j.name, j.schedule, j.every::interval, format(
    $command$
do $job$
declare
  v_until constant timestamptz := clock_timestamp() + interval '50 seconds';
  v_each constant text := %2$L;
  v_shops constant int[] := interlock.shops_to_serve(%5$L);
  v_left int[] := v_shops;
  v_again int[];
  v_shop int;
  v_pieces text[];
  v_piece text;
  v_done bigint;
  v_failed int := 0;
  v_failed_in int[] := '{}';
  v_reason text;
  v_late_in int[] := '{}';
  v_late text;
begin
  loop
    v_again := '{}';
    foreach v_shop in array v_left loop
      perform interlock.act_for(v_shop);
      execute format('select array(%%s)', coalesce(v_each, 'select null::text')) into v_pieces;
      foreach v_piece in array v_pieces loop
        begin
          perform interlock.act_for(v_shop);
          execute %3$L into v_done using v_piece;
        exception
          when others then
            v_done := 0;
            v_failed := v_failed + 1;
            if v_shop <> all (v_failed_in) then
              v_failed_in := v_failed_in || v_shop;
            end if;
            v_reason := coalesce(v_reason, concat_ws(' ', 'shop ' || v_shop, v_piece, sqlstate, sqlerrm));
        end;
        if v_done > 0 then
          commit;
          if v_each is null then
            v_again := v_again || v_shop;
          end if;
        end if;
        exit when clock_timestamp() > v_until;
      end loop;
      -- So that what is held of a shop is let go before the next one's turn.
      if cardinality(v_shops) > 1 then
        commit;
      end if;
      exit when clock_timestamp() > v_until;
    end loop;
    exit when v_again = '{}' or clock_timestamp() > v_until;
    v_left := v_again;
    perform pg_sleep(%6$s);
  end loop;
  foreach v_shop in array v_shops loop
    perform interlock.act_for(v_shop);
    execute %4$L into v_piece;
    if v_piece is not null then
      v_late_in := v_late_in || v_shop;
      v_late := coalesce(v_late, concat_ws(': ', 'shop ' || v_shop, v_piece));
    end if;
    if cardinality(v_shops) > 1 then
      commit;
    end if;
  end loop;
  if v_failed > 0 or v_late is not null then
    raise exception '%%', concat_ws(
      '; ',
      '%1$s failed in ' || nullif(v_failed, 0) || ' steps, first: ' || v_reason,
      'also in shops ' || nullif(array_to_string(v_failed_in[2:], ', '), ''),
      '%1$s: ' || v_late,
      'also in shops ' || nullif(array_to_string(v_late_in[2:], ', '), '')
    );
  end if;
end
$job$
$command$,
    j.name, j.each, j.step, coalesce(j.overdue, 'select null'),
    j.name not in ('make-history-parts', 'archive-history', 'purge-run-log'),
    -- What is called sends after the commit, and has a second before it is asked what is left.
    case j.name when 'deliver' then 1 else 0 end
  )
  from (values
    (
      'expire-orders', '* * * * *', '1 minute', null,
      'select interlock.expire_orders(100)',
      $$
        select format(
          '%s orders are overdue for more than 10 minutes; `select public.cancel_order(%L)` says why', q.overdue, q.first
        )
        from interlock.queues q
        where q.queue = 'orders' and q.overdue > 0
      $$
    ),
    (
      'expire-promo-holds', '* * * * *', '1 minute', null,
      'select interlock.expire_promo_holds(1000)',
      $$
        select format(
          '%s holds of promo codes are overdue for more than 10 minutes, the oldest of the code %s; the database''s log says why',
          q.overdue, q.first
        )
        from interlock.queues q
        where q.queue = 'promo_holds' and q.overdue > 0
      $$
    ),
    (
      'expire-cart-reservations', '* * * * *', '1 minute', null,
      'select interlock.expire_cart_reservations(100)',
      $$
        select format('%s reservations of carts are overdue for more than 10 minutes; the database''s log says why', q.overdue)
        from interlock.queues q
        where q.queue = 'cart_reservations' and q.overdue > 0
      $$
    ),
    (
      'expire-parked-sales', '* * * * *', '1 minute', null,
      'select interlock.expire_parked_sales(100)',
      $$
        select format('%s parked sales are overdue for more than 10 minutes; the database''s log says why', q.overdue)
        from interlock.queues q
        where q.queue = 'parked_sales' and q.overdue > 0
      $$
    ),
    (
      'abandon-stale-sessions', '23 * * * *', '1 hour', null,
      'select interlock.abandon_stale_sessions(20)',
      null
    ),
    (
      'settle-slots', '* * * * *', '1 minute',
      'select distinct s.owner_id::text from interlock.counter_slots s where s.used > 0 order by 1',
      'select interlock.settle_slots($1::uuid)',
      null
    ),
    (
      'settle-points', '* * * * *', '1 minute', null,
      'select interlock.settle_points(100)',
      $$
        select format('points of %s orders are overdue for more than 10 minutes; the database''s log says why', q.overdue)
        from interlock.queues q
        where q.queue = 'points' and q.overdue > 0
      $$
    ),
    (
      'settle-tiers', '13 3 * * *', '1 day',
      'select a.customer_id::text from interlock.points_accounts a order by a.customer_id',
      'select interlock.settle_customer_tier($1::uuid)',
      null
    ),
    (
      'deliver', '* * * * *', '1 minute', null,
      'select interlock.call_deliver()',
      $$
        select format(
          '%s %s are overdue for more than 10 minutes: nothing calls the function deliver, it fails, or more happens than it sends (docs/events.md)',
          q.overdue, case q.queue when 'events' then 'events' else 'deliveries to endpoints' end
        )
        from interlock.queues q
        where q.queue in ('events', 'deliveries') and q.overdue > 0
        limit 1
      $$
    ),
    (
      'remind-payments', '*/5 * * * *', '5 minutes', null,
      'select interlock.remind_payments(100)',
      null
    ),
    (
      'purge-idempotency-keys', '17 * * * *', '1 hour', null,
      'select interlock.purge_idempotency_keys(10000)',
      null
    ),
    (
      'make-history-parts', '*/10 * * * *', '10 minutes', null,
      'select interlock.make_history_parts()',
      null
    ),
    (
      'archive-history', '19 3 * * *', '1 day', null,
      'select interlock.archive_history()',
      null
    ),
    (
      'purge-history', '29 3 * * *', '1 day', null,
      'select sum(t.rows::int) from jsonb_each_text(interlock.purge_history(1000)) as t (name, rows)',
      null
    ),
    (
      'close-ledgers', '53 3 * * *', '1 day',
      'select l::text from interlock.ledgers_to_close() l',
      'select interlock.close_ledger($1::uuid, 20000)',
      null
    ),
    (
      'audit-inventory', '7 4 * * *', '1 day',
      $$
        select 'due'
        where not exists (
          select from interlock.inventory_audits a where a.started_at > interlock.clock() - interval '20 hours'
        )
      $$,
      $$select 1 from interlock.audit_inventory(false) where $1 = 'due'$$,
      $$
        select format(
          '%s findings are open (%s), the oldest since %s; `npm run audit` tells them',
          sum(k.findings), string_agg(format('%s %s', k.findings, k.kind), ', ' order by k.kind), min(k.since)
        )
        from (
          select f.kind, count(*) as findings, min(f.found_at) as since
          from interlock.inventory_findings f
          where f.status = 'open'
          group by f.kind
        ) k
        having count(*) > 0
      $$
    ),
    (
      'fill-links', '* * * * *', '1 minute', null,
      'select interlock.fill_links(1000)',
      null
    ),
    (
      'write-back-stock', '* * * * *', '1 minute',
      'select w.product_id::text from interlock.stock_write_backs w order by w.product_id',
      'select interlock.write_back_stock($1::uuid)',
      $$
        select format(
          'the stock of %s products is not written back to the shop''s own table for more than 10 minutes, the oldest: %s',
          count(*), (array_agg(w.reason order by w.since))[1]
        )
        from interlock.stock_write_backs w
        where w.since < interlock.clock() - interval '10 minutes'
        having count(*) > 0
      $$
    ),
    (
      'write-orders-out', '* * * * *', '1 minute',
      'select distinct w.order_id::text from interlock.order_write_outs w order by 1',
      'select interlock.write_order_out($1::uuid)',
      $$
        select format(
          '%s orders are not in the shop''s own table for more than 10 minutes, the oldest: %s',
          count(*), (array_agg(w.reason order by w.since))[1]
        )
        from interlock.order_write_outs w
        where w.since < interlock.clock() - interval '10 minutes'
        having count(*) > 0
      $$
    ),
    (
      'purge-run-log', '41 3 * * *', '1 day', null,
      'select interlock.purge_run_log()',
      null
    )
  ) as j (name, schedule, every, each, step, overdue)
$jobs$;

-- Wallets, products and rows of inventory whose first open movement is older than interlock.settings.close_ledgers_after,
-- in this order, each in that of their ids.
--
-- Callers: interlock.close_ledgers, the jobs of interlock.jobs.
-- Locks: none.
create function interlock.ledgers_to_close()
returns setof uuid
language sql
stable
set search_path = ''
as $$
  (
    select w.user_id
    from interlock.settings s
    cross join interlock.wallets w
    left join interlock.wallet_balances b on b.user_id = w.user_id
    where (
      select m.created_at
      from interlock.wallet_movements m
      where m.user_id = w.user_id
        and m.id > case when b.closed_through is null then 0 else b.closed_through end
      order by m.id
      limit 1
    ) < interlock.clock() - s.close_ledgers_after
    order by w.user_id
  )
  union all
  (
    select p.id
    from interlock.settings s
    cross join interlock.products p
    left join interlock.stock_balances b on b.product_id = p.id and b.location_id = interlock.online_location()
    where (
      select m.created_at
      from interlock.stock_movements m
      where m.product_id = p.id
        and m.location_id = interlock.online_location()
        and m.id > case when b.closed_through is null then 0 else b.closed_through end
      order by m.id
      limit 1
    ) < interlock.clock() - s.close_ledgers_after
    order by p.id
  )
  union all
  (
    select i.id
    from interlock.settings s
    cross join interlock.inventory i
    left join interlock.stock_balances b on b.product_id = i.product_id and b.location_id = i.location_id
    where (
      select m.created_at
      from interlock.stock_movements m
      where m.product_id = i.product_id
        and m.location_id = i.location_id
        and m.id > case when b.closed_through is null then 0 else b.closed_through end
      order by m.id
      limit 1
    ) < interlock.clock() - s.close_ledgers_after
    order by i.id
  )
$$;

-- Let the next lock be waited for only as long as the call has left: two seconds for all its waits together, counted
-- from the statement that the client sent (in a procedure that commits, from its present transaction). A shorter limit,
-- as a sweep has, stays. Always true, so that it can stand in a condition.
--
-- Whoever calls it asks first whether a tenth of a second has passed at all, in an expression that costs a hundredth
-- of this call: as long as nothing had to be waited for, lock_timeout is what the function set. In the list of a
-- `select … for no key update` Postgres asks before it locks each row, as the lock is taken above the projection.
-- Where no limit of ours is in force (SQL of the shop's own that fires a trigger) nothing is set: it would outlive
-- the statement.
--
-- Callers: every helper that waits for a lock which need not be the first of its call.
create function interlock.limit_wait()
returns boolean
language plpgsql
set search_path = ''
as $$
declare
  v_limit constant interval := interval '2 seconds';
  v_present constant interval := current_setting('lock_timeout')::interval;
  v_left constant interval := least(v_present, greatest(statement_timestamp(), now()) + v_limit - clock_timestamp());
begin
  if v_present between interval '1 millisecond' and v_limit then
    perform set_config('lock_timeout', greatest(extract(epoch from v_left) * 1000, 1)::int::text, true);
  end if;
  return true;
end
$$;

-- Take a history away from everybody else for the rest of the transaction, with the tables that its foreign keys name first:
-- a sale writes the order before its history.
--
-- Callers: interlock.make_history_part, interlock.archive_history_part.
-- Locks: as it says.
create function interlock.lock_history(p_history text)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_table regclass;
begin
  for v_table in
    select distinct k.confrelid::regclass
    from pg_catalog.pg_constraint k
    where k.conrelid = format('interlock.%I', p_history)::regclass
      and k.contype = 'f'
  loop
    execute format('lock table only %s in access exclusive mode', v_table);
  end loop;
  execute format('lock table only interlock.%I in access exclusive mode', p_history);
end
$$;

-- Lock every slot of a counter, and say what was used in them.
--
-- Callers: whoever holds the gate.
-- Locks: every slot of the owner in the order of their numbers, waiting.
-- Errors: 55P03 after lock_timeout.
create function interlock.lock_slots(p_owner_id uuid)
returns int
language plpgsql
set search_path = ''
as $$
begin
  return (
    select sum(l.used)
    from (
      select
        s.used,
        clock_timestamp() < statement_timestamp() + interval '100 milliseconds' or interlock.limit_wait()
      from interlock.counter_slots s
      where s.owner_id = p_owner_id
      order by s.slot
      for no key update
    ) l
  );
end
$$;

-- Lock an account against removal, as a foreign key to it does; the one helper for this kind of lock. Whether it exists.
--
-- A removal takes the account first and then what refers to it (wallet, orders, driver). So whoever locks one of those
-- and then needs the account (a foreign key that is checked, a wallet that is made) takes the account first.
--
-- Callers: functions that lock what refers to an account, before they do.
-- Locks: the row of auth.users, waiting, `key share`: nobody waits for it but a removal.
-- Errors: 55P03 after lock_timeout.
create function interlock.lock_user(p_user_id uuid)
returns boolean
language plpgsql
set search_path = ''
as $$
begin
  if clock_timestamp() > statement_timestamp() + interval '100 milliseconds' then
    perform interlock.limit_wait();
  end if;
  perform 1 from interlock.accounts u where u.id = p_user_id for key share;
  return found;
end
$$;

-- Make the view in public of a table or view of this schema, or make it anew: its columns, but for the transaction that wrote a row and the shop
-- that it is of; where there are many shops, the rows of the present one, whoever asks.
--
-- Callers: interlock.expose, interlock.serve_shops, interlock.serve_one_shop.
-- Locks: the view, exclusively.
create function interlock.make_exposed(p_name text)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_table constant regclass := format('interlock.%I', p_name)::regclass;
begin
  execute format(
    'create or replace view public.%I with (security_invoker = true) as select %s from %s%s',
    p_name,
    (
      select string_agg(quote_ident(a.attname), ', ' order by a.attnum)
      from pg_catalog.pg_attribute a
      where a.attrelid = v_table
        and a.attnum > 0
        and not a.attisdropped
        and a.attname not in ('transaction', 'shop_id')
    ),
    v_table,
    case
      when (select c.relforcerowsecurity from pg_catalog.pg_class c where c.oid = v_table)
      then ' where shop_id = (select interlock.shop_id())'
      else ''
    end
  );
end
$$;

-- See to it that a history has a part for what comes; answers whether it had to do something.
--
-- As long as less than half a part is ahead of what is written, the next one is made. If nobody has, until rows came that no
-- part is there for, the rest has taken them: it becomes the part of these rows itself, and another rest its successor. That
-- reads it once, while whoever writes to the history or reads it waits (a second for some tens of millions of rows).
--
-- Callers: interlock.make_history_parts.
-- Locks: the history against others who change its parts (whoever sells goes on); to add a part, its rest and the tables that its
--   foreign keys name; where it is late, and where the rest becomes a part, interlock.lock_history.
create function interlock.make_history_part(p_history text, p_column text, p_sequence text, p_rows bigint)
returns boolean
language plpgsql
set search_path = ''
as $$
declare
  v_rest constant text := p_history || '_rest';
  v_last bigint;
  v_from bigint;
  v_to bigint;
  v_taken bigint;
begin
  -- Looked at, and once more when nobody else can change it.
  for v_look in 1..2 loop
    v_last := coalesce(pg_sequence_last_value(p_sequence::regclass), 0);
    select max(h.after) into v_from from interlock.history_parts(p_history) h;
    -- Where every part has been archived: on from what is written.
    v_from := coalesce(v_from, (v_last / p_rows + 1) * p_rows);
    execute format('select max(r.%1$I) from interlock_parts.%2$I r where r.%1$I >= $1', p_column, v_rest) into v_taken using v_from;
    if v_taken is null and v_from - v_last >= p_rows / 2 then
      return false;
    end if;
    exit when v_look = 2;
    if v_taken is null and v_from - v_last >= p_rows / 4 then
      execute format('lock table only interlock.%I in share update exclusive mode', p_history);
    else
      -- Late: Postgres would refuse who is about to write to the rest what the new part takes.
      perform interlock.lock_history(p_history);
    end if;
  end loop;

  if v_taken is null then
    -- Positions that were passed over are in it, too.
    v_to := greatest(v_from + p_rows, (v_last / p_rows + 1) * p_rows);
    perform interlock.add_history_part(
      p_history, p_history || '_' || v_from, format('for values from (%s) to (%s)', v_from, v_to)
    );
    return true;
  end if;

  -- With a whole part ahead.
  v_to := (greatest(v_last, v_taken) / p_rows + 2) * p_rows;
  execute format('alter table interlock.%I detach partition interlock_parts.%I', p_history, v_rest);
  execute format('alter table interlock_parts.%I rename to %I', v_rest, p_history || '_' || v_from);
  perform interlock.add_history_part(p_history, v_rest, 'default');
  -- What is of an older part, one that was archived, stays in the rest.
  execute format(
    'with older as (delete from interlock_parts.%1$I r where r.%2$I < $1 returning r.*)
     insert into interlock_parts.%3$I overriding system value select o.* from older o',
    p_history || '_' || v_from, p_column, v_rest
  )
  using v_from;
  execute format(
    'alter table interlock.%I attach partition interlock_parts.%I for values from (%s) to (%s)',
    p_history, p_history || '_' || v_from, v_from, v_to
  );
  return true;
end
$$;

-- Make the next part of a history that has less than half of one ahead; answers how many it made, 0 or 1: call it until it
-- answers 0. How large parts are says settings.history_part_rows.
--
-- Where somebody holds what it needs for longer than 50 ms, that history is the next call's. A sale never waits for longer than that,
-- and never needs a part: see interlock.make_history_part.
--
-- Callers: the jobs of interlock.jobs; public.arrange_history.
-- Locks: see interlock.make_history_part, waiting 50 ms for each.
-- Security definer: parts belong to whom their table belongs to.
create function interlock.make_history_parts()
returns int
language plpgsql
security definer
set search_path = ''
set lock_timeout = '50ms'
as $$
declare
  v_rows constant bigint := (select max(s.history_part_rows) from interlock.settings s);
  v_history record;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;
  if v_rows is null then
    return 0;
  end if;

  for v_history in select h.* from interlock.histories() h loop
    begin
      if interlock.make_history_part(v_history.name, v_history.position_column, v_history.sequence, v_rows) then
        return 1;
      end if;
    exception
      when lock_not_available then
        -- The next call's.
        null;
    end;
  end loop;
  return 0;
end
$$;

-- Make the number of slots of a counter p_slots. The slots are empty.
--
-- Callers: interlock.set_stock_slots, interlock.set_promo_slots, which hold the gate and have called in.
-- Locks: the slots that it deletes.
create function interlock.make_slots(p_owner_id uuid, p_slots int)
returns void
language plpgsql
set search_path = ''
as $$
begin
  delete from interlock.counter_slots s
  where s.owner_id = p_owner_id
    and s.slot >= p_slots;

  insert into interlock.counter_slots (owner_id, slot)
  select p_owner_id, n.slot
  from generate_series(0, p_slots - 1) as n (slot)
  on conflict do nothing;
end
$$;

-- Write down what has happened, in the transaction in which it does; answers its position.
--
-- Callers: whatever has something to tell: sales, stock, customers, tiers, audits, endpoints.
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

-- A name as it stands in a JSON pointer: `~` and `/` escaped, and of a long one the beginning.
--
-- Callers: whatever tells of a field that it does not know.
create function interlock.pointer_token(p_name text)
returns text
language plpgsql
immutable
set search_path = ''
as $$
begin
  return replace(replace(left(p_name, 100), '~', '~0'), '/', '~1');
end
$$;

-- One problem of a request, as a list: `v_problems := v_problems || interlock.problem('/quantity', 'is required')`.
create function interlock.problem(p_pointer text, p_message text)
returns jsonb
language plpgsql
immutable
set search_path = ''
as $$
begin
  return jsonb_build_array(jsonb_build_object('pointer', p_pointer, 'message', p_message));
end
$$;

-- Remove what is older than interlock.settings has it kept, at most p_limit rows of each table; answers how many of each.
-- What somebody may still act on stays whatever its age: the history of an order or a batch that is not at its end, the
-- proofs of an order that is not paid for (they count towards settings.max_payment_proofs), an event that is to be delivered, a use of a promo code that is
-- held or redeemed, the scans of a picking session that is under way, a parked sale that waits, a customer's row of a code that counts a use or says when they may hold it again. Of the ledgers only
-- what is closed goes: its sum stays, in stock_balances and wallet_balances. Top-ups, orders and their lines are kept.
--
-- A history that has parts is purged part by part, and what goes as a whole is left to interlock.archive_history: interlock.purge_parts.
--
-- A customer's row of a code can go while they take a use: who finds none to count on begins again and makes one.
--
-- Nothing waits for it and it waits for nobody. What is left is the next call's: call it until it answers nothing but 0.
--
-- Callers: pg_cron, every night where it is present; service_role, also through public.purge_history.
-- Locks: the rows it deletes; those that somebody is using are passed over.
-- Security definer: nobody has the right to delete history, and interlock.refuse_change lets only this one do it.
create function interlock.purge_history(p_limit int default 1000)
returns jsonb
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_limit constant int := greatest(coalesce(p_limit, 1000), 0);
  v_now constant timestamptz := interlock.clock();
  v_keep interlock.settings;
  v_attempts int;
  v_holds int;
  v_batch_events int;
  v_order_events int;
  v_proofs int;
  v_uses int;
  v_events int;
  v_stock int;
  v_money int;
  v_conflicts int;
  v_deliveries int;
  v_told int;
  v_scans int;
  v_packing_conflicts int;
  v_parked int;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;

  select s.* into v_keep from interlock.settings s;

  delete from interlock.promo_attempts
  where ctid = any (array(
    select a.ctid
    from interlock.promo_attempts a
    where a.attempted_at[cardinality(a.attempted_at)] < v_now - v_keep.keep_promo_attempts
    limit v_limit
    for update skip locked
  ));
  get diagnostics v_attempts = row_count;

  delete from interlock.promo_redemptions
  where ctid = any (array(
    select r.ctid
    from interlock.promo_redemptions r
    where r.ended_at < v_now - v_keep.keep_promo_holds
    limit v_limit
    for update skip locked
  ));
  get diagnostics v_holds = row_count;

  delete from interlock.promo_user_uses
  where ctid = any (array(
    select u.ctid
    from interlock.promo_user_uses u
    where u.used = 0
      and v_now - v_keep.keep_promo_holds > coalesce(u.held_since + 2 * v_keep.promo_hold_limit, '-infinity')
    limit v_limit
    for update skip locked
  ));
  get diagnostics v_uses = row_count;

  perform set_config('interlock.purging', 'batch_events', true);
  delete from interlock.batch_events
  where ctid = any (array(
    select e.ctid
    from interlock.batch_events e
    where e.created_at < v_now - v_keep.keep_batch_events
      and not exists (select from interlock.deliveries d where d.position = e.id)
      and not exists (
        select
        from interlock.batches b
        where b.id = e.batch_id
          and b.status in ('available', 'claimed', 'in_progress')
      )
    limit v_limit
    for update skip locked
  ));
  get diagnostics v_batch_events = row_count;

  v_order_events := interlock.purge_parts('order_events', v_limit);

  v_stock := interlock.purge_parts('stock_movements', v_limit);

  perform set_config('interlock.purging', 'wallet_movements', true);
  delete from interlock.wallet_movements
  where ctid = any (array(
    select m.ctid
    from interlock.wallet_balances b
    join interlock.wallet_movements m on m.user_id = b.user_id and m.id <= b.closed_through
    where m.created_at < v_now - v_keep.keep_wallet_movements
    limit case when v_keep.keep_wallet_movements is null then 0 else v_limit end
    for update of m skip locked
  ));
  get diagnostics v_money = row_count;

  perform set_config('interlock.purging', 'inventory_conflicts', true);
  delete from interlock.inventory_conflicts
  where ctid = any (array(
    select c.ctid
    from interlock.inventory_conflicts c
    where c.created_at < v_now - v_keep.keep_inventory_conflicts
    limit v_limit
    for update skip locked
  ));
  get diagnostics v_conflicts = row_count;

  delete from interlock.deliveries
  where ctid = any (array(
    select d.ctid
    from interlock.webhook_endpoints w
    cross join lateral (
      select q.ctid
      from interlock.deliveries q
      where q.endpoint_id = w.id
        and q.ended_at < v_now - v_keep.keep_deliveries
      limit v_limit
      for update skip locked
    ) d
    limit v_limit
  ));
  get diagnostics v_deliveries = row_count;

  v_told := interlock.purge_parts('outbox', v_limit);

  perform set_config('interlock.purging', 'packing_scans', true);
  delete from interlock.packing_scans
  where ctid = any (array(
    select c.ctid
    from interlock.packing_scans c
    where c.created_at < v_now - v_keep.keep_packing_scans
      and not exists (select from interlock.deliveries d where d.position = c.id)
      and not exists (
        select
        from interlock.picking_sessions s
        where s.id = c.picking_session_id
          and s.ended_at is null
      )
    limit v_limit
    for update skip locked
  ));
  get diagnostics v_scans = row_count;

  perform set_config('interlock.purging', 'packing_conflicts', true);
  delete from interlock.packing_conflicts
  where ctid = any (array(
    select c.ctid
    from interlock.packing_conflicts c
    where c.created_at < v_now - v_keep.keep_inventory_conflicts
    limit v_limit
    for update skip locked
  ));
  get diagnostics v_packing_conflicts = row_count;
  perform set_config('interlock.purging', '', true);

  delete from interlock.parked_sales
  where ctid = any (array(
    select p.ctid
    from interlock.parked_sales p
    where p.ended_at < v_now - v_keep.keep_parked_sales
    limit v_limit
    for update skip locked
  ));
  get diagnostics v_parked = row_count;

  delete from interlock.payment_proofs
  where ctid = any (array(
    select f.ctid
    from interlock.payment_proofs f
    where f.decided_at < v_now - v_keep.keep_payment_proofs
      and not exists (
        select
        from interlock.orders o
        where o.id = f.order_id
          and o.status = 'pending_payment'
      )
    limit v_limit
    for update skip locked
  ));
  get diagnostics v_proofs = row_count;

  delete from interlock.payment_events
  where ctid = any (array(
    select e.ctid
    from interlock.payment_events e
    where e.created_at < v_now - v_keep.keep_payment_events
    limit v_limit
    for update skip locked
  ));
  get diagnostics v_events = row_count;

  return jsonb_build_object(
    'promo_attempts', v_attempts,
    'promo_redemptions', v_holds,
    'promo_user_uses', v_uses,
    'batch_events', v_batch_events,
    'order_events', v_order_events,
    'stock_movements', v_stock,
    'wallet_movements', v_money,
    'payment_proofs', v_proofs,
    'payment_events', v_events,
    'inventory_conflicts', v_conflicts,
    'packing_conflicts', v_packing_conflicts,
    'packing_scans', v_scans,
    'parked_sales', v_parked,
    'deliveries', v_deliveries,
    'events', v_told
  );
end
$$;

-- Remove keys whose time is over, and tokens of guests that nobody has used, at most p_limit of each; answers how many. What
-- is left is the next call's: call it until it answers 0.
--
-- Callers: the jobs of interlock.jobs; service_role, also through public.purge_idempotency_keys.
-- Locks: the rows it deletes; those that somebody is using are passed over.
-- Security definer: nobody has delete on the table.
create function interlock.purge_idempotency_keys(p_limit int default 10000)
returns int
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_limit constant int := greatest(coalesce(p_limit, 10000), 0);
  v_keys int;
  v_tokens int;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;

  delete from interlock.idempotency_keys
  where ctid = any (array(
    select k.ctid
    from interlock.idempotency_keys k
    where k.expires_at <= interlock.clock()
    limit v_limit
    for update skip locked
  ));
  get diagnostics v_keys = row_count;

  delete from interlock.order_transfers
  where ctid = any (array(
    select t.ctid
    from interlock.order_transfers t
    where t.moved_at is null
      and t.expires_at <= interlock.clock()
    limit v_limit
    for update skip locked
  ));
  get diagnostics v_tokens = row_count;

  return v_keys + v_tokens;
end
$$;

-- Remove of a history that has parts what interlock.purge_history says, at most p_limit rows; answers how many.
--
-- What is over and has something younger is left alone: it goes as a whole (interlock.archive_history), and need not be read until then.
-- So rows are removed from the part that is being written, from the rest, and from what is old as a whole and stays for some of its rows.
--
-- Callers: interlock.purge_history.
-- Locks: the rows it deletes; those that somebody is using are passed over.
create function interlock.purge_parts(p_history text, p_limit int)
returns int
language plpgsql
set search_path = ''
as $$
declare
  v_history record;
  v_part regclass;
  v_before timestamptz;
  v_purged int := 0;
  v_rows int;
begin
  select h.* into v_history from interlock.histories() h where h.name = p_history;
  v_before := interlock.clock() - v_history.keep;
  if v_before is null then
    return 0;
  end if;

  perform set_config('interlock.purging', p_history, true);
  for v_part in
    select p.part
    from interlock.history_parts(p_history) p
    where p.after > coalesce(pg_sequence_last_value(v_history.sequence::regclass), 0)
      or not interlock.history_stays(p.part, v_before, '{}', null, null)
    union all
    select format('interlock_parts.%I', p_history || '_rest')::regclass
  loop
    exit when v_purged >= p_limit;
    execute format(
      'delete from %1$s
       where ctid = any (array(
         select h.ctid from %1$s h where h.created_at < $1 and not (%2$s) limit $2 for update skip locked
       ))',
      v_part, array_to_string(v_history.stays, ') and not (')
    )
    using v_before, p_limit - v_purged;
    get diagnostics v_rows = row_count;
    v_purged := v_purged + v_rows;
  end loop;
  perform set_config('interlock.purging', '', true);
  return v_purged;
end
$$;

-- Keep what our jobs leave in pg_cron's run log, which nobody else empties, for a week; answers how many rows went.
--
-- Callers: the jobs of interlock.jobs.
-- Locks: the rows it deletes.
-- Security definer: what is the platform's belongs to no shop (interlock.serve_shops).
create function interlock.purge_run_log()
returns int
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_purged int := 0;
begin
  -- Looked up when it runs: pg_cron need not be there, and its older versions keep no log.
  if to_regclass('cron.job_run_details') is not null then
    execute $run_log$
      delete from cron.job_run_details d
      where d.end_time < now() - interval '7 days'
        and d.jobid in (select j.jobid from cron.job j where j.jobname like 'interlock-%')
    $run_log$;
    get diagnostics v_purged = row_count;
  end if;
  return v_purged;
end
$$;

-- Raise an error of the catalogue. SQLSTATE is PT + HTTP status (PostgREST answers with that status), message
-- is the code, hint the next step for the client, detail a JSON text for machines. Two members of it are
-- reserved: `message` tells a person what happened, `retryable` (absent unless true) that the same request may
-- simply be sent again. So a function needs to know nothing of what only the database raises.
--
-- Generated by `cargo xtask codegen` from crates/domain/src/errors; do not edit.
--
-- Errors: the one asked for; INTERNAL for a code that is not in the catalogue.
create function interlock.raise_error(p_code text, p_detail jsonb default null)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_code text := p_code;
  v_detail jsonb := coalesce(p_detail, '{}');
  v_status text;
  v_message text;
  v_hint text;
begin
  case p_code
    when 'VALIDATION_FAILED' then
      v_status := '400';
      v_message := 'The request is not valid.';
      v_hint := 'Correct every problem listed in details.problems; each has a JSON pointer to its field.';
    when 'WEBHOOK_SIGNATURE_INVALID' then
      v_status := '400';
      v_message := 'The event is not signed by whom it should come from.';
      v_hint := 'Look at details.reason: no_secret, call set_payment_secret or set_mail_webhook_secret; too_old or in_the_future, check the clocks; else the secret is another one, or the body is not the one that was signed.';
    when 'DELIVER_SECRET_INVALID' then
      v_status := '400';
      v_message := 'This is not the secret of the worker that sends deliveries.';
      v_hint := 'Send Authorization: Bearer and the secret that set_deliver_secret was given, or give it another one.';
    when 'UNAUTHENTICATED' then
      v_status := '401';
      v_message := 'No signed-in user.';
      v_hint := 'Sign in and send the user''s access token as Authorization: Bearer <token>; an API key is not a user.';
    when 'INSUFFICIENT_FUNDS' then
      v_status := '402';
      v_message := 'The wallet does not hold enough money.';
      v_hint := 'Top up the wallet, or choose another payment_method; details has the balance and the amount.';
    when 'FORBIDDEN' then
      v_status := '403';
      v_message := 'This user may not do that.';
      v_hint := 'Sign in as a user who has the right to do it.';
    when 'SHOP_FORBIDDEN' then
      v_status := '403';
      v_message := 'This account works in another shop.';
      v_hint := 'An account with a role works in the shop that its app_metadata.shop_id names, in shop 1 without one.';
    when 'SHOP_CLOSED' then
      v_status := '403';
      v_message := 'This shop is closed.';
      v_hint := 'Open it with set_shop.';
    when 'NOT_A_DRIVER' then
      v_status := '403';
      v_message := 'This user is not an active driver.';
      v_hint := 'Ask the shop to add this user to its drivers, or to activate the driver again.';
    when 'DISCOUNT_NOT_ALLOWED' then
      v_status := '403';
      v_message := 'A cashier may not take off that much.';
      v_hint := 'Take off details.limit_percent of the line''s price at most, or let a manager sell.';
    when 'RETURN_NOT_ALLOWED' then
      v_status := '403';
      v_message := 'A cashier may not take goods back without a receipt.';
      v_hint := 'Name the sale and line by which they were sold, or let a manager take them back.';
    when 'SHOP_UNKNOWN' then
      v_status := '404';
      v_message := 'There is no such shop.';
      v_hint := 'Check the header x-shop: it is the id or the handle of a shop; list_shops has them.';
    when 'DRIVER_NOT_FOUND' then
      v_status := '404';
      v_message := 'There is no active driver with this id.';
      v_hint := 'Check the user id, and that the shop''s drivers have this user as active.';
    when 'BATCH_NOT_FOUND' then
      v_status := '404';
      v_message := 'There is no such batch.';
      v_hint := 'Check batch_id, or send {} to claim the next available batch.';
    when 'PRODUCT_NOT_FOUND' then
      v_status := '404';
      v_message := 'A product does not exist or is not for sale.';
      v_hint := 'Remove the products in details.product_ids from the cart: they do not exist or are not for sale.';
    when 'ORDER_NOT_FOUND' then
      v_status := '404';
      v_message := 'There is no such order.';
      v_hint := 'Check order_id, and that you are signed in as the user who placed the order.';
    when 'USER_NOT_FOUND' then
      v_status := '404';
      v_message := 'There is no such user.';
      v_hint := 'Check the user id.';
    when 'TRANSFER_NOT_FOUND' then
      v_status := '404';
      v_message := 'There is no such transfer, or its time is over.';
      v_hint := 'Let the guest ask for another token with create_order_transfer; one counts once, for one account.';
    when 'PRODUCT_CODE_NOT_FOUND' then
      v_status := '404';
      v_message := 'There is no such product code.';
      v_hint := 'Check the id of the code.';
    when 'INVENTORY_NOT_FOUND' then
      v_status := '404';
      v_message := 'There is no such stock.';
      v_hint := 'Check the ids in details.inventory_ids: each is that of a row of inventory, or of a product for its stock in the web shop.';
    when 'LOCATION_NOT_FOUND' then
      v_status := '404';
      v_message := 'There is no such location, or it is closed.';
      v_hint := 'Check the ids in details.location_ids; goods come to no location that is not active.';
    when 'STOCK_TRANSFER_NOT_FOUND' then
      v_status := '404';
      v_message := 'There is no such transfer of stock.';
      v_hint := 'Check transfer_id: it is the one that was answered when the goods were sent.';
    when 'PAYMENT_NOT_FOUND' then
      v_status := '404';
      v_message := 'There is no such payment.';
      v_hint := 'Check the id of the payment, and that you are signed in as the user whose order it pays.';
    when 'PROMO_NOT_FOUND' then
      v_status := '404';
      v_message := 'There is no such promo code.';
      v_hint := 'Check the spelling of the code, or send the request without it.';
    when 'FINDING_NOT_FOUND' then
      v_status := '404';
      v_message := 'There is no such finding.';
      v_hint := 'Check the id of the finding: inventory_findings has them all.';
    when 'CUSTOMER_NOT_FOUND' then
      v_status := '404';
      v_message := 'There is no such customer.';
      v_hint := 'Check the id, phone or e-mail, or send `create` to have them made.';
    when 'REGISTER_NOT_FOUND' then
      v_status := '404';
      v_message := 'There is no such register, or it is not active.';
      v_hint := 'Check register_id: registers has them all.';
    when 'SHIFT_NOT_FOUND' then
      v_status := '404';
      v_message := 'There is no such shift.';
      v_hint := 'Check the id of the shift: it is the one that open_shift answered.';
    when 'SALE_NOT_FOUND' then
      v_status := '404';
      v_message := 'There is no such sale.';
      v_hint := 'Check the id of the sale: it is the one that was answered when it was sold.';
    when 'PARKED_SALE_NOT_FOUND' then
      v_status := '404';
      v_message := 'There is no such parked sale at this location.';
      v_hint := 'Look at parked_sales: a parked sale belongs to the tills of its location.';
    when 'APPROVAL_NOT_FOUND' then
      v_status := '404';
      v_message := 'There is no such approval that could be used.';
      v_hint := 'Ask a manager for another one: each counts once, at its register, within five minutes, for what it names.';
    when 'BARCODE_NOT_FOUND' then
      v_status := '404';
      v_message := 'A barcode is not known.';
      v_hint := 'Scan it again, or name the product: details.barcodes are in no row of product_barcodes.';
    when 'SESSION_NOT_FOUND' then
      v_status := '404';
      v_message := 'There is no such picking session.';
      v_hint := 'Check session_id: picking_sessions has those of the locations in your token (app_metadata.location_ids).';
    when 'PACKING_LINE_NOT_FOUND' then
      v_status := '404';
      v_message := 'There is no such line in this picking session.';
      v_hint := 'Check the ids: packing_progress has the lines of a session''s orders.';
    when 'WEBHOOK_ENDPOINT_NOT_FOUND' then
      v_status := '404';
      v_message := 'There is no such endpoint.';
      v_hint := 'Check the id: list_webhook_endpoints has them all.';
    when 'DELIVERY_NOT_FOUND' then
      v_status := '404';
      v_message := 'There is no such delivery.';
      v_hint := 'Check the id: list_deliveries has those that are kept.';
    when 'METHOD_NOT_ALLOWED' then
      v_status := '405';
      v_message := 'This function is called with POST.';
      v_hint := 'Send the same request as POST.';
    when 'ONE_SHOP' then
      v_status := '409';
      v_message := 'This installation serves one shop.';
      v_hint := 'Let it serve many with serve_shops, in the SQL editor: docs/many-shops.md.';
    when 'SHOP_HANDLE_TAKEN' then
      v_status := '409';
      v_message := 'Another shop has this handle.';
      v_hint := 'Choose another one, or rename the shop of details.shop with set_shop; if it is the one that you have just added, go on with it.';
    when 'BATCH_UNAVAILABLE' then
      v_status := '409';
      v_message := 'This batch cannot be claimed now.';
      v_hint := 'Take another batch: send {} to claim the next available one.';
    when 'BATCH_FINISHED' then
      v_status := '409';
      v_message := 'This batch is completed or cancelled.';
      v_hint := 'Assign another batch: this one is at its end, as details.status says.';
    when 'NO_BATCH_AVAILABLE' then
      v_status := '409';
      v_message := 'No batch is waiting for a driver.';
      v_hint := 'Ask again when new batches come in.';
    when 'DRIVER_BUSY' then
      v_status := '409';
      v_message := 'This driver already holds another batch.';
      v_hint := 'Complete or release the batch in details.batch_id first.';
    when 'LEASE_EXPIRED' then
      v_status := '409';
      v_message := 'The lease on this batch is over.';
      v_hint := 'Claim the batch again; if another driver has it by then, take another one.';
    when 'BATCH_NOT_HELD' then
      v_status := '409';
      v_message := 'This driver does not hold this batch.';
      v_hint := 'Claim the batch before you renew, release, start or complete it.';
    when 'NOT_A_GUEST' then
      v_status := '409';
      v_message := 'Only what a guest has moves to an account.';
      v_hint := 'Nothing has to move: an account that was made of a guest keeps its orders.';
    when 'ACCOUNT_NEEDED' then
      v_status := '409';
      v_message := 'What a guest has moves to an account, and this is a guest.';
      v_hint := 'Sign in to the account first, or make one of this guest with updateUser: then nothing has to move.';
    when 'INSUFFICIENT_INVENTORY' then
      v_status := '409';
      v_message := 'There is not enough in stock.';
      v_hint := 'Lower each quantity in details.shortages to what is available, or remove the line.';
    when 'PRODUCT_CUSTOMER_LIMIT' then
      v_status := '409';
      v_message := 'This customer has as many of a product as one may have.';
      v_hint := 'Lower each quantity in details.limits to what max_per_customer leaves beside held, which the customer''s orders have, or remove the line.';
    when 'RESERVATION_LIMIT' then
      v_status := '409';
      v_message := 'This customer has reserved things for as long as one may.';
      v_hint := 'Let the buyer order without a reservation; from details.again_at on there can be another one.';
    when 'PRODUCT_CODE_NOT_DELIVERED' then
      v_status := '409';
      v_message := 'This code was not delivered to anybody yet.';
      v_hint := 'Only a delivered code is replaced: delete a free one, or change it.';
    when 'PRODUCT_CODE_REPLACED' then
      v_status := '409';
      v_message := 'This code has been replaced already.';
      v_hint := 'The buyer has the code of details.replaced_by; if that one does not work either, replace that.';
    when 'STOCK_CHANGED' then
      v_status := '409';
      v_message := 'The stock is no longer what it was when it was counted.';
      v_hint := 'Add to your count what details.available differs from details.expected by, or count again; then send details.available as p_expected.';
    when 'STOCK_NOT_RELATIVE' then
      v_status := '409';
      v_message := 'Stock cannot be overwritten: what is sold meanwhile would be lost.';
      v_hint := 'Call the RPC adjust_stock(p_product_id, p_delta, p_reason, p_reference) for what came or went, or count_stock(p_product_id, p_counted, p_expected) for a count; leave available_quantity out of what you write.';
    when 'PRICE_CHANGED' then
      v_status := '409';
      v_message := 'A price is not the one that was expected.';
      v_hint := 'Show the buyer the prices in details, and send the prices that they agree to.';
    when 'CART_ALREADY_ORDERED' then
      v_status := '409';
      v_message := 'This cart is ordered already.';
      v_hint := 'Show the buyer the order in details.order_id; a new cart has a cart_id of its own.';
    when 'TOO_MANY_OPEN_ORDERS' then
      v_status := '409';
      v_message := 'This customer has as much in unpaid orders as the shop allows.';
      v_hint := 'Pay or cancel an order first, order less, or pay with the wallet; details has what is open and the limits, null where there is none.';
    when 'TOO_MANY_PAYMENT_ATTEMPTS' then
      v_status := '409';
      v_message := 'Payment by card was begun too often for this order.';
      v_hint := 'Place a new order, or one with another payment_method; the shop can find out why with list_payments.';
    when 'STOCK_LIMIT_EXCEEDED' then
      v_status := '409';
      v_message := 'A product has no room for more stock.';
      v_hint := 'Lower the stock of the products in details.product_ids first: none can have more than details.limit units.';
    when 'ORDER_NOT_CANCELLABLE' then
      v_status := '409';
      v_message := 'This order cannot be cancelled any more.';
      v_hint := 'Look at details.status and details.fulfillment: an order that is paid or being sent is cancelled or refunded by the shop, one that has ended cannot be.';
    when 'ORDER_STATE_CONFLICT' then
      v_status := '409';
      v_message := 'The order is not in a state in which this can be done.';
      v_hint := 'Look at details.status: the order is not in a state in which this can be done.';
    when 'REFUND_EXCEEDS_ORDER' then
      v_status := '409';
      v_message := 'More would be refunded than is left of the order.';
      v_hint := 'Ask for what is refundable at most: details.lines has each line that is too much, details.shipping the shipping that can still go back.';
    when 'SHIPMENT_EXCEEDS_ORDER' then
      v_status := '409';
      v_message := 'More would be sent than is left to be sent.';
      v_hint := 'Send what is shippable at most: details.lines has each line that is too much. What was refunded or has left is not sent again, and digital products never are.';
    when 'ORDER_OWNER_GONE' then
      v_status := '409';
      v_message := 'The account of this order''s buyer is gone.';
      v_hint := 'Give the money back in another way: an order is not opened again for nobody.';
    when 'WALLET_OWNER_GONE' then
      v_status := '409';
      v_message := 'The wallet that this order was paid from is gone with its account.';
      v_hint := 'Pay details.amount back in another way, and then call refund_order with p_outside = true.';
    when 'USER_HAS_OBLIGATIONS' then
      v_status := '409';
      v_message := 'This user has open orders or money in the wallet.';
      v_hint := 'End the orders in details.open_orders, pay out details.wallet, and call again.';
    when 'TOO_MANY_PROOFS' then
      v_status := '409';
      v_message := 'This order has as many payment proofs as it may have.';
      v_hint := 'Wait for the shop to decide on the proofs of this order, or ask it; it takes no more of them.';
    when 'VERSION_CONFLICT' then
      v_status := '409';
      v_message := 'The stock is no longer what was read.';
      v_hint := 'Look at version and quantity in details.conflicts, decide again, and send it with those; or say it relatively: adjust.';
    when 'TRANSFER_EXCEEDED' then
      v_status := '409';
      v_message := 'More would arrive than is in transit.';
      v_hint := 'Look at details.lines: of each product sent less received and lost is the most that can still come. It may have been booked already.';
    when 'TRANSFER_ENDED' then
      v_status := '409';
      v_message := 'Nothing of this transfer is in transit any more.';
      v_hint := 'Nothing is left to be done: details says when it ended, and whether it was cancelled.';
    when 'REFUND_EXCEEDS_PAYMENT' then
      v_status := '409';
      v_message := 'More would go back than was paid.';
      v_hint := 'Ask for details.refundable at most: what was paid, less what has been asked back before.';
    when 'PROMO_EXHAUSTED' then
      v_status := '409';
      v_message := 'This promo code is used up.';
      v_hint := 'Use another code, or send the request without it.';
    when 'PROMO_ALREADY_APPLIED' then
      v_status := '409';
      v_message := 'This customer has applied this promo code already.';
      v_hint := 'Look at details.reason: held, use the code in that cart, give its hold back, or wait until it is over; redeemed, this cart was ordered with it.';
    when 'PROMO_CHANGED' then
      v_status := '409';
      v_message := 'The promo code no longer takes off what was shown.';
      v_hint := 'Validate the code again: its terms are no longer those it was held under.';
    when 'FINDING_NOT_CORRECTABLE' then
      v_status := '409';
      v_message := 'This finding cannot be corrected by itself.';
      v_hint := 'Mend by hand what details.cause says, and audit again; or accept the finding by name.';
    when 'FINDING_RESOLVED' then
      v_status := '409';
      v_message := 'This finding is resolved already.';
      v_hint := 'Nothing has to be accepted: the books agree there.';
    when 'CUSTOMERS_DIFFER' then
      v_status := '409';
      v_message := 'The phone is one customer''s and the e-mail another''s, or what comes back was bought by another.';
      v_hint := 'Name one of details.customer_ids (of what comes back the first, who has bought it), or have a manager merge them with merge_customers.';
    when 'CONTACT_TAKEN' then
      v_status := '409';
      v_message := 'This phone or e-mail is another customer''s.';
      v_hint := 'It is that of details.customer_id: use that one, or merge both with merge_customers.';
    when 'CUSTOMER_LINKED' then
      v_status := '409';
      v_message := 'This account is another customer''s, or both customers have one.';
      v_hint := 'Unlink details.customer_id first, with link_customer and null.';
    when 'INSUFFICIENT_POINTS' then
      v_status := '409';
      v_message := 'There are not enough points.';
      v_hint := 'Pay with what details.balance is worth at most.';
    when 'WALLET_UNLINKED' then
      v_status := '409';
      v_message := 'The customer whose wallet it was has no account any more.';
      v_hint := 'Link an account with link_customer first, or settle details.amount in another way: there is no wallet for it.';
    when 'SHIFT_NOT_OPEN' then
      v_status := '409';
      v_message := 'This register has no open shift.';
      v_hint := 'Open one with open_shift, and send the sale again.';
    when 'SHIFT_ALREADY_OPEN' then
      v_status := '409';
      v_message := 'This register has an open shift already.';
      v_hint := 'Go on with details.shift_id, or close it first.';
    when 'SHIFT_CLOSED' then
      v_status := '409';
      v_message := 'This shift is closed.';
      v_hint := 'Look at details: it was closed with another count, or before this was asked for. Its report stands.';
    when 'CASH_EXCEEDED' then
      v_status := '409';
      v_message := 'There is not that much cash in the drawer.';
      v_hint := 'Take out details.expected_cash at most, or count the drawer.';
    when 'STOCK_ELSEWHERE' then
      v_status := '409';
      v_message := 'What is to be sold is at another location.';
      v_hint := 'Name what is at details.location_id, where the register stands, or the product by its id.';
    when 'TENDER_REFERENCE_USED' then
      v_status := '409';
      v_message := 'A card payment was booked already.';
      v_hint := 'Look at the sale that has it: each payment of a terminal pays once.';
    when 'RETURN_EXCEEDS_SOLD' then
      v_status := '409';
      v_message := 'More would come back than was sold.';
      v_hint := 'Of each line in details.lines sold less returned is the most that can still come back; it may have been taken back at another till.';
    when 'REFUND_EXCEEDS_PAID' then
      v_status := '409';
      v_message := 'More would be paid out in this way than was paid in this way.';
      v_hint := 'Pay out by each type of details.tenders its refundable at most: what was paid by it, less what was paid out before. Without a receipt it is cash.';
    when 'PARKED_SALE_TAKEN' then
      v_status := '409';
      v_message := 'Another till has this parked sale.';
      v_hint := 'Let the till of details.register_id sell it or park it again.';
    when 'PARKED_SALE_ENDED' then
      v_status := '409';
      v_message := 'This parked sale does not wait any more.';
      v_hint := 'Look at details.status: it was sold (as details.sale_id), discarded, or its time was over.';
    when 'SALE_VOIDED' then
      v_status := '409';
      v_message := 'This sale was voided: nothing of it can come back.';
      v_hint := 'Look at the sale: its goods went back when it was voided.';
    when 'SALE_RETURNED' then
      v_status := '409';
      v_message := 'Something of this sale has come back already.';
      v_hint := 'Take back the rest as a return, or void the returns of details.lines first.';
    when 'SESSION_STATE_CONFLICT' then
      v_status := '409';
      v_message := 'The picking session, or the order in it, is not in a state in which this can be done.';
      v_hint := 'Look at details: packing begins with start_packing, and an order that has left its session or was completed is not packed any more.';
    when 'ORDER_IN_SESSION' then
      v_status := '409';
      v_message := 'An order is in another picking session already.';
      v_hint := 'Go on with the sessions in details.orders, or take the orders out of them first.';
    when 'ORDER_NOT_PACKABLE' then
      v_status := '409';
      v_message := 'An order has nothing to be packed.';
      v_hint := 'Leave out the orders in details: only what is confirmed or paid and still has goods to be sent is packed.';
    when 'ALREADY_FULLY_PACKED' then
      v_status := '409';
      v_message := 'This item is already fully packed.';
      v_hint := 'Put it back: the order has all that it needs of it. Look at details for the numbers as they are.';
    when 'NO_UNITS_TO_PACK' then
      v_status := '409';
      v_message := 'No more units available to pack.';
      v_hint := 'Pick more of it, or say that there will be none (short): over all orders, no more is packed than was picked.';
    when 'NOTHING_PACKED' then
      v_status := '409';
      v_message := 'There are not that many units of it in the box.';
      v_hint := 'Take out details.quantity_packed at most.';
    when 'NOT_FULLY_PACKED' then
      v_status := '409';
      v_message := 'The order is not packed completely.';
      v_hint := 'Pack what is missing, or say that there will be none (short): details.lines has each line that is open.';
    when 'PACKING_CONFLICT' then
      v_status := '409';
      v_message := 'The number of packed units is no longer what was expected.';
      v_hint := 'Look at details.quantity_packed, and set the number on that, or scan (pack) instead of setting it.';
    when 'WRONG_ITEM' then
      v_status := '409';
      v_message := 'Nobody needs this product here.';
      v_hint := 'Put it back: it is in no line of this order, or of this session.';
    when 'PICK_CLAIMED' then
      v_status := '409';
      v_message := 'Somebody else is picking this.';
      v_hint := 'Pick something else, or wait until the lease is over or released: details.items says until when.';
    when 'NOTHING_TO_PICK' then
      v_status := '409';
      v_message := 'There is nothing left to pick in this session.';
      v_hint := 'Go on with another session, or start packing.';
    when 'PICK_EXCEEDS_NEEDED' then
      v_status := '409';
      v_message := 'More would be picked than the orders need.';
      v_hint := 'Leave it on the shelf: look at details for the numbers as they are.';
    when 'NOTHING_PICKED' then
      v_status := '409';
      v_message := 'There are not that many units of it in the basket.';
      v_hint := 'Put back details.available at most: what is packed has to be taken out of its box first.';
    when 'WEBHOOK_ENDPOINT_INACTIVE' then
      v_status := '409';
      v_message := 'This endpoint is switched off.';
      v_hint := 'Switch it on again with update_webhook_endpoint(p_active = true).';
    when 'PROMO_EXPIRED' then
      v_status := '410';
      v_message := 'This promo code is over.';
      v_hint := 'Use another code, or send the request without it.';
    when 'BODY_TOO_LARGE' then
      v_status := '413';
      v_message := 'The request body is too large.';
      v_hint := 'Send at most 64 KiB.';
    when 'UNSUPPORTED_MEDIA_TYPE' then
      v_status := '415';
      v_message := 'The request body must be JSON.';
      v_hint := 'Send the header Content-Type: application/json.';
    when 'PAYMENT_REFUSED' then
      v_status := '422';
      v_message := 'The payment provider does not take this payment.';
      v_hint := 'Look up details.provider_code in the provider''s documentation, or choose another payment_method.';
    when 'IDEMPOTENCY_KEY_REUSED' then
      v_status := '422';
      v_message := 'This idempotency key was used for another request.';
      v_hint := 'Look first what the request under this key has done: it may be all that was wanted. Only what is wanted besides goes under a key of its own.';
    when 'PRODUCT_ORDER_LIMIT' then
      v_status := '422';
      v_message := 'An order may not have that many of a product.';
      v_hint := 'Lower each quantity in details.limits to its max_per_order.';
    when 'PRODUCT_NOT_RESERVABLE' then
      v_status := '422';
      v_message := 'A product cannot be reserved.';
      v_hint := 'Leave the products in details.product_ids out: digital ones are not reserved, they are bought.';
    when 'PAYMENT_METHOD_NOT_ALLOWED' then
      v_status := '422';
      v_message := 'The shop does not take this way of payment.';
      v_hint := 'Send one of details.allowed as payment_method.';
    when 'SHIPPING_METHOD_NOT_AVAILABLE' then
      v_status := '422';
      v_message := 'The order cannot be sent in this way.';
      v_hint := 'Send one of details.available as shipping_method: the shop has these in the currency of the cart.';
    when 'MIXED_CURRENCIES' then
      v_status := '422';
      v_message := 'The products of this cart have different currencies.';
      v_hint := 'Check out the products of each currency in details.currencies separately.';
    when 'CURRENCY_MISMATCH' then
      v_status := '422';
      v_message := 'The wallet holds another currency.';
      v_hint := 'A wallet keeps its currency: choose another payment_method, or amounts in details.wallet_currency.';
    when 'PROMO_NOT_APPLICABLE' then
      v_status := '422';
      v_message := 'This promo code does not apply to this cart.';
      v_hint := 'Look at details.reason: change the cart, or send the request without the code.';
    when 'PROMO_NOT_STARTED' then
      v_status := '422';
      v_message := 'This promo code does not apply yet.';
      v_hint := 'Try the code again once details.starts_at has come.';
    when 'UNDERPAID' then
      v_status := '422';
      v_message := 'The tenders are less than the total.';
      v_hint := 'Take details.missing more (pay out more, if the total is below nothing), and send all tenders.';
    when 'OVERPAID' then
      v_status := '422';
      v_message := 'More was paid than the total, and not in cash.';
      v_hint := 'Change is given of cash only, and none when money is paid out: lower the tenders by details.excess.';
    when 'TOO_MANY_ATTEMPTS' then
      v_status := '429';
      v_message := 'Too many unknown promo codes were tried.';
      v_hint := 'Wait Retry-After seconds before the next attempt.';
    when 'MISCONFIGURED' then
      v_status := '500';
      v_message := 'This function is not set up.';
      v_hint := 'Tell the shop''s operator: the function''s log says which setting cannot be used.';
    when 'ISOLATION_LEVEL_UNSUPPORTED' then
      v_status := '500';
      v_message := 'Interlock works in transactions of isolation level read committed only.';
      v_hint := 'Begin with `isolation level read committed`; over the API, look at default_transaction_isolation of role and database.';
    when 'UPSTREAM_UNAVAILABLE' then
      v_status := '503';
      v_message := 'What this function needs is not available right now.';
      v_hint := 'Send the same request again after Retry-After seconds.';
    when 'READ_ONLY' then
      v_status := '503';
      v_message := 'The database that was asked only reads: it is a read replica, or it was set to read only.';
      v_hint := 'Nothing has happened: send the same request to the primary.';
    when 'SHOP_MOVING' then
      v_status := '503';
      v_message := 'This shop is being moved to another database.';
      v_hint := 'Send the same request again.';
    when 'SHOP_BUSY' then
      v_status := '503';
      v_message := 'This shop has as many requests under way as it may have.';
      v_hint := 'Send the same request again; set_shop changes requests_at_once.';
    when 'UPSTREAM_TIMEOUT' then
      v_status := '504';
      v_message := 'No answer came, so the outcome is not known.';
      v_hint := 'Send it again under the same Idempotency-Key; without one, look first whether it took effect.';
    else
      v_status := '500';
      v_message := 'Something went wrong on our side.';
      v_hint := 'Tell the shop''s operator the request_id; the function''s log has the cause under it.';
      v_code := 'INTERNAL';
      v_detail := case p_code when 'INTERNAL' then v_detail else jsonb_build_object('unknown_code', p_code) end;
  end case;

  v_detail := v_detail || jsonb_build_object('message', v_message);
  if p_code in ('TOO_MANY_ATTEMPTS', 'UPSTREAM_UNAVAILABLE', 'SHOP_MOVING', 'SHOP_BUSY', 'UPSTREAM_TIMEOUT') then
    v_detail := v_detail || '{"retryable": true}';
  end if;

  raise exception using
    errcode = 'PT' || v_status,
    message = v_code,
    detail = v_detail::text,
    hint = v_hint;
end
$$;

-- Refuse to work at another isolation level than read committed. Our functions wait for a lock and then look again
-- at the newest row; with one snapshot for the whole transaction each of these waits would end in a 40001, which
-- PostgREST before 16 repeats by itself, for as long as the row is busy.
--
-- Callers: every function that locks, as the first thing it does. The level is compared there, in an expression of
--   PL/pgSQL: a call costs ten times as much.
-- Errors: ISOLATION_LEVEL_UNSUPPORTED.
create function interlock.raise_isolation_level()
returns void
language plpgsql
set search_path = ''
as $$
begin
  perform interlock.raise_error(
    'ISOLATION_LEVEL_UNSUPPORTED',
    jsonb_build_object('isolation_level', current_setting('transaction_isolation'))
  );
end
$$;

-- Refuse a request that has problems, all of them at once. Does nothing if there are none.
--
-- Errors: VALIDATION_FAILED.
create function interlock.refuse_problems(p_problems jsonb)
returns void
language plpgsql
set search_path = ''
as $$
begin
  if p_problems <> '[]' then
    perform interlock.raise_error('VALIDATION_FAILED', jsonb_build_object('problems', p_problems));
  end if;
end
$$;

-- Refuse whoever does not act for the shop.
--
-- Callers: functions that are for the shop alone, and that staff may call, too.
-- Errors: UNAUTHENTICATED without a user whose account exists, FORBIDDEN for one.
create function interlock.refuse_unless_shop()
returns void
language plpgsql
stable
set search_path = ''
as $$
begin
  if not interlock.acts_for_shop() then
    perform interlock.require_user();
    perform interlock.raise_error('FORBIDDEN');
  end if;
end
$$;

-- The signed-in user, whose account exists: a token outlives the account by up to an hour.
--
-- Callers: functions that buyers and drivers call, where no foreign key to the account refuses them.
-- Errors: UNAUTHENTICATED.
create function interlock.require_user()
returns uuid
language plpgsql
stable
set search_path = ''
as $$
declare
  v_user_id constant uuid := auth.uid();
begin
  if not exists (select from interlock.accounts u where u.id = v_user_id) then
    perform interlock.raise_error('UNAUTHENTICATED');
  end if;
  return v_user_id;
end
$$;

-- Schedule the jobs of interlock.jobs, where pg_cron is present. Returns how many; called again it changes nothing.
-- Called when this is installed; if you enable pg_cron later, call it once yourself:
--
--   select interlock.schedule_jobs();
--
-- Callers: the installation; postgres.
create function interlock.schedule_jobs()
returns int
language plpgsql
set search_path = ''
as $$
declare
  v_scheduled int := 0;
begin
  if to_regprocedure('cron.schedule(text, text, text)') is null then
    return 0;
  end if;

  perform cron.schedule('interlock-' || j.name, j.schedule, j.command)
  from interlock.jobs() j;
  get diagnostics v_scheduled = row_count;
  return v_scheduled;
end
$$;

-- Whether this installation serves many shops (interlock.serve_shops).
--
-- Callers: the functions of shops, and what differs where there are many: parts of histories, topics, calls of deliver, linked tables, erase_user.
create function interlock.serves_shops()
returns boolean
language sql
stable
set search_path = ''
as $$
  select c.relforcerowsecurity from pg_catalog.pg_class c where c.oid = 'interlock.settings'::regclass
$$;

-- Say why the stock and wallets that change from here on do so. The setting ends with the transaction; set it
-- to null when you are done.
create function interlock.set_ledger_context(p_reason text, p_reference_id uuid)
returns void
language plpgsql
set search_path = ''
as $$
declare
  -- An assignment costs a fourth of a PERFORM. @plpgsql_check_options: extra_warnings = false
  v_set text;
begin
  v_set := set_config('interlock.reason', coalesce(p_reason, ''), true);
  v_set := set_config('interlock.reference_id', coalesce(p_reference_id::text, ''), true);
end
$$;

-- Bring used_count of promo codes and available_quantity of products that have slots up to date, of all or of one.
-- Returns how many.
--
-- Each gate is held until the transaction ends, and whoever needs it waits so long: the job of interlock.schedule_jobs
-- settles one owner in a transaction.
--
-- Callers: pg_cron, every minute where it is present; service_role, also through public.settle_slots.
-- Locks: promo codes, then products, each in the order of their ids, never waiting (whoever holds one settles it or is
--   quick); their slots, waiting.
-- Errors: 55P03 after lock_timeout.
-- Security definer: nobody has the right to write slots.
create function interlock.settle_slots(p_owner_id uuid default null)
returns int
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
as $$
declare
  v_owner_id uuid;
  v_settled int := 0;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;

  for v_owner_id in
    select p.id
    from interlock.promo_codes p
    where p.id in (select s.owner_id from interlock.counter_slots s where s.used > 0)
      and (p_owner_id is null or p.id = p_owner_id)
    order by p.id
  loop
    perform 1 from interlock.promo_codes p where p.id = v_owner_id for no key update skip locked;
    if found then
      perform interlock.settle_promo_uses(v_owner_id);
      perform interlock.grant_promo_uses(v_owner_id);
      v_settled := v_settled + 1;
    end if;
  end loop;

  for v_owner_id in
    select p.id
    from interlock.products p
    where p.id in (select s.owner_id from interlock.counter_slots s where s.used > 0)
      and (p_owner_id is null or p.id = p_owner_id)
    order by p.id
  loop
    perform 1 from interlock.products p where p.id = v_owner_id for no key update skip locked;
    if found then
      perform interlock.grant_slots(p.id, p.stock_slots, interlock.settle_stock(p.id))
      from interlock.products p
      where p.id = v_owner_id;
      v_settled := v_settled + 1;
    end if;
  end loop;

  return v_settled;
end
$$;

-- The shop that the transaction is about: what interlock.find_shop finds, once for each transaction. An installation that serves one
-- shop never asks.
--
-- Callers: policies, defaults and functions of an installation that serves many shops (interlock.serve_shops).
-- Errors: as interlock.find_shop.
-- Security definer: whoever reads or writes need not have a right to look for it.
create function interlock.shop_id()
returns int
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  v_shop constant text := current_setting('interlock.shop', true);
begin
  if v_shop <> '' then
    return v_shop::int;
  end if;
  return interlock.find_shop();
end
$$;

-- The topic as it is called for the present shop: in all but shop 1 it ends with @ and the shop's id.
--
-- Callers: interlock.broadcast.
create function interlock.topic_of_shop(p_topic text)
returns text
language plpgsql
stable
set search_path = ''
as $$
begin
  if interlock.serves_shops() and interlock.shop_id() <> 1 then
    return p_topic || '@' || interlock.shop_id();
  end if;
  return p_topic;
end
$$;

-- Use units of one slot. With p_wait it waits for one that somebody is using.
--
-- Callers: interlock.take_from_slot, interlock.take_from_slots, interlock.take_promo_use, in a sub-transaction of their own.
-- Locks: one slot; without p_wait never waiting.
-- Errors: IL002 if no slot has enough, or without p_wait none that is free; whoever catches it must have ended
--   the sub-transaction, and with it the locks. 55P03 after lock_timeout.
create function interlock.use_slot(p_owner_id uuid, p_units int, p_wait boolean)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_slot int;
begin
  if p_wait then
    select s.slot
    into v_slot
    from interlock.counter_slots s
    where s.owner_id = p_owner_id
      and s.granted - s.used >= p_units
    order by random()
    limit 1;
  else
    select s.slot
    into v_slot
    from interlock.counter_slots s
    where s.owner_id = p_owner_id
      and s.granted - s.used >= p_units
    order by random()
    limit 1
    for no key update skip locked;
  end if;

  if clock_timestamp() > statement_timestamp() + interval '100 milliseconds' then
    perform interlock.limit_wait();
  end if;
  update interlock.counter_slots s
  set used = s.used + p_units
  where s.owner_id = p_owner_id
    and s.slot = v_slot
    and s.granted - s.used >= p_units;

  if not found then
    raise exception using errcode = 'IL002', message = 'no slot has enough';
  end if;
end
$$;

-- The accounts of the platform, as far as Interlock asks of them. They are read and locked here, with the rights of whoever
-- installed Interlock: auth.users shows its rows to roles that pass over row security, and to nobody else.
create view interlock.accounts as
select u.id, u.email, u.is_anonymous, u.created_at, u.raw_user_meta_data
from auth.users u;

comment on view interlock.accounts is
  'The accounts of the platform, as far as Interlock asks of them. Nobody but its owner may read it.';

create function public.arrange_history()
returns jsonb
language sql
security invoker
set search_path = ''
as $$
  select jsonb_build_object('success', true, 'made', interlock.make_history_parts(), 'archived', interlock.archive_history())
$$;

comment on function public.arrange_history() is
  'Makes the next part of a history, and archives one in which everything is older than the settings have it kept. For the service role.';

create function public.close_ledgers(p_limit int default 1000)
returns jsonb
language sql
security invoker
set search_path = ''
as $$
  select jsonb_build_object('success', true, 'closed', interlock.close_ledgers(p_limit))
$$;

comment on function public.close_ledgers(int) is
  'Adds up to p_limit old movements of stock and wallets to their closed balances. For the service role.';

create function public.erase_user(p_user_id uuid)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
begin
  return interlock.erase_user(p_user_id);
end
$$;

comment on function public.erase_user(uuid) is
  'Removes an account and takes the person out of what stays, or says what is still owed; lists their files of payment proofs for removal. For the service role.';

create function public.purge_history(p_limit int default 1000)
returns jsonb
language sql
security invoker
set search_path = ''
as $$
  select jsonb_build_object('success', true, 'purged', interlock.purge_history(p_limit))
$$;

comment on function public.purge_history(int) is
  'Removes up to p_limit rows of each history that are older than the settings have them kept. For the service role.';

create function public.purge_idempotency_keys(p_limit int default 10000)
returns jsonb
language sql
security invoker
set search_path = ''
as $$
  select jsonb_build_object('success', true, 'purged', interlock.purge_idempotency_keys(p_limit))
$$;

comment on function public.purge_idempotency_keys(int) is
  'Removes up to p_limit idempotency keys whose time is over. For the service role.';

create function public.settle_slots(p_owner_id uuid default null)
returns jsonb
language sql
security invoker
set search_path = ''
as $$
  select jsonb_build_object('success', true, 'settled', interlock.settle_slots(p_owner_id))
$$;

comment on function public.settle_slots(uuid) is
  'Brings the stock and the uses of hot products and codes, or of one of them, up to date. For the service role.';

-- Generated by `cargo xtask codegen`: the first sentence of the header of each function.
comment on function interlock.acts_for_shop is
  'Whether the caller acts for the shop: the service role, staff by token (whose account exists), or a session of the database itself (the SQL editor, a job of pg_cron, psql), which has no token at all.';
comment on function interlock.add_history_part is
  'Add a part to a history, empty, with the bounds that are given as Postgres writes them.';
comment on function interlock.archive_history is
  'Archive a part of a history in which everything is older than the settings have it kept, and nothing is what interlock.purge_history would keep; answers how many it archived, 0 or 1: call it until it answers 0.';
comment on function interlock.archive_history_part is
  'Take a part out of its history, into the schema interlock_archive, where it is a table of its owner''s alone, of plain types, that nothing of Interlock asks or needs any more.';
comment on function interlock.begin_idempotent is
  'Take the key for this transaction, or answer what a twin has answered.';
comment on function interlock.begin_reference is
  'Take a reference of the shop''s own code for this transaction, or answer what was answered under it: what a job sends again after a lost answer acts once.';
comment on function interlock.broadcast is
  'Broadcast a message on a private topic, where the platform''s realtime is there; else nothing is done.';
comment on function interlock.call_in_slots is
  'Empty the slots of a counter.';
comment on function interlock.clock is
  'The one source of time for leases.';
comment on function interlock.close_ledger is
  'Add what is older than interlock.settings.close_ledgers_after in the ledger of a wallet, a product (its stock in the web shop) or a row of inventory to its closed balance; answers how many movements, at most p_limit.';
comment on function interlock.close_ledgers is
  'Add what is older than interlock.settings.close_ledgers_after in the ledgers of stock and wallets to their closed balances; answers how many movements, at most p_limit.';
comment on function interlock.conceal is
  'Drop the view in public that interlock.expose has made.';
comment on function interlock.cover_slots is
  'Take back what is granted to slots if a lower counter of their owner does not cover it.';
comment on function interlock.erase_user is
  'What public.erase_user does, with its owner''s rights: remove an account and take the person out of all that stays.';
comment on function interlock.erase_user_after is
  'The part of interlock.erase_user once the account is gone, in the present shop: the person is taken out of all that stays, which is told to be of p_ledger where it needs an owner.';
comment on function interlock.erase_user_before is
  'The part of interlock.erase_user before the account goes, in the present shop: nothing is owed, the customer that they were at a till is erased, and so is what was said of their addresses.';
comment on function interlock.error_body is
  'The body PostgREST makes of an error of the catalogue, without raising it.';
comment on function interlock.expose is
  'Give the API a table or view of this schema as a view of the same name in public, if that name is free there: what belongs to the project stays as it is.';
comment on function interlock.find_idempotent is
  'The stored answer of a request, if its key has one that still counts.';
comment on function interlock.find_part_problems is
  'What is not as it should be with the parts of histories (interlock.histories), of which there are as many as a shop has come to: `npm run verify` compares all else with what the migrations make.';
comment on function interlock.finish_idempotent is
  'Store the answer with the key.';
comment on function interlock.finish_reference is
  'Store the answer with the reference.';
comment on function interlock.forget_idempotent is
  'Give the key back, after nothing was done under it.';
comment on function interlock.given is
  'A request without what was not given: the members of an object that are not null.';
comment on function interlock.grant_slots is
  'Share units of a counter out to its empty slots, if there are at least 16 for each.';
comment on function interlock.guard_slots is
  'Refuse a number of slots in the owner''s row that is not the number of its slots: whoever trusts the row would miss units that are granted.';
comment on function interlock.has_realtime is
  'Whether the platform''s realtime is there, so that it is worth making a message.';
comment on function interlock.histories is
  'The histories that have parts: tables partitioned by the position of their rows (ids of a sequence), which is in every key of theirs, so that parts need no other keys.';
comment on function interlock.history_parts is
  'The parts of a history but for its rest, the oldest first: the positions of each, from `first` (null: from the beginning) to before `after`.';
comment on function interlock.history_stays is
  'Whether anything in a part of a history has to stay: it is younger than the settings have it kept, or one of the history''s conditions holds.';
comment on function interlock.is_line is
  'Whether a text is one line of at most so many characters, outer blanks not counted.';
comment on function interlock.is_staff is
  'Whether the caller''s token says that they are staff (app_metadata.role, which only the shop can set).';
comment on function interlock.is_time_zone is
  'Whether Postgres knows a time zone of this name.';
comment on function interlock.is_uuid is
  'Whether a text is a UUID as programs write it.';
comment on function interlock.jobs is
  'What has to be done again and again: the one list, for pg_cron and for `npm run jobs`.';
comment on function interlock.ledgers_to_close is
  'Wallets, products and rows of inventory whose first open movement is older than interlock.settings.close_ledgers_after, in this order, each in that of their ids.';
comment on function interlock.limit_wait is
  'Let the next lock be waited for only as long as the call has left: two seconds for all its waits together, counted from the statement that the client sent (in a procedure that commits, from its present transaction).';
comment on function interlock.lock_history is
  'Take a history away from everybody else for the rest of the transaction, with the tables that its foreign keys name first: a sale writes the order before its history.';
comment on function interlock.lock_slots is
  'Lock every slot of a counter, and say what was used in them.';
comment on function interlock.lock_user is
  'Lock an account against removal, as a foreign key to it does; the one helper for this kind of lock.';
comment on function interlock.make_exposed is
  'Make the view in public of a table or view of this schema, or make it anew: its columns, but for the transaction that wrote a row and the shop that it is of; where there are many shops, the rows of the present one, whoever asks.';
comment on function interlock.make_history_part is
  'See to it that a history has a part for what comes; answers whether it had to do something.';
comment on function interlock.make_history_parts is
  'Make the next part of a history that has less than half of one ahead; answers how many it made, 0 or 1: call it until it answers 0.';
comment on function interlock.make_slots is
  'Make the number of slots of a counter p_slots.';
comment on function interlock.most_units is
  'The most units that a product may have in stock.';
comment on function interlock.new_id is
  'A time-ordered UUID (version 7, RFC 9562): 48 bits of milliseconds, then random bits.';
comment on function interlock.normal_text is
  'The normal form of text that people type: by it texts are compared, never shown.';
comment on function interlock.note_event is
  'Write down what has happened, in the transaction in which it does; answers its position.';
comment on function interlock.pointer_token is
  'A name as it stands in a JSON pointer: `~` and `/` escaped, and of a long one the beginning.';
comment on function interlock.problem is
  'One problem of a request, as a list: `v_problems := v_problems || interlock.problem(''/quantity'', ''is required'')`.';
comment on function interlock.purge_history is
  'Remove what is older than interlock.settings has it kept, at most p_limit rows of each table; answers how many of each.';
comment on function interlock.purge_idempotency_keys is
  'Remove keys whose time is over, and tokens of guests that nobody has used, at most p_limit of each; answers how many.';
comment on function interlock.purge_parts is
  'Remove of a history that has parts what interlock.purge_history says, at most p_limit rows; answers how many.';
comment on function interlock.purge_run_log is
  'Keep what our jobs leave in pg_cron''s run log, which nobody else empties, for a week; answers how many rows went.';
comment on function interlock.raise_error is
  'Raise an error of the catalogue.';
comment on function interlock.raise_isolation_level is
  'Refuse to work at another isolation level than read committed.';
comment on function interlock.refuse_change is
  'Refuse every update, delete and truncate of an append-only table, but for two things.';
comment on function interlock.refuse_problems is
  'Refuse a request that has problems, all of them at once.';
comment on function interlock.refuse_unless_shop is
  'Refuse whoever does not act for the shop.';
comment on function interlock.request_id is
  'The id of the request under which something is done, as the log of a function has it; null for what came another way.';
comment on function interlock.require_user is
  'The signed-in user, whose account exists: a token outlives the account by up to an hour.';
comment on function interlock.schedule_jobs is
  'Schedule the jobs of interlock.jobs, where pg_cron is present.';
comment on function interlock.serves_shops is
  'Whether this installation serves many shops (interlock.serve_shops).';
comment on function interlock.set_ledger_context is
  'Say why the stock and wallets that change from here on do so.';
comment on function interlock.settle_slots is
  'Bring used_count of promo codes and available_quantity of products that have slots up to date, of all or of one.';
comment on function interlock.shop_id is
  'The shop that the transaction is about: what interlock.find_shop finds, once for each transaction.';
comment on function interlock.topic_of_shop is
  'The topic as it is called for the present shop: in all but shop 1 it ends with @ and the shop''s id.';
comment on function interlock.use_slot is
  'Use units of one slot.';

-- Who may call what of the foundation. What is not here belongs to its owner: Postgres lets everybody execute a new
-- function, so each area takes that away for the schema as a whole before it grants by name.
revoke execute on all functions in schema interlock from public;

-- The shop inserts rows whose ids are made by this.
grant execute on function interlock.new_id to service_role;

-- And are checked and found by these.
grant execute on function interlock.normal_text, interlock.is_line, interlock.most_units to service_role;

-- A trigger's condition asks, as whoever writes.
grant execute on function interlock.has_realtime to service_role;

-- A policy of the platform's storage asks.
grant execute on function interlock.is_staff to authenticated, service_role;

revoke all on function
  public.arrange_history(),
  public.close_ledgers(int),
  public.erase_user(uuid),
  public.purge_history(int),
  public.purge_idempotency_keys(int),
  public.settle_slots(uuid)
from public, anon, authenticated, service_role;

grant execute on function
  public.arrange_history(), interlock.make_history_parts, interlock.archive_history,
  public.close_ledgers(int), interlock.close_ledgers,
  public.erase_user(uuid), interlock.erase_user,
  public.purge_history(int), interlock.purge_history,
  public.purge_idempotency_keys(int), interlock.purge_idempotency_keys,
  public.settle_slots(uuid), interlock.settle_slots
to service_role;
