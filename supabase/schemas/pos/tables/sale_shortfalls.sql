-- What tills that were cut off have sold of stock that was not there. The goods have left the shop, so the sale is a fact: what was
-- there was taken, and the rest stands here. Written by public.pos_sale; append-only but for taken_at.
--
-- An audit files each as a finding (oversold_offline). Resolving that takes the rest from the stock, once it is there.
create table interlock.sale_shortfalls (
  sale_id uuid not null
    constraint sale_shortfalls_sale_id_fkey references interlock.sales,
  product_id uuid not null,
  location_id uuid not null,
  inventory_id uuid,
  sold interlock.positive_quantity not null,
  quantity interlock.positive_quantity not null,
  taken_at timestamptz,
  constraint sale_shortfalls_pkey primary key (sale_id, product_id),
  constraint sale_shortfalls_of_sold check (quantity <= sold)
);

comment on table interlock.sale_shortfalls is
  'What tills that were cut off have sold of stock that was not there. Written by pos_sale and resolve_finding only.';
comment on column interlock.sale_shortfalls.inventory_id is
  'The stock that it was sold from: a row of inventory, or the product for the stock of the web shop. Empty if it has never been there.';
comment on column interlock.sale_shortfalls.sold is
  'How much of the product the sale has sold.';
comment on column interlock.sale_shortfalls.quantity is
  'How much of that was not there.';
comment on column interlock.sale_shortfalls.taken_at is
  'When it was taken from the stock after all (resolve_finding).';

create trigger sale_shortfalls_append_only
  before update of sale_id, product_id, location_id, inventory_id, sold, quantity or delete on interlock.sale_shortfalls
  for each row
  execute function interlock.refuse_change();

create trigger sale_shortfalls_no_truncate
  before truncate on interlock.sale_shortfalls
  for each statement
  execute function interlock.refuse_change();

alter table interlock.sale_shortfalls enable row level security;

grant select on table interlock.sale_shortfalls to authenticated, service_role;

create policy sale_shortfalls_select_till
  on interlock.sale_shortfalls
  for select
  to authenticated
  using ((select interlock.till_role()) is not null);
