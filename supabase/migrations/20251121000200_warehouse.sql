-- The warehouse: picking sessions, and what is packed in them.
--
-- Made of supabase/schemas by `cargo xtask codegen`, in the order in which it is loaded. Bodies of functions name objects
-- that come with later files, so they are not checked here.

set local lock_timeout = '5s';
set local check_function_bodies = off;

-- The locations in whose warehouse the caller works, by token: `app_metadata.role` is `packer` or `manager`, and
-- `app_metadata.location_ids` lists the locations, without which it is the online location. Empty for anybody else.
--
-- Callers: policies; interlock.works_at.
create function interlock.packing_locations()
returns uuid[]
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  v_claims constant jsonb := auth.jwt() -> 'app_metadata';
begin
  if v_claims ->> 'role' in ('packer', 'manager') is not true then
    return '{}'::uuid[];
  elsif not v_claims ? 'location_ids' then
    return array[interlock.online_location()];
  elsif jsonb_typeof(v_claims -> 'location_ids') <> 'array' then
    return '{}'::uuid[];
  end if;
  return array(
    select l.id::uuid
    from jsonb_array_elements_text(v_claims -> 'location_ids') as l (id)
    where interlock.is_uuid(l.id)
  );
end
$$;

create domain interlock.picking_session_status as text
  constraint picking_sessions_status_known check (value in ('picking', 'packing', 'completed', 'abandoned'));

-- What has become of an order in a session.
create domain interlock.picking_order_status as text
  constraint picking_session_orders_status_known check (value in ('open', 'completed', 'removed', 'cancelled'));

-- What was done with goods of a session.
create domain interlock.packing_action as text
  constraint packing_scans_action_known
  check (value in ('pick', 'short_pick', 'put_back', 'pack', 'unpack', 'short', 'take_out', 'complete'));

-- A change of a number of units, in either direction.
create domain interlock.unit_change as int
  constraint unit_change_nonzero check (value <> 0);

-- Broadcast to the screens of a picking session what has changed in it: a line with the basket that it is packed from, what there is of a
-- product, its status. With the numbers as they are, and the version of their row where it has one, so what comes late or twice does no harm.
-- What a worker does with a line interlock.pack_units and interlock.give_up_units tell.
--
-- Callers: triggers packing_progress_broadcast, picking_session_items_broadcast and picking_sessions_broadcast.
-- Locks: none.
-- Security definer: whoever packs has no right to broadcast.
create function interlock.broadcast_packing()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
begin
  if tg_table_name = 'packing_progress' then
    perform interlock.broadcast_line(
      new.picking_session_id, new.order_id, new.product_id, new.quantity_packed - old.quantity_packed
    );
  elsif tg_table_name = 'picking_session_items' then
    perform interlock.broadcast('packing:' || new.picking_session_id, 'packing.item', jsonb_build_object(
      'session_id', new.picking_session_id,
      'product_id', new.product_id,
      'quantity_needed', new.quantity_needed,
      'quantity_picked', new.quantity_picked,
      'quantity_packed', new.quantity_packed,
      'version', new.version
    ));
  else
    perform interlock.broadcast('packing:' || new.id, 'packing.session', jsonb_build_object(
      'session_id', new.id,
      'status', new.status
    ));
  end if;
  return null;
end
$$;

-- Hold that a lease on picking has somebody and an end, or neither. Not a CHECK: Postgres reads one anew at each scan, and this is asked only where a
-- lease is written.
--
-- Callers: trigger picking_session_items_guard_picker.
-- Locks: none.
-- Errors: 23514 check_violation with constraint name picking_session_items_picker_whole (a bug).
create function interlock.guard_picker()
returns trigger
language plpgsql
set search_path = ''
as $$
begin
  if (new.picker_id is null) <> (new.picker_until is null) then
    raise exception using
      errcode = 'check_violation',
      schema = tg_table_schema,
      table = tg_table_name,
      constraint = 'picking_session_items_picker_whole',
      message = 'a lease on picking has somebody and an end, or neither';
  end if;
  return new;
end
$$;

-- Hold that the history of a line has all its numbers, or none of them. Not a CHECK: Postgres reads one anew at each scan, which takes longer than this.
--
-- Callers: trigger packing_scans_guard.
-- Locks: none.
-- Errors: 23514 check_violation with constraint name packing_scans_line_whole (a bug).
create function interlock.guard_scan()
returns trigger
language plpgsql
set search_path = ''
as $$
begin
  if num_nulls(new.quantity_packed, new.quantity_needed, new.quantity_short, new.version) not in (0, 4) then
    raise exception using
      errcode = 'check_violation',
      schema = tg_table_schema,
      table = tg_table_name,
      constraint = 'packing_scans_line_whole',
      message = 'the history of a line has all its numbers, or none of them';
  end if;
  return new;
end
$$;

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

-- How often a number of packed units was no longer what its caller had read (PACKING_CONFLICT). Rows are only added, so that
-- counting holds nobody up; interlock.purge_history removes old ones (settings.keep_inventory_conflicts). A conflict is answered and not raised, so that
-- the count survives it, as in stock/tables/inventory_conflicts.sql.
create table interlock.packing_conflicts (
  id bigint generated always as identity
    constraint packing_conflicts_pkey primary key,
  picking_session_id uuid not null,
  product_id uuid not null,
  created_at timestamptz not null default now()
);

comment on table interlock.packing_conflicts is
  'Each time a number of packed units was no longer what its caller had read.';

create trigger packing_conflicts_append_only
  before update or delete on interlock.packing_conflicts
  for each row
  execute function interlock.refuse_change();

create trigger packing_conflicts_no_truncate
  before truncate on interlock.packing_conflicts
  for each statement
  execute function interlock.refuse_change();

alter table interlock.packing_conflicts enable row level security;

grant select on table interlock.packing_conflicts to service_role;

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

-- The history of picking sessions: what was picked, packed and taken out, by whom. Append-only; interlock.purge_history removes
-- old rows of sessions that have ended (settings.keep_packing_scans). There is no foreign key to the session: every scan would lock its row.
create table interlock.packing_scans (
  id bigint not null default nextval('interlock.event_position'),
  picking_session_id uuid not null,
  order_id uuid,
  product_id uuid,
  action interlock.packing_action not null,
  quantity interlock.unit_change,
  actor uuid,
  created_at timestamptz not null default now(),
  quantity_packed int,
  quantity_needed int,
  quantity_short int,
  version bigint,
  transaction xid8 not null default pg_current_xact_id(),
  constraint packing_scans_pkey primary key (picking_session_id, id)
);

comment on table interlock.packing_scans is
  'What was done in picking sessions, and by whom. Append-only.';
comment on column interlock.packing_scans.order_id is
  'The box; empty for what was picked.';
comment on column interlock.packing_scans.product_id is
  'The product; empty for what is done with an order as a whole.';
comment on column interlock.packing_scans.action is
  'pick, short_pick, put_back, pack, unpack, short, take_out (of an order that has left the session) or complete.';
comment on column interlock.packing_scans.quantity is
  'How many units; less than 0 for what was taken out again. Empty for an order as a whole.';
comment on column interlock.packing_scans.actor is
  'Who did it; empty for the shop''s own code.';
comment on column interlock.packing_scans.quantity_packed is
  'What was packed of the line after it; empty for what is not done with a line.';
comment on column interlock.packing_scans.quantity_needed is
  'What the line needed.';
comment on column interlock.packing_scans.quantity_short is
  'What of it was told not to be there.';
comment on column interlock.packing_scans.version is
  'The line''s version after it.';
comment on column interlock.packing_scans.transaction is
  'The transaction that wrote it, by which interlock.make_deliveries knows whether it has seen it.';

-- What is to be told outside: interlock.events.
create index packing_scans_by_transaction on interlock.packing_scans (transaction, id);

create trigger packing_scans_guard
  before insert on interlock.packing_scans
  for each row
  execute function interlock.guard_scan();

create trigger packing_scans_append_only
  before update or delete on interlock.packing_scans
  for each row
  execute function interlock.refuse_change('actor');

create trigger packing_scans_no_truncate
  before truncate on interlock.packing_scans
  for each statement
  execute function interlock.refuse_change();

alter table interlock.packing_scans enable row level security;

grant select on table interlock.packing_scans to authenticated, service_role;

create policy packing_scans_select_workers
  on interlock.packing_scans
  for select
  to authenticated
  using (picking_session_id in (select s.id from interlock.picking_sessions s));

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

-- What public.abandon_picking_session does, with its owner's rights: give up a session. Called again it answers the same.
--
-- Callers: authenticated (managers of the location, staff) and service_role, through public.abandon_picking_session.
-- Locks: as interlock.abandon_session, two seconds at most.
-- Errors: UNAUTHENTICATED, FORBIDDEN, SESSION_NOT_FOUND; 55P03 is transient.
-- Security definer: nobody has the right to write sessions.
create function interlock.abandon_picking_session(p_session_id uuid)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
set timezone = 'UTC'
as $$
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;
  perform interlock.require_packer();
  perform interlock.find_session(p_session_id);
  if not interlock.acts_for_shop() and auth.jwt() -> 'app_metadata' ->> 'role' <> 'manager' then
    perform interlock.raise_error('FORBIDDEN');
  end if;
  perform interlock.abandon_session(p_session_id);
  return jsonb_build_object('success', true, 'session', interlock.session_to_json(p_session_id));
end
$$;

-- Give up a session: all its open orders leave it and may go into another one; what is in the baskets goes back to the shelf
-- (interlock.put_backs). Orders that were completed stay completed.
--
-- Callers: interlock.abandon_picking_session, interlock.abandon_stale_sessions.
-- Locks: its boxes by order, and with each as interlock.take_out_order.
-- Errors: 55P03 after lock_timeout.
create function interlock.abandon_session(p_session_id uuid)
returns void
language plpgsql
set search_path = ''
as $$
begin
  -- All boxes before the first basket: whoever takes an order out goes from its box to baskets and to the session.
  perform
    clock_timestamp() < statement_timestamp() + interval '100 milliseconds' or interlock.limit_wait()
  from interlock.picking_session_orders b
  where b.picking_session_id = p_session_id
    and b.status = 'open'
  order by b.order_id
  for no key update;
  perform interlock.lock_baskets(p_session_id, null);
  perform interlock.take_out_order(p_session_id, b.order_id, 'removed')
  from (
    select o.order_id
    from interlock.picking_session_orders o
    where o.picking_session_id = p_session_id
      and o.status = 'open'
    order by o.order_id
  ) b;
end
$$;

-- Abandon picking sessions in which nobody has done anything for settings.session_idle; answers how many. Each is abandoned in a
-- sub-transaction of its own: one that somebody is working at is left as it is. What is left is the next call's: call it until it answers 0.
--
-- Callers: the jobs of interlock.jobs; service_role, also through public.abandon_stale_sessions.
-- Locks: as interlock.abandon_session, 50 milliseconds for each; what was abandoned stays locked until the transaction ends.
-- Security definer: nobody has the right to write sessions.
create function interlock.abandon_stale_sessions(p_limit int)
returns int
language plpgsql
security definer
set search_path = ''
set lock_timeout = '50ms'
as $$
declare
  v_session_id uuid;
  v_abandoned int := 0;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;
  for v_session_id in
    select s.id
    from interlock.picking_sessions s
    cross join interlock.settings t
    where s.ended_at is null
      and greatest(s.created_at, s.packing_started_at, (
        select max(c.created_at) from interlock.packing_scans c where c.picking_session_id = s.id
      )) < interlock.clock() - t.session_idle
    order by s.id
    limit greatest(coalesce(p_limit, 20), 0)
  loop
    begin
      perform interlock.abandon_session(v_session_id);
      v_abandoned := v_abandoned + 1;
    exception
      when lock_not_available or deadlock_detected then
        raise warning 'picking session % cannot be abandoned: % %', v_session_id, sqlstate, sqlerrm;
    end;
  end loop;
  return v_abandoned;
end
$$;

-- What is answered of an order that was completed, or taken out of its session.
--
-- Callers: interlock.complete_box, interlock.remove_order_from_session.
-- Locks: none.
create function interlock.box_answer(p_session_id uuid, p_order_id uuid)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select jsonb_build_object(
      'success', true,
      'session_id', s.id,
      'order_id', b.order_id,
      'status', b.status,
      'shipment_id', b.shipment_id,
      'tracking', (select h.tracking from interlock.order_shipments h where h.id = b.shipment_id),
      'fulfillment', o.fulfillment,
      'order', (
        select jsonb_build_object(
          'units_packed', sum(p.quantity_packed),
          'units_needed', sum(p.quantity_needed),
          'units_short', sum(p.quantity_short),
          'is_order_complete', b.status = 'completed'
        )
        from interlock.packing_progress p
        where p.picking_session_id = s.id
          and p.order_id = b.order_id
      ),
      'session', jsonb_build_object(
        'status', s.status, 'open_orders', s.open_orders, 'completed_orders', s.completed_orders
      )
    )
    from interlock.picking_sessions s
    join interlock.picking_session_orders b on b.picking_session_id = s.id
    join interlock.orders o on o.id = b.order_id
    where s.id = p_session_id
      and b.order_id = p_order_id
  );
end
$$;

