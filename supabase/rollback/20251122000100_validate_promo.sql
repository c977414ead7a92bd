-- Undoes 20251122000100_validate_promo.sql. Newest first: run it in one transaction, then
-- `supabase migration repair --status reverted 20251122000100`.

set local lock_timeout = '5s';

drop function public.validate_promo(text, jsonb, bigint, uuid, boolean, text, text);
drop function private.validate_promo(text, jsonb, bigint, uuid, boolean, text, text);
drop function private.price_promo_cart(jsonb);
drop function private.check_validate_promo_arguments(text, jsonb, bigint, boolean, text, text);
