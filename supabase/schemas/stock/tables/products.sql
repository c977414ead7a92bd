-- Products: what can be bought, at which price, and how much of it there is.
--
-- `available_quantity` is the stock that can be sold. For a physical product it is the truth; for a digital one it is
-- the number of free product codes and follows them (orders/tables/product_codes.sql).
--
-- A product has at most 1,000,000,000 units.
--
-- `stock_policy` says what a sale asks of the stock:
--
--   tracked    every unit that is sold was there; so at first
--   untracked  nothing: a sale neither asks nor changes the stock, which stays as it is, and locks no row of this table
--   backorder  what is not there is sold too, until `backordered` units are owed: at most `backorder_limit`
--
-- What is owed is never on the shelf: as long as `backordered` is above 0 there is nothing to sell, and whatever comes in
-- (a delivery, a count, an order that ends) fills it first, by trigger products_stock_settled. The ledger has the
-- difference of both columns. A policy may change while orders are open: each line says whether it has taken stock
-- (order_items.untracked), and gives back what it took. A lower limit takes nothing away, and neither does `tracked`.
--
-- Everybody sees the active products. The shop (service role) writes. Whatever changes the stock leaves a row in the
-- ledger (stock/tables/stock_movements.sql).
--
-- Nothing that is written with every sale has a foreign key to this table: the key-share locks of many buyers on one
-- hot product would make a multixact for each checkout. What a foreign key would do triggers do here: an id never
-- changes, and a product that was sold cannot be deleted.
--
-- A hot product can have its stock in slots (foundation/tables/counter_slots.sql), so that it sells as fast as many
-- cold ones: public.set_stock_slots(product, n) switches that on, off (0) and to another n while checkouts run; with
-- the same n it settles and shares out anew. `available_quantity` is then the stock as last settled: what was sold
-- from slots since then is not taken off yet, so it is never less than what can be sold. The exact number is
-- `available_quantity - sum(used)`, read in one statement: public.get_stock. The column is settled whenever the slots
-- run dry, when they are switched, and by interlock.settle_slots every minute. Once they have run dry with less than
-- 16 units for each left, nothing is in them and it is exact.
--
-- What is at other locations is in stock/tables/inventory.sql, in the product's `unit` with up to `decimals` decimals; here
-- are whole units.
--
-- Over the API stock is changed by public.adjust_stock and public.count_stock; PATCH of the column is refused
-- (STOCK_NOT_RELATIVE), because it would overwrite what is sold meanwhile.
--
-- The shop's own SQL goes on as before: `available_quantity + 100` books in 100 units. Less than what is in the slots
-- calls them in first; less than what they have sold is refused as ever. An absolute number means the number before
-- what is still to be settled, so settle first or say it relatively.
create table interlock.products (
  id uuid not null default interlock.new_id()
    constraint products_pkey primary key,
  name interlock.label not null,
  price interlock.price not null,
  currency interlock.currency_code not null,
  -- The limit is far below where an int ends: whatever comes back to the shelf finds room, or is refused by name
  -- (STOCK_LIMIT_EXCEEDED). The number is that of interlock.most_units. No domain: shops write this column with typed
  -- parameters.
  available_quantity int not null default 0
    constraint products_available_quantity_sane check (available_quantity <= 1000000000)
    constraint products_available_quantity_nonnegative check (available_quantity >= 0),
  kind interlock.product_kind not null default 'physical',
  active boolean not null default true,
  created_at timestamptz not null default now(),
  stock_slots int not null default 0,
  tax_class interlock.slug not null default 'standard',
  stock_policy interlock.stock_policy not null default 'tracked',
  backorder_limit interlock.unit_count not null default 0,
  backordered interlock.unit_count not null default 0,
  max_per_order interlock.positive_count,
  max_per_customer interlock.positive_count,
  unit interlock.unit_name not null default 'piece',
  decimals interlock.decimals not null default 0,
  loyalty_class interlock.slug not null default 'standard',
  low_stock_at interlock.unit_count not null default 5
)
-- Stock changes with every sale: room in each page keeps those updates out of the index.
with (fillfactor = 70);

comment on table interlock.products is
  'What can be bought. Managed by the shop with the service role; stock is taken by public.checkout.';
comment on column interlock.products.id is
  'Made by new_id where none is given: ordered by time. Never changes.';
comment on column interlock.products.name is
  'As orders show it; an order keeps the name it was bought under.';
comment on column interlock.products.price is
  'Price of one unit in minor units (cents) of the currency.';
comment on column interlock.products.currency is
  'ISO 4217 code, upper case.';
comment on column interlock.products.available_quantity is
  'Units that can be sold now. Over the API changed by adjust_stock and count_stock, not by PATCH. For a digital product the number of its free codes, kept by a trigger. With slots the stock as last settled: get_stock has the exact number.';
comment on column interlock.products.kind is
  'physical (counted) or digital (each unit is one row of product_codes). Never changes.';