-- Broadcast to the screens of a picking session what has become of a line, with the basket that it is packed from, which is changed first: a scan is one message.
-- With the numbers as they are and the version of their row, so what comes late or twice does no harm.
--
-- Callers: interlock.pack_units, interlock.give_up_units, interlock.broadcast_packing, where the platform's realtime is there.
-- Locks: none.
create function interlock.broadcast_line(p_session_id uuid, p_order_id uuid, p_product_id uuid, p_change int)
returns void
language plpgsql
set search_path = ''
as $$
begin
  perform interlock.broadcast('packing:' || p_session_id, 'packing.progress', jsonb_build_object(
    'session_id', p_session_id,
    'order_id', p_order_id,
    'product_id', p_product_id,
    'change', p_change,
    'quantity_packed', p.quantity_packed,
    'quantity_needed', p.quantity_needed,
    'quantity_short', p.quantity_short,
    'version', p.version,
    'basket', jsonb_build_object(
      'quantity_needed', i.quantity_needed,
      'quantity_picked', i.quantity_picked,
      'quantity_packed', i.quantity_packed,
      'version', i.version
    )
  ))
  from interlock.packing_progress p
  join interlock.picking_session_items i
    on i.picking_session_id = p.picking_session_id and i.product_id = p.product_id
  where p.picking_session_id = p_session_id
    and p.order_id = p_order_id
    and p.product_id = p_product_id;
end
$$;

-- What public.claim_picking does, with its owner's rights: have products of a session for oneself for a while
-- (settings.pick_lease), so that two pickers do not walk to the same shelf. Without products: all that nobody has and that are
-- still to be picked. Called again it makes the lease longer.
--
-- Products that are named are waited for, and all those that somebody else has are told together. Without names those that are
-- being claimed at the moment are left to whoever does, unless nothing else is left.
--
-- Callers: authenticated (packers, managers, staff) and service_role, through public.claim_picking.
-- Locks: the rows of the products, in their order, two seconds at most.
-- Errors: UNAUTHENTICATED, FORBIDDEN, VALIDATION_FAILED, SESSION_NOT_FOUND, SESSION_STATE_CONFLICT, PACKING_LINE_NOT_FOUND, PICK_CLAIMED,
--   NOTHING_TO_PICK; 55P03 is transient.
-- Security definer: nobody has the right to write sessions.
create function interlock.claim_picking(p_session_id uuid, p_product_ids uuid[])
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
set timezone = 'UTC'
as $$
declare
  v_product_ids uuid[];
  v_until timestamptz;
  v_taken jsonb;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;
  perform interlock.require_packer();
  if auth.uid() is null then
    perform interlock.raise_error('UNAUTHENTICATED');
  end if;
  if cardinality(p_product_ids) = 0 or array_position(p_product_ids, null) is not null then
    perform interlock.refuse_problems(interlock.problem('/p_product_ids', 'must have 1 or more products'));
  end if;
  perform interlock.find_session(p_session_id);
  perform interlock.raise_error('PACKING_LINE_NOT_FOUND', jsonb_build_object('session_id', p_session_id, 'product_id', u.id))
  from unnest(p_product_ids) as u (id)
  where not exists (
    select from interlock.picking_session_items i where i.picking_session_id = p_session_id and i.product_id = u.id
  );

  if p_product_ids is null then
    v_product_ids := array(
      select i.product_id
      from interlock.picking_session_items i
      where i.picking_session_id = p_session_id
        and i.quantity_picked + i.quantity_short < i.quantity_needed
        and (i.picker_id is null or i.picker_id = auth.uid() or i.picker_until <= interlock.clock())
      order by i.product_id
      for no key update skip locked
    );
  end if;
  if coalesce(cardinality(v_product_ids), 0) = 0 then
    if clock_timestamp() > statement_timestamp() + interval '100 milliseconds' then
      perform interlock.limit_wait();
    end if;
    v_product_ids := array(
      select i.product_id
      from interlock.picking_session_items i
      where i.picking_session_id = p_session_id
        and case
          when p_product_ids is not null then i.product_id = any (p_product_ids)
          else i.quantity_picked + i.quantity_short < i.quantity_needed
            and (i.picker_id is null or i.picker_id = auth.uid() or i.picker_until <= interlock.clock())
        end
      order by i.product_id
      for no key update
    );
  end if;
  -- Whoever was waited for may have ended it.
  if exists (
    select from interlock.picking_sessions s where s.id = p_session_id and s.ended_at is not null
  ) then
    perform interlock.refuse_session(p_session_id);
  end if;
  if v_product_ids = '{}' then
    perform interlock.raise_error('NOTHING_TO_PICK', jsonb_build_object('session_id', p_session_id));
  end if;

  select jsonb_agg(jsonb_build_object('product_id', i.product_id, 'picker_until', i.picker_until) order by i.product_id)
  into v_taken
  from interlock.picking_session_items i
  where i.picking_session_id = p_session_id
    and i.product_id = any (v_product_ids)
    and i.picker_id <> auth.uid()
    and i.picker_until > interlock.clock();
  if v_taken is not null then
    perform interlock.raise_error('PICK_CLAIMED', jsonb_build_object('session_id', p_session_id, 'items', v_taken));
  end if;

  select interlock.clock() + s.pick_lease into v_until from interlock.settings s;
  update interlock.picking_session_items i
  set picker_id = auth.uid(),
      picker_until = v_until
  where i.picking_session_id = p_session_id
    and i.product_id = any (v_product_ids);
  return jsonb_build_object(
    'success', true, 'session_id', p_session_id, 'product_ids', to_jsonb(v_product_ids), 'picker_until', v_until
  );
end
$$;

-- Close the box of an order, and with the last one its session, however many close theirs at once: each counts the
-- session down by one, under the lock of its row, and whoever comes to nothing ends it.
--
-- Callers: interlock.complete_box, interlock.take_out_order, interlock.close_sent_box; with the box and its lines locked.
-- Locks: the session.
create function interlock.close_box(p_session_id uuid, p_order_id uuid, p_status text, p_shipment_id uuid)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_session interlock.picking_sessions;
begin
  update interlock.picking_session_orders b
  set status = p_status,
      shipment_id = p_shipment_id,
      closed_by = auth.uid(),
      closed_at = interlock.clock()
  where b.picking_session_id = p_session_id
    and b.order_id = p_order_id;
  update interlock.packing_progress p
  set box_open = false
  where p.picking_session_id = p_session_id
    and p.order_id = p_order_id;
  perform interlock.note_event(
    case when p_status = 'completed' then 'packing.order_completed' else 'packing.order_taken_out' end,
    p_session_id::text,
    jsonb_build_object(
      'session_id', p_session_id, 'order_id', p_order_id, 'status', p_status, 'shipment_id', p_shipment_id
    )
  );

  if clock_timestamp() > statement_timestamp() + interval '100 milliseconds' then
    perform interlock.limit_wait();
  end if;
  update interlock.picking_sessions s
  set open_orders = s.open_orders - 1,
      completed_orders = s.completed_orders + (p_status = 'completed')::int,
      status = case
        when s.open_orders > 1 then s.status
        when p_status = 'completed' or s.completed_orders > 0 then 'completed'
        else 'abandoned'
      end,
      ended_at = case when s.open_orders = 1 then interlock.clock() end
  where s.id = p_session_id
  returning s.* into v_session;
  if v_session.ended_at is not null then
    perform interlock.note_event('packing.session_ended', p_session_id::text, jsonb_build_object(
      'session_id', p_session_id, 'code', v_session.code, 'status', v_session.status
    ));
  end if;
end
$$;

-- Close the box of an order that has left without being completed at the packing table: what is packed has gone with it, and
-- what was picked for it and is not packed is there for the others, or goes back to the shelf (interlock.put_backs).
--
-- Callers: interlock.move_goods, interlock.ship_order_lines, interlock.fulfill_order; with the order locked.
-- Locks: the box; the baskets by product; the lines; the session; as interlock.take_packed_stock.
-- Errors: INSUFFICIENT_INVENTORY; 55P03 after lock_timeout.
create function interlock.close_sent_box(p_order_id uuid, p_shipment_id uuid default null)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_session interlock.picking_sessions;
begin
  select s.*
  into v_session
  from interlock.picking_session_orders b
  join interlock.picking_sessions s on s.id = b.picking_session_id
  where b.order_id = p_order_id
    and b.status = 'open';
  if not found or (interlock.lock_box(v_session.id, p_order_id)).status <> 'open' then
    return;
  end if;

  -- Who packs into it at this moment is waited for.
  perform interlock.lock_baskets(v_session.id, array(
    select p.product_id from interlock.packing_progress p where p.picking_session_id = v_session.id and p.order_id = p_order_id
  ));
  perform interlock.take_off_lines(
    v_session.id, p_order_id, array_agg(p.product_id), array_agg((p.quantity_needed - p.quantity_packed)::int)
  )
  from interlock.packing_progress p
  where p.picking_session_id = v_session.id
    and p.order_id = p_order_id;
  perform interlock.note_scan(v_session.id, p_order_id, null, 'complete', null);
  perform interlock.close_box(v_session.id, p_order_id, 'completed', p_shipment_id);
  perform interlock.take_packed_stock(v_session, p_order_id);
end
$$;

-- Complete an order: each of its lines is packed, or given up as short. What is packed leaves as one parcel, with its tracking
-- number if there is one; however often and by however many this is asked for, there is one parcel. What is short is taken off
-- the order and paid back, or stays to be sent in another session (settings.short_lines).
--
-- Callers: interlock.pack_item.
-- Locks: the account of the buyer and the order; the box; the lines by product; the session; as interlock.take_packed_stock; for what is short as
--   interlock.take_off_order.
-- Errors: SESSION_STATE_CONFLICT, PACKING_LINE_NOT_FOUND, NOT_FULLY_PACKED, ORDER_STATE_CONFLICT, SHIPMENT_EXCEEDS_ORDER,
--   INSUFFICIENT_INVENTORY; 55P03 and 40P01 are transient.
create function interlock.complete_box(p_session interlock.picking_sessions, p_order_id uuid, p_tracking text)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  v_box interlock.picking_session_orders;
  v_order interlock.orders;
  v_open jsonb;
  v_products uuid[];
  v_packed int[];
  v_short jsonb;
  v_shipment_id uuid;
  v_goods text;
begin
  perform interlock.raise_error('PACKING_LINE_NOT_FOUND', jsonb_build_object(
    'session_id', (p_session).id, 'order_id', p_order_id
  ))
  where not exists (
    select
    from interlock.picking_session_orders b
    where b.picking_session_id = (p_session).id
      and b.order_id = p_order_id
  );
  perform interlock.lock_order(p_order_id);
  v_box := interlock.lock_box((p_session).id, p_order_id);
  if v_box.status = 'completed' then
    return interlock.box_answer((p_session).id, p_order_id);
  end if;
  if v_box.status <> 'open' or (p_session).status = 'picking' then
    perform interlock.refuse_session((p_session).id, p_order_id);
  end if;
  -- Who packs into it at this moment is waited for, and comes too late afterwards.
  perform
    clock_timestamp() < statement_timestamp() + interval '100 milliseconds' or interlock.limit_wait()
  from interlock.packing_progress p
  where p.picking_session_id = (p_session).id
    and p.order_id = p_order_id
  order by p.product_id
  for no key update;

  select
    jsonb_agg(jsonb_build_object(
      'progress_id', p.id, 'product_id', p.product_id, 'quantity_packed', p.quantity_packed,
      'quantity_needed', p.quantity_needed, 'quantity_short', p.quantity_short
    ) order by p.product_id) filter (where p.quantity_packed + p.quantity_short < p.quantity_needed),
    array_agg(p.product_id order by p.product_id) filter (where p.quantity_packed > 0),
    array_agg(p.quantity_packed::int order by p.product_id) filter (where p.quantity_packed > 0),
    jsonb_agg(jsonb_build_object(
      'product_id', p.product_id, 'quantity', p.quantity_short, 'restock', false, 'shipped', false
    ) order by p.product_id) filter (where p.quantity_short > 0)
  into v_open, v_products, v_packed, v_short
  from interlock.packing_progress p
  where p.picking_session_id = (p_session).id
    and p.order_id = p_order_id;
  if v_open is not null then
    perform interlock.raise_error('NOT_FULLY_PACKED', jsonb_build_object(
      'session_id', (p_session).id, 'order_id', p_order_id, 'lines', v_open
    ));
  end if;
  select o.* into v_order from interlock.orders o where o.id = p_order_id;
  if v_order.status not in ('confirmed', 'paid') or v_order.fulfillment in ('shipped', 'delivered') then
    perform interlock.raise_error('ORDER_STATE_CONFLICT', jsonb_build_object(
      'order_id', p_order_id, 'status', v_order.status, 'fulfillment', v_order.fulfillment
    ));
  end if;

  select jsonb_agg(
    jsonb_build_object('product_id', u.product_id, 'requested', u.quantity, 'shippable', coalesce(r.on_shelf, 0))
    order by u.product_id
  )
  into v_open
  from unnest(v_products, v_packed) as u (product_id, quantity)
  left join interlock.order_rest(p_order_id) r on r.product_id = u.product_id
  where u.quantity > coalesce(r.on_shelf, 0);
  -- A part of it was sent without this session.
  if v_open is not null then
    perform interlock.raise_error('SHIPMENT_EXCEEDS_ORDER', jsonb_build_object('order_id', p_order_id, 'lines', v_open));
  end if;

  if v_products is not null then
    v_shipment_id := interlock.add_shipment(p_order_id, v_products, v_packed, p_tracking);
    v_goods := case when interlock.has_to_ship(p_order_id) then 'partly_shipped' else 'shipped' end;
    update interlock.orders o
    set fulfillment = v_goods,
        tracking = coalesce(p_tracking, o.tracking)
    where o.id = p_order_id;
    -- Of another state the order's trigger writes the history.
    if v_goods = v_order.fulfillment then
      insert into interlock.order_events (order_id, event, tracking, actor)
      values (p_order_id, v_goods, p_tracking, auth.uid());
    end if;
  end if;
  perform interlock.note_scan((p_session).id, p_order_id, null, 'complete', null);
  perform interlock.close_box((p_session).id, p_order_id, 'completed', v_shipment_id);
  perform interlock.take_packed_stock(p_session, p_order_id);
  if v_short is not null and (select s.short_lines from interlock.settings s) = 'shorten' then
    perform interlock.take_off_order(p_order_id, v_short, 'short_pick', false, false, false);
  end if;
  return interlock.box_answer((p_session).id, p_order_id);
