-- Undoes 20251120000100_checkout.sql. Newest first: run it in one transaction, then
-- `supabase migration repair --status reverted 20251120000100`.
-- Orders stay.

set local lock_timeout = '5s';

drop function public.checkout(jsonb, text, uuid, text, text);
drop function private.checkout(jsonb, text, uuid, text, text);
drop function private.debit_wallet(public.wallets, bigint, text, uuid);
drop function private.check_checkout_arguments(jsonb, text, text, text);
drop function private.order_to_json(uuid);
alter table private.settings drop column payment_window;
