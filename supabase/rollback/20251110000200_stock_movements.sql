-- Undoes 20251110000200_stock_movements.sql. Newest first: run it in one transaction, then
-- `supabase migration repair --status reverted 20251110000200`.
-- Drops the stock ledger.

set local lock_timeout = '5s';

drop view public.stock_differences;
drop trigger products_no_truncate on public.products;
drop trigger products_record_deleted_stock on public.products;
drop trigger products_record_stock on public.products;
drop trigger products_record_opening_stock on public.products;
drop function private.record_stock_movements();
drop function private.set_ledger_context(text, uuid);
drop table public.stock_movements;
