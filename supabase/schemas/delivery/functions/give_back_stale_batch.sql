-- Give back the batch a driver still has under a lease that is over, so that they can hold another one.
--
-- Callers: interlock.claim_batch, while it holds the batch to be claimed.
-- Locks: the stale batch's row, `nowait`: the only second batch row of any transaction.
-- Errors: 55P03 if somebody else is claiming it right now (transient).
create function interlock.give_back_stale_batch(p_driver_id uuid)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_batch_id uuid;
begin
  select b.id
  into v_batch_id
  from interlock.batches b
  where b.driver_id = p_driver_id
    and b.status in ('claimed', 'in_progress')
    and b.lease_expires_at <= interlock.clock()
  for no key update nowait;

  -- Nothing left to give back if another driver has claimed it since.
  if found then
    update interlock.batches
    set status = 'available'
    where id = v_batch_id;
  end if;
end
$$;
