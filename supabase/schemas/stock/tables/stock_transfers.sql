-- Stock that goes from one location to another: one row for each such way in a request of public.manage_inventory, with its
-- lines (stock/tables/stock_transfer_lines.sql). The ledger has its movements under its id.
--
-- Moved at once it ends where it begins. Sent, it is in transit: what is received, lost or comes back is booked under its
-- lock, and it has ended when nothing is in transit any more.
create table interlock.stock_transfers (
  id uuid not null default interlock.new_id()
    constraint stock_transfers_pkey primary key,
  from_location_id uuid not null
    constraint stock_transfers_from_location_id_fkey references interlock.locations,
  to_location_id uuid not null
    constraint stock_transfers_to_location_id_fkey references interlock.locations,
  reason interlock.movement_reason,
  reference text,
  actor uuid,
  created_at timestamptz not null default now(),
  ended_at timestamptz,
  cancelled boolean not null default false,
  constraint stock_transfers_two_locations check (from_location_id <> to_location_id),
  constraint stock_transfers_cancelled_ended check (ended_at is not null or not cancelled)
);

comment on table interlock.stock_transfers is
  'Stock that went, or is on its way, from one location to another. Written by manage_inventory; staff and the shop read it.';
comment on column interlock.stock_transfers.reference is
  'The p_reference under which it was begun.';
comment on column interlock.stock_transfers.actor is
  'The staff member who began it; empty for the shop.';
comment on column interlock.stock_transfers.ended_at is
  'When the last of it was received, lost or came back; empty as long as something is in transit.';
comment on column interlock.stock_transfers.cancelled is
  'Whether what had not been received came back by `cancel`.';

create index stock_transfers_in_transit on interlock.stock_transfers (created_at) where ended_at is null;

create trigger stock_transfers_no_delete
  before delete on interlock.stock_transfers
  for each row
  execute function interlock.refuse_change();

create trigger stock_transfers_no_truncate
  before truncate on interlock.stock_transfers
  for each statement
  execute function interlock.refuse_change();

alter table interlock.stock_transfers enable row level security;

grant select on table interlock.stock_transfers to authenticated, service_role;

create policy stock_transfers_select_staff
  on interlock.stock_transfers
  for select
  to authenticated
  using ((select interlock.is_staff()));
