-- Undoes 20251101000500_batch_transitions.sql. Newest first: run it in one transaction, then
-- `supabase migration repair --status reverted 20251101000500`.

set local lock_timeout = '5s';

drop trigger batches_guard_transition on public.batches;
drop function private.guard_batch_transition();
