-- Lock one batch if it is claimable once the lock is there.
--
-- Callers: interlock.claim_batch, before it gives back another batch.
-- Locks: the batch row, waiting. The caller holds no other batch row.
-- Errors: 55P03 after lock_timeout.
create function interlock.lock_claimable_batch(p_batch_id uuid)
returns boolean
language plpgsql
set search_path = ''
as $$
begin
  if clock_timestamp() > statement_timestamp() + interval '100 milliseconds' then
    perform interlock.limit_wait();
  end if;
  perform 1
  from interlock.batches b
  where b.id = p_batch_id
    and interlock.is_claimable(b.status, b.lease_expires_at)
  for no key update;

  return found;
end
$$;