end
$$;

-- Note that somebody has looked after what a picker has not found: the stock was counted, or is right.
--
-- Callers: interlock.resolve_finding.
-- Locks: the row of the product in the session.
create function interlock.correct_short_pick(p_session_id uuid, p_product_id uuid)
returns void
language sql
set search_path = ''
as $$
  update interlock.picking_session_items i
  set checked_at = interlock.clock()
  where i.picking_session_id = p_session_id
    and i.product_id = p_product_id
$$;

-- What public.create_picking_session does, with its owner's rights: put orders together that are to be picked and packed at a location. Each
-- needs what of its physical goods has neither been sent nor refunded. The orders are being processed from then on, so
-- their buyers cannot cancel them and they do not expire.
--
-- Callers: authenticated (packers, managers, staff) and service_role, through public.create_picking_session.
-- Locks: the reference; the orders by id; two seconds at most.
-- Errors: UNAUTHENTICATED, FORBIDDEN, VALIDATION_FAILED, LOCATION_NOT_FOUND, ORDER_NOT_FOUND, ORDER_IN_SESSION, ORDER_NOT_PACKABLE,
--   IDEMPOTENCY_KEY_REUSED; 55P03 is transient.
-- Security definer: nobody has the right to write sessions.
create function interlock.create_picking_session(p_order_ids uuid[], p_location_id uuid, p_reference text)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
set timezone = 'UTC'
as $$
declare
  v_most constant int := 100;
  v_location_id constant uuid := coalesce(p_location_id, interlock.online_location());
  v_problems jsonb := '[]'::jsonb;
  v_answer jsonb;
  v_session interlock.picking_sessions;
  v_refused jsonb;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;
  perform interlock.require_packer();
  if coalesce(cardinality(p_order_ids), 0) not between 1 and v_most then
    v_problems := v_problems || interlock.problem('/p_order_ids', format('must have 1 to %s orders', v_most));
  elsif array_position(p_order_ids, null) is not null then
    v_problems := v_problems || interlock.problem('/p_order_ids', 'must not have null');
  elsif (select count(distinct u.id) from unnest(p_order_ids) as u (id)) < cardinality(p_order_ids) then
    v_problems := v_problems || interlock.problem('/p_order_ids', 'must name each order once');
  end if;
  perform interlock.refuse_problems(v_problems);
  if not exists (select from interlock.locations l where l.id = v_location_id) or not interlock.works_at(v_location_id) then
    perform interlock.raise_error('LOCATION_NOT_FOUND', jsonb_build_object('location_ids', jsonb_build_array(v_location_id)));
  end if;

  v_answer := interlock.begin_reference('create_picking_session', p_reference, jsonb_build_array(p_order_ids, p_location_id));
  if v_answer is not null then
    return v_answer;
  end if;

  perform
    clock_timestamp() < statement_timestamp() + interval '100 milliseconds' or interlock.limit_wait()
  from interlock.orders o
  where o.id = any (p_order_ids)
  order by o.id
  for no key update;

  perform interlock.raise_error('ORDER_NOT_FOUND', jsonb_build_object('order_id', u.id))
  from unnest(p_order_ids) as u (id)
  where not exists (select from interlock.orders o where o.id = u.id);

  select jsonb_agg(jsonb_build_object('order_id', b.order_id, 'session_id', s.id, 'code', s.code) order by b.order_id)
  into v_refused
  from interlock.picking_session_orders b
  join interlock.picking_sessions s on s.id = b.picking_session_id
  where b.order_id = any (p_order_ids)
    and b.status = 'open';
  if v_refused is not null then
    perform interlock.raise_error('ORDER_IN_SESSION', jsonb_build_object('orders', v_refused));
  end if;

  select jsonb_agg(
    jsonb_build_object('order_id', o.id, 'status', o.status, 'fulfillment', o.fulfillment) order by o.id
  )
  into v_refused
  from interlock.orders o
  where o.id = any (p_order_ids)
    and (
      o.status not in ('confirmed', 'paid')
      or not exists (select from interlock.order_rest(o.id) r where r.kind = 'physical' and r.on_shelf > 0)
    );
  if v_refused is not null then
    perform interlock.raise_error('ORDER_NOT_PACKABLE', jsonb_build_object('orders', v_refused));
  end if;

  insert into interlock.picking_sessions (location_id, open_orders, created_by)
  values (v_location_id, cardinality(p_order_ids), auth.uid())
  returning * into v_session;
  insert into interlock.picking_session_orders (picking_session_id, order_id, position)
  select v_session.id, u.id, u.n
  from unnest(p_order_ids) with ordinality as u (id, n);
  insert into interlock.packing_progress (picking_session_id, order_id, product_id, quantity_needed)
  select v_session.id, u.id, r.product_id, r.on_shelf
  from unnest(p_order_ids) with ordinality as u (id, n)
  cross join lateral interlock.order_rest(u.id) r
  where r.kind = 'physical'
    and r.on_shelf > 0
  order by u.n, r.product_id;
  insert into interlock.picking_session_items (picking_session_id, product_id, quantity_needed)
  select v_session.id, p.product_id, sum(p.quantity_needed)
  from interlock.packing_progress p
  where p.picking_session_id = v_session.id
  group by p.product_id;

  update interlock.orders o
  set fulfillment = 'processing'
  where o.id = any (p_order_ids)
    and o.fulfillment = 'unfulfilled';
  perform interlock.note_event('packing.session_created', v_session.id::text, jsonb_build_object(
    'session_id', v_session.id, 'code', v_session.code, 'location_id', v_location_id, 'order_ids', p_order_ids
  ));

  return interlock.finish_reference(
    'create_picking_session', p_reference,
    jsonb_build_object('success', true, 'session', interlock.session_to_json(v_session.id))
  );
end
$$;

-- The line of this id, of an order in a session whose location the caller works at.
--
-- Callers: interlock.increment_packing_quantity, interlock.set_packed_quantity, after interlock.require_packer.
-- Locks: none.
-- Errors: VALIDATION_FAILED, PACKING_LINE_NOT_FOUND.
create function interlock.find_packing_line(p_progress_id uuid)
returns interlock.packing_progress
language plpgsql
stable
set search_path = ''
as $$
declare
  v_line interlock.packing_progress;
begin
  if p_progress_id is null then
    perform interlock.refuse_problems(interlock.problem('/p_progress_id', 'is required'));
  end if;
  select p.* into v_line from interlock.packing_progress p where p.id = p_progress_id;
  if v_line.id is null or not interlock.works_at(
    (select s.location_id from interlock.picking_sessions s where s.id = v_line.picking_session_id)
  ) then
    perform interlock.raise_error('PACKING_LINE_NOT_FOUND', jsonb_build_object('progress_id', p_progress_id));
  end if;
  return v_line;
end
$$;

-- What is wrong with what a worker has named or scanned, and how much of it.
--
-- Callers: interlock.pick_item, interlock.pack_item.
create function interlock.find_scan_problems(p_product_id uuid, p_barcode text, p_quantity int, p_least int)
returns jsonb
language plpgsql
immutable
set search_path = ''
as $$
declare
  v_problems jsonb := '[]'::jsonb;
begin
  if num_nonnulls(p_product_id, p_barcode) <> 1 then
    v_problems := v_problems || interlock.problem('/p_product_id', 'is required, or p_barcode, not both');
  end if;
  if not interlock.is_barcode(p_barcode) then
    v_problems := v_problems || interlock.problem('/p_barcode', 'must be 1 to 64 printable ASCII characters without blanks');
  end if;
  if p_quantity not between p_least and 1000 then
    v_problems := v_problems || interlock.problem('/p_quantity', format('must be %s to 1000', p_least));
  end if;
  return v_problems;
end
$$;

-- The product that a worker has named or scanned.
--
-- Callers: interlock.pick_item, interlock.pack_item, after they have looked that one of both is there.
-- Errors: BARCODE_NOT_FOUND.
create function interlock.find_scanned_product(p_product_id uuid, p_barcode text)
returns uuid
language plpgsql
stable
set search_path = ''
as $$
declare
  v_product_id uuid := p_product_id;
begin
  if p_barcode is not null then
    select b.product_id into v_product_id from interlock.product_barcodes b where b.barcode = p_barcode;
    if v_product_id is null then
      perform interlock.raise_error('BARCODE_NOT_FOUND', jsonb_build_object('barcodes', jsonb_build_array(p_barcode)));
    end if;
  end if;
  return v_product_id;
end
$$;

-- The picking session of this id, if the caller works at its location.
--
-- Callers: the functions of the warehouse.
-- Locks: none.
-- Errors: as interlock.require_packer; SESSION_NOT_FOUND, also for that of another location.
create function interlock.find_session(p_session_id uuid)
returns interlock.picking_sessions
language plpgsql
set search_path = ''
as $$
declare
  v_session interlock.picking_sessions;
begin
  select s.* into v_session from interlock.picking_sessions s where s.id = p_session_id;
  if v_session.id is null or not interlock.works_at(v_session.location_id) then
    perform interlock.require_packer();
    perform interlock.raise_error('SESSION_NOT_FOUND', jsonb_build_object('session_id', p_session_id));
  end if;
  return v_session;
end
$$;

-- What pickers of these sessions have not found on the shelf though the books say that it is there, and that nobody has looked after since.
--
-- Callers: interlock.find_differences.
-- Locks: none.
create function interlock.find_short_picks(p_session_ids uuid[])
returns table (
  product_id uuid, location_id uuid, session_id uuid, expected numeric, found numeric, since timestamptz, cause text
)
language sql
stable
set search_path = ''
as $$
  select
    i.product_id, s.location_id, s.id,
    (i.quantity_picked + i.quantity_short)::numeric, i.quantity_picked::numeric, s.created_at,
    concat_ws(' ', 'A picker has not found it on the shelf: count it.', i.short_reason)
  from interlock.picking_session_items i
  join interlock.picking_sessions s on s.id = i.picking_session_id
  where i.picking_session_id = any (p_session_ids)
    and i.quantity_short > 0
    and i.checked_at is null
$$;

-- What public.get_picking_session does, with its owner's rights: a session with its orders, lines and baskets, each number with its version.
--
-- Callers: authenticated (packers, managers, staff) and service_role, through public.get_picking_session.
-- Locks: none.
-- Errors: UNAUTHENTICATED, FORBIDDEN, SESSION_NOT_FOUND.
-- Security definer: so that it may use the functions of this schema.
create function interlock.get_picking_session(p_session_id uuid)
returns jsonb
language plpgsql
stable
security definer
set search_path = ''
set timezone = 'UTC'
as $$
begin
  perform interlock.require_packer();
  return jsonb_build_object(
    'success', true, 'session', interlock.session_to_json((interlock.find_session(p_session_id)).id)
  );
end
$$;

-- Say of units of a line that there will be none: what is neither packed nor given up has to be packed before the order is complete.
-- One that is packed after all is short no more (interlock.pack_units).
--
-- Callers: interlock.pack_item.
-- Locks: the line.
-- Errors: as interlock.find_session; PACKING_LINE_NOT_FOUND, SESSION_STATE_CONFLICT, ALREADY_FULLY_PACKED; 55P03 after lock_timeout.
create function interlock.give_up_units(p_session_id uuid, p_order_id uuid, p_product_id uuid, p_change int)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_line interlock.packing_progress;
  v_fits boolean;
