-- Give back the batch a driver holds before their row goes.
--
-- Callers: trigger drivers_give_back_batch (also when the auth user is deleted).
-- Locks: driver row (already held by the delete), then the one batch they hold.
-- Security definer: deleting a driver must not need rights on batches.
create function interlock.give_back_batch_of_removed_driver()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
begin
  update interlock.batches
  set status = 'available'
  where driver_id = old.user_id
    and status in ('claimed', 'in_progress');
  return old;
end
$$;
