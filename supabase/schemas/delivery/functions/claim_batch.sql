-- Claim the given batch.
--
-- Callers: interlock.claim_route, with the driver's row locked.
-- Locks: the batch row, waiting; then, only if the driver's lease on another batch is over, that batch's row
--   with `nowait`.
-- Errors: BATCH_NOT_FOUND, DRIVER_BUSY, BATCH_UNAVAILABLE; 23505 and 55P03 as take_batch.
create function interlock.claim_batch(p_batch_id uuid, p_driver_id uuid)
returns interlock.batches
language plpgsql
set search_path = ''
as $$
declare
  v_batch interlock.batches;
  v_held interlock.batches;
begin
  loop
    -- In this order: a batch that leaves the driver between the two looks was theirs at the first.
    v_held := interlock.find_held_batch(p_driver_id);
    select b.* into v_batch from interlock.batches b where b.id = p_batch_id;
    if not found then
      perform interlock.raise_error('BATCH_NOT_FOUND', jsonb_build_object('batch_id', p_batch_id));
    end if;

    if v_held.lease_expires_at > interlock.clock() then
      if v_held.id = p_batch_id then
        return v_held;
      end if;
      perform interlock.raise_error('DRIVER_BUSY', interlock.batch_state(v_held));
    end if;

    if not interlock.is_claimable(v_batch.status, v_batch.lease_expires_at) then
      perform interlock.raise_error('BATCH_UNAVAILABLE', interlock.batch_state(v_batch));
    end if;

    if v_held.id <> p_batch_id then
      if not interlock.lock_claimable_batch(p_batch_id) then
        continue;
      end if;
      perform interlock.give_back_stale_batch(p_driver_id);
    end if;

    v_batch := interlock.take_batch(p_batch_id, p_driver_id);
    exit when v_batch.id is not null;
  end loop;

  return v_batch;
end
$$;
