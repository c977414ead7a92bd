-- The stock of each product at each location but the web shop, whose stock is products.available_quantity.
--
-- An *inventory id* is the id of a row here, or that of a product for its stock in the web shop. Where a product has never
-- been there is no row, which reads as quantity 0, version 0. A digital product has none: its stock is its codes.
--
-- `version` counts the changes of the quantity, whoever makes them, so that a number that was read can be set under the
-- condition that it still holds (public.manage_inventory). Functions write; the shop's own SQL may, too, and leaves the
-- same rows in the ledger (stock/tables/stock_movements.sql).
--
-- With `low_stock_at` the event stock.low tells when a shelf comes to have so little: once, and again only after there was more.
-- The shop sets it, row by row: what is enough for a kiosk is not for the warehouse.
--
-- A product that has rows here cannot be deleted; nor can a location.
create table interlock.inventory (
  id uuid not null default interlock.new_id()
    constraint inventory_pkey primary key,
  product_id uuid not null
    constraint inventory_product_id_fkey references interlock.products,
  location_id uuid not null
    constraint inventory_location_id_fkey references interlock.locations,
  -- The upper limit is there for NaN, which is greater than every number.
  quantity numeric(14, 3) not null default 0
    constraint inventory_quantity_nonnegative check (quantity >= 0 and quantity < 100000000000),
  version interlock.row_version not null default 1,
  updated_at timestamptz not null default now(),
  low_stock_at interlock.stock_limit,
  constraint inventory_product_location_key unique (product_id, location_id)
)
with (fillfactor = 70);

comment on table interlock.inventory is
  'The stock of each product at each location but the web shop. Written by functions; staff and the shop read it.';
comment on column interlock.inventory.id is
  'The inventory id of this stock.';
comment on column interlock.inventory.product_id is
  'What is there. Never changes.';
comment on column interlock.inventory.location_id is
  'Where. Never changes.';
comment on column interlock.inventory.quantity is
  'What is there, in the unit of the product.';
comment on column interlock.inventory.version is
  'Counts the changes of the quantity, whoever makes them.';
comment on column interlock.inventory.updated_at is
  'When the quantity changed last.';
comment on column interlock.inventory.low_stock_at is
  'With so much or less there it is low, and the event stock.low tells it once; empty: nobody watches it.';

-- What is where: the key above finds what is of a product.
create index inventory_by_location on interlock.inventory (location_id);

create trigger inventory_new_row
  before insert on interlock.inventory
  for each row
  execute function interlock.guard_inventory();

create trigger inventory_changed
  before update on interlock.inventory
  for each row
  when (
    old.quantity is distinct from new.quantity
    or old.id is distinct from new.id
    or old.product_id is distinct from new.product_id
    or old.location_id is distinct from new.location_id
  )
  execute function interlock.guard_inventory();

create trigger inventory_record_opening
  after insert on interlock.inventory
  referencing new table as new_rows
  for each statement
  execute function interlock.record_inventory_movements();

create trigger inventory_record
  after update on interlock.inventory
  referencing old table as old_rows new table as new_rows
  for each statement
  execute function interlock.record_inventory_movements();

create trigger inventory_record_deleted
  after delete on interlock.inventory
  referencing old table as old_rows
  for each statement
  execute function interlock.record_inventory_movements();

create trigger inventory_no_truncate
  before truncate on interlock.inventory
  for each statement
  execute function interlock.refuse_change();

alter table interlock.inventory enable row level security;

grant select on table interlock.inventory to authenticated, service_role;
grant update (low_stock_at) on table interlock.inventory to service_role;

create policy inventory_select_staff
  on interlock.inventory
  for select
  to authenticated
  using ((select interlock.is_staff()));
