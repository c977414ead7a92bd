-- Undoes 20251101000400_batches.sql. Newest first: run it in one transaction, then
-- `supabase migration repair --status reverted 20251101000400`.
-- Drops every batch.

set local lock_timeout = '5s';

drop table public.batches;
