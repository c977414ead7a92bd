-- Promo codes.
--
-- Made of supabase/schemas by `cargo xtask codegen`, in the order in which it is loaded. Bodies of functions name objects
-- that come with later files, so they are not checked here.

set local lock_timeout = '5s';
set local check_function_bodies = off;

-- A code as the shop writes it.
create domain interlock.promo_code as text
  constraint promo_codes_code_readable check (interlock.is_line(value, 64) and interlock.normal_text(value) <> '');

create domain interlock.discount_type as text
  constraint promo_codes_discount_type_known check (value in ('percentage', 'fixed'));

-- Where a day is a day.
create domain interlock.time_zone as text
  constraint promo_codes_time_zone_known check (interlock.is_time_zone(value));

-- When a code ends: at a moment, with a day in a time zone, or at the earlier of both; null means never.
--
-- Callers: interlock.evaluate_promo, interlock.validate_promo, a check of promo_codes.
-- Locks: none.
create function interlock.promo_end(p_expires_at timestamptz, p_last_day date, p_time_zone text)
returns timestamptz
language plpgsql
immutable
parallel safe
set search_path = ''
as $$
begin
  return least(p_expires_at, (p_last_day + 1)::timestamp at time zone p_time_zone);
end
$$;

create domain interlock.promo_use_status as text
  constraint promo_redemptions_status_known
    check (value in ('held', 'redeemed', 'released', 'expired', 'returned'));

-- Trigger: the limit of a promo code covers what its slots may still use, whoever lowers it.
--
-- Callers: trigger promo_codes_slots_covered, for codes with slots whose limit goes down.
-- Locks: as interlock.cover_slots.
-- Errors: 23514 check_violation promo_codes_used_count_within_limit if more is used already; 55P03.
-- Security definer: nobody has the right to write slots.
create function interlock.cover_promo_slots()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_used constant int := interlock.cover_slots(new.id, new.max_uses - new.used_count);
begin
  if v_used is not null then
    raise exception using
      errcode = 'check_violation',
      schema = tg_table_schema,
      table = tg_table_name,
      constraint = 'promo_codes_used_count_within_limit',
      message = format(
        'limit %s of promo code %s refused: it is used %s times', new.max_uses, new.id, new.used_count + v_used
      );
  end if;

  return new;
end
$$;

-- Keep a code that has uses, because history and counters refer to it.
--
-- Callers: trigger promo_codes_keep_used.
-- Locks: none beyond the row being deleted, which every use counts on.
-- Errors: 23001 restrict_violation.
-- Security definer: the service role may delete codes whatever it may read.
create function interlock.keep_used_promo()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
begin
  if exists (select 1 from interlock.promo_redemptions r where r.promo_id = old.id) then
    raise exception using
      errcode = 'restrict_violation',
      schema = tg_table_schema,
      table = tg_table_name,
      constraint = 'promo_codes_keep_used',
      message = format('promo code %s has been used and cannot be deleted', old.id),
      hint = 'Set active = false instead.';
  end if;

  return old;
end
$$;

-- Promo codes: what a code is worth, to whom, when and on which products.
--
-- Codes are secrets: nobody but the service role reads these tables. A buyer learns of a code through
-- public.validate_promo and public.checkout only.
--
-- Codes are unique and found by their normal form (interlock.normal_text). Money is in minor units of `currency`; a code that
-- names an amount (a fixed discount, a cap, a minimum) has one.
--
--   promo_codes_used_count_within_limit   uses held and redeemed never exceed max_uses
--
-- `used_count` is counted by interlock.take_promo_use and interlock.end_promo_uses only, each time with the row of
-- promo_redemptions it stands for; the service role cannot write it. To shut a code, set active = false. `max_uses`
-- cannot go below what is used already.
--
-- A hot code can have its uses in slots (foundation/tables/counter_slots.sql): public.set_promo_slots(promo, n). Then
-- `used_count` is the count as last settled; the exact one is `used_count + sum(used)`, read in one statement. It is
-- settled whenever the slots run dry, when they are switched, when uses are given back, and by interlock.settle_slots
-- every minute. A code without a limit has as many slots' worth of uses as an int holds: its slots never run dry. A
-- limit that is lowered calls the slots in first, and is refused below what is used, as ever.
--
-- No foreign key to auth.users: a named customer whose account is gone matches nobody, and must neither open the code
-- to everybody nor stand in the way of the removal.
create table interlock.promo_codes (
  id uuid not null default interlock.new_id()
    constraint promo_codes_pkey primary key,
  code interlock.promo_code not null,
  discount_type interlock.discount_type not null,
  discount_value numeric not null,
  max_discount interlock.positive_amount,
  currency interlock.currency_code,
  max_uses interlock.unit_count,
  used_count interlock.unit_count not null default 0,
  max_uses_per_user interlock.positive_count,
  holds_per_user interlock.positive_count not null default 1,
  min_subtotal interlock.amount,
  starts_at timestamptz,
  expires_at timestamptz,
  last_day date,
  time_zone interlock.time_zone not null default 'UTC',
  active boolean not null default true,
  first_order_only boolean not null default false,
  user_id uuid,
  created_at timestamptz not null default now(),
  use_slots int not null default 0,

  constraint promo_codes_used_count_within_limit check (used_count <= max_uses),
  -- An unknown type passes here and is refused by promo_codes_discount_type_known.
  constraint promo_codes_discount_value_valid check (
    case discount_type
      when 'percentage' then
        discount_value > 0 and discount_value <= 100 and discount_value = round(discount_value, 2)
      when 'fixed' then
        discount_value > 0 and discount_value <= 9007199254740991 and discount_value = trunc(discount_value)
      else true
    end
  ),
  constraint promo_codes_cap_needs_percentage check (max_discount is null or discount_type = 'percentage'),
  constraint promo_codes_amounts_have_currency check (
    currency is not null
    -- A minimum of nothing is none.
    or (discount_type <> 'fixed' and max_discount is null and coalesce(min_subtotal, 0) = 0)
  ),
  constraint promo_codes_ends_after_start check (interlock.promo_end(expires_at, last_day, time_zone) > starts_at)
);

comment on table interlock.promo_codes is
  'Promo codes and their rules. Secret: only the service role reads them, and staff in the lists of the console.';
comment on column interlock.promo_codes.id is
  'Made by new_id where none is given: ordered by time.';
comment on column interlock.promo_codes.code is
  'As the shop writes it, and shown so. Found and unique by its normal form: case, blanks and the Unicode form do not matter.';
comment on column interlock.promo_codes.discount_type is
  'percentage (of the matching lines) or fixed (an amount).';
comment on column interlock.promo_codes.discount_value is
  'Percentage: per cent, up to two decimals. Fixed: minor units of currency.';
comment on column interlock.promo_codes.max_discount is
  'Cap of a percentage, in minor units; null means none.';
comment on column interlock.promo_codes.currency is
  'ISO 4217. The code applies to carts of this currency only; null means any.';
comment on column interlock.promo_codes.max_uses is
  'Uses of all customers together; null means no limit.';
comment on column interlock.promo_codes.used_count is
  'Uses held or redeemed now; with slots as last settled. Counted by functions, never written by hand.';
comment on column interlock.promo_codes.max_uses_per_user is
  'Uses of one customer; null means no limit.';
comment on column interlock.promo_codes.holds_per_user is
  'Carts of one customer that may hold the code at a time. What they buy with it is limited by max_uses_per_user.';
comment on column interlock.promo_codes.min_subtotal is
  'Smallest subtotal of the whole cart, in minor units.';
comment on column interlock.promo_codes.starts_at is
  'First moment at which the code applies; null means always. It may say a zone: 2026-11-27 00:00 Europe/Berlin.';
comment on column interlock.promo_codes.expires_at is
  'From this moment on the code has ended; null means never. A date alone is the beginning of that day in UTC: see last_day.';
comment on column interlock.promo_codes.last_day is
  'The last day on which the code applies, to its end in time_zone; null means none. With expires_at the earlier one counts.';
comment on column interlock.promo_codes.time_zone is
  'Where last_day is a day: UTC, or a name such as Europe/Berlin.';
comment on column interlock.promo_codes.active is
  'false shuts the code at once, for holds too.';
comment on column interlock.promo_codes.first_order_only is
  'Only for a customer without an earlier order (cancelled, expired and refunded ones do not count).';
comment on column interlock.promo_codes.user_id is
  'The one customer it is for; everybody else is told that there is no such code.';
comment on column interlock.promo_codes.created_at is
  'When it was made.';
comment on column interlock.promo_codes.use_slots is
  'Slots that the uses are spread over; 0 means none. Changed by set_promo_slots only.';

-- One code, however it is written: also the look-up of interlock.find_promo.
create unique index promo_codes_code_unique on interlock.promo_codes (interlock.normal_text(code));

create trigger promo_codes_keep_used
  before delete on interlock.promo_codes
  for each row
  execute function interlock.keep_used_promo();