begin
  if (interlock.find_session(p_session_id)).status <> 'packing' then
    perform interlock.refuse_session(p_session_id, p_order_id);
  end if;
  loop
    if clock_timestamp() > statement_timestamp() + interval '100 milliseconds' then
      perform interlock.limit_wait();
    end if;
    update interlock.packing_progress p
    set quantity_short = p.quantity_short + p_change,
        version = p.version + 1,
        updated_at = now()
    where p.picking_session_id = p_session_id
      and p.order_id = p_order_id
      and p.product_id = p_product_id
      and p.box_open
      and p.quantity_packed + p.quantity_short + p_change <= p.quantity_needed
    returning p.* into v_line;
    exit when found;
    -- What is said of the line is what it has, and it is not refused if somebody has made room for it meanwhile. Its basket, which comes before it, is
    -- not locked then.
    if clock_timestamp() > statement_timestamp() + interval '100 milliseconds' then
      perform interlock.limit_wait();
    end if;
    v_fits := (
      select p.box_open and p.quantity_packed + p.quantity_short + p_change <= p.quantity_needed
      from interlock.packing_progress p
      where p.picking_session_id = p_session_id
        and p.order_id = p_order_id
        and p.product_id = p_product_id
      for no key update
    );
    if v_fits is not true then
      perform interlock.refuse_pack(p_session_id, p_order_id, p_product_id, interlock.most_units(), p_taken => null);
    end if;
  end loop;

  insert into interlock.packing_scans (
    picking_session_id, order_id, product_id, action, quantity, actor, quantity_packed, quantity_needed, quantity_short, version
  )
  values (
    p_session_id, p_order_id, p_product_id, 'short', p_change, auth.uid(),
    v_line.quantity_packed, v_line.quantity_needed, v_line.quantity_short, v_line.version
  );
  if interlock.has_realtime() then
    perform interlock.broadcast_line(p_session_id, p_order_id, p_product_id, 0);
  end if;
end
$$;

-- What public.increment_packing_quantity does, with its owner's rights: one unit more in a line, as the incident report calls it.
--
-- p_quantity_needed and p_picked_quantity are what the caller has read, perhaps long ago, and decide nothing: the rows do. The answer has
-- the quantity that is needed, a refusal both quantities, as they are.
--
-- Callers: authenticated (packers, managers, staff) and service_role, through public.increment_packing_quantity.
-- Locks: as interlock.pack_units, two seconds at most.
-- Errors: UNAUTHENTICATED, FORBIDDEN, VALIDATION_FAILED, PACKING_LINE_NOT_FOUND (also for a line of another session or product),
--   SESSION_STATE_CONFLICT, ALREADY_FULLY_PACKED, NO_UNITS_TO_PACK; 55P03 is transient.
-- Security definer: nobody has the right to write sessions.
create function interlock.increment_packing_quantity(
  p_progress_id uuid, p_quantity_needed int, p_picked_quantity int, p_session_id uuid, p_product_id uuid
)
returns table (
  id uuid,
  picking_session_id uuid,
  order_id uuid,
  product_id uuid,
  quantity_needed int,
  quantity_packed int,
  created_at timestamptz,
  updated_at timestamptz
)
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
as $$
declare
  -- Two parameters decide nothing. @plpgsql_check_options: extra_warnings = false
  v_line interlock.packing_progress;
  v_packed record;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;
  perform interlock.require_packer();
  v_line := interlock.find_packing_line(p_progress_id);
  if (v_line.picking_session_id, v_line.product_id) <> (p_session_id, p_product_id) then
    perform interlock.raise_error('PACKING_LINE_NOT_FOUND', jsonb_build_object(
      'progress_id', p_progress_id, 'session_id', p_session_id, 'product_id', p_product_id
    ));
  end if;
  v_packed := interlock.pack_units(v_line.picking_session_id, v_line.order_id, v_line.product_id, 1);
  return query values (
    v_line.id, v_line.picking_session_id, v_line.order_id, v_line.product_id, v_packed.quantity_needed,
    v_packed.quantity_packed, v_line.created_at, now()
  );
end
$$;

-- What there is of a product in a picking session.
--
-- Callers: interlock.pick_item.
create function interlock.item_state(p_item interlock.picking_session_items)
returns jsonb
language plpgsql
immutable
set search_path = ''
as $$
begin
  return jsonb_build_object(
    'session_id', (p_item).picking_session_id,
    'product_id', (p_item).product_id,
    'quantity_needed', (p_item).quantity_needed,
    'quantity_picked', (p_item).quantity_picked,
    'quantity_packed', (p_item).quantity_packed,
    'quantity_short', (p_item).quantity_short,
    'available', (p_item).quantity_picked - (p_item).quantity_packed,
    'version', (p_item).version
  );
end
$$;

-- Take orders that have ended out of the sessions in which they are picked or packed.
--
-- Callers: interlock.settle_orders, before it locks anything; with the orders locked.
-- Locks: as interlock.take_out_order, one order after the other by their ids.
create function interlock.leave_sessions(p_order_ids uuid[])
returns void
language plpgsql
set search_path = ''
as $$
begin
  perform interlock.take_out_order(b.picking_session_id, b.order_id, 'cancelled')
  from (
    select o.picking_session_id, o.order_id
    from interlock.picking_session_orders o
    where o.order_id = any (p_order_ids)
      and o.status = 'open'
    order by o.order_id
  ) b;
end
$$;

-- Lock baskets of a session against whoever picks or packs: those of these products, or with null all. Who packs goes from the basket to the
-- line, so with them the lines of these products stay as they are, too.
--
-- Callers: interlock.take_out_order, interlock.take_off_lines, interlock.close_sent_box, interlock.abandon_session; with the boxes locked.
--   interlock.refuse_pack, of one.
-- Locks: the baskets by product, waiting.
-- Errors: 55P03 after lock_timeout.
create function interlock.lock_baskets(p_session_id uuid, p_product_ids uuid[])
returns void
language plpgsql
set search_path = ''
as $$
begin
  perform
    clock_timestamp() < statement_timestamp() + interval '100 milliseconds' or interlock.limit_wait()
  from interlock.picking_session_items i
  where i.picking_session_id = p_session_id
    and (p_product_ids is null or i.product_id = any (p_product_ids))
  order by i.product_id
  for no key update;
end
$$;

-- Lock the box of an order against whoever completes it or takes it out, and answer what it is; the one helper for this kind of lock.
--
-- Callers: interlock.complete_box, interlock.take_out_order, interlock.need_less, interlock.close_sent_box.
-- Locks: the box, waiting.
-- Errors: 55P03 after lock_timeout. Null if the order is not in the session.
create function interlock.lock_box(p_session_id uuid, p_order_id uuid)
returns interlock.picking_session_orders
language plpgsql
set search_path = ''
as $$
declare
  v_box interlock.picking_session_orders;
begin
  if clock_timestamp() > statement_timestamp() + interval '100 milliseconds' then
    perform interlock.limit_wait();
  end if;
  select b.*
  into v_box
  from interlock.picking_session_orders b
  where b.picking_session_id = p_session_id
    and b.order_id = p_order_id
  for no key update;
  return v_box;
end
$$;

-- What of an order is refunded before it was sent is needed no more in the session in which it is picked and packed: what of it is
-- in the box already is in the basket again. An order that needs nothing any more leaves the session.
--
-- Callers: interlock.take_off_order, before it locks anything else; with the order locked.
-- Locks: the box; then as interlock.take_off_lines or interlock.take_out_order.
-- Errors: 55P03 after lock_timeout.
create function interlock.need_less(p_order_id uuid, p_product_ids uuid[], p_quantities int[])
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_session_id uuid;
begin
  select b.picking_session_id
  into v_session_id
  from interlock.picking_session_orders b
  where b.order_id = p_order_id
    and b.status = 'open';
  if not found or (interlock.lock_box(v_session_id, p_order_id)).status <> 'open' then
    return;
  end if;
  if not exists (
    select
    from interlock.packing_progress p
    left join unnest(p_product_ids, p_quantities) as u (product_id, quantity) on u.product_id = p.product_id
    where p.picking_session_id = v_session_id
      and p.order_id = p_order_id
      and p.quantity_needed > coalesce(u.quantity, 0)
  ) then
    perform interlock.take_out_order(v_session_id, p_order_id, 'cancelled');
    return;
  end if;

  perform interlock.take_off_lines(v_session_id, p_order_id, p_product_ids, p_quantities);
end
$$;

-- Write down what was done in a picking session, but for what interlock.pack_units and interlock.give_up_units do with a line.
--
-- Callers: interlock.pick_item, interlock.complete_box, interlock.close_sent_box; with what they have changed locked.
-- Locks: none.
create function interlock.note_scan(
  p_session_id uuid, p_order_id uuid, p_product_id uuid, p_action text, p_quantity int
)
returns void
language plpgsql
set search_path = ''
as $$
begin
  insert into interlock.packing_scans (picking_session_id, order_id, product_id, action, quantity, actor)
  values (p_session_id, p_order_id, p_product_id, p_action, p_quantity, auth.uid());
end
$$;

-- What public.pack_item does, with its owner's rights: what function pack is asked for. One scan packs a unit of the
-- basket into an order (pack), takes one out again (unpack) or says that there will be none (short); complete closes the order.
--
-- Without a key each call is a scan of its own; under a key it counts once. Completing needs none.
--
-- Callers: authenticated (packers, managers, staff) and service_role, through public.pack_item.
-- Locks: idempotency key; then as interlock.pack_units, interlock.give_up_units or interlock.complete_box; two seconds at most.
-- Errors: UNAUTHENTICATED, FORBIDDEN, VALIDATION_FAILED, SESSION_NOT_FOUND, SESSION_STATE_CONFLICT, BARCODE_NOT_FOUND, PACKING_LINE_NOT_FOUND,
--   WRONG_ITEM, ALREADY_FULLY_PACKED, NO_UNITS_TO_PACK, NOTHING_PACKED, NOT_FULLY_PACKED, INSUFFICIENT_INVENTORY,
--   ORDER_STATE_CONFLICT, SHIPMENT_EXCEEDS_ORDER, IDEMPOTENCY_KEY_REUSED; 55P03 and 40P01 are transient and nothing has happened.
-- Security definer: nobody has the right to write sessions.
create function interlock.pack_item(
  p_session_id uuid,
  p_order_id uuid,
  p_product_id uuid,
  p_barcode text,
  p_quantity int,
  p_action text,
  p_tracking text,
  p_idempotency_key text
)
returns json
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
set timezone = 'UTC'
as $$
declare
  v_action constant text := coalesce(p_action, 'pack');
  v_quantity constant int := coalesce(p_quantity, 1);
  v_problems jsonb := '[]'::jsonb;
  v_product_id uuid;
  v_answer text;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;
  if v_action not in ('pack', 'unpack', 'short', 'complete') then
    v_problems := v_problems || interlock.problem('/action', 'must be one of: pack, unpack, short, complete');
  elsif v_action = 'complete' then
    if num_nonnulls(p_product_id, p_barcode, p_quantity) > 0 then
      v_problems := v_problems || interlock.problem('/action', 'complete cannot go with product_id, barcode or quantity');
    end if;
    if p_tracking is not null and interlock.is_line(p_tracking, 200) is not true then
      v_problems := v_problems || interlock.problem('/tracking', 'must have 1 to 200 characters');
    end if;
  else
    v_problems := v_problems || interlock.find_scan_problems(p_product_id, p_barcode, p_quantity, 1);
    if p_tracking is not null then
      v_problems := v_problems || interlock.problem('/tracking', 'goes only with complete');
    end if;
  end if;
  if p_session_id is null then
    v_problems := v_problems || interlock.problem('/session_id', 'is required');
  end if;
  if p_order_id is null then
    v_problems := v_problems || interlock.problem('/order_id', 'is required');
  end if;
  if v_problems <> '[]' then
    perform interlock.require_packer();
    perform interlock.refuse_problems(v_problems);
  end if;

  if v_action = 'complete' then
    return interlock.complete_box(interlock.find_session(p_session_id), p_order_id, p_tracking)::text::json;
  end if;
  v_product_id := p_product_id;
  if p_barcode is not null then
    perform interlock.find_session(p_session_id);
    v_product_id := interlock.find_scanned_product(p_product_id, p_barcode);
  end if;

  if p_idempotency_key is not null then
    v_answer := interlock.begin_idempotent('pack_item', p_idempotency_key, jsonb_build_array(
      p_session_id, p_order_id, v_product_id, v_quantity, v_action
    ));
    if v_answer is not null then
      return v_answer::json;
    end if;
  end if;
  -- A scanner reads whatever lies there.
  if p_barcode is not null and not exists (
    select
    from interlock.packing_progress p
    where p.picking_session_id = p_session_id
      and p.order_id = p_order_id
      and p.product_id = v_product_id
  ) then
    perform interlock.raise_error('WRONG_ITEM', jsonb_build_object(
      'session_id', p_session_id, 'order_id', p_order_id, 'product_id', v_product_id
    ));
  end if;

  if v_action = 'short' then
    perform interlock.give_up_units(p_session_id, p_order_id, v_product_id, v_quantity);
  else
    perform interlock.pack_units(
      p_session_id, p_order_id, v_product_id, case v_action when 'pack' then v_quantity else -v_quantity end
    );
  end if;
  -- A statement of its own, which sees what was written.
  v_answer := interlock.packing_answer(p_session_id, p_order_id, v_product_id)::text;
  if p_idempotency_key is not null then
    perform interlock.finish_idempotent('pack_item', p_idempotency_key, v_answer);
  end if;
  return v_answer::json;
end
$$;

