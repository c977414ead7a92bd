-- What is claimable, and the only functions that lock drivers and batches on behalf
-- of public.claim_route: one for each kind of lock.
--
-- Lock order (docs/locks.md): driver row, then batch rows.
--
-- No transaction of ours ever *waits* for a batch row while it holds another one, so
-- two drivers cannot deadlock. One call needs two batch rows: a driver whose lease on
-- batch X is over claims batch Y, and X must be given back first, because of
-- batches_one_active_per_driver. It waits for Y, then takes X with `nowait`. If
-- somebody is claiming X at that moment the call fails with 55P03 and leaves nothing
-- behind; the function claim-route repeats it.
--
-- Every wait is bounded by the lock_timeout of private.claim_route (55P03 too).
--
-- Tests: supabase/tests/03-claim-route.sql

set local lock_timeout = '5s';

-- Purpose: the one rule that says whether a batch may be claimed. Used as the guard of
--   every lock and update below, where Postgres evaluates it again on the newest version
--   of the row after a wait.
-- Callers: the functions of this schema.
-- Locks: none. Errors: none.
-- Tests: supabase/tests/03-claim-route.sql
create function private.is_claimable(p_status text, p_lease_expires_at timestamptz)
returns boolean
language sql
stable
set search_path = ''
as $$
  select p_status = 'available'
    or (p_status in ('claimed', 'in_progress') and p_lease_expires_at <= private.clock())
$$;

comment on function private.is_claimable(text, timestamptz) is
  'Whether a batch in this state may be claimed: available, or held under a lease that is over.';

revoke all on function private.is_claimable(text, timestamptz) from public, anon, authenticated, service_role;

-- The same rule written for the two partial indexes: candidates, of both kinds on the
-- same footing. Sorted by (priority desc, created_at, id) with a limit, Postgres merges
-- the head of batches_next_available with the leases that are over (at most one for each
-- driver), however large the table is.
create view private.claimable_batches
with (security_invoker = true)
as
  -- Without an order of its own in each arm the planner sorts the whole queue instead.
  (
    select a.id, a.priority, a.created_at
    from public.batches a
    where a.status = 'available'
    order by a.priority desc, a.created_at, a.id
  )
  union all
  (
    select e.id, e.priority, e.created_at
    from public.batches e
    where e.status in ('claimed', 'in_progress')
      and e.lease_expires_at <= private.clock()
    order by e.priority desc, e.created_at, e.id
  );

comment on view private.claimable_batches is
  'Batches that may be claimed. Order by priority desc, created_at, id to get the queue.';

revoke all on table private.claimable_batches from public, anon, authenticated, service_role;

-- Purpose: who is calling; serialises one driver's own calls until the transaction ends.
-- Callers: private.claim_route.
-- Locks: the caller's row of drivers, waiting. `no key`: foreign keys do not wait for it.
-- Errors: UNAUTHENTICATED, NOT_A_DRIVER.
-- Tests: supabase/tests/03-claim-route.sql
create function private.lock_driver()
returns uuid
language plpgsql
set search_path = ''
as $$
declare
  v_driver_id constant uuid := auth.uid();
  v_active boolean;
begin
  if v_driver_id is null then
    perform private.raise_error('UNAUTHENTICATED');
  end if;

  select d.active
  into v_active
  from public.drivers d
  where d.user_id = v_driver_id
  for no key update;

  if v_active is not true then
    perform private.raise_error('NOT_A_DRIVER');
  end if;

  return v_driver_id;
end
$$;

comment on function private.lock_driver() is
  'Locks the caller''s row of drivers and returns the driver''s id; refuses anybody else.';

revoke all on function private.lock_driver() from public, anon, authenticated, service_role;

-- Purpose: lock one batch if it is claimable once the lock is there.
-- Callers: private.claim_batch, before it gives back another batch.
-- Locks: the batch row, waiting. The caller holds no other batch row.
-- Errors: 55P03 after lock_timeout.
-- Tests: supabase/tests/03-claim-route.sql
create function private.lock_claimable_batch(p_batch_id uuid)
returns boolean
language plpgsql
set search_path = ''
as $$
begin
  perform 1
  from public.batches b
  where b.id = p_batch_id
    and private.is_claimable(b.status, b.lease_expires_at)
  for no key update;

  return found;
end
$$;

comment on function private.lock_claimable_batch(uuid) is
  'Locks one batch, waiting; false if it is not claimable.';

revoke all on function private.lock_claimable_batch(uuid) from public, anon, authenticated, service_role;

-- Purpose: lock the first available batch that nobody else is locking.
--   One table, so that Postgres passes cheaply over rows that others are locking or have
--   just taken. (A join of the view above with this table would be evaluated again from
--   the head of the queue for every row that changed under it.)
-- Callers: private.lock_next_claimable_batch.
-- Locks: one batch row, never waiting (skip locked).
-- Errors: none; null if there is none.
-- Tests: supabase/tests/03-claim-route.sql
create function private.lock_first_available_batch()
returns uuid
language plpgsql
set search_path = ''
as $$
declare
  v_batch_id uuid;
