-- Renew, release, start or complete a batch the driver holds with a live lease. `start` and `complete` say yes
-- to a driver who has done it already. What was delivered late is delivered: `complete` needs no live lease, as long
-- as nobody else has taken the batch.
--
-- Callers: interlock.claim_route, with the driver's row locked.
-- Locks: the batch row, waiting, and only after an unlocked look has found it held.
-- Errors: BATCH_NOT_FOUND, BATCH_NOT_HELD, LEASE_EXPIRED; 55P03 after lock_timeout.
create function interlock.act_on_held_batch(p_batch_id uuid, p_driver_id uuid, p_action text)
returns interlock.batches
language plpgsql
set search_path = ''
as $$
declare
  v_batch interlock.batches;
begin
  loop
    select b.* into v_batch from interlock.batches b where b.id = p_batch_id;
    if not found then
      perform interlock.raise_error('BATCH_NOT_FOUND', jsonb_build_object('batch_id', p_batch_id));
    end if;

    if p_action = 'complete' and v_batch.status = 'completed' and v_batch.driver_id = p_driver_id then
      return v_batch;
    end if;

    if v_batch.status not in ('claimed', 'in_progress') or v_batch.driver_id <> p_driver_id then
      perform interlock.raise_error(
        'BATCH_NOT_HELD',
        jsonb_build_object('batch_id', v_batch.id, 'status', v_batch.status)
      );
    end if;

    if p_action <> 'complete' and v_batch.lease_expires_at <= interlock.clock() then
      perform interlock.raise_error('LEASE_EXPIRED', interlock.batch_state(v_batch));
    end if;

    if p_action = 'start' and v_batch.status = 'in_progress' then
      return v_batch;
    end if;

    if clock_timestamp() > statement_timestamp() + interval '100 milliseconds' then
      perform interlock.limit_wait();
    end if;
    -- The guard repeats on the newest version of the row what was just read. What
    -- follows from a new status (times, a longer lease, an empty holder) is filled in by the trigger.
    update interlock.batches b
    set status = case p_action
          when 'release' then 'available'
          when 'start' then 'in_progress'
          when 'complete' then 'completed'
          else b.status
        end,
        lease_expires_at = case
          when p_action = 'renew' then greatest(b.lease_expires_at, interlock.next_lease_end(b.status))
          else b.lease_expires_at
        end
    where b.id = p_batch_id
      and b.driver_id = p_driver_id
      and b.status in ('claimed', 'in_progress')
      and (p_action = 'complete' or b.lease_expires_at > interlock.clock())
    returning b.* into v_batch;

    exit when found;
  end loop;

  return v_batch;
end
$$;
