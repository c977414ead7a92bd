-- Undoes 20251118000300_promo_rules.sql. Newest first: run it in one transaction, then
-- `supabase migration repair --status reverted 20251118000300`.

set local lock_timeout = '5s';

drop function private.evaluate_promo(public.promo_codes, uuid, uuid, text, jsonb, bigint);
drop function private.has_other_order(uuid, uuid);
drop function private.split_discount(bigint, bigint[]);
drop function private.promo_discount(text, numeric, bigint, bigint);
drop function private.find_promo(text, uuid);
