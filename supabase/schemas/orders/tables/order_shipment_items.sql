-- What is in order_shipments. Units that leave are counted through each line of an order from 1: two parcels that begin
-- with the same unit are refused by the primary key, whoever writes them.
create table interlock.order_shipment_items (
  order_id uuid not null,
  product_id uuid not null,
  first_unit interlock.positive_count not null,
  shipment_id uuid not null
    constraint order_shipment_items_shipment_id_fkey references interlock.order_shipments (id),
  quantity interlock.positive_count not null,
  constraint order_shipment_items_pkey primary key (order_id, product_id, first_unit),
  constraint order_shipment_items_line_fkey
    foreign key (order_id, product_id) references interlock.order_items (order_id, product_id)
);

comment on table interlock.order_shipment_items is
  'What is in the parcels of order_shipments: how many units of a line of an order. Append-only.';
comment on column interlock.order_shipment_items.first_unit is
  'The first of its units, counted through those of the line that have left, from 1.';

create index order_shipment_items_by_shipment on interlock.order_shipment_items (shipment_id);

create trigger order_shipment_items_append_only
  before update or delete on interlock.order_shipment_items
  for each row
  execute function interlock.refuse_change();

create trigger order_shipment_items_no_truncate
  before truncate on interlock.order_shipment_items
  for each statement
  execute function interlock.refuse_change();

alter table interlock.order_shipment_items enable row level security;

grant select on table interlock.order_shipment_items to authenticated, service_role;

create policy order_shipment_items_select_own
  on interlock.order_shipment_items
  for select
  to authenticated
  using (order_id = any (array(
    select o.id from interlock.orders o where o.user_id = (select auth.uid())
  )));
