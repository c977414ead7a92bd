-- Batches as the incident reports claim them: by an update with its conditions in the
-- where clause ("atomic UPDATE with WHERE conditions"), and, for the next one of a queue,
-- by the two ways that follow from the reports: `select … for update`, or a look and then
-- that update. Each records an event, as Interlock does.

create table bench_peers.batches (
  id uuid primary key,
  status text not null default 'available',
  driver_id uuid references interlock.drivers (user_id),
  claimed_at timestamptz,
  completed_at timestamptz,
  priority int not null default 0,
  created_at timestamptz not null default now()
);

create index batches_next_available
  on bench_peers.batches (priority desc, created_at, id)
  where status = 'available';
create unique index batches_one_active_per_driver
  on bench_peers.batches (driver_id)
  where status = 'claimed';

create table bench_peers.batch_events (
  id bigint generated always as identity primary key,
  batch_id uuid not null,
  event text not null,
  driver_id uuid,
  created_at timestamptz not null default now()
);

create index batch_events_by_batch on bench_peers.batch_events (batch_id, id);

-- Who is calling.
create function bench_peers.driver()
returns uuid
language plpgsql
set search_path = ''
as $$
declare
  v_driver_id uuid;
begin
  select d.user_id into v_driver_id
  from interlock.drivers d
  where d.user_id = auth.uid() and d.active;
  if v_driver_id is null then
    raise exception using errcode = 'PT403', message = 'NOT_A_DRIVER';
  end if;
  return v_driver_id;
end
$$;

-- Claims that batch; null if it is taken.
create function bench_peers.try_claim(p_batch_id uuid, p_driver_id uuid)
returns text
language plpgsql
set search_path = ''
as $$
begin
  update bench_peers.batches b
  set status = 'claimed', driver_id = p_driver_id, claimed_at = now()
  where b.id = p_batch_id
    and b.status = 'available';
  if not found then
    return null;
  end if;
  insert into bench_peers.batch_events (batch_id, event, driver_id)
  values (p_batch_id, 'claimed', p_driver_id);
  return p_batch_id::text;
end
$$;

create function bench_peers.claim_batch(p_batch_id uuid)
returns text
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_claimed text;
begin
  v_claimed := bench_peers.try_claim(p_batch_id, bench_peers.driver());
  if v_claimed is null then
    raise exception using errcode = 'PT409', message = 'BATCH_UNAVAILABLE';
  end if;
  return v_claimed;
end
$$;

create function bench_peers.claim_next_for_update()
returns text
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_driver_id constant uuid := bench_peers.driver();
  v_batch_id uuid;
begin
  loop
    select b.id into v_batch_id
    from bench_peers.batches b
    where b.status = 'available'
    order by b.priority desc, b.created_at, b.id
    limit 1
    for update;
    -- Whoever had the lock may have claimed it; then nothing is found although more wait.
    exit when v_batch_id is not null;
    if not exists (select 1 from bench_peers.batches b where b.status = 'available') then
      raise exception using errcode = 'PT409', message = 'NO_BATCH_AVAILABLE';
    end if;
  end loop;
  return bench_peers.try_claim(v_batch_id, v_driver_id);
end
$$;

create function bench_peers.claim_next_conditionally()
returns text
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_driver_id constant uuid := bench_peers.driver();
  v_batch_id uuid;
  v_claimed text;
begin
  loop
    select b.id into v_batch_id
    from bench_peers.batches b
    where b.status = 'available'
    order by b.priority desc, b.created_at, b.id
    limit 1;
    if v_batch_id is null then
      raise exception using errcode = 'PT409', message = 'NO_BATCH_AVAILABLE';
    end if;
    v_claimed := bench_peers.try_claim(v_batch_id, v_driver_id);
    exit when v_claimed is not null;
  end loop;
  return v_claimed;
end
$$;

create function bench_peers.complete_batch(p_batch_id text)
returns text
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_driver_id constant uuid := bench_peers.driver();
begin
  update bench_peers.batches b
  set status = 'completed', completed_at = now()
  where b.id = p_batch_id::uuid
    and b.status = 'claimed'
    and b.driver_id = v_driver_id;
  if not found then
    raise exception using errcode = 'PT409', message = 'BATCH_NOT_HELD';
  end if;
  insert into bench_peers.batch_events (batch_id, event, driver_id)
  values (p_batch_id::uuid, 'completed', v_driver_id);
  return p_batch_id;
end
$$;

grant execute on function bench_peers.claim_batch(uuid) to authenticated;
grant execute on function bench_peers.claim_next_for_update() to authenticated;
grant execute on function bench_peers.claim_next_conditionally() to authenticated;
grant execute on function bench_peers.complete_batch(text) to authenticated;
