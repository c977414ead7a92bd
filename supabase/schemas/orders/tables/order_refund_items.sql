-- The lines of order_refunds. The units of a line are counted from 1, and each is refunded once: a part has so many of
-- them, from the first that no part has had. Two parts that begin with the same unit are refused by the primary key,
-- whoever writes them.
create table interlock.order_refund_items (
  order_id uuid not null,
  product_id uuid not null,
  first_unit interlock.positive_count not null,
  refund_id uuid not null
    constraint order_refund_items_refund_id_fkey references interlock.order_refunds (id),
  quantity interlock.positive_count not null,
  from_shelf interlock.unit_count not null,
  restocked interlock.unit_count not null,
  subtotal interlock.amount not null,
  discount interlock.amount not null,
  tax interlock.amount not null,
  tax_included interlock.amount not null,
  amount interlock.amount not null,
  constraint order_refund_items_pkey primary key (order_id, product_id, first_unit),
  constraint order_refund_items_line_fkey
    foreign key (order_id, product_id) references interlock.order_items (order_id, product_id),
  constraint order_refund_items_amount_adds_up check (amount = subtotal - discount + tax - tax_included),
  constraint order_refund_items_units_within_quantity check (greatest(from_shelf, restocked) <= quantity)
);

comment on table interlock.order_refund_items is
  'Lines of order_refunds: how many units of a line of an order, and what they come to. Append-only.';
comment on column interlock.order_refund_items.first_unit is
  'The first of its units, counted through the line of the order from 1.';
comment on column interlock.order_refund_items.from_shelf is
  'How many of them had not been sent.';
comment on column interlock.order_refund_items.restocked is
  'How many of them are in stock again.';
comment on column interlock.order_refund_items.amount is
  'What they take off the order: subtotal - discount + tax - tax_included.';

create index order_refund_items_by_refund on interlock.order_refund_items (refund_id);

create trigger order_refund_items_append_only
  before update or delete on interlock.order_refund_items
  for each row
  execute function interlock.refuse_change();

create trigger order_refund_items_no_truncate
  before truncate on interlock.order_refund_items
  for each statement
  execute function interlock.refuse_change();

alter table interlock.order_refund_items enable row level security;

grant select on table interlock.order_refund_items to authenticated, service_role;

create policy order_refund_items_select_own
  on interlock.order_refund_items
  for select
  to authenticated
  using (order_id = any (array(
    select o.id from interlock.orders o where o.user_id = (select auth.uid())
  )));
