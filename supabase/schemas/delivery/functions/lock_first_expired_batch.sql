-- Lock the first batch under a lease that is over and that nobody else is locking; with p_before, only one that
-- comes before that batch in the queue. (No default: where there are many shops Postgres 15 would not add a column to a type that has one.)
--
-- Callers: interlock.lock_next_claimable_batch.
-- Locks: one batch row, never waiting (skip locked).
-- Errors: none; null if there is none.
create function interlock.lock_first_expired_batch(p_before interlock.batches)
returns uuid
language plpgsql
set search_path = ''
as $$
declare
  v_batch_id uuid;
begin
  select b.id
  into v_batch_id
  from interlock.batches b
  where b.status in ('claimed', 'in_progress')
    and b.lease_expires_at <= interlock.clock()
    and (
      p_before.id is null
      or (-b.priority::bigint, b.created_at, b.id)
        < (-p_before.priority::bigint, p_before.created_at, p_before.id)
    )
  order by b.priority desc, b.created_at, b.id
  limit 1
  for no key update skip locked;

  return v_batch_id;
end
$$;
