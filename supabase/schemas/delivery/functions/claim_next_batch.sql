-- Claim the next batch: by priority, then age. A batch whose lease the driver let pass, and which nobody has
-- claimed since, comes first: it is probably still in the van.
--
-- Callers: interlock.claim_route, with the driver's row locked.
-- Locks: one batch row. First without waiting (skip locked); only when everything claimable is locked by others
--   does it wait, for one row at a time, so that nobody is told "none" because of a claim that is then rolled
--   back.
-- Errors: DRIVER_BUSY, NO_BATCH_AVAILABLE; 23505 and 55P03 as take_batch.
create function interlock.claim_next_batch(p_driver_id uuid)
returns interlock.batches
language plpgsql
set search_path = ''
as $$
declare
  v_batch interlock.batches;
  v_held interlock.batches;
  v_batch_id uuid;
begin
  v_held := interlock.find_held_batch(p_driver_id);
  if v_held.lease_expires_at > interlock.clock() then
    perform interlock.raise_error('DRIVER_BUSY', interlock.batch_state(v_held));
  end if;
  if v_held.id is not null then
    v_batch := interlock.take_batch(v_held.id, p_driver_id);
    if v_batch.id is not null then
      return v_batch;
    end if;
  end if;

  v_batch_id := interlock.lock_next_claimable_batch();
  if v_batch_id is not null then
    return interlock.take_batch(v_batch_id, p_driver_id);
  end if;

  loop
    select c.id
    into v_batch_id
    from interlock.claimable_batches c
    order by c.priority desc, c.created_at, c.id
    limit 1;

    if not found then
      perform interlock.raise_error('NO_BATCH_AVAILABLE');
    end if;

    v_batch := interlock.take_batch(v_batch_id, p_driver_id);
    exit when v_batch.id is not null;
  end loop;

  return v_batch;
end
$$;
