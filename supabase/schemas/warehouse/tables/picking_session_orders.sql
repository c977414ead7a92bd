-- The orders of picking sessions: an order is in one at a time (picking_session_orders_one_open). Each is a box on the packing table.
--
-- Whoever completes it or takes it out has the lock of its row, and closes its lines with it (packing_progress.box_open). Scans do not
-- lock it: workers at one order would write it in turn.
create table interlock.picking_session_orders (
  picking_session_id uuid not null
    constraint picking_session_orders_session_fkey references interlock.picking_sessions,
  order_id uuid not null
    constraint picking_session_orders_order_id_fkey references interlock.orders (id),
  position interlock.positive_count not null,
  status interlock.picking_order_status not null default 'open',
  shipment_id uuid
    constraint picking_session_orders_shipment_id_fkey references interlock.order_shipments,
  closed_by uuid,
  closed_at timestamptz,
  constraint picking_session_orders_pkey primary key (picking_session_id, order_id),
  constraint picking_session_orders_closed_whole check ((status = 'open') = (closed_at is null))
);

comment on table interlock.picking_session_orders is
  'The orders of picking sessions. Written by the functions of the warehouse.';
comment on column interlock.picking_session_orders.position is
  'Its place in the session, counted from 1.';
comment on column interlock.picking_session_orders.status is
  'open, completed, removed (taken out, may go into another session) or cancelled (the order has ended).';
comment on column interlock.picking_session_orders.shipment_id is
  'The parcel that it has become; empty if nothing of it was packed.';
comment on column interlock.picking_session_orders.closed_by is
  'Who completed it or took it out; empty for the shop''s own code.';

-- One order, one session. create_picking_session looks first, with the orders locked; this holds it for everybody.
create unique index picking_session_orders_one_open
  on interlock.picking_session_orders (order_id)
  where status = 'open';

create index picking_session_orders_by_order on interlock.picking_session_orders (order_id);

alter table interlock.picking_session_orders enable row level security;

grant select on table interlock.picking_session_orders to authenticated, service_role;

create policy picking_session_orders_select_workers
  on interlock.picking_session_orders
  for select
  to authenticated
  using (picking_session_id in (select s.id from interlock.picking_sessions s));
