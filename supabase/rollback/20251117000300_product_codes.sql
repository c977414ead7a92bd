-- Undoes 20251117000300_product_codes.sql. Newest first: run it in one transaction, then
-- `supabase migration repair --status reverted 20251117000300`.
-- Drops every product code.

set local lock_timeout = '5s';

drop function public.claim_product_codes_atomic(uuid, int, uuid);
drop function private.claim_product_codes_atomic(uuid, int, uuid);
drop function private.take_product_codes(uuid[], int[], uuid, text, boolean);
drop view public.code_differences;
drop trigger products_digital_stock on public.products;
drop trigger products_digital_opening_stock on public.products;
drop function private.guard_digital_stock();
drop table public.product_codes;
drop function private.count_free_codes();
drop function private.guard_product_code();
