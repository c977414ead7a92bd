-- Undoes 20251110000100_products.sql. Newest first: run it in one transaction, then
-- `supabase migration repair --status reverted 20251110000100`.
-- Drops every product.

set local lock_timeout = '5s';

drop table public.products;
drop function private.refuse_product_identity_change();
