-- The packing table as incident report 003 and its project have it: one session, whose row every scan locks and writes, so
-- that all workers of it wait for each other. Nothing is written down of who packed what.

create table bench_peers.picking_sessions (
  id uuid primary key,
  status text not null,
  updated_at timestamptz not null default now()
)
with (fillfactor = 70);

create table bench_peers.picking_session_items (
  picking_session_id uuid not null,
  product_id uuid not null,
  quantity_needed int not null,
  quantity_picked int not null,
  primary key (picking_session_id, product_id)
);

create table bench_peers.packing_progress (
  id uuid primary key default gen_random_uuid(),
  picking_session_id uuid not null,
  order_id uuid not null,
  product_id uuid not null,
  quantity_needed int not null,
  quantity_packed int not null default 0,
  updated_at timestamptz not null default now(),
  unique (picking_session_id, order_id, product_id)
)
with (fillfactor = 70);

create index on bench_peers.packing_progress (picking_session_id, product_id);

create function bench_peers.update_packing_progress_atomic(p_session_id uuid, p_order_id uuid, p_product_id uuid)
returns text
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_status text;
  v_progress bench_peers.packing_progress;
  v_picked int;
  v_packed int;
begin
  select s.status into v_status from bench_peers.picking_sessions s where s.id = p_session_id for update;
  if v_status is distinct from 'packing' then
    raise exception 'not packing';
  end if;

  select p.*
  into v_progress
  from bench_peers.packing_progress p
  where p.picking_session_id = p_session_id
    and p.order_id = p_order_id
    and p.product_id = p_product_id
  for update;
  if v_progress.quantity_packed >= v_progress.quantity_needed then
    raise exception 'already fully packed';
  end if;

  select i.quantity_picked
  into v_picked
  from bench_peers.picking_session_items i
  where i.picking_session_id = p_session_id
    and i.product_id = p_product_id;
  select coalesce(sum(p.quantity_packed), 0)
  into v_packed
  from bench_peers.packing_progress p
  where p.picking_session_id = p_session_id
    and p.product_id = p_product_id;
  if v_packed >= v_picked then
    raise exception 'No more units available to pack';
  end if;

  update bench_peers.packing_progress p
  set quantity_packed = p.quantity_packed + 1,
      updated_at = now()
  where p.id = v_progress.id
  returning p.* into v_progress;
  update bench_peers.picking_sessions s set updated_at = now() where s.id = p_session_id;

  return jsonb_build_object(
    'success', true,
    'progress_id', v_progress.id,
    'order_id', p_order_id,
    'product_id', p_product_id,
    'quantity_packed', v_progress.quantity_packed,
    'quantity_needed', v_progress.quantity_needed,
    'is_item_complete', v_progress.quantity_packed >= v_progress.quantity_needed
  );
end
$$;