-- Put so many units out of the basket into the box of an order, or back. Two conditional updates decide, neither of which reads first: the basket
-- never gives more than was picked, over all orders, and the line never takes more than it needs, and nothing once its box is closed.
-- A unit that was given up as short and is packed after all is short no more.
--
-- With p_expected the line must have so many: IL004 says that it has not. p_location_id, if it is given, is the session's location.
--
-- A scan makes no statement and calls no function that it can do without: whoever takes a turn is asked for with it (by the token that is read
-- already, as interlock.works_at does), interlock.refuse_pack finds out afterwards what was wrong, the history is written here, the other workers are
-- told without a trigger, and public.update_packing_progress_atomic calls it with nothing between.
--
-- Callers: authenticated (packers, managers, staff) and service_role, through public.update_packing_progress_atomic; interlock.pack_item,
--   interlock.increment_packing_quantity, interlock.set_packed_quantity.
-- Locks: one's turn at the basket, advisory, until the transaction ends; the basket; the line; two seconds at most. Turns are had in the order
--   of coming; a row that many wait for is had by whoever is quickest when it is free, and one of sixty-four was not for nine seconds. Whoever does
--   not work there takes none, so that nobody is held up who does.
-- Errors: as interlock.find_session; VALIDATION_FAILED for an id that is null; PACKING_LINE_NOT_FOUND, SESSION_STATE_CONFLICT, ALREADY_FULLY_PACKED,
--   NO_UNITS_TO_PACK, NOTHING_PACKED; IL004; 55P03 is transient.
-- Security definer: nobody has the right to write sessions.
create function interlock.pack_units(
  p_session_id uuid,
  p_order_id uuid,
  p_product_id uuid,
  p_change int,
  p_expected int default null,
  p_location_id uuid default null,
  out progress_id uuid,
  out quantity_packed int,
  out quantity_needed int,
  out quantity_short int,
  out version bigint
)
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
as $$
declare
  -- Read once; without a token the platform knows best who it is.
  v_claims constant jsonb := auth.jwt();
  v_user constant uuid := coalesce((v_claims ->> 'sub')::uuid, auth.uid());
  v_work constant jsonb := v_claims -> 'app_metadata';
  v_role constant text := case when current_setting('role') <> 'service_role' then v_work ->> 'role' end;
  v_taken int := 0;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;
  if clock_timestamp() > statement_timestamp() + interval '100 milliseconds' then
    perform interlock.limit_wait();
  end if;
  -- What is looked at stays so while the turn is waited for, but that the session may end: then the line's box is closed. Locations that the token
  -- does not have as Postgres writes them are left to interlock.works_at.
  perform pg_advisory_xact_lock(hashtextextended(format('interlock basket %s %s', p_session_id, p_product_id), 0))
  from interlock.picking_sessions s
  where s.id = p_session_id
    and s.status = 'packing'
    and (p_location_id is null or s.location_id = p_location_id)
    and case
      when v_role = 'staff' or v_role in ('packer', 'manager')
        and coalesce(v_work -> 'location_ids' @> jsonb_build_array(s.location_id), s.location_id = interlock.online_location())
        then exists (select from interlock.accounts u where u.id = v_user)
      else interlock.works_at(s.location_id)
    end;
  if found then
    if clock_timestamp() > statement_timestamp() + interval '100 milliseconds' then
      perform interlock.limit_wait();
    end if;
    update interlock.picking_session_items i
    set quantity_packed = i.quantity_packed + p_change,
        version = i.version + 1
    where i.picking_session_id = p_session_id
      and i.product_id = p_product_id
      and i.quantity_packed + p_change between 0 and i.quantity_picked;
  end if;
  if found then
    v_taken := p_change;
    if clock_timestamp() > statement_timestamp() + interval '100 milliseconds' then
      perform interlock.limit_wait();
    end if;
    update interlock.packing_progress p
    set quantity_packed = p.quantity_packed + p_change,
        quantity_short = least(p.quantity_short, p.quantity_needed - p.quantity_packed - p_change),
        version = p.version + 1,
        updated_at = now()
    where p.picking_session_id = p_session_id
      and p.order_id = p_order_id
      and p.product_id = p_product_id
      and p.box_open
      and p.quantity_packed + p_change between 0 and p.quantity_needed
      and p.quantity_packed = coalesce(p_expected, p.quantity_packed)
    returning p.id, p.quantity_packed, p.quantity_needed, p.quantity_short, p.version
    into progress_id, quantity_packed, quantity_needed, quantity_short, version;
  end if;
  if progress_id is null then
    perform interlock.refuse_pack(
      p_session_id, p_order_id, p_product_id, p_change, p_expected, v_taken, p_location_id
    );
    -- It is not refused: there is room for it by now, and the basket is locked.
    select u.progress_id, u.quantity_packed, u.quantity_needed, u.quantity_short, u.version
    into progress_id, quantity_packed, quantity_needed, quantity_short, version
    from interlock.pack_units(p_session_id, p_order_id, p_product_id, p_change, p_expected, p_location_id) u;
    return;
  end if;

  insert into interlock.packing_scans (
    picking_session_id, order_id, product_id, action, quantity, actor, quantity_packed, quantity_needed, quantity_short, version
  )
  values (
    p_session_id, p_order_id, p_product_id, case when p_change > 0 then 'pack' else 'unpack' end, p_change, v_user,
    quantity_packed, quantity_needed, quantity_short, version
  );
  if to_regprocedure('realtime.send(jsonb,text,text,boolean)') is not null then
    perform interlock.broadcast_line(p_session_id, p_order_id, p_product_id, p_change);
  end if;
end
$$;

-- What a worker's screen needs after a scan: the line, how far its order and the session are, what is left in the basket.
--
-- Callers: the functions that pack.
-- Locks: none.
create function interlock.packing_answer(p_session_id uuid, p_order_id uuid, p_product_id uuid)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  v_order record;
  v_session record;
begin
  select
    sum(l.quantity_packed) as packed, sum(l.quantity_needed) as needed, sum(l.quantity_short) as short,
    -- Of the one line.
    (array_agg(l.id) filter (where l.product_id = p_product_id))[1] as line_id,
    max(l.quantity_packed) filter (where l.product_id = p_product_id) as line_packed,
    max(l.quantity_needed) filter (where l.product_id = p_product_id) as line_needed,
    max(l.quantity_short) filter (where l.product_id = p_product_id) as line_short,
    max(l.version) filter (where l.product_id = p_product_id) as line_version
  into v_order
  from interlock.packing_progress l
  where l.picking_session_id = p_session_id
    and l.order_id = p_order_id;
  select
    sum(i.quantity_packed) as packed, sum(i.quantity_picked) as picked, sum(i.quantity_needed) as needed,
    -- Of the one product's row.
    max(i.quantity_picked) filter (where i.product_id = p_product_id) as basket_picked,
    max(i.quantity_packed) filter (where i.product_id = p_product_id) as basket_packed,
    max(i.version) filter (where i.product_id = p_product_id) as basket_version
  into v_session
  from interlock.picking_session_items i
  where i.picking_session_id = p_session_id;

  return jsonb_build_object(
    'success', true,
    'progress_id', v_order.line_id,
    'session_id', p_session_id,
    'order_id', p_order_id,
    'product_id', p_product_id,
    'quantity_packed', v_order.line_packed,
    'quantity_needed', v_order.line_needed,
    'quantity_short', v_order.line_short,
    'is_item_complete', v_order.line_packed + v_order.line_short >= v_order.line_needed,
    'version', v_order.line_version,
    'order', jsonb_build_object(
      'units_packed', v_order.packed,
      'units_needed', v_order.needed,
      'units_short', v_order.short,
      'is_order_complete', v_order.packed + v_order.short >= v_order.needed
    ),
    'basket', jsonb_build_object(
      'quantity_picked', v_session.basket_picked,
      'quantity_packed', v_session.basket_packed,
      'available', v_session.basket_picked - v_session.basket_packed,
      'version', v_session.basket_version
    ),
    'session', jsonb_build_object(
      'units_packed', v_session.packed, 'units_picked', v_session.picked, 'units_needed', v_session.needed
    )
  );
end
$$;

-- What public.pick_item does, with its owner's rights: units of a product come from the shelf into the basket; with a quantity below 0 they
-- go back, also of a session that has ended. p_short of them are not on the shelf though the books say so: that is
-- told (stock.short_pick) and the next audit files it (picked_short).
--
-- Callers: authenticated (packers, managers, staff) and service_role, through public.pick_item.
-- Locks: idempotency key; the row of the product in the session; two seconds at most.
-- Errors: UNAUTHENTICATED, FORBIDDEN, VALIDATION_FAILED, BARCODE_NOT_FOUND, SESSION_NOT_FOUND, SESSION_STATE_CONFLICT, WRONG_ITEM, PICK_CLAIMED,
--   PICK_EXCEEDS_NEEDED, NOTHING_PICKED, IDEMPOTENCY_KEY_REUSED; 55P03 is transient.
-- Security definer: nobody has the right to write sessions.
create function interlock.pick_item(
  p_session_id uuid,
  p_product_id uuid,
  p_barcode text,
  p_quantity int,
  p_short int,
  p_reason text,
  p_basket text,
  p_idempotency_key text
)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
set timezone = 'UTC'
as $$
declare
  v_quantity constant int := coalesce(p_quantity, case when p_short > 0 then 0 else 1 end);
  v_short constant int := coalesce(p_short, 0);
  v_problems jsonb := interlock.find_scan_problems(p_product_id, p_barcode, p_quantity, -1000);
  v_answer text;
  v_session interlock.picking_sessions;
  v_product_id uuid;
  v_item interlock.picking_session_items;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;
  perform interlock.require_packer();
  if p_session_id is null then
    v_problems := v_problems || interlock.problem('/p_session_id', 'is required');
  end if;
  if v_short not between -1000 and 1000 then
    v_problems := v_problems || interlock.problem('/p_short', 'must be -1000 to 1000');
  elsif v_quantity = 0 and v_short = 0 then
    v_problems := v_problems || interlock.problem('/p_quantity', 'must not be 0 without p_short');
  end if;
  if p_reason is not null and interlock.is_line(p_reason, 200) is not true then
    v_problems := v_problems || interlock.problem('/p_reason', 'must have 1 to 200 characters');
  end if;
  if p_basket is not null and interlock.is_line(p_basket, 200) is not true then
    v_problems := v_problems || interlock.problem('/p_basket', 'must have 1 to 200 characters');
  end if;
  perform interlock.refuse_problems(v_problems);
  v_session := interlock.find_session(p_session_id);
  v_product_id := interlock.find_scanned_product(p_product_id, p_barcode);

  v_answer := interlock.begin_idempotent('pick_item', p_idempotency_key, jsonb_build_array(
    p_session_id, v_product_id, v_quantity, v_short, p_reason, p_basket
  ));
  if v_answer is not null then
    return v_answer::jsonb;
  end if;

  if clock_timestamp() > statement_timestamp() + interval '100 milliseconds' then
    perform interlock.limit_wait();
  end if;
  select i.*
  into v_item
  from interlock.picking_session_items i
  where i.picking_session_id = p_session_id
    and i.product_id = v_product_id
  for no key update;
  if not found then
    perform interlock.raise_error('WRONG_ITEM', jsonb_build_object('session_id', p_session_id, 'product_id', v_product_id));
  end if;
  if (v_quantity > 0 or v_short <> 0) and exists (
    select from interlock.picking_sessions s where s.id = p_session_id and s.ended_at is not null
  ) then
    perform interlock.refuse_session(p_session_id);
  end if;
  if v_quantity > 0 and v_item.picker_id <> auth.uid() and v_item.picker_until > interlock.clock() then
    perform interlock.raise_error('PICK_CLAIMED', jsonb_build_object('session_id', p_session_id, 'items', jsonb_build_array(
      jsonb_build_object('product_id', v_product_id, 'picker_until', v_item.picker_until)
    )));
  end if;
  if (v_quantity > 0 or v_short > 0)
    and v_item.quantity_picked + v_item.quantity_short + v_quantity + v_short > v_item.quantity_needed then
    perform interlock.raise_error('PICK_EXCEEDS_NEEDED', interlock.item_state(v_item));
  end if;
  if v_item.quantity_picked + v_quantity < v_item.quantity_packed or v_item.quantity_short + v_short < 0 then
    perform interlock.raise_error('NOTHING_PICKED', interlock.item_state(v_item));
  end if;

  update interlock.picking_session_items i
  set quantity_picked = i.quantity_picked + v_quantity,
      quantity_short = i.quantity_short + v_short,
      short_reason = case when v_short > 0 then coalesce(p_reason, i.short_reason) else i.short_reason end,
      checked_at = case when v_short > 0 then null else i.checked_at end,
      basket = coalesce(p_basket, i.basket),
      picker_until = case
        when i.picker_id = auth.uid() then (select interlock.clock() + s.pick_lease from interlock.settings s)
        else i.picker_until
      end,
      version = i.version + 1
  where i.picking_session_id = p_session_id
    and i.product_id = v_product_id
  returning i.* into v_item;
  if v_quantity <> 0 then
    perform interlock.note_scan(
      p_session_id, null, v_product_id, case when v_quantity > 0 then 'pick' else 'put_back' end, v_quantity
    );
  end if;
  if v_short <> 0 then
    perform interlock.note_scan(p_session_id, null, v_product_id, 'short_pick', v_short);
    perform interlock.note_event('stock.short_pick', v_product_id::text, jsonb_build_object(
      'session_id', p_session_id, 'product_id', v_product_id, 'location_id', v_session.location_id,
      'quantity', v_short, 'quantity_short', v_item.quantity_short, 'reason', p_reason
    ));
  end if;

  v_answer := jsonb_build_object('success', true, 'item', interlock.item_state(v_item))::text;
  perform interlock.finish_idempotent('pick_item', p_idempotency_key, v_answer);
  return v_answer::jsonb;
