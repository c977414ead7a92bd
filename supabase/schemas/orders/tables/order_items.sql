-- Lines of orders, one for each product: name, price and share of the discount as they were when it was bought. The
-- shares are those that public.validate_promo shows (interlock.split_discount) and sum exactly to the order's discount.
-- There is no foreign key to
-- products: see stock/tables/products.sql.
--
-- Of the stock a line says what it took, so that it gives back just that whatever the product's policy is by then. An
-- order that is opened again takes anew, so these two columns may change; the rest is append-only.
create table interlock.order_items (
  order_id uuid not null
    constraint order_items_order_id_fkey references interlock.orders (id),
  product_id uuid not null,
  quantity interlock.positive_count not null,
  unit_price interlock.amount not null,
  name text not null,
  kind interlock.product_kind not null,
  discount interlock.amount not null default 0,
  tax interlock.amount not null default 0,
  tax_percent numeric,
  tax_inclusive boolean,
  untracked boolean not null default false,
  backordered interlock.unit_count not null default 0,
  constraint order_items_pkey primary key (order_id, product_id)
);

comment on table interlock.order_items is
  'Lines of orders, one for each product: name and price as they were when it was bought. Append-only.';
comment on column interlock.order_items.unit_price is
  'Price of one unit in minor units of the order''s currency.';
comment on column interlock.order_items.discount is
  'What the promo code took off this line as a whole; at most quantity × unit_price. The lines sum to orders.discount.';
comment on column interlock.order_items.tax is
  'The tax on what the line costs after its discount; the lines and orders.shipping_tax sum to orders.tax.';
comment on column interlock.order_items.tax_percent is
  'The rate; empty where none was charged.';
comment on column interlock.order_items.tax_inclusive is
  'Whether the tax is in the price, or added to it.';
comment on column interlock.order_items.untracked is
  'Whether it took nothing from the stock, because the product was untracked; then it gives nothing back.';
comment on column interlock.order_items.backordered is
  'How many of the units were not there when it was sold.';

-- Which orders have this product: the guard against deleting it, and the shop's reports.
create index order_items_by_product on interlock.order_items (product_id);

create trigger order_items_append_only
  before
    update of
      order_id, product_id, quantity, unit_price, name, kind, discount, tax, tax_percent, tax_inclusive
    or delete
  on interlock.order_items
  for each row
  execute function interlock.refuse_change();

create trigger order_items_no_truncate
  before truncate on interlock.order_items
  for each statement
  execute function interlock.refuse_change();

alter table interlock.order_items enable row level security;

grant select on table interlock.order_items to authenticated, service_role;

-- The array is made once for a statement, and then looked up in the primary key.
create policy order_items_select_own
  on interlock.order_items
  for select
  to authenticated
  using (order_id = any (array(
    select o.id from interlock.orders o where o.user_id = (select auth.uid())
  )));
