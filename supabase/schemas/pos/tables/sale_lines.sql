-- Lines of sales at tills, as they were sold; append-only but for what of a line has come back since (public.pos_sale with returns),
-- which is counted under the lock of its sale.
create table interlock.sale_lines (
  sale_id uuid not null
    constraint sale_lines_sale_id_fkey references interlock.sales,
  line int not null,
  product_id uuid not null,
  inventory_id uuid,
  name text not null,
  quantity interlock.positive_quantity not null,
  unit_price interlock.amount not null,
  subtotal interlock.amount not null,
  discount interlock.amount not null default 0,
  discount_reason interlock.label,
  promo_discount interlock.amount not null default 0,
  tax interlock.amount not null default 0,
  tax_percent numeric,
  tax_inclusive boolean,
  total interlock.amount not null,
  untracked boolean not null default false,
  returned_quantity numeric not null default 0,
  returned_amount interlock.amount not null default 0,
  returned_tax interlock.amount not null default 0,
  constraint sale_lines_pkey primary key (sale_id, line),
  constraint sale_lines_total_adds_up check (
    total = subtotal - discount - promo_discount + case when tax_inclusive then 0 else tax end
  ),
  constraint sale_lines_returned_within_sold check (
    returned_quantity between 0 and quantity and returned_amount <= total and returned_tax <= tax
  )
);

comment on table interlock.sale_lines is
  'Lines of sales at tills: price, discount and tax as they were when it was sold. Append-only, but for what has come back of a line since.';
comment on column interlock.sale_lines.line is
  'Counted from 0, as it was sent.';
comment on column interlock.sale_lines.inventory_id is
  'The stock that it was sold from: a row of inventory, or the product for the stock of the web shop. Empty for an untracked product that has never been there.';
comment on column interlock.sale_lines.subtotal is
  'quantity × unit_price, half a minor unit rounded up.';
comment on column interlock.sale_lines.discount is
  'What the cashier took off, with discount_reason.';
comment on column interlock.sale_lines.promo_discount is
  'Its share of what the promo code took off.';
comment on column interlock.sale_lines.untracked is
  'Whether it took nothing from the stock, because the product was untracked.';

comment on column interlock.sale_lines.returned_quantity is
  'How much of it has come back, by returns that were not voided.';
comment on column interlock.sale_lines.returned_amount is
  'What was given back for that, with tax.';
comment on column interlock.sale_lines.returned_tax is
  'The tax in returned_amount.';

create index sale_lines_by_product on interlock.sale_lines (product_id);

create trigger sale_lines_append_only
  before update of
    sale_id, line, product_id, inventory_id, name, quantity, unit_price, subtotal, discount, discount_reason, promo_discount,
    tax, tax_percent, tax_inclusive, total, untracked
  or delete on interlock.sale_lines
  for each row
  execute function interlock.refuse_change();

create trigger sale_lines_no_truncate
  before truncate on interlock.sale_lines
  for each statement
  execute function interlock.refuse_change();

alter table interlock.sale_lines enable row level security;

grant select on table interlock.sale_lines to authenticated, service_role;

create policy sale_lines_select_till
  on interlock.sale_lines
  for select
  to authenticated
  using ((select interlock.till_role()) is not null);
