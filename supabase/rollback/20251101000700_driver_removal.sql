-- Undoes 20251101000700_driver_removal.sql. Newest first: run it in one transaction, then
-- `supabase migration repair --status reverted 20251101000700`.

set local lock_timeout = '5s';

drop trigger drivers_give_back_batch on public.drivers;
drop function private.give_back_batch_of_removed_driver();
