-- Lock the first available batch that nobody else is locking. One table, so that Postgres passes cheaply over
-- rows that others are locking or have just taken. (A join of the view above with this table would be evaluated
-- again from the head of the queue for every row that changed under it.)
--
-- Callers: interlock.lock_next_claimable_batch.
-- Locks: one batch row, never waiting (skip locked).
-- Errors: none; null if there is none.
create function interlock.lock_first_available_batch()
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
  where b.status = 'available'
  order by b.priority desc, b.created_at, b.id
  limit 1
  for no key update skip locked;

  return v_batch_id;
end
$$;
