-- Promo codes: what a code is worth, to whom, when and on which products.
--
-- Codes are secrets: nobody but the service role reads these tables. A buyer learns of a
-- code through public.validate_promo and public.checkout only.
--
-- Codes are unique without case and without surrounding blanks. Money is in minor units of
-- `currency`; a code that names an amount (a fixed discount, a cap, a minimum) has one.
--
--   promo_codes_used_count_within_limit   uses held and redeemed never exceed max_uses
--
-- `used_count` is counted by private.take_promo_use and private.end_promo_uses only, each
-- time with the row of promo_redemptions it stands for; the service role cannot write it.
-- To shut a code, set active = false. `max_uses` cannot go below what is used already.
--
-- No foreign key to auth.users: a named customer whose account is gone matches nobody,
-- and must neither open the code to everybody nor stand in the way of the removal.
--
-- The indexes are created with the tables, so none needs `concurrently`.
--
-- Tests: supabase/tests/15-promo-schema.sql, 16-promo-rules.sql

set local lock_timeout = '5s';

create table public.promo_codes (
  id uuid not null default gen_random_uuid()
    constraint promo_codes_pkey primary key,
  code text not null
    constraint promo_codes_code_readable
      check (char_length(btrim(code)) between 1 and 64 and code !~ '[[:cntrl:]]'),
  discount_type text not null
    constraint promo_codes_discount_type_known check (discount_type in ('percentage', 'fixed')),
  discount_value numeric not null,
  max_discount bigint
    constraint promo_codes_max_discount_positive check (max_discount > 0),
  currency char(3)
    constraint promo_codes_currency_format check (currency ~ '^[A-Z]{3}$'),
  max_uses int
    constraint promo_codes_max_uses_nonnegative check (max_uses >= 0),
  used_count int not null default 0
    constraint promo_codes_used_count_nonnegative check (used_count >= 0),
  max_uses_per_user int
    constraint promo_codes_max_uses_per_user_positive check (max_uses_per_user > 0),
  min_subtotal bigint
    constraint promo_codes_min_subtotal_nonnegative check (min_subtotal >= 0),
  starts_at timestamptz,
  expires_at timestamptz,
  active boolean not null default true,
  first_order_only boolean not null default false,
  user_id uuid,
  created_at timestamptz not null default now(),

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
    or (discount_type <> 'fixed' and max_discount is null and min_subtotal is null)
  ),
  constraint promo_codes_ends_after_start check (expires_at > starts_at)
);

comment on table public.promo_codes is
  'Promo codes and their rules. Secret: only the service role reads them.';
comment on column public.promo_codes.code is
  'As the shop writes it. Compared in upper case and without surrounding blanks.';
comment on column public.promo_codes.discount_type is
  'percentage (of the matching lines) or fixed (an amount).';
comment on column public.promo_codes.discount_value is
  'Percentage: per cent, up to two decimals. Fixed: minor units of currency.';
comment on column public.promo_codes.max_discount is
  'Cap of a percentage, in minor units; null means none.';
comment on column public.promo_codes.currency is
  'ISO 4217. The code applies to carts of this currency only; null means any.';
comment on column public.promo_codes.max_uses is
  'Uses of all customers together; null means no limit.';
comment on column public.promo_codes.used_count is
  'Uses held or redeemed now. Counted by functions, never written by hand.';
comment on column public.promo_codes.max_uses_per_user is
  'Uses of one customer; null means no limit.';
comment on column public.promo_codes.min_subtotal is
  'Smallest subtotal of the whole cart, in minor units.';
comment on column public.promo_codes.starts_at is
  'First moment at which the code applies; null means always.';
comment on column public.promo_codes.expires_at is
  'From this moment on the code has ended; null means never.';
comment on column public.promo_codes.first_order_only is
  'Only for a customer without an earlier order (cancelled, expired and refunded ones do not count).';
comment on column public.promo_codes.user_id is
  'The one customer it is for; everybody else is told that there is no such code.';

-- One code, however it is written: also the look-up of private.find_promo.
create unique index promo_codes_code_unique on public.promo_codes (upper(btrim(code)));

alter table public.promo_codes enable row level security;

revoke all on table public.promo_codes from public, anon, authenticated, service_role;
grant select, delete on table public.promo_codes to service_role;
grant
  insert (
    id, code, discount_type, discount_value, max_discount, currency, max_uses, max_uses_per_user,
    min_subtotal, starts_at, expires_at, active, first_order_only, user_id
  ),
  update (
    code, discount_type, discount_value, max_discount, currency, max_uses, max_uses_per_user,
    min_subtotal, starts_at, expires_at, active, first_order_only, user_id
  )
  on table public.promo_codes to service_role;

-- Product scope: without rows a code applies to every product. A product in a scope cannot
-- be deleted, because an emptied scope would open the code to everything.
create table public.promo_code_products (
  promo_id uuid not null
    constraint promo_code_products_promo_id_fkey references public.promo_codes (id) on delete cascade,
  product_id uuid not null
    constraint promo_code_products_product_id_fkey references public.products (id),
  constraint promo_code_products_pkey primary key (promo_id, product_id)
);

comment on table public.promo_code_products is
  'The products a code applies to; no row means all. The discount is on the matching lines only.';

create index promo_code_products_product_id on public.promo_code_products (product_id);

alter table public.promo_code_products enable row level security;

revoke all on table public.promo_code_products from public, anon, authenticated, service_role;
grant select, insert, delete on table public.promo_code_products to service_role;

-- How long an applied code is held for a cart.
alter table private.settings
  add column promo_hold interval not null default '15 minutes'
    constraint settings_promo_hold_sane
      check (promo_hold between interval '1 second' and interval '1 day');

comment on column private.settings.promo_hold is
  'How long public.validate_promo holds a use of a code for a cart (1 second to 1 day).';
