-- The stock ledger: every change of products.available_quantity less products.backordered, which is the stock of the web
-- shop, and of inventory.quantity, that of any other location; append-only.
--
-- Written by triggers on both tables, in the statement that changes the stock: our functions, the shop's own SQL,
-- imports and inserts leave the same rows; what the web shop sells is written by the sale itself. For every product and
-- location the sum of its rows is its stock at any moment. The view stock_differences shows where that is not so: it is
-- always empty.
--
-- Why the stock changed is said by
-- interlock.set_ledger_context for the rest of the transaction or until the next call; without it the reason is
-- `correction`. The actor is the signed-in user.
--
-- Reasons of ours: opening (insert), deleted, checkout, codes (product codes added or removed), decrement,
-- order_cancelled, order_expired, order_refunded, order_reopened, lines_cancelled and lines_refunded (parts of an order),
-- cart_reserved, cart_released, cart_expired, cart_redeemed (a reservation, which an order then takes in full),
-- pos_sale, pos_return, pos_void and pos_park (at a till), replacement (of a digital code), linked (the shop's own
-- table), adjustment, count, received, correction (the shop's own SQL). A shop may use others.
--
-- There is no foreign key on purpose: history outlives a deleted product, and a key-share lock on a hot product for
-- each sale would cost a multixact.
create table interlock.stock_movements (
  id bigint generated always as identity,
  product_id uuid not null,
  location_id uuid not null default interlock.online_location(),
  delta interlock.quantity_change not null,
  balance_after interlock.quantity,
  reason interlock.movement_reason not null,
  reference_id uuid,
  reference text,
  actor uuid,
  created_at timestamptz not null default now(),
  -- The ledger of one product at one location is read in this order, and added up from this index alone.
  constraint stock_movements_pkey primary key (product_id, location_id, id) include (delta)
) partition by range (id);

-- What interlock.make_history_parts goes on from, and what takes rows that no part is there for.
create table interlock_parts.stock_movements_0 partition of interlock.stock_movements for values from (minvalue) to (5000000);
create table interlock_parts.stock_movements_rest partition of interlock.stock_movements default;

alter table interlock_parts.stock_movements_0 enable row level security;
alter table interlock_parts.stock_movements_rest enable row level security;

create trigger stock_movements_no_truncate
  before truncate on interlock_parts.stock_movements_0
  for each statement
  execute function interlock.refuse_change();

create trigger stock_movements_no_truncate
  before truncate on interlock_parts.stock_movements_rest
  for each statement
  execute function interlock.refuse_change();

comment on table interlock.stock_movements is
  'Append-only stock ledger, written by triggers on products and inventory. Nobody can change or delete a row.';
comment on column interlock.stock_movements.location_id is
  'Where: the web shop, unless something else is said.';
comment on column interlock.stock_movements.delta is
  'What came (positive) or went (negative), in the unit of the product.';
comment on column interlock.stock_movements.balance_after is
  'Stock of the product at the location right after the change, less what is owed; null while the product has slots, whose sales go side by side.';
comment on column interlock.stock_movements.reference_id is
  'What it was for: the order of a checkout, cancellation, expiry or refund; the reservation of a cart; the sale at a till.';
comment on column interlock.stock_movements.reference is
  'The p_reference under which the shop''s own code has moved it.';
comment on column interlock.stock_movements.actor is
  'The signed-in user who did it; empty for the shop and for jobs.';

-- What an order took and gave back.
create index stock_movements_by_reference on interlock.stock_movements (reference_id) where reference_id is not null;

-- What was written since an audit: an index of a few pages.
create index stock_movements_by_id on interlock.stock_movements using brin (id);

create trigger stock_movements_append_only
  before update or delete on interlock.stock_movements
  for each row
  execute function interlock.refuse_change('actor');

create trigger stock_movements_no_truncate
  before truncate on interlock.stock_movements
  for each statement
  execute function interlock.refuse_change();

alter table interlock.stock_movements enable row level security;

grant select on table interlock.stock_movements to service_role;