begin
  select b.id
  into v_batch_id
  from public.batches b
  where b.status = 'available'
  order by b.priority desc, b.created_at, b.id
  limit 1
  for no key update skip locked;

  return v_batch_id;
end
$$;

comment on function private.lock_first_available_batch() is
  'Locks the first available batch that nobody else is locking; null if there is none.';

revoke all on function private.lock_first_available_batch() from public, anon, authenticated, service_role;

-- Purpose: lock the first batch under a lease that is over and that nobody else is
--   locking; with p_before, only one that comes before that batch in the queue.
-- Callers: private.lock_next_claimable_batch.
-- Locks: one batch row, never waiting (skip locked).
-- Errors: none; null if there is none.
-- Tests: supabase/tests/03-claim-route.sql
create function private.lock_first_expired_batch(p_before public.batches default null)
returns uuid
language plpgsql
set search_path = ''
as $$
declare
  v_batch_id uuid;
begin
  select b.id
  into v_batch_id
  from public.batches b
  where b.status in ('claimed', 'in_progress')
    and b.lease_expires_at <= private.clock()
    and (
      p_before.id is null
      or (-b.priority::bigint, b.created_at, b.id)
        < (-p_before.priority::bigint, p_before.created_at, p_before.id)
    )
  order by b.priority desc, b.created_at, b.id
  limit 1
  for no key update skip locked;

  return v_batch_id;
end
$$;

comment on function private.lock_first_expired_batch(public.batches) is
  'Locks the first batch under a lease that is over and that nobody else is locking; null if there is none.';

revoke all on function private.lock_first_expired_batch(public.batches) from public, anon, authenticated, service_role;

-- Purpose: lock the next batch of the queue, in which available batches and leases that
--   are over stand on the same footing.
--   The head of the available ones is only looked at, so that the kind that comes
--   second is not left locked. While others claim at the same time the order between
--   the two kinds is as of that look.
-- Callers: private.claim_next_batch.
-- Locks: one batch row, never waiting, through the two functions above.
-- Errors: none; null if there is none.
-- Tests: supabase/tests/03-claim-route.sql
create function private.lock_next_claimable_batch()
returns uuid
language plpgsql
set search_path = ''
as $$
declare
  v_head public.batches;
  v_batch_id uuid;
begin
  if exists (
    select 1
    from public.batches b
    where b.status in ('claimed', 'in_progress')
      and b.lease_expires_at <= private.clock()
  ) then
    select b.*
    into v_head
    from public.batches b
    where b.status = 'available'
    order by b.priority desc, b.created_at, b.id
    limit 1;

    v_batch_id := private.lock_first_expired_batch(v_head);
  end if;

  return coalesce(
    v_batch_id,
    private.lock_first_available_batch(),
    private.lock_first_expired_batch()
  );
end
$$;

comment on function private.lock_next_claimable_batch() is
  'Locks the first claimable batch that nobody else is locking; null if there is none.';

revoke all on function private.lock_next_claimable_batch() from public, anon, authenticated, service_role;

-- Purpose: give back the batch a driver still has under a lease that is over, so that
--   they can hold another one.
-- Callers: private.claim_batch, while it holds the batch to be claimed.
-- Locks: the stale batch's row, `nowait`: the only second batch row of any transaction.
-- Errors: 55P03 if somebody else is claiming it right now (transient).
-- Tests: supabase/tests/03-claim-route.sql
create function private.give_back_stale_batch(p_driver_id uuid)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_batch_id uuid;
begin
  select b.id
  into v_batch_id
  from public.batches b
  where b.driver_id = p_driver_id
    and b.status in ('claimed', 'in_progress')
    and b.lease_expires_at <= private.clock()
  for no key update nowait;

  -- Nothing left to give back if another driver has claimed it since.
  if found then
    update public.batches
    set status = 'available'
    where id = v_batch_id;
  end if;
end
$$;

comment on function private.give_back_stale_batch(uuid) is
  'Makes the batch available that the driver still has under a lease that is over. Never waits.';

revoke all on function private.give_back_stale_batch(uuid) from public, anon, authenticated, service_role;

-- Purpose: the claim itself, one conditional update. Whoever comes second waits for the
--   first, sees the new row and changes nothing.
-- Callers: private.claim_batch, private.claim_next_batch.
-- Locks: the batch row, waiting.
-- Errors: 23505 on batches_one_active_per_driver, 55P03 after lock_timeout. A row of nulls
--   if the batch is not claimable.
-- Tests: supabase/tests/03-claim-route.sql
create function private.take_batch(p_batch_id uuid, p_driver_id uuid)
returns public.batches
language plpgsql
set search_path = ''
as $$
declare
  v_batch public.batches;
begin
  update public.batches b
  set status = 'claimed',
      driver_id = p_driver_id,
      claimed_at = private.clock(),
      lease_expires_at = private.next_lease_end(),
      started_at = null
  where b.id = p_batch_id
    and private.is_claimable(b.status, b.lease_expires_at)
  returning b.* into v_batch;

  return v_batch;
end
$$;

comment on function private.take_batch(uuid, uuid) is
  'Claims the batch for the driver if it is claimable and returns it; otherwise a row of nulls.';

revoke all on function private.take_batch(uuid, uuid) from public, anon, authenticated, service_role;
