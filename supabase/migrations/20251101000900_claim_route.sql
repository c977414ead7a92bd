-- public.claim_route: claim a delivery batch, and what its driver does with it.
--
-- Reads decide first, without a lock, so a refusal never makes the winner wait. The
-- guard is the conditional update: it changes the row only if the rule still holds on
-- its newest version. Where an update finds that it does not, the function looks again;
-- every turn of such a loop means that somebody else's transaction has succeeded.
--
-- The subtransaction for 23505 holds all batch locks and updates of a claim: a row that
-- is locked outside a subtransaction and updated inside costs a multixact.
--
-- Tests: supabase/tests/02-roles.sql, 03-claim-route.sql

set local lock_timeout = '5s';

-- Purpose: a batch as its driver sees it.
-- Callers: private.claim_route. Locks: none. Errors: none.
-- Tests: supabase/tests/03-claim-route.sql
create function private.batch_to_json(p_batch public.batches)
returns jsonb
language sql
stable
set search_path = ''
as $$
  select jsonb_build_object(
    'id', p_batch.id,
    'status', p_batch.status,
    'driver_id', p_batch.driver_id,
    'claimed_at', p_batch.claimed_at,
    'lease_expires_at', p_batch.lease_expires_at,
    'started_at', p_batch.started_at,
    'completed_at', p_batch.completed_at,
    'priority', p_batch.priority,
    'version', p_batch.version,
    'reference', p_batch.reference,
    'created_at', p_batch.created_at
  )
$$;

comment on function private.batch_to_json(public.batches) is
  'A batch as its own driver sees it.';

revoke all on function private.batch_to_json(public.batches) from public, anon, authenticated, service_role;

-- Purpose: the state of a batch as a refused driver may see it: never who holds it.
-- Callers: the functions below. Locks: none. Errors: none.
-- Tests: supabase/tests/03-claim-route.sql
create function private.batch_state(p_batch public.batches)
returns jsonb
language sql
stable
set search_path = ''
as $$
  select jsonb_build_object(
    'batch_id', p_batch.id,
    'status', p_batch.status,
    'lease_expires_at', p_batch.lease_expires_at
  )
$$;

comment on function private.batch_state(public.batches) is
  'The state of a batch as a refused driver may see it, without its holder.';

revoke all on function private.batch_state(public.batches) from public, anon, authenticated, service_role;

-- Purpose: what a driver holds, with a live lease or one that is over but not lost yet.
-- Callers: the functions below. Locks: none. Errors: none; a row of nulls if nothing.
-- Tests: supabase/tests/03-claim-route.sql
create function private.find_held_batch(p_driver_id uuid)
returns public.batches
language plpgsql
set search_path = ''
as $$
declare
  v_batch public.batches;
begin
  select b.*
  into v_batch
  from public.batches b
  where b.driver_id = p_driver_id
    and b.status in ('claimed', 'in_progress');

  return v_batch;
end
$$;

comment on function private.find_held_batch(uuid) is
  'The batch a driver holds, also under a lease that is over; a row of nulls if there is none.';

revoke all on function private.find_held_batch(uuid) from public, anon, authenticated, service_role;

-- Purpose: refuse arguments the function claim-route would have refused already.
-- Callers: private.claim_route. Locks: none.
-- Errors: VALIDATION_FAILED.
-- Tests: supabase/tests/03-claim-route.sql
create function private.check_claim_route_arguments(p_batch_id uuid, p_action text)
returns void
language plpgsql
set search_path = ''
as $$
begin
  if p_action not in ('claim', 'renew', 'release', 'start', 'complete') then
    perform private.raise_error('VALIDATION_FAILED', jsonb_build_object('problems', jsonb_build_array(
      jsonb_build_object(
        'pointer', '/action',
        'message', 'must be one of claim, renew, release, start, complete'
      )
    )));
  end if;

  if p_action <> 'claim' and p_batch_id is null then
    perform private.raise_error('VALIDATION_FAILED', jsonb_build_object('problems', jsonb_build_array(
      jsonb_build_object(
        'pointer', '/batch_id',
        'message', format('is required for the action %s', p_action)
      )
    )));
  end if;
end
$$;

comment on function private.check_claim_route_arguments(uuid, text) is
  'Refuses an unknown action, and a missing batch id where one is needed.';

revoke all on function private.check_claim_route_arguments(uuid, text) from public, anon, authenticated, service_role;