end
$$;

-- Say why a line cannot be changed by so much, as things are now: whoever was waited for has ended. p_taken units are out of the basket
-- already, and are in it again with the refusal. Where none are, the basket was only looked at: it is locked, so that what is said of it and of the
-- line is what they have, and not refused if somebody has made room for it meanwhile. With null the line
-- alone was looked at, which whoever calls has locked.
--
-- Callers: interlock.pack_units, interlock.give_up_units.
-- Locks: the basket, if nothing was taken out of it; whoever does not work there takes none.
-- Errors: as interlock.find_session, also for a session of another location than the one that was given; VALIDATION_FAILED for an id that is null;
--   PACKING_LINE_NOT_FOUND, SESSION_STATE_CONFLICT, ALREADY_FULLY_PACKED, NO_UNITS_TO_PACK, NOTHING_PACKED; IL004 if the line has not the
--   number of units that was expected; 55P03 after lock_timeout.
create function interlock.refuse_pack(
  p_session_id uuid, p_order_id uuid, p_product_id uuid, p_change int, p_expected int default null, p_taken int default 0,
  p_location_id uuid default null
)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_problems jsonb;
  v_session interlock.picking_sessions;
  v_line interlock.packing_progress;
  v_item interlock.picking_session_items;
begin
  select jsonb_agg(jsonb_build_object('pointer', '/' || u.name, 'message', 'is required') order by u.name)
  into v_problems
  from (values ('p_session_id', p_session_id), ('p_order_id', p_order_id), ('p_product_id', p_product_id)) as u (name, id)
  where u.id is null;
  if v_problems is not null then
    perform interlock.require_packer();
    perform interlock.refuse_problems(v_problems);
  end if;
  v_session := interlock.find_session(p_session_id);
  if v_session.location_id <> p_location_id then
    perform interlock.raise_error('SESSION_NOT_FOUND', jsonb_build_object('session_id', p_session_id));
  end if;
  if v_session.status <> 'packing' then
    perform interlock.refuse_session(p_session_id, p_order_id);
  end if;
  if p_taken = 0 then
    perform interlock.lock_baskets(p_session_id, array[p_product_id]);
  end if;
  select p.*
  into v_line
  from interlock.packing_progress p
  where p.picking_session_id = p_session_id
    and p.order_id = p_order_id
    and p.product_id = p_product_id;
  if v_line.id is null then
    perform interlock.raise_error('PACKING_LINE_NOT_FOUND', jsonb_build_object(
      'session_id', p_session_id, 'order_id', p_order_id, 'product_id', p_product_id
    ));
  end if;
  if not v_line.box_open then
    perform interlock.refuse_session(p_session_id, p_order_id);
  end if;
  if v_line.quantity_packed <> p_expected then
    raise exception using errcode = 'IL004', message = 'the line has another number of units';
  end if;
  select i.*
  into v_item
  from interlock.picking_session_items i
  where i.picking_session_id = p_session_id
    and i.product_id = p_product_id;
  if p_taken = 0
    and v_line.quantity_packed + p_change between 0 and v_line.quantity_needed
    and v_item.quantity_packed + p_change between 0 and v_item.quantity_picked
  then
    return;
  end if;
  perform interlock.raise_error(
    case
      when p_change < 0 then 'NOTHING_PACKED'
      when v_line.quantity_packed + p_change > v_line.quantity_needed then 'ALREADY_FULLY_PACKED'
      else 'NO_UNITS_TO_PACK'
    end,
    jsonb_build_object(
      'session_id', p_session_id,
      'order_id', p_order_id,
      'product_id', p_product_id,
      'quantity_packed', v_line.quantity_packed,
      'quantity_needed', v_line.quantity_needed,
      'quantity_picked', v_item.quantity_picked,
      'available', v_item.quantity_picked - v_item.quantity_packed + coalesce(p_taken, 0)
    )
  );
end
$$;

-- Refuse what cannot be done in the present state of a picking session, or of an order in it.
--
-- Errors: SESSION_STATE_CONFLICT.
create function interlock.refuse_session(p_session_id uuid, p_order_id uuid default null)
returns void
language plpgsql
set search_path = ''
as $$
begin
  perform interlock.raise_error('SESSION_STATE_CONFLICT', jsonb_strip_nulls(jsonb_build_object(
    'session_id', p_session_id,
    'status', (select s.status from interlock.picking_sessions s where s.id = p_session_id),
    'order_id', p_order_id,
    'order_status', (
      select o.status
      from interlock.picking_session_orders o
      where o.picking_session_id = p_session_id
        and o.order_id = p_order_id
    )
  )));
end
$$;

-- What public.release_picking does, with its owner's rights: give back the products of a session that the caller has; those that are
-- named, or all. Called again it answers the same.
--
-- Callers: authenticated (packers, managers, staff) and service_role, through public.release_picking.
-- Locks: the rows of the products, in their order, two seconds at most.
-- Errors: UNAUTHENTICATED, FORBIDDEN, SESSION_NOT_FOUND; 55P03 is transient.
-- Security definer: nobody has the right to write sessions.
create function interlock.release_picking(p_session_id uuid, p_product_ids uuid[])
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
as $$
declare
  v_product_ids uuid[];
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;
  perform interlock.find_session(p_session_id);

  if clock_timestamp() > statement_timestamp() + interval '100 milliseconds' then
    perform interlock.limit_wait();
  end if;
  v_product_ids := array(
    select i.product_id
    from interlock.picking_session_items i
    where i.picking_session_id = p_session_id
      and i.picker_id = auth.uid()
      and (p_product_ids is null or i.product_id = any (p_product_ids))
    order by i.product_id
    for no key update
  );
  update interlock.picking_session_items i
  set picker_id = null,
      picker_until = null
  where i.picking_session_id = p_session_id
    and i.product_id = any (v_product_ids);
  return jsonb_build_object('success', true, 'session_id', p_session_id, 'product_ids', to_jsonb(v_product_ids));
end
$$;

-- What public.remove_order_from_session does, with its owner's rights: an order leaves its session, and may go into another one. What was packed
-- for it is in the basket again. Called again it answers the same.
--
-- Callers: authenticated (packers, managers, staff) and service_role, through public.remove_order_from_session.
-- Locks: the box; the baskets by product; the lines; the session; two seconds at most.
-- Errors: UNAUTHENTICATED, FORBIDDEN, SESSION_NOT_FOUND, PACKING_LINE_NOT_FOUND, SESSION_STATE_CONFLICT (it was completed); 55P03 is transient.
-- Security definer: nobody has the right to write sessions.
create function interlock.remove_order_from_session(p_session_id uuid, p_order_id uuid)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
as $$
declare
  v_status text;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;
  perform interlock.require_packer();
  perform interlock.find_session(p_session_id);

  if not interlock.take_out_order(p_session_id, p_order_id, 'removed') then
    select b.status
    into v_status
    from interlock.picking_session_orders b
    where b.picking_session_id = p_session_id
      and b.order_id = p_order_id;
    if v_status is null then
      perform interlock.raise_error('PACKING_LINE_NOT_FOUND', jsonb_build_object(
        'session_id', p_session_id, 'order_id', p_order_id
      ));
    elsif v_status = 'completed' then
      perform interlock.refuse_session(p_session_id, p_order_id);
    end if;
  end if;
  return interlock.box_answer(p_session_id, p_order_id);
end
$$;

-- Refuse whoever works in no warehouse at all.
--
-- Callers: every function of the warehouse, before it looks at anything.
-- Errors: UNAUTHENTICATED without a user whose account exists, FORBIDDEN for one.
create function interlock.require_packer()
returns void
language plpgsql
stable
set search_path = ''
as $$
begin
  if not interlock.acts_for_shop() then
    perform interlock.require_user();
    if interlock.packing_locations() = '{}' then
      perform interlock.raise_error('FORBIDDEN');
    end if;
  end if;
end
$$;

-- A picking session as its workers see it: its orders with their lines, and its products with what is in the basket.
--
-- Callers: the functions of the warehouse.
-- Locks: none.
create function interlock.session_to_json(p_session_id uuid)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select jsonb_build_object(
      'id', s.id,
      'code', s.code,
      'location_id', s.location_id,
      'status', s.status,
      'open_orders', s.open_orders,
      'completed_orders', s.completed_orders,
      'created_at', s.created_at,
      'packing_started_at', s.packing_started_at,
      'ended_at', s.ended_at,
      'items', (
        select coalesce(jsonb_agg(
          jsonb_build_object(
            'product_id', i.product_id,
            'name', n.name,
            'quantity_needed', i.quantity_needed,
            'quantity_picked', i.quantity_picked,
            'quantity_packed', i.quantity_packed,
            'quantity_short', i.quantity_short,
            'available', i.quantity_picked - i.quantity_packed,
            'basket', i.basket,
            'picker_id', i.picker_id,
            'picker_until', i.picker_until,
            'version', i.version
          )
          order by i.product_id
        ), '[]')
        from interlock.picking_session_items i
        left join (
          select p.product_id, min(o.name) as name
          from interlock.packing_progress p
          join interlock.order_items o on o.order_id = p.order_id and o.product_id = p.product_id
          where p.picking_session_id = s.id
          group by p.product_id
        ) n on n.product_id = i.product_id
        where i.picking_session_id = s.id
      ),
      'orders', (
        select coalesce(jsonb_agg(
          jsonb_build_object(
            'order_id', b.order_id,
            'number', o.number,
            'position', b.position,
            'status', b.status,
            'shipment_id', b.shipment_id,
            'lines', (
              select coalesce(jsonb_agg(
                jsonb_build_object(
                  'progress_id', p.id,
                  'product_id', p.product_id,
                  'quantity_needed', p.quantity_needed,
                  'quantity_packed', p.quantity_packed,
                  'quantity_short', p.quantity_short,
                  'version', p.version
                )
                order by p.product_id
              ), '[]')
              from interlock.packing_progress p
              where p.picking_session_id = s.id
                and p.order_id = b.order_id
            )
          )
          order by b.position
        ), '[]')
        from interlock.picking_session_orders b
        join interlock.orders o on o.id = b.order_id
        where b.picking_session_id = s.id
      )
    )
    from interlock.picking_sessions s
    where s.id = p_session_id
  );
end
$$;

-- What public.set_packed_quantity does, with its owner's rights: set the number of packed units of a line, if it is still the one that the caller
-- has read; for screens on which a number is typed. The limits are those of packing. A conflict is answered with the line as
-- it is, and counted (interlock.packing_conflicts), so that the caller can try again on that.
--
-- Callers: authenticated (packers, managers, staff) and service_role, through public.set_packed_quantity.
-- Locks: as interlock.pack_units, two seconds at most.
-- Errors: UNAUTHENTICATED, FORBIDDEN, VALIDATION_FAILED, PACKING_LINE_NOT_FOUND, SESSION_NOT_FOUND, SESSION_STATE_CONFLICT, ALREADY_FULLY_PACKED, NO_UNITS_TO_PACK; PACKING_CONFLICT is
--   answered, not raised; 55P03 is transient.
-- Security definer: nobody has the right to write sessions.
create function interlock.set_packed_quantity(p_progress_id uuid, p_expected int, p_new int)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
as $$
declare
  v_problems jsonb := '[]'::jsonb;
  v_line interlock.packing_progress;
  v_answer jsonb;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;
  perform interlock.require_packer();
  if p_expected is null or p_expected not between 0 and interlock.most_units() then
    v_problems := v_problems || interlock.problem('/p_expected', format('must be 0 to %s', interlock.most_units()));
  end if;
  if p_new is null or p_new not between 0 and interlock.most_units() then
    v_problems := v_problems || interlock.problem('/p_new', format('must be 0 to %s', interlock.most_units()));
  end if;
  perform interlock.refuse_problems(v_problems);
  v_line := interlock.find_packing_line(p_progress_id);
  if p_new <> p_expected then
    begin
      perform interlock.pack_units(
        v_line.picking_session_id, v_line.order_id, v_line.product_id, p_new - p_expected, p_expected
      );
      -- A statement of its own, which sees what was written.
      return interlock.packing_answer(v_line.picking_session_id, v_line.order_id, v_line.product_id);
    exception
      when sqlstate 'IL004' then
        -- Nothing of the attempt is left, so what is answered are the numbers as they are.
        null;
    end;
  else
    -- Nothing is packed, so nothing is written; the number that decides is the one that is answered.
    v_answer := interlock.packing_answer(v_line.picking_session_id, v_line.order_id, v_line.product_id);
    if (v_answer ->> 'quantity_packed')::int = p_expected then
      return v_answer;
    end if;
  end if;
  insert into interlock.packing_conflicts (picking_session_id, product_id)
  values (v_line.picking_session_id, v_line.product_id);
  perform set_config('response.status', '409', true);
  return interlock.error_body(
    'PACKING_CONFLICT',
    interlock.packing_answer(v_line.picking_session_id, v_line.order_id, v_line.product_id) - 'success'
  );
