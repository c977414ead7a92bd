-- Undoes 20251116000000_fix_inventory_race_condition.sql. Newest first: run it in one
-- transaction, then `supabase migration repair --status reverted 20251116000000`.

set local lock_timeout = '5s';

drop function public.decrement_product_quantity(uuid, int);
drop function private.decrement_product_quantity(uuid, int);
drop function private.return_stock(uuid[], int[], text, uuid);
drop function private.lock_stock(uuid[]);
drop function private.take_stock(uuid[], int[], text, uuid, bigint[], text);
drop function private.raise_products_not_found(uuid[]);
alter table public.products drop constraint products_available_quantity_nonnegative;
