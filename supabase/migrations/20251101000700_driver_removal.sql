-- A driver's account can be deleted at any time. What they hold becomes available
-- again at once; finished batches stay, with an empty driver_id; history stays.
--
-- Tests: supabase/tests/04-invariants.sql

set local lock_timeout = '5s';

-- Purpose: give back the batch a driver holds before their row goes.
-- Callers: trigger drivers_give_back_batch (also when the auth user is deleted).
-- Locks: driver row (already held by the delete), then the one batch they hold.
-- Errors: none.
-- Security definer: deleting a driver must not need rights on batches.
-- Tests: supabase/tests/04-invariants.sql
create function private.give_back_batch_of_removed_driver()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
begin
  update public.batches
  set status = 'available'
  where driver_id = old.user_id
    and status in ('claimed', 'in_progress');
  return old;
end
$$;

comment on function private.give_back_batch_of_removed_driver() is
  'Trigger: gives back the batch a driver holds before the driver''s row is deleted.';

revoke all on function private.give_back_batch_of_removed_driver() from public, anon, authenticated, service_role;

create trigger drivers_give_back_batch
  before delete on public.drivers
  for each row
  execute function private.give_back_batch_of_removed_driver();
