-- Undoes 20251101000300_drivers.sql. Newest first: run it in one transaction, then
-- `supabase migration repair --status reverted 20251101000300`.
-- Drops every driver.

set local lock_timeout = '5s';

drop table public.drivers;