-- Purpose: claim the given batch.
-- Callers: private.claim_route, with the driver's row locked.
-- Locks: the batch row, waiting; then, only if the driver's lease on another batch is
--   over, that batch's row with `nowait`.
-- Errors: BATCH_NOT_FOUND, DRIVER_BUSY, BATCH_UNAVAILABLE; 23505 and 55P03 as take_batch.
-- Tests: supabase/tests/03-claim-route.sql
create function private.claim_batch(p_batch_id uuid, p_driver_id uuid)
returns public.batches
language plpgsql
set search_path = ''
as $$
declare
  v_batch public.batches;
  v_held public.batches;
begin
  loop
    select b.* into v_batch from public.batches b where b.id = p_batch_id;
    if not found then
      perform private.raise_error('BATCH_NOT_FOUND', jsonb_build_object('batch_id', p_batch_id));
    end if;

    v_held := private.find_held_batch(p_driver_id);
    if v_held.lease_expires_at > private.clock() then
      if v_held.id = p_batch_id then
        return v_held;
      end if;
      perform private.raise_error('DRIVER_BUSY', private.batch_state(v_held));
    end if;

    if not private.is_claimable(v_batch.status, v_batch.lease_expires_at) then
      perform private.raise_error('BATCH_UNAVAILABLE', private.batch_state(v_batch));
    end if;

    if v_held.id <> p_batch_id then
      if not private.lock_claimable_batch(p_batch_id) then
        continue;
      end if;
      perform private.give_back_stale_batch(p_driver_id);
    end if;

    v_batch := private.take_batch(p_batch_id, p_driver_id);
    exit when v_batch.id is not null;
  end loop;

  return v_batch;
end
$$;

comment on function private.claim_batch(uuid, uuid) is
  'Claims the given batch for the driver, or refuses with the state it is in.';

revoke all on function private.claim_batch(uuid, uuid) from public, anon, authenticated, service_role;

-- Purpose: claim the next batch: by priority, then age.
--   A batch whose lease the driver let pass, and which nobody has claimed since, comes
--   first: it is probably still in the van.
-- Callers: private.claim_route, with the driver's row locked.
-- Locks: one batch row. First without waiting (skip locked); only when everything
--   claimable is locked by others does it wait, for one row at a time, so that nobody is
--   told "none" because of a claim that is then rolled back.
-- Errors: DRIVER_BUSY, NO_BATCH_AVAILABLE; 23505 and 55P03 as take_batch.
-- Tests: supabase/tests/03-claim-route.sql
create function private.claim_next_batch(p_driver_id uuid)
returns public.batches
language plpgsql
set search_path = ''
as $$
declare
  v_batch public.batches;
  v_held public.batches;
  v_batch_id uuid;
begin
  v_held := private.find_held_batch(p_driver_id);
  if v_held.lease_expires_at > private.clock() then
    perform private.raise_error('DRIVER_BUSY', private.batch_state(v_held));
  end if;
  if v_held.id is not null then
    v_batch := private.take_batch(v_held.id, p_driver_id);
    if v_batch.id is not null then
      return v_batch;
    end if;
  end if;

  v_batch_id := private.lock_next_claimable_batch();
  if v_batch_id is not null then
    return private.take_batch(v_batch_id, p_driver_id);
  end if;

  loop
    select c.id
    into v_batch_id
    from private.claimable_batches c
    order by c.priority desc, c.created_at, c.id
    limit 1;

    if not found then
      perform private.raise_error('NO_BATCH_AVAILABLE');
    end if;

    v_batch := private.take_batch(v_batch_id, p_driver_id);
    exit when v_batch.id is not null;
  end loop;

  return v_batch;
end
$$;

comment on function private.claim_next_batch(uuid) is
  'Claims the next batch for the driver, by priority and age; waits rather than refuse falsely.';

revoke all on function private.claim_next_batch(uuid) from public, anon, authenticated, service_role;

-- Purpose: renew, release, start or complete a batch the driver holds with a live lease.
--   `start` and `complete` say yes to a driver who has done it already.
-- Callers: private.claim_route, with the driver's row locked.
-- Locks: the batch row, waiting, and only after an unlocked look has found it held.
-- Errors: BATCH_NOT_FOUND, BATCH_NOT_HELD, LEASE_EXPIRED; 55P03 after lock_timeout.
-- Tests: supabase/tests/03-claim-route.sql
create function private.act_on_held_batch(p_batch_id uuid, p_driver_id uuid, p_action text)
returns public.batches
language plpgsql
set search_path = ''
as $$
declare
  v_batch public.batches;