end
$$;

-- What public.start_packing does, with its owner's rights: from now on what is in the baskets may be packed. Picking goes on where something is
-- missing. Called again it answers the same.
--
-- Callers: authenticated (packers, managers, staff) and service_role, through public.start_packing.
-- Locks: the session, two seconds at most.
-- Errors: UNAUTHENTICATED, FORBIDDEN, SESSION_NOT_FOUND, SESSION_STATE_CONFLICT; 55P03 is transient.
-- Security definer: nobody has the right to write sessions.
create function interlock.start_packing(p_session_id uuid)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
set timezone = 'UTC'
as $$
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;
  perform interlock.require_packer();
  perform interlock.find_session(p_session_id);

  update interlock.picking_sessions s
  set status = 'packing',
      packing_started_at = interlock.clock()
  where s.id = p_session_id
    and s.status = 'picking';
  if found then
    perform interlock.note_event('packing.started', p_session_id::text, jsonb_build_object('session_id', p_session_id));
  elsif (interlock.find_session(p_session_id)).status <> 'packing' then
    perform interlock.refuse_session(p_session_id);
  end if;
  return jsonb_build_object('success', true, 'session', interlock.session_to_json(p_session_id));
end
$$;

-- Let the lines of an order need so many units less, in the session in which it is picked and packed: what of them is in the box
-- already is in the basket again.
--
-- Callers: interlock.need_less, interlock.close_sent_box; with the box locked.
-- Locks: the baskets by product; the lines.
-- Errors: 55P03 after lock_timeout.
create function interlock.take_off_lines(p_session_id uuid, p_order_id uuid, p_product_ids uuid[], p_quantities int[])
returns void
language plpgsql
set search_path = ''
as $$
begin
  perform interlock.lock_baskets(p_session_id, p_product_ids);
  with less as (
    select
      p.id, p.product_id, u.quantity,
      greatest(p.quantity_packed - (p.quantity_needed - u.quantity), 0) as excess
    from unnest(p_product_ids, p_quantities) as u (product_id, quantity)
    join interlock.packing_progress p
      on p.picking_session_id = p_session_id and p.order_id = p_order_id and p.product_id = u.product_id
    where u.quantity > 0
  ),
  baskets as (
    update interlock.picking_session_items i
    set quantity_needed = i.quantity_needed - l.quantity,
        quantity_packed = i.quantity_packed - l.excess,
        version = i.version + 1
    from less l
    where i.picking_session_id = p_session_id
      and i.product_id = l.product_id
  ),
  scans as (
    insert into interlock.packing_scans (picking_session_id, order_id, product_id, action, quantity, actor)
    select p_session_id, p_order_id, l.product_id, 'take_out', -l.excess, auth.uid()
    from less l
    where l.excess > 0
  )
  update interlock.packing_progress p
  set quantity_needed = p.quantity_needed - l.quantity,
      quantity_packed = p.quantity_packed - l.excess,
      quantity_short = least(p.quantity_short, p.quantity_needed - l.quantity - (p.quantity_packed - l.excess)),
      version = p.version + 1,
      updated_at = now()
  from less l
  where p.id = l.id;
end
$$;

-- Take an order out of its session: what was packed for it is in the basket again, and what the others do not need goes back to
-- the shelf (interlock.put_backs).
--
-- Callers: interlock.leave_sessions, interlock.remove_order_from_session, interlock.abandon_session, interlock.need_less.
-- Locks: the box; the baskets by product; the lines; the session.
-- Errors: 55P03 after lock_timeout. False if it was closed already.
create function interlock.take_out_order(p_session_id uuid, p_order_id uuid, p_status text)
returns boolean
language plpgsql
set search_path = ''
as $$
declare
  v_box constant interlock.picking_session_orders := interlock.lock_box(p_session_id, p_order_id);
begin
  if v_box.status is distinct from 'open' then
    return false;
  end if;
  perform interlock.lock_baskets(p_session_id, array(
    select p.product_id from interlock.packing_progress p where p.picking_session_id = p_session_id and p.order_id = p_order_id
  ));
  update interlock.picking_session_items i
  set quantity_needed = i.quantity_needed - p.quantity_needed,
      quantity_packed = i.quantity_packed - p.quantity_packed,
      version = i.version + 1
  from interlock.packing_progress p
  where p.picking_session_id = p_session_id
    and p.order_id = p_order_id
    and i.picking_session_id = p_session_id
    and i.product_id = p.product_id;

  insert into interlock.packing_scans (picking_session_id, order_id, product_id, action, quantity, actor)
  select p_session_id, p_order_id, p.product_id, 'take_out', -p.quantity_packed, auth.uid()
  from interlock.packing_progress p
  where p.picking_session_id = p_session_id
    and p.order_id = p_order_id
    and p.quantity_packed > 0
  order by p.product_id;
  update interlock.packing_progress p
  set quantity_packed = 0,
      quantity_short = 0,
      box_open = false,
      version = p.version + 1,
      updated_at = now()
  where p.picking_session_id = p_session_id
    and p.order_id = p_order_id;
  perform interlock.close_box(p_session_id, p_order_id, p_status, null);
  return true;
end
$$;

-- Take what is packed of an order out of the stock of its session's location. The goods of the web shop have left its stock with the order;
-- of a session at another location they come from there, so they are moved from that stock to the web shop's, which has sold them.
--
-- Callers: interlock.complete_box, interlock.close_sent_box; with the box closed.
-- Locks: stock as interlock.lock_inventory.
-- Errors: INSUFFICIENT_INVENTORY; 55P03 after lock_timeout.
create function interlock.take_packed_stock(p_session interlock.picking_sessions, p_order_id uuid)
returns void
language plpgsql
set search_path = ''
-- Lines are few, and each is looked up; guessed at a hundred, they would have every row of a small shop read instead.
set enable_hashjoin = off
set enable_mergejoin = off
as $$
declare
  v_moves jsonb;
begin
  if (p_session).location_id = interlock.online_location() then
    return;
  end if;
  select
    interlock.transfer_ends(
      jsonb_agg(jsonb_build_object('product_id', p.product_id, 'quantity', -p.quantity_packed)), (p_session).location_id
    ) || interlock.transfer_ends(
      jsonb_agg(jsonb_build_object('product_id', p.product_id, 'quantity', p.quantity_packed)), interlock.online_location()
    )
  into v_moves
  from interlock.packing_progress p
  join interlock.order_items i on i.order_id = p.order_id and i.product_id = p.product_id and not i.untracked
  where p.picking_session_id = (p_session).id
    and p.order_id = p_order_id
    and p.quantity_packed > 0;
  if v_moves is not null then
    perform interlock.refuse_shortages(v_moves, interlock.lock_inventory(v_moves));
    perform interlock.move_quantities(v_moves, 'order_packed', p_order_id);
  end if;
end
$$;

-- Whether the caller may work in the warehouse of this location: its packers and managers by token, staff, the shop itself.
--
-- Callers: the functions of the warehouse.
create function interlock.works_at(p_location_id uuid)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  -- Most calls are of packers, who are nobody else.
  if auth.jwt() -> 'app_metadata' ->> 'role' in ('packer', 'manager') then
    return p_location_id = any (interlock.packing_locations())
      and exists (select from interlock.accounts u where u.id = auth.uid());
  end if;
  return interlock.acts_for_shop();
end
$$;

-- How often a number of packed units was no longer what its caller had read, against what was packed, by hour: if many are, let
-- workers scan (pack) instead of setting numbers.
create view interlock.packing_conflict_rates
with (security_invoker = true)
as
  select h.hour, sum(h.conflicts)::bigint as conflicts, sum(h.scans)::bigint as scans
  from (
    select date_trunc('hour', c.created_at) as hour, count(*) as conflicts, 0 as scans
    from interlock.packing_conflicts c
    group by 1
    union all
    select date_trunc('hour', s.created_at), 0, count(*)
    from interlock.packing_scans s
    where s.action in ('pack', 'unpack')
    group by 1
  ) h
  group by h.hour;

comment on view interlock.packing_conflict_rates is
  'How often a number of packed units was no longer what its caller had read, and how many scans there were, by hour.';

grant select on table interlock.packing_conflict_rates to service_role;

-- What the books of picking sessions do not agree on; always empty. A basket against the lines of its orders, a line against its
-- box, a session against its orders.
create view interlock.packing_differences
with (security_invoker = true)
as
  select
    i.picking_session_id, null::uuid as order_id, i.product_id, 'packed of a basket' as what,
    i.quantity_packed as counted, coalesce(l.packed, 0) as found
  from interlock.picking_session_items i
  left join lateral (
    select sum(p.quantity_packed) as packed
    from interlock.packing_progress p
    where p.picking_session_id = i.picking_session_id
      and p.product_id = i.product_id
  ) l on true
  where i.quantity_packed <> coalesce(l.packed, 0)
  union all
  select i.picking_session_id, null, i.product_id, 'needed of a product', i.quantity_needed, coalesce(l.needed, 0)
  from interlock.picking_session_items i
  left join lateral (
    select sum(p.quantity_needed) as needed
    from interlock.packing_progress p
    join interlock.picking_session_orders o using (picking_session_id, order_id)
    where p.picking_session_id = i.picking_session_id
      and p.product_id = i.product_id
      and o.status in ('open', 'completed')
  ) l on true
  where i.quantity_needed <> coalesce(l.needed, 0)
  union all
  select s.id, null, null, 'open orders', s.open_orders, o.orders
  from interlock.picking_sessions s
  cross join lateral (
    select count(*) as orders
    from interlock.picking_session_orders b
    where b.picking_session_id = s.id
      and b.status = 'open'
  ) o
  where s.open_orders <> o.orders
  union all
  select p.picking_session_id, p.order_id, p.product_id, 'open box', p.box_open::int, (b.status = 'open')::int
  from interlock.packing_progress p
  join interlock.picking_session_orders b using (picking_session_id, order_id)
  where p.box_open <> (b.status = 'open');

comment on view interlock.packing_differences is
  'What the books of picking sessions do not agree on; always empty.';

grant select on table interlock.packing_differences to service_role;

-- What is in the baskets and nobody needs any more: back to the shelf with it (pick_item with a quantity below 0 says that it is there).
create view interlock.put_backs
with (security_invoker = true)
as
  select
    i.picking_session_id, s.code, s.location_id, i.product_id, i.basket,
    i.quantity_picked - i.quantity_packed - case
      when s.ended_at is null then greatest(i.quantity_needed - i.quantity_packed, 0)
      else 0
    end as quantity
  from interlock.picking_session_items i
  join interlock.picking_sessions s on s.id = i.picking_session_id
  where i.quantity_picked > i.quantity_packed
    and (s.ended_at is not null or i.quantity_picked > i.quantity_needed);

comment on view interlock.put_backs is
  'What is in the baskets of picking sessions and nobody needs any more.';
comment on column interlock.put_backs.quantity is
  'How many units go back to the shelf.';

grant select on table interlock.put_backs to authenticated, service_role;

create function public.abandon_picking_session(p_session_id uuid)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
begin
  return interlock.abandon_picking_session(p_session_id);
end
$$;

comment on function public.abandon_picking_session(uuid) is
  'Gives up a picking session. For managers of the location, staff and the service role.';

create function public.abandon_stale_sessions(p_limit int default 20)
returns jsonb
language sql
security invoker
set search_path = ''
as $$
  select jsonb_build_object('success', true, 'abandoned', interlock.abandon_stale_sessions(p_limit))
$$;

comment on function public.abandon_stale_sessions(int) is
  'Abandons up to p_limit picking sessions in which nothing was done for settings.session_idle. For the service role.';

create function public.claim_picking(p_session_id uuid, p_product_ids uuid[] default null)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
begin
  return interlock.claim_picking(p_session_id, p_product_ids);
end
$$;

comment on function public.claim_picking(uuid, uuid[]) is
  'Has products of a picking session for oneself for a while; without a list all that nobody has. For whoever works in the warehouse.';

create function public.create_picking_session(
  p_order_ids uuid[],
  p_location_id uuid default null,
  p_reference text default null
)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
begin
  return interlock.create_picking_session(p_order_ids, p_location_id, p_reference);
end
$$;

comment on function public.create_picking_session(uuid[], uuid, text) is
  'Puts orders together that are to be picked and packed at a location: a picking session. For whoever works in the warehouse, and the service role.';

create function public.get_picking_session(p_session_id uuid)
returns jsonb
language plpgsql
stable
security invoker
set search_path = ''
as $$
begin
  return interlock.get_picking_session(p_session_id);
end
$$;

comment on function public.get_picking_session(uuid) is
  'A picking session with its orders, lines and baskets. For whoever works in the warehouse, and the service role.';

