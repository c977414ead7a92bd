-- Lock the next batch of the queue, in which available batches and leases that are over stand on the same
-- footing. The head of the available ones is only looked at, so that the kind that comes second is not left
-- locked. While others claim at the same time the order between the two kinds is as of that look.
--
-- Callers: interlock.claim_next_batch.
-- Locks: one batch row, never waiting, through the two functions above.
-- Errors: none; null if there is none.
create function interlock.lock_next_claimable_batch()
returns uuid
language plpgsql
set search_path = ''
as $$
declare
  v_head interlock.batches;
  v_batch_id uuid;
begin
  if exists (
    select 1
    from interlock.batches b
    where b.status in ('claimed', 'in_progress')
      and b.lease_expires_at <= interlock.clock()
  ) then
    select b.*
    into v_head
    from interlock.batches b
    where b.status = 'available'
    order by b.priority desc, b.created_at, b.id
    limit 1;

    v_batch_id := interlock.lock_first_expired_batch(v_head);
  end if;

  return coalesce(
    v_batch_id,
    interlock.lock_first_available_batch(),
    interlock.lock_first_expired_batch(null)
  );
end
$$;
