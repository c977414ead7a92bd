-- Picking sessions: orders that are picked and packed together, at one location.
--
--   picking ──▶ packing ──▶ completed      the last of its orders was completed
--      └───────────┴──────▶ abandoned      given up, or all of its orders have left it
--
-- Goods are picked from the shelf into the basket of their product (picking_session_items), and packed from there into
-- orders (packing_progress). Scans never write or lock this row: it counts the orders that are still open, so it changes once for
-- each order, and whoever closes the last one ends the session.
create table interlock.picking_sessions (
  id uuid not null default interlock.new_id()
    constraint picking_sessions_pkey primary key,
  number bigint not null generated always as identity
    constraint picking_sessions_number_key unique,
  code text not null generated always as ('P' || lpad(number::text, 6, '0')) stored,
  location_id uuid not null
    constraint picking_sessions_location_id_fkey references interlock.locations,
  status interlock.picking_session_status not null default 'picking',
  open_orders interlock.unit_count not null,
  completed_orders interlock.unit_count not null default 0,
  created_by uuid,
  created_at timestamptz not null default now(),
  packing_started_at timestamptz,
  ended_at timestamptz,
  constraint picking_sessions_ended_whole check ((status in ('completed', 'abandoned')) = (ended_at is not null)),
  constraint picking_sessions_open_have_orders check ((open_orders > 0) = (ended_at is null))
)
with (fillfactor = 80);

comment on table interlock.picking_sessions is
  'Orders that are picked and packed together. Made by create_picking_session; who works at the location reads them.';
comment on column interlock.picking_sessions.number is
  'Counted by a sequence; one that was refused is left out.';
comment on column interlock.picking_sessions.code is
  'What people call it: P000042.';
comment on column interlock.picking_sessions.location_id is
  'Where its goods are on the shelf.';
comment on column interlock.picking_sessions.status is
  'picking, packing, completed or abandoned.';
comment on column interlock.picking_sessions.open_orders is
  'How many of its orders are still to be completed.';
comment on column interlock.picking_sessions.completed_orders is
  'How many were completed.';
comment on column interlock.picking_sessions.created_by is
  'Who made it; empty for the shop''s own code.';
comment on column interlock.picking_sessions.ended_at is
  'When the last of its orders was completed or has left it.';

-- What is under way at a location.
create index picking_sessions_open on interlock.picking_sessions (location_id, created_at) where ended_at is null;

create trigger picking_sessions_broadcast
  after update on interlock.picking_sessions
  for each row
  when (old.status <> new.status)
  execute function interlock.broadcast_packing();

alter table interlock.picking_sessions enable row level security;

grant select on table interlock.picking_sessions to authenticated, service_role;

create policy picking_sessions_select_workers
  on interlock.picking_sessions
  for select
  to authenticated
  using ((select interlock.is_staff()) or location_id = any ((select interlock.packing_locations())::uuid[]));
