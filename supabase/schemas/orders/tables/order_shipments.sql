-- Parcels: what of an order has left together, under a tracking number if there is one. public.ship_order sends all that is
-- left, public.ship_order_lines a part. What was handed over without being sent (public.fulfill_order) has none.
create table interlock.order_shipments (
  id uuid not null default interlock.new_id()
    constraint order_shipments_pkey primary key,
  order_id uuid not null
    constraint order_shipments_order_id_fkey references interlock.orders (id),
  tracking interlock.label,
  actor uuid,
  created_at timestamptz not null default now()
);

comment on table interlock.order_shipments is
  'Parcels of orders. Read by the buyer.';
comment on column interlock.order_shipments.tracking is
  'What the carrier calls it; ship_order corrects that of the last one.';
comment on column interlock.order_shipments.actor is
  'The staff member who sent it; empty for the shop.';

create index order_shipments_by_order on interlock.order_shipments (order_id, id);

create trigger order_shipments_no_delete
  before delete on interlock.order_shipments
  for each row
  execute function interlock.refuse_change();

create trigger order_shipments_no_truncate
  before truncate on interlock.order_shipments
  for each statement
  execute function interlock.refuse_change();

alter table interlock.order_shipments enable row level security;

grant select on table interlock.order_shipments to authenticated, service_role;

create policy order_shipments_select_own
  on interlock.order_shipments
  for select
  to authenticated
  using (order_id = any (array(
    select o.id from interlock.orders o where o.user_id = (select auth.uid())
  )));
