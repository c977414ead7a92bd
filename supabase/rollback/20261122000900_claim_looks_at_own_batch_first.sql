-- Undoes 20261122000900_claim_looks_at_own_batch_first.sql. Newest first: run it in one transaction, then
-- `supabase migration repair --status reverted 20261122000900`.

set local lock_timeout = '5s';

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
