-- Undoes 20251101000100_private_schema.sql. Newest first: run it in one transaction, then
-- `supabase migration repair --status reverted 20251101000100`.
-- Drops the settings with whatever was set in them.

set local lock_timeout = '5s';

drop function private.next_lease_end();
drop function private.clock();
drop table private.settings;
drop schema private;
