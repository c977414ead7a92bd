-- Lines of sales at tills, as they were sold. A line with a quantity below zero came back; all its amounts are below zero,
-- too, and of_sale_id and of_line say which line it was sold in, unless there was no receipt.
--
-- `returned_quantity` is what has come back of a line so far; it changes under the lock of its sale.
create table interlock.sale_lines (
  sale_id uuid not null
    constraint sale_lines_sale_id_fkey references interlock.sales,
  line int not null,
  product_id uuid not null,
  inventory_id uuid not null,
  name text not null,
  quantity interlock.quantity_change not null,
  unit_price interlock.amount not null,
  subtotal bigint not null,
  manual_discount bigint not null default 0,
  discount_reason interlock.label,
  promo_discount bigint not null default 0,
  tax bigint not null default 0,
  tax_percent numeric,
  tax_inclusive boolean,
  total bigint not null,
  untracked boolean not null default false,
  shortfall interlock.quantity not null default 0,
  returned_quantity interlock.quantity not null default 0,
  of_sale_id uuid,
  of_line int,
  restocked boolean,
  constraint sale_lines_pkey primary key (sale_id, line),
  constraint sale_lines_of_fkey foreign key (of_sale_id, of_line) references interlock.sale_lines (sale_id, line),
  constraint sale_lines_returned_within check (returned_quantity between 0 and greatest(quantity, 0)),
  constraint sale_lines_total_adds_up check (
    total = subtotal - manual_discount - promo_discount + case when tax_inclusive then 0 else tax end
  )
);

comment on table interlock.sale_lines is
  'Lines of sales at tills: what was sold (quantity above zero) and what came back (below).';
comment on column interlock.sale_lines.line is
  'Counted from 0, first what was sold, then what came back, each as it was sent.';
comment on column interlock.sale_lines.inventory_id is
  'The stock that it was sold from: a row of inventory, or the product for the stock of the web shop.';
comment on column interlock.sale_lines.subtotal is
  'quantity × unit_price, half a minor unit rounded up.';
comment on column interlock.sale_lines.manual_discount is
  'What the cashier took off, with discount_reason.';
comment on column interlock.sale_lines.promo_discount is
  'What the promo code took off this line.';
comment on column interlock.sale_lines.untracked is
  'Whether it took nothing from the stock, because the product was untracked.';
comment on column interlock.sale_lines.shortfall is
  'What was sold and not there, by a till that was cut off.';
comment on column interlock.sale_lines.returned_quantity is
  'What has come back of it so far.';
comment on column interlock.sale_lines.restocked is
  'Of a line that came back: whether it went to the shelf.';

create index sale_lines_by_product on interlock.sale_lines (product_id);
create index sale_lines_by_return on interlock.sale_lines (of_sale_id, of_line) where of_sale_id is not null;

create trigger sale_lines_append_only
  before
    update of
      sale_id, line, product_id, inventory_id, name, quantity, unit_price, subtotal, manual_discount, discount_reason, promo_discount, tax,
      tax_percent, tax_inclusive, total, untracked, shortfall, of_sale_id, of_line, restocked
    or delete
  on interlock.sale_lines
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

create policy sale_lines_select_own
  on interlock.sale_lines
  for select
  to authenticated
  using (sale_id = any (array(
    select s.id
    from interlock.sales s
    join interlock.customers c on c.id = s.customer_id
    where c.user_id = (select auth.uid())
  )));
