-- Undoes 20251118000500_promo_attempts.sql. Newest first: run it in one transaction, then
-- `supabase migration repair --status reverted 20251118000500`.
-- Forgets who has been guessing.

set local lock_timeout = '5s';

drop function private.refuse_unknown_promo(uuid, text);
drop function private.lock_promo_attempts(uuid);
drop function private.error_body(text, jsonb);
drop table private.promo_attempts;