create trigger promo_codes_slots_counted
  before update of use_slots on interlock.promo_codes
  for each row
  when (old.use_slots is distinct from new.use_slots)
  execute function interlock.guard_slots('use_slots');

create trigger promo_codes_slots_counted_at_first
  before insert on interlock.promo_codes
  for each row
  when (new.use_slots <> 0)
  execute function interlock.guard_slots('use_slots');

create trigger promo_codes_slots_kept
  before delete on interlock.promo_codes
  for each row
  when (old.use_slots <> 0)
  execute function interlock.guard_slots('use_slots');

create trigger promo_codes_slots_covered
  before update of max_uses on interlock.promo_codes
  for each row
  when (new.use_slots > 0 and new.max_uses < coalesce(old.max_uses, 2147483647))
  execute function interlock.cover_promo_slots();

alter table interlock.promo_codes enable row level security;

grant select, delete on table interlock.promo_codes to service_role;
grant
  insert (
    id, code, discount_type, discount_value, max_discount, currency, max_uses, max_uses_per_user, holds_per_user,
    min_subtotal, starts_at, expires_at, last_day, time_zone, active, first_order_only, user_id
  ),
  update (
    code, discount_type, discount_value, max_discount, currency, max_uses, max_uses_per_user, holds_per_user,
    min_subtotal, starts_at, expires_at, last_day, time_zone, active, first_order_only, user_id
  )
  on table interlock.promo_codes to service_role;

-- Guessing promo codes is throttled: after 20 unknown codes in 10 minutes a user is refused whatever they send, a right
-- code too, until the oldest of the 20 is 10 minutes old. A code named for somebody else counts as unknown.
--
-- The count has to survive the refusal, and a raised error rolls back what it refuses. So an unknown code is
-- *answered*, not raised: interlock.refuse_unknown_promo counts, sets the HTTP status through `response.status` and
-- returns the body that PostgREST would have made of the error, {"code": "PT404", "message": "PROMO_NOT_FOUND",
-- "details", "hint"}. PostgREST commits, and the HTTP answer is the one of a raised error. Its caller must return that
-- body at once and must not have written anything before. A caller in SQL sees a row with "message" instead of an
-- exception. Every other refusal is raised.
create table interlock.promo_attempts (
  user_id uuid not null
    constraint promo_attempts_pkey primary key,
  attempted_at timestamptz[] not null
    constraint promo_attempts_bounded check (cardinality(attempted_at) between 1 and 20)
);

comment on table interlock.promo_attempts is
  'When each user sent unknown promo codes lately, oldest first: it limits how fast codes can be guessed.';

alter table interlock.promo_attempts enable row level security;

grant select, delete on table interlock.promo_attempts to service_role;

create table interlock.promo_code_products (
  promo_id uuid not null
    constraint promo_code_products_promo_id_fkey references interlock.promo_codes (id) on delete cascade,
  product_id uuid not null
    constraint promo_code_products_product_id_fkey references interlock.products (id),
  constraint promo_code_products_pkey primary key (promo_id, product_id)
);

comment on table interlock.promo_code_products is
  'The products a code applies to; no row means all. The discount is on the matching lines only.';
comment on column interlock.promo_code_products.promo_id is
  'The code.';
comment on column interlock.promo_code_products.product_id is
  'A product that it applies to.';

create index promo_code_products_product_id on interlock.promo_code_products (product_id);

alter table interlock.promo_code_products enable row level security;

grant select, insert, delete on table interlock.promo_code_products to service_role;

-- Uses of promo codes: one row for each use that is or was held or redeemed.
--
--   held       applied to a cart until held_until; counts
--   redeemed   belongs to an order; counts
--   released   given back by the customer before the order
--   expired    taken back after held_until
--   returned   given back by the cancelled, refunded, expired or unpaid order
--
-- A hold whose time is over counts until somebody takes it back: the next one who needs the use, or
-- interlock.expire_promo_holds. So a use is never free twice.
--
-- Counters: promo_codes.used_count for all customers, promo_user_uses for each one. Both change in the transaction in
-- which the row changes; promo_differences shows where they disagree with the rows and must be empty.
--
-- There is no foreign key on purpose. To promo_codes and orders: the key-share lock of every use on the one row of a
-- popular code would cost a multixact each; a code that has uses cannot be deleted all the same
-- (promo_codes_keep_used), and every use locks the code's row when it counts, so a deletion at the same time is seen.
-- To auth.users: history outlives an account.
create table interlock.promo_redemptions (
  id uuid not null default interlock.new_id()
    constraint promo_redemptions_pkey primary key,
  promo_id uuid not null,
  -- Empty only for uses counted by public.increment_promo_usage.
  user_id uuid,
  cart_id uuid,
  order_id uuid,
  status interlock.promo_use_status not null,
  discount interlock.amount,
  currency char(3),
  held_until timestamptz,
  created_at timestamptz not null default now(),
  redeemed_at timestamptz,
  ended_at timestamptz,

  -- An unknown status passes here and is refused by promo_redemptions_status_known.
  constraint promo_redemptions_columns_match_status check (
    case status
      when 'held' then
        num_nulls(user_id, held_until, discount) = 0 and num_nonnulls(order_id, redeemed_at, ended_at) = 0
      when 'redeemed' then
        redeemed_at is not null and ended_at is null
      when 'returned' then
        num_nulls(redeemed_at, ended_at) = 0
      when 'released' then
        ended_at is not null and num_nonnulls(order_id, redeemed_at) = 0
      when 'expired' then
        ended_at is not null and num_nonnulls(order_id, redeemed_at) = 0
      else true
    end
  )
);

comment on table interlock.promo_redemptions is
  'One row for each use of a promo code that is or was held or redeemed.';
comment on column interlock.promo_redemptions.discount is
  'The discount in minor units: shown when held, charged when redeemed.';
comment on column interlock.promo_redemptions.held_until is
  'End of the hold. Later the use may be taken back; until that happens it still counts.';

-- One user applies a code to one cart once. Without a cart id: one hold, any number of orders.
create unique index promo_redemptions_one_per_cart
  on interlock.promo_redemptions
  (promo_id, user_id, (coalesce(cart_id, '00000000-0000-0000-0000-000000000000'::uuid)))
  where status = 'held' or (status = 'redeemed' and cart_id is not null);

-- One code for each order; the look-up of interlock.return_promos.
create unique index promo_redemptions_one_per_order
  on interlock.promo_redemptions (order_id)
  where status = 'redeemed';

-- Holds whose time is over, of one code and of all.
create index promo_redemptions_held_by_promo
  on interlock.promo_redemptions (promo_id, held_until)
  where status = 'held';

create index promo_redemptions_held on interlock.promo_redemptions (held_until) where status = 'held';

-- Uses that came to nothing, for interlock.purge_history.
create index promo_redemptions_ended on interlock.promo_redemptions (ended_at) where ended_at is not null;

