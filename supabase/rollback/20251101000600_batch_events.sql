-- Undoes 20251101000600_batch_events.sql. Newest first: run it in one transaction, then
-- `supabase migration repair --status reverted 20251101000600`.
-- Drops the history of every batch.

set local lock_timeout = '5s';

drop trigger batches_record_event on public.batches;
drop function private.record_batch_event();
drop table public.batch_events;
drop function private.refuse_change();
