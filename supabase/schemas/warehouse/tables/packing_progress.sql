-- What of each line of an order is in its box, in a picking session. There is no foreign key to products: see
-- stock/tables/products.sql.
--
-- An order needs what it has bought of physical goods and what has neither been sent nor refunded; units that are refunded meanwhile are
-- needed no more.
--
-- Whoever packs locks its row and no other of the order: so a box that is closed is closed in each of its lines (box_open).
create table interlock.packing_progress (
  id uuid not null default interlock.new_id()
    constraint packing_progress_pkey primary key,
  picking_session_id uuid not null,
  order_id uuid not null,
  product_id uuid not null,
  quantity_needed interlock.unit_count not null,
  quantity_packed interlock.unit_count not null default 0,
  quantity_short interlock.unit_count not null default 0,
  box_open boolean not null default true,
  version interlock.row_version not null default 1,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint packing_progress_order_fkey foreign key (picking_session_id, order_id)
    references interlock.picking_session_orders,
  constraint packing_progress_line_key unique (picking_session_id, order_id, product_id),
  constraint packing_progress_packed_within_needed check (quantity_packed + quantity_short <= quantity_needed)
)
with (fillfactor = 70);

comment on table interlock.packing_progress is
  'What of each line of an order is packed. Written by the functions of the warehouse.';
comment on column interlock.packing_progress.quantity_needed is
  'How many units go into the box.';
comment on column interlock.packing_progress.quantity_packed is
  'How many are in it.';
comment on column interlock.packing_progress.quantity_short is
  'How many there will not be.';
comment on column interlock.packing_progress.box_open is
  'Whether its box is: nothing is packed into one that was completed or taken out.';
comment on column interlock.packing_progress.version is
  'One more after every change of its numbers: the higher one is the newer one.';

-- What a worker does with a line interlock.pack_units and interlock.give_up_units tell themselves: Postgres would read the condition anew at each scan.
create trigger packing_progress_broadcast
  after update of quantity_needed, box_open on interlock.packing_progress
  for each row
  when (old.version <> new.version and interlock.has_realtime())
  execute function interlock.broadcast_packing();

alter table interlock.packing_progress enable row level security;

grant select on table interlock.packing_progress to authenticated, service_role;

create policy packing_progress_select_workers
  on interlock.packing_progress
  for select
  to authenticated
  using (picking_session_id in (select s.id from interlock.picking_sessions s));
