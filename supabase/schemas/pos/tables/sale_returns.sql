-- What came back to tills, with a receipt or without; append-only. A row belongs to the sale (of nothing else, or of what it was
-- exchanged for) at which it came back, and is void with it.
create table interlock.sale_returns (
  sale_id uuid not null
    constraint sale_returns_sale_id_fkey references interlock.sales,
  n int not null,
  original_sale_id uuid,
  original_line int,
  product_id uuid not null,
  inventory_id uuid,
  name text not null,
  quantity interlock.positive_quantity not null,
  unit_price interlock.amount not null,
  tax interlock.amount not null default 0,
  amount interlock.amount not null,
  restock boolean not null,
  reason interlock.label not null,
  constraint sale_returns_pkey primary key (sale_id, n),
  constraint sale_returns_original_fkey
    foreign key (original_sale_id, original_line) references interlock.sale_lines (sale_id, line) match full
);

comment on table interlock.sale_returns is
  'What came back to tills. Append-only; void with its sale.';
comment on column interlock.sale_returns.sale_id is
  'The sale at which it came back.';
comment on column interlock.sale_returns.n is
  'Counted from 0, as it was sent.';
comment on column interlock.sale_returns.original_sale_id is
  'The sale by which it was sold; empty without a receipt.';
comment on column interlock.sale_returns.original_line is
  'The line of that sale.';
comment on column interlock.sale_returns.inventory_id is
  'The stock to which it went back: a row of inventory, or the product for the stock of the web shop. Empty if it went to none.';
comment on column interlock.sale_returns.unit_price is
  'What a unit was sold for; without a receipt the price at that time.';
comment on column interlock.sale_returns.tax is
  'The tax in amount.';
comment on column interlock.sale_returns.amount is
  'What it was worth, with tax: its share of what the line had cost.';
comment on column interlock.sale_returns.restock is
  'Whether it was to go back to the stock; what is damaged is not.';

create index sale_returns_by_original on interlock.sale_returns (original_sale_id, original_line) where original_sale_id is not null;
create index sale_returns_by_product on interlock.sale_returns (product_id);

create trigger sale_returns_append_only
  before update or delete on interlock.sale_returns
  for each row
  execute function interlock.refuse_change();

create trigger sale_returns_no_truncate
  before truncate on interlock.sale_returns
  for each statement
  execute function interlock.refuse_change();

alter table interlock.sale_returns enable row level security;

grant select on table interlock.sale_returns to authenticated, service_role;

create policy sale_returns_select_till
  on interlock.sale_returns
  for select
  to authenticated
  using ((select interlock.till_role()) is not null);
