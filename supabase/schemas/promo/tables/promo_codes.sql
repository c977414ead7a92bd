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
