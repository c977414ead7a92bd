-- Undoes 20251101000800_batch_locks.sql. Newest first: run it in one transaction, then
-- `supabase migration repair --status reverted 20251101000800`.

set local lock_timeout = '5s';

drop function private.take_batch(uuid, uuid);
drop function private.give_back_stale_batch(uuid);
drop function private.lock_next_claimable_batch();
drop function private.lock_first_expired_batch(public.batches);
drop function private.lock_first_available_batch();
drop function private.lock_claimable_batch(uuid);
drop function private.lock_driver();
drop view private.claimable_batches;
drop function private.is_claimable(text, timestamptz);