-- The history of one code (promo_codes_keep_used, a shop's reports).
create index promo_redemptions_promo_id on interlock.promo_redemptions (promo_id, created_at);

alter table interlock.promo_redemptions enable row level security;

grant select on table interlock.promo_redemptions to service_role;

-- Uses of a code by one customer. A customer's rows of promo_redemptions change only under their row here, so they
-- need no lock of their own.
--
-- `held_since` is when the customer began to hold the code: with any cart, refreshed, given back and taken again. For
-- settings.promo_hold_limit from then on they may hold it, and for as long after that they may not.
create table interlock.promo_user_uses (
  promo_id uuid not null,
  user_id uuid not null,
  used interlock.unit_count not null default 0,
  held_since timestamptz,
  constraint promo_user_uses_pkey primary key (promo_id, user_id)
);

comment on table interlock.promo_user_uses is
  'Uses of a code that one customer holds or has redeemed. The row is the lock of that customer''s uses.';

comment on column interlock.promo_user_uses.held_since is
  'When the customer began to hold the code; settings.promo_hold_limit counts from it.';

alter table interlock.promo_user_uses enable row level security;

grant select on table interlock.promo_user_uses to service_role;

-- Refuse arguments the function promo-validate would have refused already; all problems at once. Lines of
-- cart_items are checked where they are priced.
--
-- Callers: interlock.validate_promo.
-- Locks: none. Errors: VALIDATION_FAILED.
create function interlock.check_validate_promo_arguments(
  p_code text,
  p_cart_items jsonb,
  p_subtotal bigint,
  p_dry_run boolean,
  p_action text,
  p_currency text
)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_problems jsonb := '[]'::jsonb;
begin
  if p_code is null then
    v_problems := v_problems || interlock.problem('/code', 'is required');
  end if;
  if not interlock.is_line(p_code, 64) then
    v_problems := v_problems || interlock.problem('/code', 'must be 1 to 64 characters, without control characters');
  end if;
  if p_action not in ('apply', 'release') then
    v_problems := v_problems || interlock.problem('/action', 'must be one of apply, release');
  end if;
  if p_action = 'release' and p_dry_run then
    v_problems := v_problems || interlock.problem('/dry_run', 'cannot be true with the action release');
  end if;
  if p_action = 'apply' and p_cart_items is null and p_subtotal is null then
    v_problems := v_problems || interlock.problem('/cart_items', 'is required, unless subtotal is given');
  end if;
  if p_action = 'apply' and p_cart_items is not null and p_subtotal is not null then
    v_problems := v_problems || interlock.problem('/subtotal', 'must not be given together with cart_items');
  end if;
  if p_subtotal not between 0 and 9007199254740991 then
    v_problems := v_problems || interlock.problem('/subtotal', 'must be from 0 to 9007199254740991');
  end if;
  if p_currency !~ '^[A-Z]{3}$' then
    v_problems := v_problems || interlock.problem('/currency', 'must be three capital letters');
  end if;
  if p_cart_items is not null and p_currency is not null then
    v_problems := v_problems || interlock.problem('/currency', 'must not be given together with cart_items, whose products have one');
  end if;
  perform interlock.refuse_problems(v_problems);
end
$$;

-- Count one use on the code itself, within its limit. With slots all of them are called in first, so that the
-- last use is found wherever it is, and shared out again.
--
-- Callers: interlock.take_promo_use.
-- Locks: the row of promo_codes, waiting; its slots in order, waiting.
-- Errors: IL001 if the limit is reached; 55P03 after lock_timeout.
create function interlock.count_promo_use(p_promo_id uuid)
returns void
language plpgsql
set search_path = ''
as $$
begin
  if clock_timestamp() > statement_timestamp() + interval '100 milliseconds' then
    perform interlock.limit_wait();
  end if;
  update interlock.promo_codes p
  set used_count = p.used_count + 1
  where p.id = p_promo_id
    and p.use_slots = 0
    and (p.max_uses is null or p.used_count < p.max_uses);
  if found then
    return;
  end if;

  perform 1 from interlock.promo_codes p where p.id = p_promo_id and p.use_slots > 0 for no key update;
  if found then
    perform interlock.settle_promo_uses(p_promo_id);

    update interlock.promo_codes p
    set used_count = p.used_count + 1
    where p.id = p_promo_id
      and (p.max_uses is null or p.used_count < p.max_uses);
    if found then
      perform interlock.grant_promo_uses(p_promo_id);
      return;
    end if;
  end if;

  raise exception using errcode = 'IL001', message = 'used up meanwhile: look again';
end
$$;

-- End uses: rows p_ids from status p_from to p_to, and both counters with them. A row that is no longer in
-- p_from, or a hold that was refreshed meanwhile, is left alone.
--
-- Callers: functions that hold the customers' rows of promo_user_uses.
-- Locks: the rows of promo_codes by id, waiting; slots of a code whose uses are in them.
-- Errors: 55P03 after lock_timeout. Returns the number of uses ended.
create function interlock.end_promo_uses(p_ids uuid[], p_from text, p_to text)
returns int
language plpgsql
set search_path = ''
as $$
declare
  v_promo_ids uuid[];
  v_counts int[];
  v_promo_id uuid;
begin
  with ended as (
    update interlock.promo_redemptions r
    set status = p_to,
        ended_at = interlock.clock()
    where r.id = any (p_ids)
      and r.status = p_from
      and (p_to <> 'expired' or r.held_until <= interlock.clock())
    returning r.promo_id, r.user_id
  ),
  given_back as (
    update interlock.promo_user_uses u
    set used = u.used - e.uses
    from (select promo_id, user_id, count(*)::int as uses from ended group by promo_id, user_id) e
    where u.promo_id = e.promo_id
      and u.user_id = e.user_id
  )
  select array_agg(e.promo_id), array_agg(e.uses)
  into v_promo_ids, v_counts
  from (select promo_id, count(*)::int as uses from ended group by promo_id) e;

  if v_promo_ids is null then
    return 0;
  end if;

  perform
    clock_timestamp() < statement_timestamp() + interval '100 milliseconds' or interlock.limit_wait()
  from interlock.promo_codes p
  where p.id = any (v_promo_ids)
  order by p.id
  for no key update;

  -- The uses may be in slots, which the counter does not show yet.
  for v_promo_id in
    select p.id
    from interlock.promo_codes p
    join unnest(v_promo_ids, v_counts) as e (promo_id, uses) on e.promo_id = p.id
    where p.use_slots > 0
      and p.used_count < e.uses
    order by p.id
  loop
    perform interlock.settle_promo_uses(v_promo_id);
  end loop;

  update interlock.promo_codes p
  set used_count = p.used_count - e.uses
  from unnest(v_promo_ids, v_counts) as e (promo_id, uses)
  where p.id = e.promo_id;

  return (select sum(c) from unnest(v_counts) c);
end
$$;

-- Apply a promo code to a cart, as it is now: the discount, or why there is none. p_lines are priced lines
-- [{"product_id", "quantity", "unit_price"}]; without them p_subtotal is the cart, and a code with a product
-- scope cannot be judged. A null currency (known only to be that of the shop) matches every code. o_amounts are
-- the matching amounts, line by line (0 where the scope excludes it).
--
-- Callers: interlock.redeem_promo, interlock.validate_promo.
-- Errors: none raised; o_refusal and o_detail are the error to raise: PROMO_NOT_APPLICABLE, PROMO_NOT_STARTED,
--   PROMO_EXPIRED.
create function interlock.evaluate_promo(
  p_promo interlock.promo_codes,
  p_user_id uuid,
  p_order_id uuid,
  p_currency text,
  p_lines jsonb,
  p_subtotal bigint,
  out o_refusal text,
  out o_detail jsonb,
  out o_subtotal bigint,
  out o_discount bigint,
  out o_amounts bigint[]
)
returns record
language plpgsql
stable
set search_path = ''
as $$
declare
  v_scoped constant boolean :=
    exists (select 1 from interlock.promo_code_products s where s.promo_id = p_promo.id);
  v_ends_at constant timestamptz := interlock.promo_end(p_promo.expires_at, p_promo.last_day, p_promo.time_zone);
  v_matching bigint;
  v_matches boolean;
begin
  if p_lines is null then
    o_subtotal := p_subtotal;
    o_amounts := array[p_subtotal];
    v_matching := p_subtotal;
    v_matches := true;
  else
    select
      coalesce(sum(l.quantity * l.unit_price), 0),
      coalesce(sum(l.quantity * l.unit_price) filter (where m.matches), 0),
      coalesce(bool_or(m.matches), false),
      coalesce(array_agg(case when m.matches then l.quantity * l.unit_price else 0 end order by l.n), '{}')
    into o_subtotal, v_matching, v_matches, o_amounts
    from rows from (
      jsonb_to_recordset(p_lines) as (product_id uuid, quantity bigint, unit_price bigint)
    ) with ordinality as l (product_id, quantity, unit_price, n)
    cross join lateral (
      select not v_scoped or exists (
        select 1
        from interlock.promo_code_products s
        where s.promo_id = p_promo.id
          and s.product_id = l.product_id
      ) as matches
    ) m;
  end if;

  o_refusal := 'PROMO_NOT_APPLICABLE';

  if not p_promo.active then
    o_detail := jsonb_build_object('reason', 'inactive');
  elsif v_ends_at <= interlock.clock() then
    o_refusal := 'PROMO_EXPIRED';
    o_detail := jsonb_build_object('expires_at', v_ends_at);
  elsif p_promo.starts_at > interlock.clock() then
    o_refusal := 'PROMO_NOT_STARTED';
    o_detail := jsonb_build_object('starts_at', p_promo.starts_at);
  elsif p_promo.currency <> p_currency then
    o_detail := jsonb_build_object('reason', 'currency', 'currency', p_promo.currency);
  elsif v_scoped and p_lines is null then
    o_detail := jsonb_build_object('reason', 'cart_items_needed');
  elsif not v_matches then
    o_detail := jsonb_build_object('reason', 'products');
  elsif o_subtotal < p_promo.min_subtotal then
    o_detail := jsonb_build_object(
      'reason', 'min_subtotal',
      'min_subtotal', p_promo.min_subtotal,
      'subtotal', o_subtotal,
      'missing', p_promo.min_subtotal - o_subtotal,
      'currency', p_promo.currency
    );
  elsif p_promo.first_order_only and interlock.has_other_order(p_user_id, p_order_id) then
    o_detail := jsonb_build_object('reason', 'first_order_only');
  else
    o_discount := interlock.promo_discount(
      p_promo.discount_type, p_promo.discount_value, p_promo.max_discount, v_matching
    );
    -- A use is too good for nothing.
    if o_discount > 0 then
      o_refusal := null;
    else
      o_detail := jsonb_build_object('reason', 'no_discount');
    end if;
  end if;
end
$$;

-- Take back holds whose time is over; answers how many. Uses come back without it too, when somebody needs them; this
-- keeps the counters of codes without a limit true. As interlock.expire_orders it takes each in a sub-transaction of its
-- own, first those that can be had at once, the oldest first, and only if there are none those that must be waited for;
-- it does not last long, and what is left is the next call's: call it until it answers 0.
--
-- Callers: the jobs of interlock.jobs; service_role, also through public.expire_promo_holds.
-- Locks: for each hold the customer's row of promo_user_uses, never waiting (whoever is locking it sees to it), then as
--   interlock.end_promo_uses. What was taken back stays locked until the transaction ends, against the order of locks, so
--   the next wait must be too short for anybody to be hurt by it: 50 milliseconds, as a rule one.
-- Errors: none of a hold's own.
-- Security definer: the service role writes none of these tables.
create function interlock.expire_promo_holds(p_limit int default 1000)
returns int
language plpgsql
security definer
set search_path = ''
set lock_timeout = '50ms'
as $$
declare
  v_limit constant int := greatest(coalesce(p_limit, 1000), 0);
  v_wait text;
  v_until timestamptz;
  v_hold record;
  v_ended int;
  v_expired int := 0;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;

  foreach v_wait in array array['1ms', '50ms'] loop
    perform set_config('lock_timeout', v_wait, true);
    v_until := clock_timestamp() + interval '1 second';

    for v_hold in
      select r.id, r.promo_id, r.user_id
      from interlock.promo_redemptions r
      where r.status = 'held'
        and r.held_until <= interlock.clock()
      order by case when v_wait = '1ms' then r.held_until end, random()
    loop
      exit when v_expired >= v_limit or clock_timestamp() > v_until;

      begin
        perform 1
        from interlock.promo_user_uses u
        where u.promo_id = v_hold.promo_id
          and u.user_id = v_hold.user_id
        for no key update skip locked;
        continue when not found;

        v_ended := interlock.end_promo_uses(array[v_hold.id], 'held', 'expired');
        continue when v_ended = 0;
        v_expired := v_expired + v_ended;
        v_until := least(v_until, clock_timestamp() + interval '100 milliseconds');
      exception
        when others then
          if v_wait = '50ms' then
            raise warning 'hold % of a promo code cannot expire: % %', v_hold.id, sqlstate, sqlerrm;
          end if;
      end;
    end loop;

    exit when v_expired > 0;
  end loop;

  return v_expired;
end
$$;

-- The code as this customer may know it. A code named for somebody else is not found, exactly like one that
-- does not exist.
--
-- Callers: interlock.redeem_promo, interlock.validate_promo.
-- Locks: none. A row of nulls if there is none.
create function interlock.find_promo(p_code text, p_user_id uuid)
returns interlock.promo_codes
language plpgsql
stable
set search_path = ''
as $$
declare
  v_promo interlock.promo_codes;
begin
  select p.*
  into v_promo
  from interlock.promo_codes p
  where interlock.normal_text(p.code) = interlock.normal_text(p_code)
    and (p.user_id is null or p.user_id = p_user_id);

  return v_promo;
end
$$;

-- Whether this customer may have a use of the code for this cart, in one look (one statement, one snapshot): one that
-- an order redeems, or with p_to_hold a hold. o_refusal and o_detail are the error to raise, if any. o_reap_from is the
-- customer whose expired hold has to be taken back first, if any; o_over whether this customer has one; o_in_a_slot whether a slot of the code has a use left.
-- Volatile: whoever asks again looks again.
--
-- Callers: interlock.take_promo_use; interlock.validate_promo for a dry run.
-- Errors: none raised; PROMO_NOT_FOUND, PROMO_ALREADY_APPLIED, PROMO_EXHAUSTED.
create function interlock.find_promo_use(
  p_promo_id uuid,
  p_user_id uuid,
  p_cart_id uuid,
  p_to_hold boolean,
  out o_refusal text,
  out o_detail jsonb,
  out o_reap_from uuid,
  out o_over boolean,
  out o_in_a_slot boolean
)
returns record
language plpgsql
set search_path = ''
as $$
declare
  v_look record;
begin
  select
    p.max_uses,
    p.used_count + coalesce(slots.used, 0) as used_count,
    slots.in_one_slot,
    p.max_uses_per_user,
    p.holds_per_user,
    coalesce(u.used, 0) as used_by_user,
    own.status as own_status,
    own.order_id as own_order_id,
    elsewhere.cart_id as elsewhere_cart_id,
    elsewhere.held_until as elsewhere_until,
    elsewhere.carts as elsewhere_carts,
    over.uses as own_over,
    oldest.user_id as oldest_over
  into v_look
  from interlock.promo_codes p
  left join interlock.promo_user_uses u
    on u.promo_id = p.id and u.user_id = p_user_id
  left join interlock.promo_redemptions own
    on own.promo_id = p.id and own.user_id = p_user_id
    and coalesce(own.cart_id, '00000000-0000-0000-0000-000000000000')
      = coalesce(p_cart_id, '00000000-0000-0000-0000-000000000000')
    and (own.status = 'held' or (own.status = 'redeemed' and own.cart_id is not null))
  left join lateral (
    select sum(c.used) as used, max(c.granted - c.used) as in_one_slot
    from interlock.counter_slots c
    where c.owner_id = p.id
      and p.use_slots > 0
  ) slots on true
  left join lateral (
    select r.cart_id, r.held_until, count(*) over () as carts
    from interlock.promo_redemptions r
    where r.promo_id = p.id
      and r.user_id = p_user_id
      and r.status = 'held'
      and r.held_until > interlock.clock()
    order by r.held_until desc
    limit 1
  ) elsewhere on true
  cross join lateral (
    select count(*) as uses
    from interlock.promo_redemptions r
    where r.promo_id = p.id
      and r.user_id = p_user_id
      and r.status = 'held'
      and r.held_until <= interlock.clock()
  ) over
  left join lateral (
    select r.user_id
    from interlock.promo_redemptions r
    where r.promo_id = p.id
      and r.status = 'held'
      and r.held_until <= interlock.clock()
    order by r.held_until
    limit 1
  ) oldest on true
  where p.id = p_promo_id;

  if not found then
    o_refusal := 'PROMO_NOT_FOUND';
    return;
  end if;

  o_over := v_look.own_over > 0;
  o_in_a_slot := coalesce(v_look.in_one_slot, 0) > 0;

  -- What the cart holds already is counted already.
  if v_look.own_status = 'held' then
    return;
  end if;

  if v_look.own_status = 'redeemed' then
    o_refusal := 'PROMO_ALREADY_APPLIED';
    o_detail := jsonb_build_object(
      'reason', 'redeemed', 'cart_id', p_cart_id, 'order_id', v_look.own_order_id
    );
    return;
  end if;

  if v_look.used_by_user - v_look.own_over >= v_look.max_uses_per_user then
    o_refusal := 'PROMO_EXHAUSTED';
    o_detail := jsonb_build_object('reason', 'max_uses_per_user');
  elsif v_look.used_count >= v_look.max_uses then
    if v_look.oldest_over is null then
      o_refusal := 'PROMO_EXHAUSTED';
      o_detail := jsonb_build_object('reason', 'max_uses');
    else
      o_reap_from := v_look.oldest_over;
    end if;
  end if;

  if v_look.elsewhere_until is not null
    and (o_refusal is not null or p_to_hold and v_look.elsewhere_carts >= v_look.holds_per_user)
  then
    o_refusal := 'PROMO_ALREADY_APPLIED';
    o_detail := jsonb_build_object(
      'reason', 'held', 'cart_id', v_look.elsewhere_cart_id, 'held_until', v_look.elsewhere_until
    );
  end if;
end
$$;

-- Share the uses that are left out to the slots of a code.
--
-- Callers: functions that have locked the code and called its slots in.
-- Locks: its slots.
create function interlock.grant_promo_uses(p_promo_id uuid)
returns void
language plpgsql
set search_path = ''
as $$
begin
  perform interlock.grant_slots(p.id, p.use_slots, coalesce(p.max_uses, 2147483647) - p.used_count)
  from interlock.promo_codes p
  where p.id = p_promo_id;
end
$$;

-- Whether a customer has an order. One that ended without a sale is none.
--
-- Callers: interlock.evaluate_promo. For an answer that lasts until commit the caller holds
--   interlock.lock_first_order.
create function interlock.has_other_order(p_user_id uuid, p_order_id uuid)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  return exists (
    select 1
    from interlock.orders o
    where o.user_id = p_user_id
      and o.id is distinct from p_order_id
      and o.status not in ('cancelled', 'expired', 'refunded')
  );
end
$$;

-- What public.increment_promo_usage does, with its owner's rights. With a reference it counts once: the same call
-- again answers the same and counts nothing.
--
-- Callers: service_role, through public.increment_promo_usage.
-- Locks: the reference; the row of promo_codes, waiting; and where an expired hold has to be taken back, its customer's
--   row of promo_user_uses before that.
-- Errors: VALIDATION_FAILED, IDEMPOTENCY_KEY_REUSED, PROMO_NOT_FOUND, PROMO_EXHAUSTED; 55P03 after lock_timeout.
-- Security definer: nobody has the right to write used_count.
create function interlock.increment_promo_usage(p_promo_id uuid, p_reference text)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
as $$
declare
  v_answer jsonb;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;

  v_answer := interlock.begin_reference('increment_promo_usage', p_reference, to_jsonb(p_promo_id));
  if v_answer is not null then
    return v_answer;
  end if;

  perform interlock.take_promo_use(p_promo_id, null, null, null, null, null, null);

  return interlock.finish_reference('increment_promo_usage', p_reference, jsonb_build_object(
    'success', true,
    -- With slots nobody knows it: others are counting beside us.
    'used_count', (select p.used_count from interlock.promo_codes p where p.id = p_promo_id and p.use_slots = 0)
  ));
end
$$;

-- Serialise a customer's orders under codes for first orders, so that two checkouts at once, under the same
-- code or two, are not both the first.
--
-- Callers: interlock.redeem_promo.
-- Locks: an advisory lock until commit, waiting.
-- Errors: 55P03 after lock_timeout.
create function interlock.lock_first_order(p_user_id uuid)
returns void
language plpgsql
set search_path = ''
as $$
begin
  if clock_timestamp() > statement_timestamp() + interval '100 milliseconds' then
    perform interlock.limit_wait();
  end if;
  perform pg_advisory_xact_lock(hashtextextended('interlock first order ' || p_user_id, 0));
end
$$;

-- Serialise one user's attempts, so that a burst of guesses is counted one by one.
--
-- Callers: interlock.refuse_unknown_promo.
-- Locks: an advisory lock until commit, waiting; before every other promo lock.
-- Errors: 55P03 after lock_timeout.
create function interlock.lock_promo_attempts(p_user_id uuid)
returns void
language plpgsql
set search_path = ''
as $$
begin
  perform pg_advisory_xact_lock(hashtextextended('interlock promo attempts ' || p_user_id, 0));
end
$$;

-- Lock the uses of customers of promo codes: pairs (p_promo_ids[n], p_user_ids[n]).
--
-- Callers: whatever changes uses, once in a transaction and before any row of promo_codes.
-- Locks: rows of interlock.promo_user_uses by promo and customer, waiting.
-- Errors: 55P03 after lock_timeout.
create function interlock.lock_promo_users(p_promo_ids uuid[], p_user_ids uuid[])
returns void
language plpgsql
set search_path = ''
as $$
begin
  perform
    clock_timestamp() < statement_timestamp() + interval '100 milliseconds' or interlock.limit_wait()
  from interlock.promo_user_uses u
  where (u.promo_id, u.user_id) in (select * from unnest(p_promo_ids, p_user_ids))
  order by u.promo_id, u.user_id
  for no key update;
end
$$;

-- Give one customer the uses of promo codes that another has redeemed, and the codes that are named for them; their holds end.
-- The uses count for the new owner, also where they are more than a code allows one customer.
--
-- A cart that the new owner applies the code to, too, stays theirs: the use that has moved loses its cart.
--
-- Callers: interlock.move_guest, with both accounts locked.
-- Locks: rows of interlock.promo_user_uses of both by promo and customer, then rows of promo_codes by id, waiting; slots of a
--   code whose uses are in them.
-- Errors: 55P03 after lock_timeout.
create function interlock.move_promo_uses(p_from_user_id uuid, p_to_user_id uuid)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_promo_ids constant uuid[] := array(
    select u.promo_id from interlock.promo_user_uses u where u.user_id = p_from_user_id
  );
begin
  insert into interlock.promo_user_uses (promo_id, user_id)
  select p.id, p_to_user_id
  from unnest(v_promo_ids) as p (id)
  order by p.id
  on conflict do nothing;
  perform interlock.lock_promo_users(
    v_promo_ids || v_promo_ids,
    array_fill(p_from_user_id, array[cardinality(v_promo_ids)]) || array_fill(p_to_user_id, array[cardinality(v_promo_ids)])
  );

  perform interlock.end_promo_uses(
    array(
      select r.id
      from interlock.promo_redemptions r
      where r.user_id = p_from_user_id
        and r.status = 'held'
    ),
    'held',
    'released'
  );

  if clock_timestamp() > statement_timestamp() + interval '100 milliseconds' then
    perform interlock.limit_wait();
  end if;
  perform 1 from interlock.promo_codes p where p.user_id = p_from_user_id order by p.id for no key update;
  update interlock.promo_codes p set user_id = p_to_user_id where p.user_id = p_from_user_id;

  with moved as (
    update interlock.promo_redemptions r
    set user_id = p_to_user_id,
        cart_id = case
          when not exists (
            select
            from interlock.promo_redemptions c
            where c.promo_id = r.promo_id
              and c.user_id = p_to_user_id
              and c.cart_id = r.cart_id
              and c.status in ('held', 'redeemed')
          ) then r.cart_id
        end
    where r.promo_id = any (v_promo_ids)
      and r.user_id = p_from_user_id
      and r.status = 'redeemed'
    returning r.promo_id
  ),
  counted as (
    select m.promo_id, count(*)::int as uses from moved m group by m.promo_id
  )
  update interlock.promo_user_uses u
  set used = u.used + case u.user_id when p_to_user_id then c.uses else -c.uses end
  from counted c
  where u.promo_id = c.promo_id
    and u.user_id in (p_from_user_id, p_to_user_id);
end
$$;

-- The lines of a cart, checked, duplicates summed and priced from the database: [{"product_id", "quantity",
-- "unit_price"}] by product, and their currency.
--
-- Callers: interlock.validate_promo.
-- Errors: VALIDATION_FAILED, PRODUCT_NOT_FOUND, MIXED_CURRENCIES.
create function interlock.price_promo_cart(p_cart_items jsonb, out o_lines jsonb, out o_currency text)
returns record
language plpgsql
stable
set search_path = ''
as $$
declare
  v_unknown jsonb;
  v_currencies jsonb;
begin
  perform interlock.refuse_problems(interlock.find_checkout_problems(p_cart_items, null, null, null));

  select
    jsonb_agg(
      jsonb_build_object('product_id', l.product_id, 'quantity', l.quantity, 'unit_price', p.price)
      order by l.product_id
    ),
    jsonb_agg(l.product_id order by l.product_id) filter (where p.id is null),
    jsonb_agg(distinct p.currency) filter (where p.id is not null),
    min(p.currency)
  into o_lines, v_unknown, v_currencies, o_currency
  from (
    select (i.item ->> 'product_id')::uuid as product_id, sum((i.item ->> 'quantity')::numeric)::int as quantity
    from jsonb_array_elements(p_cart_items) as i (item)
    group by 1
  ) l
  left join interlock.products p on p.id = l.product_id and p.active;

  if v_unknown is not null then
    perform interlock.raise_error('PRODUCT_NOT_FOUND', jsonb_build_object('product_ids', v_unknown));
  end if;

  if jsonb_array_length(v_currencies) > 1 then
    perform interlock.raise_error('MIXED_CURRENCIES', jsonb_build_object('currencies', v_currencies));
  end if;
end
$$;

-- What a promo code is worth on an amount: half a minor unit rounds up, and the discount is never more than the
-- amount.
--
-- Callers: interlock.evaluate_promo.
create function interlock.promo_discount(
  p_discount_type text,
  p_discount_value numeric,
  p_max_discount bigint,
  p_amount bigint
)
returns bigint
language plpgsql
immutable
set search_path = ''
as $$
begin
  return least(
    case p_discount_type
      when 'percentage' then least(floor(p_amount * p_discount_value / 100 + 0.5), p_max_discount)
      else p_discount_value
    end,
    p_amount
  )::bigint;
end
$$;

-- Redeem a code for an order: the hold of this cart if there is one, else a use taken now. Returns what it takes off
-- each line, in minor units, in the order of the lines; their sum is the discount.
--
-- Callers: interlock.checkout, once in its transaction, before product codes and stock. The order need not be
--   written yet. p_lines: [{"product_id", "quantity", "unit_price"}], duplicates summed, priced from the
--   database.
-- Locks: first-order lock if the code asks for it, then as interlock.take_promo_use.
-- Errors: PROMO_NOT_FOUND, PROMO_NOT_APPLICABLE, PROMO_NOT_STARTED, PROMO_EXPIRED, PROMO_ALREADY_APPLIED,
--   PROMO_EXHAUSTED, PROMO_CHANGED; 55P03 after lock_timeout.
create function interlock.redeem_promo(
  p_user_id uuid,
  p_code text,
  p_cart_id uuid,
  p_order_id uuid,
  p_currency text,
  p_lines jsonb
)
returns bigint[]
language plpgsql
set search_path = ''
set timezone = 'UTC'
as $$
declare
  v_promo interlock.promo_codes;
  v_verdict record;
begin
  v_promo := interlock.find_promo(p_code, p_user_id);
  if v_promo.id is null then
    perform interlock.raise_error('PROMO_NOT_FOUND');
  end if;

  if v_promo.first_order_only then
    perform interlock.lock_first_order(p_user_id);
  end if;

  v_verdict := interlock.evaluate_promo(v_promo, p_user_id, p_order_id, p_currency, p_lines, null);
  if v_verdict.o_refusal is not null then
    perform interlock.raise_error(v_verdict.o_refusal, v_verdict.o_detail);
  end if;

  perform interlock.take_promo_use(
    v_promo.id, p_user_id, p_cart_id, p_order_id, v_verdict.o_discount, p_currency, null
  );

  return interlock.split_discount(v_verdict.o_discount, v_verdict.o_amounts);
end
$$;

-- Refuse a code that this user may not know, and count the guess. Null if they may; else what to answer
-- (promo/tables/promo_attempts.sql).
--
-- Callers: interlock.validate_promo, interlock.checkout, before they write or lock anything.
-- Locks: lock_promo_attempts.
-- Errors: METHOD_NOT_ALLOWED in a read-only transaction, READ_ONLY at a replica, UNAUTHENTICATED, TOO_MANY_ATTEMPTS; 55P03 after lock_timeout.
--   PROMO_NOT_FOUND is returned.
create function interlock.refuse_unknown_promo(p_user_id uuid, p_code text)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  v_limit constant int := 20;
  v_window constant interval := interval '10 minutes';
  v_attempted_at timestamptz[];
  v_promo interlock.promo_codes;
begin
  if current_setting('transaction_read_only')::boolean then
    perform interlock.raise_error(case when pg_is_in_recovery() then 'READ_ONLY' else 'METHOD_NOT_ALLOWED' end);
  end if;

  perform interlock.lock_promo_attempts(p_user_id);
  perform interlock.require_user();

  v_attempted_at := array(
    select t.at
    from interlock.promo_attempts a
    cross join unnest(a.attempted_at) as t (at)
    where a.user_id = p_user_id
      and t.at > interlock.clock() - v_window
    order by t.at
  );

  if cardinality(v_attempted_at) >= v_limit then
    perform interlock.raise_error('TOO_MANY_ATTEMPTS', jsonb_build_object(
      'retry_after', greatest(
        1, ceil(extract(epoch from v_attempted_at[1] + v_window - interlock.clock()))::int
      )
    ));
  end if;

  v_promo := interlock.find_promo(p_code, p_user_id);
  if v_promo.id is not null then
    return null;
  end if;

  insert into interlock.promo_attempts (user_id, attempted_at)
  values (p_user_id, v_attempted_at || interlock.clock())
  on conflict on constraint promo_attempts_pkey do update set attempted_at = excluded.attempted_at;

  perform set_config('response.status', '404', true);
  return interlock.error_body('PROMO_NOT_FOUND');
end
$$;

-- Give back the hold of a cart. Returns whether there was one.
--
-- Callers: interlock.validate_promo.
-- Locks: the customer's row of promo_user_uses, then the row of promo_codes, waiting.
-- Errors: 55P03 after lock_timeout.
create function interlock.release_promo_hold(p_promo_id uuid, p_user_id uuid, p_cart_id uuid)
returns boolean
language plpgsql
set search_path = ''
as $$
begin
  perform interlock.lock_promo_users(array[p_promo_id], array[p_user_id]);
  return interlock.end_promo_uses(
    array(
      select r.id
      from interlock.promo_redemptions r
      where r.promo_id = p_promo_id
        and r.user_id = p_user_id
        and coalesce(r.cart_id, '00000000-0000-0000-0000-000000000000')
          = coalesce(p_cart_id, '00000000-0000-0000-0000-000000000000')
        and r.status = 'held'
    ),
    'held',
    'released'
  ) > 0;
end
$$;

-- Give back the uses of orders that were cancelled, refunded, expired or not paid. Each use is given back once,
-- however often this is called.
--
-- Callers: interlock.settle_orders, for all orders that a transaction ends, at once.
-- Locks: rows of promo_user_uses, then of promo_codes, each in order, waiting.
-- Errors: 55P03 after lock_timeout. Returns the number of uses given back.
create function interlock.return_promos(p_order_ids uuid[])
returns int
language plpgsql
set search_path = ''
as $$
declare
  v_ids uuid[];
  v_promo_ids uuid[];
  v_user_ids uuid[];
begin
  select array_agg(r.id), array_agg(r.promo_id), array_agg(r.user_id)
  into v_ids, v_promo_ids, v_user_ids
  from interlock.promo_redemptions r
  where r.order_id = any (p_order_ids)
    and r.status = 'redeemed';

  if v_ids is null then
    return 0;
  end if;

  perform interlock.lock_promo_users(v_promo_ids, v_user_ids);
  return interlock.end_promo_uses(v_ids, 'redeemed', 'returned');
end
$$;

-- What public.set_promo_slots does, with its owner's rights.
--
-- Callers: service_role, through public.set_promo_slots.
-- Locks: the code, its slots; two seconds at most for each.
-- Errors: VALIDATION_FAILED, PROMO_NOT_FOUND; 55P03 is transient.
-- Security definer: nobody has the right to write slots.
create function interlock.set_promo_slots(p_promo_id uuid, p_slots int)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
as $$
declare
  v_problems jsonb := '[]'::jsonb;
  v_used int;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;

  if p_promo_id is null then
    v_problems := v_problems || interlock.problem('/p_promo_id', 'is required');
  end if;
  if p_slots is null or p_slots not between 0 and 256 then
    v_problems := v_problems || interlock.problem('/p_slots', 'must be an integer from 0 to 256');
  end if;
  perform interlock.refuse_problems(v_problems);

  perform 1 from interlock.promo_codes p where p.id = p_promo_id for no key update;
  if not found then
    perform interlock.raise_error('PROMO_NOT_FOUND');
  end if;

  v_used := interlock.settle_promo_uses(p_promo_id);
  perform interlock.make_slots(p_promo_id, p_slots);

  update interlock.promo_codes p
  set use_slots = p_slots
  where p.id = p_promo_id
    and p.use_slots <> p_slots;

  perform interlock.grant_promo_uses(p_promo_id);

  return jsonb_build_object('success', true, 'promo_id', p_promo_id, 'slots', p_slots, 'used_count', v_used);
end
$$;

-- Call in the slots of a code, so that its uses are in its row again. Returns them, exactly.
--
-- Callers: functions that have locked the code.
-- Locks: its slots in order, waiting.
-- Errors: 55P03 after lock_timeout.
create function interlock.settle_promo_uses(p_promo_id uuid)
returns int
language plpgsql
set search_path = ''
as $$
declare
  v_used constant int := interlock.call_in_slots(p_promo_id);
begin
  if v_used > 0 then
    update interlock.promo_codes p
    set used_count = p.used_count + v_used
    where p.id = p_promo_id;
  end if;

  return (select p.used_count from interlock.promo_codes p where p.id = p_promo_id);
end
$$;

-- Share a discount between the lines of a cart in proportion to their amounts. Each line gets the whole minor
-- units of its share; what is left goes one by one to the largest remainders, the first line first among
-- equals. The shares sum exactly to the discount, and no share exceeds its line.
--
-- Callers: interlock.validate_promo, interlock.redeem_promo.
-- Locks: none. Expects 0 <= discount <= sum of the amounts.
create function interlock.split_discount(p_discount bigint, p_amounts bigint[])
returns bigint[]
language plpgsql
immutable
set search_path = ''
as $$
begin
  if cardinality(p_amounts) = 1 then
    return array[p_discount];
  end if;
  return (
    with parts as (
      select
        a.n,
        div(p_discount * a.amount::numeric, t.total) as whole,
        mod(p_discount * a.amount::numeric, t.total) as remainder
      from unnest(p_amounts) with ordinality as a (amount, n)
      -- A total of zero shares a discount of zero.
      cross join (select greatest(sum(s.amount), 1) as total from unnest(p_amounts) as s (amount)) t
    ),
    ranked as (
      select
        p.n,
        p.whole,
        row_number() over (order by p.remainder desc, p.n) as place,
        p_discount - sum(p.whole) over () as left_over
      from parts p
    )
    select coalesce(
      array_agg((r.whole + case when r.place <= r.left_over then 1 else 0 end)::bigint order by r.n),
      '{}'
    )
    from ranked r
  );
end
$$;

-- The one way to a use. With p_held_until it is held for the cart (a hold of that cart is refreshed), otherwise
-- redeemed (a hold of that cart becomes the redemption). A live hold is redeemed for the discount it has shown,
-- or not at all. Without p_user_id it is a use that only the code's own limit binds. Returns the end of the hold.
--
-- A customer holds a code with as many carts as the code allows, and for settings.promo_hold_limit in all: no hold
-- ends later, and after that there is none (null) until as much time has passed again, so that nobody keeps uses from
-- others by asking again and again. What may not be held can still be bought.
--
-- Reads decide first, without a lock (interlock.find_promo_use). Where a use has to be taken back from an expired hold,
-- the rows of promo_user_uses of both customers are locked together, in order and waiting, so that nobody is told
-- "exhausted" because of a transaction that is then rolled back. If after the locks the rule no longer holds, a
-- sub-transaction gives the locks back before the function looks again: an update that finds its row changed keeps the
-- lock, and whoever looks again must hold nothing. Every turn of that loop means that somebody else's transaction has
-- succeeded. The row of the code is the hot one: it comes last and only where used_count changes; refreshing or
-- redeeming a hold does not touch it.
--
-- Callers: interlock.redeem_promo, interlock.validate_promo, interlock.increment_promo_usage.
-- Locks: rows of promo_user_uses, then a slot of the code or the row of promo_codes.
-- Errors: PROMO_NOT_FOUND, PROMO_ALREADY_APPLIED, PROMO_EXHAUSTED, PROMO_CHANGED; 55P03 after lock_timeout or
--   after 200 lost races.
create function interlock.take_promo_use(
  p_promo_id uuid,
  p_user_id uuid,
  p_cart_id uuid,
  p_order_id uuid,
  p_discount bigint,
  p_currency text,
  p_held_until timestamptz
)
returns timestamptz
language plpgsql
set search_path = ''
as $$
declare
  v_look record;
  v_own interlock.promo_redemptions;
  v_limit interval;
  v_since timestamptz;
  v_held_until timestamptz;
  v_slot_tries int := 0;
begin
  for v_turn in 1..200 loop
    v_look := interlock.find_promo_use(p_promo_id, p_user_id, p_cart_id, p_held_until is not null);
    if v_look.o_refusal is not null then
      perform interlock.raise_error(v_look.o_refusal, v_look.o_detail);
    end if;

    begin
      -- A new row is nobody's expired hold, so nobody waits for it but the same customer,
      -- who holds nothing yet.
      if p_user_id is not null then
        insert into interlock.promo_user_uses (promo_id, user_id, held_since)
        values (p_promo_id, p_user_id, case when p_held_until is not null then interlock.clock() end)
        on conflict do nothing;
      end if;
      perform interlock.lock_promo_users(
        array[p_promo_id, p_promo_id], array[p_user_id, v_look.o_reap_from]
      );

      select r.*
      into v_own
      from interlock.promo_redemptions r
      where r.promo_id = p_promo_id
        and r.user_id = p_user_id
        and coalesce(r.cart_id, '00000000-0000-0000-0000-000000000000')
          = coalesce(p_cart_id, '00000000-0000-0000-0000-000000000000')
        and (r.status = 'held' or (r.status = 'redeemed' and r.cart_id is not null));

      if v_own.status = 'redeemed' then
        raise exception using errcode = 'IL001', message = 'redeemed meanwhile: look again';
      end if;

      if p_held_until is not null then
        select s.promo_hold_limit, u.held_since
        into v_limit, v_since
        from interlock.promo_user_uses u
        cross join interlock.settings s
        where u.promo_id = p_promo_id
          and u.user_id = p_user_id;
        if v_since is null or v_since + 2 * v_limit <= interlock.clock() then
          v_since := interlock.clock();
          update interlock.promo_user_uses u
          set held_since = v_since
          where u.promo_id = p_promo_id
            and u.user_id = p_user_id;
        elsif v_since + v_limit <= interlock.clock() then
          return null;
        end if;
        v_held_until := least(p_held_until, v_since + v_limit);
      end if;

      if v_own.status = 'held' then
        if p_held_until is not null then
          update interlock.promo_redemptions r
          set held_until = v_held_until,
              discount = p_discount,
              currency = p_currency
          where r.id = v_own.id;
          return v_held_until;
        end if;

        if v_own.held_until > interlock.clock()
          and (v_own.discount <> p_discount or v_own.currency <> p_currency)
        then
          perform interlock.raise_error('PROMO_CHANGED', jsonb_build_object(
            'shown', v_own.discount, 'now', p_discount, 'currency', p_currency
          ));
        end if;

        update interlock.promo_redemptions r
        set status = 'redeemed',
            order_id = p_order_id,
            redeemed_at = interlock.clock(),
            discount = p_discount,
            currency = p_currency
        where r.id = v_own.id;
        return null;
      end if;

      if v_look.o_over or v_look.o_reap_from is not null then
        perform interlock.end_promo_uses(
          array(
            select r.id
            from interlock.promo_redemptions r
            where r.promo_id = p_promo_id
              and r.user_id in (p_user_id, v_look.o_reap_from)
              and r.status = 'held'
              and r.held_until <= interlock.clock()
          ),
          'held',
          'expired'
        );
      end if;

      if p_user_id is not null then
        update interlock.promo_user_uses u
        set used = u.used + 1
        from interlock.promo_codes p
        where u.promo_id = p_promo_id
          and u.user_id = p_user_id
          and p.id = p_promo_id
          and (p.max_uses_per_user is null or u.used < p.max_uses_per_user)
          and (
            p_held_until is null
            or p.holds_per_user > (
              select count(*)
              from interlock.promo_redemptions r
              where r.promo_id = p_promo_id
                and r.user_id = p_user_id
                and r.status = 'held'
            )
          );
        if not found then
          raise exception using errcode = 'IL001', message = 'used or held by the same customer meanwhile: look again';
        end if;
      end if;

      insert into interlock.promo_redemptions
        (promo_id, user_id, cart_id, order_id, status, discount, currency, held_until, redeemed_at)
      values (
        p_promo_id, p_user_id, p_cart_id, p_order_id,
        case when p_held_until is null then 'redeemed' else 'held' end,
        p_discount, p_currency, v_held_until,
        case when p_held_until is null then interlock.clock() end
      );

      -- From a free slot, then from one that is worth waiting for, then at the gate.
      if v_look.o_in_a_slot and v_slot_tries < 2 then
        v_slot_tries := v_slot_tries + 1;
        perform interlock.use_slot(p_promo_id, 1, v_slot_tries = 2);
      else
        perform interlock.count_promo_use(p_promo_id);
      end if;
      return v_held_until;
    exception
      when sqlstate 'IL001' or sqlstate 'IL002' then
        null;
    end;
  end loop;

  raise exception using
    errcode = 'lock_not_available',
    message = format('promo code %s is too busy', p_promo_id);
end
$$;

-- What public.validate_promo does, with its owner's rights.
--
-- Callers: authenticated and service_role, through public.validate_promo.
-- Locks: lock_promo_attempts; then, unless it is a dry run, the account, and as take_promo_use or
--   release_promo_hold. Each wait lasts two seconds at most.
-- Errors: VALIDATION_FAILED, UNAUTHENTICATED, TOO_MANY_ATTEMPTS, PROMO_NOT_FOUND (returned, not raised),
--   PROMO_NOT_APPLICABLE, PROMO_NOT_STARTED, PROMO_EXPIRED, PRODUCT_NOT_FOUND, MIXED_CURRENCIES,
--   PROMO_ALREADY_APPLIED, PROMO_EXHAUSTED; 55P03 and 40P01 are transient and nothing has happened.
-- Security definer: codes are secrets that no customer may read. Nothing here trusts an argument for who is
--   calling; that is auth.uid().
create function interlock.validate_promo(
  p_code text,
  p_cart_items jsonb,
  p_subtotal bigint,
  p_cart_id uuid,
  p_dry_run boolean,
  p_action text,
  p_currency text
)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
set plan_cache_mode = force_generic_plan
-- Lines are few, and each is looked up; guessed at a hundred, they would have every row of a small shop read instead.
set enable_hashjoin = off
set enable_mergejoin = off
set timezone = 'UTC'
as $$
declare
  v_action constant text := coalesce(p_action, 'apply');
  v_dry_run constant boolean := coalesce(p_dry_run, false);
  v_cart_items constant jsonb := nullif(p_cart_items, 'null');
  v_user_id constant uuid := auth.uid();
  v_refusal jsonb;
  v_promo interlock.promo_codes;
  v_cart record;
  v_currency text;
  v_verdict record;
  v_look record;
  v_held_until timestamptz;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;

  if v_user_id is null then
    perform interlock.raise_error('UNAUTHENTICATED');
  end if;
  perform interlock.check_validate_promo_arguments(
    p_code, v_cart_items, p_subtotal, v_dry_run, v_action, p_currency
  );
  if v_action = 'apply' and v_cart_items is not null then
    v_cart := interlock.price_promo_cart(v_cart_items);
  else
    select null::jsonb as o_lines, p_currency as o_currency into v_cart;
  end if;

  v_refusal := interlock.refuse_unknown_promo(v_user_id, p_code);
  if v_refusal is not null then
    return v_refusal;
  end if;
  v_promo := interlock.find_promo(p_code, v_user_id);

  -- Nothing is held for an account that is being removed.
  if not v_dry_run and not interlock.lock_user(v_user_id) then
    perform interlock.raise_error('UNAUTHENTICATED');
  end if;

  if v_action = 'release' then
    return jsonb_build_object(
      'released', interlock.release_promo_hold(v_promo.id, v_user_id, p_cart_id),
      'code', v_promo.code
    );
  end if;

  v_currency := coalesce(v_cart.o_currency, v_promo.currency);
  v_verdict := interlock.evaluate_promo(
    v_promo, v_user_id, null, v_currency, v_cart.o_lines, p_subtotal
  );
  if v_verdict.o_refusal is not null then
    perform interlock.raise_error(v_verdict.o_refusal, v_verdict.o_detail);
  end if;

  if v_dry_run then
    v_look := interlock.find_promo_use(v_promo.id, v_user_id, p_cart_id, true);
    if v_look.o_refusal is not null then
      perform interlock.raise_error(v_look.o_refusal, v_look.o_detail);
    end if;
  else
    -- A hold does not outlive its code.
    select least(
      interlock.clock() + s.promo_hold,
      interlock.promo_end(v_promo.expires_at, v_promo.last_day, v_promo.time_zone)
    )
    into v_held_until
    from interlock.settings s;

    -- Null if this customer has held the code for as long as they may.
    v_held_until := interlock.take_promo_use(
      v_promo.id, v_user_id, p_cart_id, null, v_verdict.o_discount, v_currency, v_held_until
    );
  end if;

  return jsonb_build_object(
    'valid', true,
    'code', v_promo.code,
    'discount_type', v_promo.discount_type,
    'discount', v_verdict.o_discount,
    'subtotal', v_verdict.o_subtotal,
    'total', v_verdict.o_subtotal - v_verdict.o_discount,
    'currency', v_currency,
    'held_until', v_held_until,
    'lines', (
      select jsonb_agg(
        jsonb_build_object('product_id', l.line -> 'product_id', 'discount', s.share) order by l.n
      )
      from jsonb_array_elements(v_cart.o_lines) with ordinality as l (line, n)
      join unnest(interlock.split_discount(v_verdict.o_discount, v_verdict.o_amounts))
        with ordinality as s (share, n) using (n)
    )
  );
end
$$;

create view interlock.promo_differences
with (security_invoker = true)
as
  with counted as (
    select r.promo_id, r.user_id, count(*) as uses
    from interlock.promo_redemptions r
    where r.status in ('held', 'redeemed')
    group by r.promo_id, r.user_id
  ),
  codes as (
    select p.id, (p.used_count + coalesce(s.used, 0))::int as used_count
    from interlock.promo_codes p
    left join (
      select c.owner_id, sum(c.used) as used from interlock.counter_slots c group by c.owner_id
    ) s on s.owner_id = p.id
  )
  select p.id as promo_id, null::uuid as user_id, p.used_count as counter, coalesce(sum(c.uses), 0)::bigint as uses
  from codes p
  left join counted c on c.promo_id = p.id
  group by p.id, p.used_count
  having p.used_count <> coalesce(sum(c.uses), 0)
  union all
  select coalesce(u.promo_id, c.promo_id), coalesce(u.user_id, c.user_id), coalesce(u.used, 0), coalesce(c.uses, 0)
  from interlock.promo_user_uses u
  full join (select * from counted where user_id is not null) c
    on c.promo_id = u.promo_id and c.user_id = u.user_id
  where coalesce(u.used, 0) <> coalesce(c.uses, 0);

comment on view interlock.promo_differences is
  'Where a counter of uses (of a code, or with user_id of one customer) disagrees with the rows. Must be empty.';

grant select on table interlock.promo_differences to service_role;

create function public.expire_promo_holds(p_limit int default 1000)
returns jsonb
language sql
security invoker
set search_path = ''
as $$
  select jsonb_build_object('success', true, 'expired', interlock.expire_promo_holds(p_limit))
$$;

comment on function public.expire_promo_holds(int) is
  'Takes back up to p_limit holds of promo codes whose time is over. For the service role.';

create function public.increment_promo_usage(p_promo_id uuid, p_reference text default null)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
begin
  return interlock.increment_promo_usage(p_promo_id, p_reference);
end
$$;

comment on function public.increment_promo_usage(uuid, text) is
  'Counts one use of a promo code, once for each p_reference; PROMO_EXHAUSTED when none is left. For the service role.';

create function public.set_promo_slots(p_promo_id uuid, p_slots int)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
begin
  return interlock.set_promo_slots(p_promo_id, p_slots);
end
$$;

comment on function public.set_promo_slots(uuid, int) is
  'Spreads the uses of a hot promo code over p_slots slots (0 switches off), while it is in use. For the service role.';

create function public.validate_promo(
  p_code text,
  p_cart_items jsonb default null,
  p_subtotal bigint default null,
  p_cart_id uuid default null,
  p_dry_run boolean default false,
  p_action text default 'apply',
  p_currency text default null
)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
begin
  return interlock.validate_promo(
    p_code, p_cart_items, p_subtotal, p_cart_id, p_dry_run, p_action, p_currency
  );
end
$$;

comment on function public.validate_promo(text, jsonb, bigint, uuid, boolean, text, text) is
  'Applies a promo code to the caller''s cart: the discount, and a hold on one use. p_dry_run only asks, p_action release gives the hold back.';

-- Generated by `cargo xtask codegen`: the first sentence of the header of each function.
comment on function interlock.check_validate_promo_arguments is
  'Refuse arguments the function promo-validate would have refused already; all problems at once.';
comment on function interlock.count_promo_use is
  'Count one use on the code itself, within its limit.';
comment on function interlock.cover_promo_slots is
  'Trigger: the limit of a promo code covers what its slots may still use, whoever lowers it.';
comment on function interlock.end_promo_uses is
  'End uses: rows p_ids from status p_from to p_to, and both counters with them.';
comment on function interlock.evaluate_promo is
  'Apply a promo code to a cart, as it is now: the discount, or why there is none.';
comment on function interlock.expire_promo_holds is
  'Take back holds whose time is over; answers how many.';
comment on function interlock.find_promo is
  'The code as this customer may know it.';
comment on function interlock.find_promo_use is
  'Whether this customer may have a use of the code for this cart, in one look (one statement, one snapshot): one that an order redeems, or with p_to_hold a hold.';
comment on function interlock.grant_promo_uses is
  'Share the uses that are left out to the slots of a code.';
comment on function interlock.has_other_order is
  'Whether a customer has an order.';
comment on function interlock.increment_promo_usage is
  'What public.increment_promo_usage does, with its owner''s rights.';
comment on function interlock.keep_used_promo is
  'Keep a code that has uses, because history and counters refer to it.';
comment on function interlock.lock_first_order is
  'Serialise a customer''s orders under codes for first orders, so that two checkouts at once, under the same code or two, are not both the first.';
comment on function interlock.lock_promo_attempts is
  'Serialise one user''s attempts, so that a burst of guesses is counted one by one.';
comment on function interlock.lock_promo_users is
  'Lock the uses of customers of promo codes: pairs (p_promo_ids[n], p_user_ids[n]).';
comment on function interlock.move_promo_uses is
  'Give one customer the uses of promo codes that another has redeemed, and the codes that are named for them; their holds end.';
comment on function interlock.price_promo_cart is
  'The lines of a cart, checked, duplicates summed and priced from the database: [{"product_id", "quantity", "unit_price"}] by product, and their currency.';
comment on function interlock.promo_discount is
  'What a promo code is worth on an amount: half a minor unit rounds up, and the discount is never more than the amount.';
comment on function interlock.promo_end is
  'When a code ends: at a moment, with a day in a time zone, or at the earlier of both; null means never.';
comment on function interlock.redeem_promo is
  'Redeem a code for an order: the hold of this cart if there is one, else a use taken now.';
comment on function interlock.refuse_unknown_promo is
  'Refuse a code that this user may not know, and count the guess.';
comment on function interlock.release_promo_hold is
  'Give back the hold of a cart.';
comment on function interlock.return_promos is
  'Give back the uses of orders that were cancelled, refunded, expired or not paid.';
comment on function interlock.set_promo_slots is
  'What public.set_promo_slots does, with its owner''s rights.';
comment on function interlock.settle_promo_uses is
  'Call in the slots of a code, so that its uses are in its row again.';
comment on function interlock.split_discount is
  'Share a discount between the lines of a cart in proportion to their amounts.';
comment on function interlock.take_promo_use is
  'The one way to a use.';
comment on function interlock.validate_promo is
  'What public.validate_promo does, with its owner''s rights.';

-- Who may call what of promo codes. What is not here belongs to its owner.
revoke execute on all functions in schema interlock from public;
revoke all on function
  public.expire_promo_holds(int),
  public.increment_promo_usage(uuid, text),
  public.set_promo_slots(uuid, int),
  public.validate_promo(text, jsonb, bigint, uuid, boolean, text, text)
from public, anon, authenticated, service_role;

grant execute on function
  public.validate_promo(text, jsonb, bigint, uuid, boolean, text, text), interlock.validate_promo
to authenticated, service_role;

-- The shop writes codes, whose checks ask these.
grant execute on function interlock.is_time_zone, interlock.promo_end to service_role;

grant execute on function
  public.expire_promo_holds(int), interlock.expire_promo_holds,
  public.increment_promo_usage(uuid, text), interlock.increment_promo_usage,
  public.set_promo_slots(uuid, int), interlock.set_promo_slots
to service_role;

-- What apps and the shop read of promo over REST, each where its name is free in public (interlock.expose).
select interlock.expose('promo_codes');
select interlock.expose('promo_code_products');
select interlock.expose('promo_redemptions');
select interlock.expose('promo_differences');