begin
  loop
    select b.* into v_batch from public.batches b where b.id = p_batch_id;
    if not found then
      perform private.raise_error('BATCH_NOT_FOUND', jsonb_build_object('batch_id', p_batch_id));
    end if;

    if p_action = 'complete' and v_batch.status = 'completed' and v_batch.driver_id = p_driver_id then
      return v_batch;
    end if;

    if v_batch.status not in ('claimed', 'in_progress') or v_batch.driver_id <> p_driver_id then
      perform private.raise_error(
        'BATCH_NOT_HELD',
        jsonb_build_object('batch_id', v_batch.id, 'status', v_batch.status)
      );
    end if;

    if v_batch.lease_expires_at <= private.clock() then
      perform private.raise_error('LEASE_EXPIRED', private.batch_state(v_batch));
    end if;

    if p_action = 'start' and v_batch.status = 'in_progress' then
      return v_batch;
    end if;

    -- The guard repeats on the newest version of the row what was just read. What
    -- follows from a new status (times, an empty holder) is filled in by the trigger.
    update public.batches b
    set status = case p_action
          when 'release' then 'available'
          when 'start' then 'in_progress'
          when 'complete' then 'completed'
          else b.status
        end,
        lease_expires_at = case
          when p_action in ('renew', 'start') then private.next_lease_end()
          else b.lease_expires_at
        end
    where b.id = p_batch_id
      and b.driver_id = p_driver_id
      and b.status in ('claimed', 'in_progress')
      and b.lease_expires_at > private.clock()
    returning b.* into v_batch;

    exit when found;
  end loop;

  return v_batch;
end
$$;

comment on function private.act_on_held_batch(uuid, uuid, text) is
  'Renews, releases, starts or completes a batch the driver holds with a live lease.';

revoke all on function private.act_on_held_batch(uuid, uuid, text) from public, anon, authenticated, service_role;

-- Purpose: the whole of public.claim_route.
-- Callers: authenticated and service_role, through public.claim_route.
-- Locks: driver row, then batch rows as claim_batch, claim_next_batch and
--   act_on_held_batch say. Each wait lasts two seconds at most.
-- Errors: VALIDATION_FAILED, UNAUTHENTICATED, NOT_A_DRIVER, BATCH_NOT_FOUND,
--   BATCH_UNAVAILABLE, NO_BATCH_AVAILABLE, DRIVER_BUSY, LEASE_EXPIRED, BATCH_NOT_HELD;
--   55P03 and 40P01 are transient and nothing has happened.
-- Security definer: drivers have no right to write batches. Nothing here trusts an
--   argument for who is calling; that is auth.uid().
-- Tests: supabase/tests/03-claim-route.sql
create function private.claim_route(p_batch_id uuid, p_action text)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
set timezone = 'UTC'
as $$
declare
  v_action constant text := coalesce(p_action, 'claim');
  v_driver_id uuid;
  v_batch public.batches;
  v_constraint text;
begin
  perform private.check_claim_route_arguments(p_batch_id, v_action);
  v_driver_id := private.lock_driver();

  if v_action <> 'claim' then
    v_batch := private.act_on_held_batch(p_batch_id, v_driver_id, v_action);
  else
    begin
      if p_batch_id is null then
        v_batch := private.claim_next_batch(v_driver_id);
      else
        v_batch := private.claim_batch(p_batch_id, v_driver_id);
      end if;
    exception
      -- Only if something else than this function gave the driver a batch meanwhile.
      when unique_violation then
        get stacked diagnostics v_constraint = constraint_name;
        if v_constraint <> 'batches_one_active_per_driver' then
          raise;
        end if;
        perform private.raise_error(
          'DRIVER_BUSY',
          private.batch_state(private.find_held_batch(v_driver_id))
        );
    end;
  end if;

  return jsonb_build_object('success', true, 'batch', private.batch_to_json(v_batch));
end
$$;

comment on function private.claim_route(uuid, text) is
  'The whole of public.claim_route, with its owner''s rights.';

revoke all on function private.claim_route(uuid, text) from public, anon, authenticated, service_role;
grant execute on function private.claim_route(uuid, text) to authenticated, service_role;

-- Purpose: the RPC. Claims a batch (the next one without p_batch_id), or renews,
--   releases, starts or completes one the caller holds.
-- Callers: authenticated (active drivers), service_role acting with a driver's claims.
-- Locks and errors: as private.claim_route.
-- Tests: supabase/tests/02-roles.sql, 03-claim-route.sql
create function public.claim_route(p_batch_id uuid default null, p_action text default 'claim')
returns jsonb
language sql
security invoker
set search_path = ''
as $$
  select private.claim_route(p_batch_id, p_action)
$$;

comment on function public.claim_route(uuid, text) is
  'Claims a delivery batch for the calling driver (the next one without p_batch_id); p_action renew, release, start or complete acts on one they hold.';

revoke all on function public.claim_route(uuid, text) from public, anon, authenticated, service_role;
grant execute on function public.claim_route(uuid, text) to authenticated, service_role;
