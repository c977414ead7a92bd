-- Undoes 20251118000200_promo_redemptions.sql. Newest first: run it in one transaction, then
-- `supabase migration repair --status reverted 20251118000200`.
-- Drops every hold and redemption.

set local lock_timeout = '5s';

drop trigger promo_codes_keep_used on public.promo_codes;
drop function private.keep_used_promo();
drop view public.promo_differences;
drop table private.promo_user_uses;
drop table public.promo_redemptions;
