-- Undoes 20251118000100_promo_codes.sql. Newest first: run it in one transaction, then
-- `supabase migration repair --status reverted 20251118000100`.
-- Drops every promo code.

set local lock_timeout = '5s';

alter table private.settings drop column promo_hold;
drop table public.promo_code_products;
drop table public.promo_codes;
