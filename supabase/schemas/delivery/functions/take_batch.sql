-- The claim itself, one conditional update. Whoever comes second waits for the first, sees the new row and
-- changes nothing. A driver who claims again what they have started, and let pass, is still on the road with it: it
-- stays in progress since they started.
--
-- Callers: interlock.claim_batch, interlock.claim_next_batch.
-- Locks: the batch row, waiting.
-- Errors: 23505 on batches_one_active_per_driver, 55P03 after lock_timeout. A row of nulls if the batch is not
--   claimable.
create function interlock.take_batch(p_batch_id uuid, p_driver_id uuid)
returns interlock.batches
language plpgsql
set search_path = ''
as $$
declare
  v_batch interlock.batches;
begin
  if clock_timestamp() > statement_timestamp() + interval '100 milliseconds' then
    perform interlock.limit_wait();
  end if;
  update interlock.batches b
  set status = case when b.driver_id = p_driver_id then b.status else 'claimed' end,
      driver_id = p_driver_id,
      claimed_at = interlock.clock(),
      lease_expires_at = interlock.next_lease_end(case when b.driver_id = p_driver_id then b.status else 'claimed' end)
  where b.id = p_batch_id
    and interlock.is_claimable(b.status, b.lease_expires_at)
  returning b.* into v_batch;

  return v_batch;
end
$$;
