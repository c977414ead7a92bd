-- Products: what can be bought, at which price, and how much of it there is.
--
-- `available_quantity` is the stock that can be sold. For a physical product it is the
-- truth; for a digital one it is the number of free product codes and follows them
-- (20251117000300_product_codes.sql). Its check `products_available_quantity_nonnegative`
-- comes with 20251116000000_fix_inventory_race_condition.sql.
--
-- Everybody sees the active products. The shop (service role) writes. Whatever changes
-- the stock leaves a row in the ledger (20251110000200_stock_movements.sql).
--
-- Nothing that is written with every sale has a foreign key to this table: the key-share
-- locks of many buyers on one hot product would make a multixact for each checkout. What
-- a foreign key would do is done here and in 20251117000200_orders.sql: an id never
-- changes, and a product that was sold cannot be deleted.
--
-- Money is in minor units. With 100 lines of 10,000 the largest price still gives a sum
-- that fits a bigint.
--
-- Tests: supabase/tests/10-checkout-schema.sql, 11-stock.sql

set local lock_timeout = '5s';

create table public.products (
  id uuid not null default gen_random_uuid()
    constraint products_pkey primary key,
  name text not null
    constraint products_name_length check (char_length(name) between 1 and 200),
  price bigint not null
    constraint products_price_sane check (price between 0 and 1000000000000),
  currency char(3) not null
    constraint products_currency_format check (currency ~ '^[A-Z]{3}$'),
  available_quantity int not null default 0,
  kind text not null default 'physical'
    constraint products_kind_known check (kind in ('physical', 'digital')),
  active boolean not null default true,
  created_at timestamptz not null default now()
)
-- Stock changes with every sale: room in each page keeps those updates out of the index.
with (fillfactor = 70);

comment on table public.products is
  'What can be bought. Managed by the shop with the service role; stock is taken by public.checkout.';
comment on column public.products.price is
  'Price of one unit in minor units (cents) of the currency.';
comment on column public.products.currency is
  'ISO 4217 code, upper case.';
comment on column public.products.available_quantity is
  'Units that can be sold now. For a digital product the number of its free codes, kept by a trigger.';
comment on column public.products.kind is
  'physical (counted) or digital (each unit is one row of product_codes). Never changes.';
comment on column public.products.active is
  'An inactive product can neither be seen nor bought.';

alter table public.products enable row level security;

revoke all on table public.products from public, anon, authenticated, service_role;
grant select on table public.products to anon, authenticated;
grant select, insert, update, delete on table public.products to service_role;

create policy products_select_active
  on public.products
  for select
  to anon, authenticated
  using (active);

-- Purpose: refuse a new id or kind for a product.
-- Callers: trigger products_identity_fixed, only when one of them would change.
-- Locks: none.
-- Errors: 23514 check_violation with constraint name products_identity_fixed.
-- Tests: supabase/tests/11-stock.sql
create function private.refuse_product_identity_change()
returns trigger
language plpgsql
set search_path = ''
as $$
begin
  raise exception using
    errcode = 'check_violation',
    schema = tg_table_schema,
    table = tg_table_name,
    constraint = 'products_identity_fixed',
    message = format('id and kind of product %s cannot change', old.id),
    hint = 'Make the product inactive and insert another one.';
end
$$;

comment on function private.refuse_product_identity_change() is
  'Trigger: refuses a new id or kind for a product.';

revoke all on function private.refuse_product_identity_change() from public, anon, authenticated, service_role;

create trigger products_identity_fixed
  before update on public.products
  for each row
  when (old.id is distinct from new.id or old.kind is distinct from new.kind)
  execute function private.refuse_product_identity_change();