comment on column interlock.products.active is
  'An inactive product can neither be seen nor bought.';
comment on column interlock.products.created_at is
  'When it was added.';
comment on column interlock.products.loyalty_class is
  'Which of points_rules says what points it earns.';
comment on column interlock.products.low_stock_at is
  'With so many units or fewer it is low: a badge shows it, and the event stock.low tells it once.';
comment on column interlock.products.tax_class is
  'Which of tax_rates is charged for it.';
comment on column interlock.products.stock_slots is
  'Slots that the stock is spread over for fast sales; 0 means none. Changed by set_stock_slots only.';
comment on column interlock.products.stock_policy is
  'What a sale asks of the stock: tracked (it must be there), untracked (nothing), backorder (what is not there is owed, up to backorder_limit).';
comment on column interlock.products.backorder_limit is
  'How many units may be sold that are not there, with the policy backorder.';
comment on column interlock.products.backordered is
  'Units that were sold and are not there yet. Whatever comes in fills them first, so as long as there are any available_quantity is 0.';
comment on column interlock.products.max_per_order is
  'How many units one order may have; empty: no limit.';
comment on column interlock.products.max_per_customer is
  'How many units one customer may have in orders that are not cancelled, expired or refunded; empty: no limit.';
comment on column interlock.products.unit is
  'What it is counted in, as people read it: piece, kg, m.';
comment on column interlock.products.decimals is
  'How many decimals its quantity may have at a location (0 to 3). The web shop sells whole units. Not lowered below what a location has.';

create trigger products_identity_fixed
  before update of id, kind on interlock.products
  for each row
  when (old.id is distinct from new.id or old.kind is distinct from new.kind)
  execute function interlock.refuse_product_identity_change();

create trigger products_sold_stay
  before delete on interlock.products
  for each row
  execute function interlock.refuse_delete_of_sold_product();

create trigger products_no_truncate
  before truncate on interlock.products
  for each statement
  execute function interlock.refuse_change();

create trigger products_digital_opening_stock
  before insert on interlock.products
  for each row
  when (new.kind = 'digital' and new.available_quantity <> 0)
  execute function interlock.settle_changed_stock();

-- Without a condition, as products_slots_covered: Postgres reads the text of one at every sale, which costs four times what
-- the function does that asks the same. By its name it comes after products_stock_relative.
create trigger products_stock_settled
  before update on interlock.products
  for each row
  execute function interlock.settle_changed_stock();

-- What our functions and triggers write runs as their owner; an RPC of the shop's own may say it relatively.
create trigger products_stock_relative
  before update of available_quantity on interlock.products
  for each row
  when (
    old.available_quantity is distinct from new.available_quantity
    and current_user = current_setting('role', true)
  )
  execute function interlock.refuse_stock_overwrite();

create trigger products_backorders_relative
  before update of backordered on interlock.products
  for each row
  when (
    old.backordered is distinct from new.backordered
    and current_user = current_setting('role', true)
  )
  execute function interlock.refuse_stock_overwrite();

create trigger products_policy_allowed
  before update of stock_policy on interlock.products
  for each row
  when (new.stock_policy <> 'tracked')
  execute function interlock.guard_stock_policy();

create trigger products_policy_allowed_at_first
  before insert on interlock.products
  for each row
  when (new.stock_policy <> 'tracked' or new.backordered > 0)
  execute function interlock.guard_stock_policy();

create trigger products_decimals_kept
  before update of decimals on interlock.products
  for each row
  when (new.decimals < old.decimals)
  execute function interlock.keep_decimals();

create trigger products_slots_counted
  before update of stock_slots on interlock.products
  for each row
  when (old.stock_slots is distinct from new.stock_slots)
  execute function interlock.guard_slots('stock_slots');

create trigger products_slots_counted_at_first
  before insert on interlock.products
  for each row
  when (new.stock_slots <> 0)
  execute function interlock.guard_slots('stock_slots');

create trigger products_slots_kept
  before delete on interlock.products
  for each row
  when (old.stock_slots <> 0)
  execute function interlock.guard_slots('stock_slots');

create trigger products_slots_covered
  before update on interlock.products
  for each row
  execute function interlock.cover_stock_slots();

create trigger products_record_opening_stock
  after insert on interlock.products
  referencing new table as new_rows
  for each statement
  execute function interlock.record_stock_movements();

create trigger products_record_stock
  after update on interlock.products
  for each row
  execute function interlock.record_stock_movement();

create trigger products_record_deleted_stock
  after delete on interlock.products
  referencing old table as old_rows
  for each statement
  execute function interlock.record_stock_movements();

alter table interlock.products enable row level security;

grant select on table interlock.products to anon, authenticated;
grant select, insert, update, delete on table interlock.products to service_role;

create policy products_select_active
  on interlock.products
  for select
  to anon, authenticated
  using (active);
