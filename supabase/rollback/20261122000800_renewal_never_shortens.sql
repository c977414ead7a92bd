-- Undoes 20261122000800_renewal_never_shortens.sql. Newest first: run it in one transaction, then
-- `supabase migration repair --status reverted 20261122000800`.

set local lock_timeout = '5s';

create or replace function private.act_on_held_batch(p_batch_id uuid, p_driver_id uuid, p_action text)
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
