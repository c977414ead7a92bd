-- Undoes 20251117000200_orders.sql. Newest first: run it in one transaction, then
-- `supabase migration repair --status reverted 20251117000200`.
-- Drops every order, its lines and its history.

set local lock_timeout = '5s';

drop trigger products_sold_stay on public.products;
drop function private.refuse_delete_of_sold_product();
drop table public.order_events;
drop table public.order_items;
drop table public.orders;
drop function private.record_order_event();
drop function private.guard_order_change();
drop function private.lock_order(uuid);
drop function private.is_staff();
