-- Undoes 20251101000200_error_catalogue.sql. Newest first: run it in one transaction, then
-- `supabase migration repair --status reverted 20251101000200`.

set local lock_timeout = '5s';

drop function private.raise_error(text, jsonb);