create function public.increment_packing_quantity(
  p_progress_id uuid,
  p_quantity_needed int,
  p_picked_quantity int,
  p_session_id uuid,
  p_product_id uuid
)
returns table (
  id uuid,
  picking_session_id uuid,
  order_id uuid,
  product_id uuid,
  quantity_needed int,
  quantity_packed int,
  created_at timestamptz,
  updated_at timestamptz
)
language sql
security invoker
set search_path = ''
as $$
  select p.*
  from interlock.increment_packing_quantity(p_progress_id, p_quantity_needed, p_picked_quantity, p_session_id, p_product_id) p
$$;

comment on function public.increment_packing_quantity(uuid, int, int, uuid, uuid) is
  'Packs one unit more of a line: never more than it needs, never more than was picked. For whoever works in the warehouse, and the service role.';

create function public.pack_item(
  p_session_id uuid,
  p_order_id uuid,
  p_product_id uuid default null,
  p_barcode text default null,
  p_quantity int default null,
  p_action text default null,
  p_tracking text default null,
  p_idempotency_key text default null
)
returns json
language plpgsql
security invoker
set search_path = ''
as $$
begin
  return interlock.pack_item(
    p_session_id, p_order_id, p_product_id, p_barcode, p_quantity, p_action, p_tracking, p_idempotency_key
  );
end
$$;

comment on function public.pack_item(uuid, uuid, uuid, text, int, text, text, text) is
  'One scan at the packing table: pack, unpack, short, or complete an order. For whoever works in the warehouse, and the service role.';

create function public.pick_item(
  p_session_id uuid,
  p_product_id uuid default null,
  p_barcode text default null,
  p_quantity int default null,
  p_short int default null,
  p_reason text default null,
  p_basket text default null,
  p_idempotency_key text default null
)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
begin
  return interlock.pick_item(
    p_session_id, p_product_id, p_barcode, p_quantity, p_short, p_reason, p_basket, p_idempotency_key
  );
end
$$;

comment on function public.pick_item(uuid, uuid, text, int, int, text, text, text) is
  'Takes units from the shelf into the basket, or puts them back; says what the shelf had less of. For whoever works in the warehouse, and the service role.';

create function public.release_picking(p_session_id uuid, p_product_ids uuid[] default null)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
begin
  return interlock.release_picking(p_session_id, p_product_ids);
end
$$;

comment on function public.release_picking(uuid, uuid[]) is
  'Gives back products of a picking session that were claimed. For whoever works in the warehouse.';

create function public.remove_order_from_session(p_session_id uuid, p_order_id uuid)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
begin
  return interlock.remove_order_from_session(p_session_id, p_order_id);
end
$$;

comment on function public.remove_order_from_session(uuid, uuid) is
  'Takes an order out of its picking session. For whoever works in the warehouse, and the service role.';

create function public.set_packed_quantity(p_progress_id uuid, p_expected int, p_new int)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
begin
  return interlock.set_packed_quantity(p_progress_id, p_expected, p_new);
end
$$;

comment on function public.set_packed_quantity(uuid, int, int) is
  'Sets the number of packed units of a line, if it is still the expected one. For whoever works in the warehouse, and the service role.';

create function public.start_packing(p_session_id uuid)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
begin
  return interlock.start_packing(p_session_id);
end
$$;

comment on function public.start_packing(uuid) is
  'Lets what was picked be packed. For whoever works in the warehouse, and the service role.';

-- One unit of a product into the box of an order, as the incident report calls it. p_store_id, if it is given, is the session's location.
--
-- Callers: authenticated (packers, managers, staff) and service_role.
-- Locks: as interlock.pack_units, with nothing between, two seconds at most.
-- Errors: UNAUTHENTICATED, FORBIDDEN, VALIDATION_FAILED, SESSION_NOT_FOUND, SESSION_STATE_CONFLICT, PACKING_LINE_NOT_FOUND, ALREADY_FULLY_PACKED,
--   NO_UNITS_TO_PACK; 55P03 is transient.
create function public.update_packing_progress_atomic(
  p_session_id uuid,
  p_order_id uuid,
  p_product_id uuid,
  p_store_id uuid default null
)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
declare
  v_line record;
begin
  v_line := interlock.pack_units(p_session_id, p_order_id, p_product_id, 1, null, p_store_id);
  return jsonb_build_object(
    'success', true,
    'progress_id', v_line.progress_id::uuid,
    'order_id', p_order_id,
    'product_id', p_product_id,
    'quantity_packed', v_line.quantity_packed::int,
    'quantity_needed', v_line.quantity_needed::int,
    'is_item_complete', v_line.quantity_packed + v_line.quantity_short >= v_line.quantity_needed,
    'version', v_line.version::bigint
  );
end
$$;

comment on function public.update_packing_progress_atomic(uuid, uuid, uuid, uuid) is
  'Packs one unit of a product into an order: never more than it needs, never more than was picked. For whoever works in the warehouse, and the service role.';

-- Generated by `cargo xtask codegen`: the first sentence of the header of each function.
comment on function interlock.abandon_picking_session is
  'What public.abandon_picking_session does, with its owner''s rights: give up a session.';
comment on function interlock.abandon_session is
  'Give up a session: all its open orders leave it and may go into another one; what is in the baskets goes back to the shelf (interlock.put_backs).';
comment on function interlock.abandon_stale_sessions is
  'Abandon picking sessions in which nobody has done anything for settings.session_idle; answers how many.';
comment on function interlock.box_answer is
  'What is answered of an order that was completed, or taken out of its session.';
comment on function interlock.broadcast_line is
  'Broadcast to the screens of a picking session what has become of a line, with the basket that it is packed from, which is changed first: a scan is one message.';
comment on function interlock.broadcast_packing is
  'Broadcast to the screens of a picking session what has changed in it: a line with the basket that it is packed from, what there is of a product, its status.';
comment on function interlock.claim_picking is
  'What public.claim_picking does, with its owner''s rights: have products of a session for oneself for a while (settings.pick_lease), so that two pickers do not walk to the same shelf.';
comment on function interlock.close_box is
  'Close the box of an order, and with the last one its session, however many close theirs at once: each counts the session down by one, under the lock of its row, and whoever comes to nothing ends it.';
comment on function interlock.close_sent_box is
  'Close the box of an order that has left without being completed at the packing table: what is packed has gone with it, and what was picked for it and is not packed is there for the others, or goes back to the shelf (interlock.put_backs).';
comment on function interlock.complete_box is
  'Complete an order: each of its lines is packed, or given up as short.';
comment on function interlock.correct_short_pick is
  'Note that somebody has looked after what a picker has not found: the stock was counted, or is right.';
comment on function interlock.create_picking_session is
  'What public.create_picking_session does, with its owner''s rights: put orders together that are to be picked and packed at a location.';
comment on function interlock.find_packing_line is
  'The line of this id, of an order in a session whose location the caller works at.';
comment on function interlock.find_scan_problems is
  'What is wrong with what a worker has named or scanned, and how much of it.';
comment on function interlock.find_scanned_product is
  'The product that a worker has named or scanned.';
comment on function interlock.find_session is
  'The picking session of this id, if the caller works at its location.';
comment on function interlock.find_short_picks is
  'What pickers of these sessions have not found on the shelf though the books say that it is there, and that nobody has looked after since.';
comment on function interlock.get_picking_session is
  'What public.get_picking_session does, with its owner''s rights: a session with its orders, lines and baskets, each number with its version.';
comment on function interlock.give_up_units is
  'Say of units of a line that there will be none: what is neither packed nor given up has to be packed before the order is complete.';
comment on function interlock.guard_picker is
  'Hold that a lease on picking has somebody and an end, or neither.';
comment on function interlock.guard_scan is
  'Hold that the history of a line has all its numbers, or none of them.';
comment on function interlock.increment_packing_quantity is
  'What public.increment_packing_quantity does, with its owner''s rights: one unit more in a line, as the incident report calls it.';
comment on function interlock.item_state is
  'What there is of a product in a picking session.';
comment on function interlock.leave_sessions is
  'Take orders that have ended out of the sessions in which they are picked or packed.';
comment on function interlock.lock_baskets is
  'Lock baskets of a session against whoever picks or packs: those of these products, or with null all.';
comment on function interlock.lock_box is
  'Lock the box of an order against whoever completes it or takes it out, and answer what it is; the one helper for this kind of lock.';
comment on function interlock.need_less is
  'What of an order is refunded before it was sent is needed no more in the session in which it is picked and packed: what of it is in the box already is in the basket again.';
comment on function interlock.note_scan is
  'Write down what was done in a picking session, but for what interlock.pack_units and interlock.give_up_units do with a line.';
comment on function interlock.pack_item is
  'What public.pack_item does, with its owner''s rights: what function pack is asked for.';
comment on function interlock.pack_units is
  'Put so many units out of the basket into the box of an order, or back.';
comment on function interlock.packing_answer is
  'What a worker''s screen needs after a scan: the line, how far its order and the session are, what is left in the basket.';
comment on function interlock.packing_locations is
  'The locations in whose warehouse the caller works, by token: `app_metadata.role` is `packer` or `manager`, and `app_metadata.location_ids` lists the locations, without which it is the online location.';
comment on function interlock.pick_item is
  'What public.pick_item does, with its owner''s rights: units of a product come from the shelf into the basket; with a quantity below 0 they go back, also of a session that has ended.';
comment on function interlock.refuse_pack is
  'Say why a line cannot be changed by so much, as things are now: whoever was waited for has ended.';
comment on function interlock.refuse_session is
  'Refuse what cannot be done in the present state of a picking session, or of an order in it.';
comment on function interlock.release_picking is
  'What public.release_picking does, with its owner''s rights: give back the products of a session that the caller has; those that are named, or all.';
comment on function interlock.remove_order_from_session is
  'What public.remove_order_from_session does, with its owner''s rights: an order leaves its session, and may go into another one.';
comment on function interlock.require_packer is
  'Refuse whoever works in no warehouse at all.';
comment on function interlock.session_to_json is
  'A picking session as its workers see it: its orders with their lines, and its products with what is in the basket.';
comment on function interlock.set_packed_quantity is
  'What public.set_packed_quantity does, with its owner''s rights: set the number of packed units of a line, if it is still the one that the caller has read; for screens on which a number is typed.';
comment on function interlock.start_packing is
  'What public.start_packing does, with its owner''s rights: from now on what is in the baskets may be packed.';
comment on function interlock.take_off_lines is
  'Let the lines of an order need so many units less, in the session in which it is picked and packed: what of them is in the box already is in the basket again.';
comment on function interlock.take_out_order is
  'Take an order out of its session: what was packed for it is in the basket again, and what the others do not need goes back to the shelf (interlock.put_backs).';
comment on function interlock.take_packed_stock is
  'Take what is packed of an order out of the stock of its session''s location.';
comment on function interlock.works_at is
  'Whether the caller may work in the warehouse of this location: its packers and managers by token, staff, the shop itself.';

-- Who may call what of the warehouse. What is not here belongs to its owner.
revoke execute on all functions in schema interlock from public;
revoke all on function
  public.abandon_picking_session(uuid),
  public.abandon_stale_sessions(int),
  public.claim_picking(uuid, uuid[]),
  public.create_picking_session(uuid[], uuid, text),
  public.get_picking_session(uuid),
  public.increment_packing_quantity(uuid, int, int, uuid, uuid),
  public.pack_item(uuid, uuid, uuid, text, int, text, text, text),
  public.pick_item(uuid, uuid, text, int, int, text, text, text),
  public.release_picking(uuid, uuid[]),
  public.remove_order_from_session(uuid, uuid),
  public.set_packed_quantity(uuid, int, int),
  public.start_packing(uuid),
  public.update_packing_progress_atomic(uuid, uuid, uuid, uuid)
from public, anon, authenticated, service_role;

-- Policies ask.
grant execute on function interlock.packing_locations to authenticated;

grant execute on function
  -- Who works in the warehouse, by token; anybody else is refused.
  public.abandon_picking_session(uuid), interlock.abandon_picking_session,
  public.claim_picking(uuid, uuid[]), interlock.claim_picking,
  public.create_picking_session(uuid[], uuid, text), interlock.create_picking_session,
  public.get_picking_session(uuid), interlock.get_picking_session,
  public.increment_packing_quantity(uuid, int, int, uuid, uuid), interlock.increment_packing_quantity,
  public.pack_item(uuid, uuid, uuid, text, int, text, text, text), interlock.pack_item,
  public.pick_item(uuid, uuid, text, int, int, text, text, text), interlock.pick_item,
  public.release_picking(uuid, uuid[]), interlock.release_picking,
  public.remove_order_from_session(uuid, uuid), interlock.remove_order_from_session,
  public.set_packed_quantity(uuid, int, int), interlock.set_packed_quantity,
  public.start_packing(uuid), interlock.start_packing,
  public.update_packing_progress_atomic(uuid, uuid, uuid, uuid), interlock.pack_units
to authenticated, service_role;

grant execute on function
  public.abandon_stale_sessions(int), interlock.abandon_stale_sessions
to service_role;

-- What the warehouse and the shop read over REST, each where its name is free in public (interlock.expose).
select interlock.expose('picking_sessions');
select interlock.expose('picking_session_orders');
select interlock.expose('picking_session_items');
select interlock.expose('packing_progress');
select interlock.expose('packing_scans');
select interlock.expose('put_backs');
select interlock.expose('packing_conflict_rates');
select interlock.expose('packing_differences');
