-- Stock at locations as the incident reports have it.

create table bench_peers.inventory (
  id uuid primary key,
  quantity numeric not null check (quantity >= 0),
  version bigint not null default 0
)
with (fillfactor = 70);

-- Report 001: the row is locked, checked and then written. Nothing is written down.
create function bench_peers.decrement_locked(p_inventory_id uuid, p_quantity numeric)
returns text
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_old numeric;
  v_new numeric;
begin
  select i.quantity into v_old from bench_peers.inventory i where i.id = p_inventory_id for update;

  if v_old < p_quantity then
    raise exception using errcode = 'PT409', message = 'INSUFFICIENT_INVENTORY';
  end if;

  update bench_peers.inventory i
  set quantity = i.quantity - p_quantity
  where i.id = p_inventory_id
    and i.quantity >= p_quantity
  returning i.quantity into v_new;

  return json_build_object(
    'success', true, 'inventory_id', p_inventory_id, 'old_quantity', v_old, 'new_quantity', v_new, 'deducted', p_quantity
  );
end
$$;

-- Report 004: the row is read with its version and written if it still has it, three times at most. Here the repeats need
-- no round trip.
create function bench_peers.decrement_versioned(p_inventory_id uuid, p_quantity numeric)
returns text
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_quantity numeric;
  v_version bigint;
begin
  for v_attempt in 0 .. 3 loop
    select i.quantity, i.version into v_quantity, v_version
    from bench_peers.inventory i
    where i.id = p_inventory_id;

    if v_quantity < p_quantity then
      raise exception using errcode = 'PT409', message = 'INSUFFICIENT_INVENTORY';
    end if;

    update bench_peers.inventory i
    set quantity = v_quantity - p_quantity,
        version = v_version + 1
    where i.id = p_inventory_id
      and i.version = v_version;

    if found then
      return v_quantity - p_quantity;
    end if;
  end loop;

  raise exception using errcode = 'PT409', message = 'CONCURRENCY_CONFLICT';
end
$$;

-- From one row to another, both locked in the order of their ids.
create function bench_peers.transfer(p_from uuid, p_to uuid, p_quantity numeric)
returns text
language plpgsql
security definer
set search_path = ''
as $$
begin
  perform from bench_peers.inventory i where i.id in (p_from, p_to) order by i.id for update;
  update bench_peers.inventory i set quantity = i.quantity - p_quantity where i.id = p_from;
  update bench_peers.inventory i set quantity = i.quantity + p_quantity where i.id = p_to;
  return null;
end
$$;

-- Line by line.
create function bench_peers.receive(p_lines jsonb)
returns text
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_line jsonb;
begin
  for v_line in select l from jsonb_array_elements(p_lines) as l order by l ->> 'inventory_id' loop
    update bench_peers.inventory i
    set quantity = i.quantity + (v_line ->> 'quantity')::numeric
    where i.id = (v_line ->> 'inventory_id')::uuid;
  end loop;
  return null;
end
$$;

-- A sale of report 001, once its lines have been taken.
create table bench_peers.sales (
  id uuid primary key default gen_random_uuid(),
  register_id uuid not null,
  total bigint not null,
  created_at timestamptz not null default now()
);

create table bench_peers.sale_lines (
  sale_id uuid not null references bench_peers.sales,
  inventory_id uuid not null,
  quantity numeric not null,
  unit_price bigint not null
);

create function bench_peers.write_sale(p_register_id uuid, p_inventory_ids jsonb)
returns text
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_id uuid;
begin
  insert into bench_peers.sales (register_id, total)
  values (p_register_id, 700 * jsonb_array_length(p_inventory_ids))
  returning id into v_id;
  insert into bench_peers.sale_lines (sale_id, inventory_id, quantity, unit_price)
  select v_id, i::uuid, 1, 700 from jsonb_array_elements_text(p_inventory_ids) as i;
  return v_id;
end
$$;

grant select on bench_peers.inventory to authenticated;

-- What is answered as a conflict counts as refused.
create function bench_peers.refuse_conflict(p_answer json)
returns text
language plpgsql
set search_path = ''
as $$
begin
  if p_answer ->> 'message' = 'VERSION_CONFLICT' then
    raise exception using errcode = 'PT409', message = 'VERSION_CONFLICT';
  end if;
  return p_answer;
end
$$;

grant execute on all functions in schema bench_peers to authenticated;
