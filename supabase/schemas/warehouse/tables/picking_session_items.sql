-- What a picking session needs of each product, over all its orders, and what of it is in the basket. The sum of what is packed
-- is counted here, so two workers at two orders cannot both pack the last unit.
--
-- A picker may have a product for themselves for a while (a lease, as drivers have batches): picker_id until picker_until.
create table interlock.picking_session_items (
  picking_session_id uuid not null
    constraint picking_session_items_session_fkey references interlock.picking_sessions,
  product_id uuid not null,
  quantity_needed interlock.unit_count not null,
  quantity_picked interlock.unit_count not null default 0,
  quantity_packed interlock.unit_count not null default 0,
  quantity_short interlock.unit_count not null default 0,
  short_reason interlock.label,
  checked_at timestamptz,
  basket interlock.label,
  picker_id uuid,
  picker_until timestamptz,
  version interlock.row_version not null default 1,
  constraint picking_session_items_pkey primary key (picking_session_id, product_id),
  constraint picking_session_items_packed_within_picked check (quantity_packed <= quantity_picked)
)
with (fillfactor = 70);

comment on table interlock.picking_session_items is
  'What picking sessions need of each product, and what of it was picked and packed. Written by the functions of the warehouse.';
comment on column interlock.picking_session_items.quantity_needed is
  'What its orders need, but for those that have left the session.';
comment on column interlock.picking_session_items.quantity_picked is
  'What was taken from the shelf and not put back.';
comment on column interlock.picking_session_items.quantity_packed is
  'What of that is in boxes; the rest is in the basket.';
comment on column interlock.picking_session_items.quantity_short is
  'What pickers have not found on the shelf.';
comment on column interlock.picking_session_items.short_reason is
  'What they said of it.';
comment on column interlock.picking_session_items.checked_at is
  'When it was looked after that the shelf had less than the books say (resolve_finding).';
comment on column interlock.picking_session_items.basket is
  'Where it is put, as people call it.';
comment on column interlock.picking_session_items.picker_id is
  'Who picks it; empty for whoever comes.';
comment on column interlock.picking_session_items.picker_until is
  'End of the picker''s lease: from then on anybody may pick it.';
comment on column interlock.picking_session_items.version is
  'One more after every change of its numbers.';

-- What an audit looks at.
create index picking_session_items_short
  on interlock.picking_session_items (picking_session_id)
  where quantity_short > 0 and checked_at is null;

create trigger picking_session_items_guard_picker
  before insert or update of picker_id, picker_until on interlock.picking_session_items
  for each row
  execute function interlock.guard_picker();

-- A scan, which changes only what is packed, is told with its line; the columns are named, as Postgres would read the condition anew at each.
create trigger picking_session_items_broadcast
  after update of quantity_needed, quantity_picked, quantity_short on interlock.picking_session_items
  for each row
  when (
    (old.quantity_needed, old.quantity_picked, old.quantity_short)
      is distinct from (new.quantity_needed, new.quantity_picked, new.quantity_short)
  )
  execute function interlock.broadcast_packing();

alter table interlock.picking_session_items enable row level security;

grant select on table interlock.picking_session_items to authenticated, service_role;

create policy picking_session_items_select_workers
  on interlock.picking_session_items
  for select
  to authenticated
  using (picking_session_id in (select s.id from interlock.picking_sessions s));
