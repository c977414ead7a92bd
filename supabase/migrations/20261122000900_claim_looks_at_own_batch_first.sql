-- Claiming what you hold is never refused because the shop takes it back at that moment.
--
-- private.claim_batch looked at the batch, and then at what the driver holds. If the shop took the batch
-- back between the two looks, the first said that it is claimed and the second that it is not the
-- driver's: BATCH_UNAVAILABLE, which was true at no moment.
--
-- Tests: `npm run prove`, which found it and stops the call between the two looks

set local lock_timeout = '5s';

-- Purpose: claim the given batch.
-- Callers: private.claim_route, with the driver's row locked.
-- Locks: the batch row, waiting; then, only if the driver's lease on another batch is
--   over, that batch's row with `nowait`.
-- Errors: BATCH_NOT_FOUND, DRIVER_BUSY, BATCH_UNAVAILABLE; 23505 and 55P03 as take_batch.
-- Tests: supabase/tests/03-claim-route.sql
create or replace function private.claim_batch(p_batch_id uuid, p_driver_id uuid)
returns public.batches
language plpgsql
set search_path = ''
as $$
declare
  v_batch public.batches;
  v_held public.batches;
begin
  loop
    -- In this order: a batch that leaves the driver between the two looks was theirs at the first.
    v_held := private.find_held_batch(p_driver_id);
    select b.* into v_batch from public.batches b where b.id = p_batch_id;
    if not found then
      perform private.raise_error('BATCH_NOT_FOUND', jsonb_build_object('batch_id', p_batch_id));
    end if;

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
