-- Undoes 20251117000100_wallets.sql. Newest first: run it in one transaction, then
-- `supabase migration repair --status reverted 20251117000100`.
-- Drops every wallet and the wallet ledger.

set local lock_timeout = '5s';

drop function public.top_up_wallet(uuid, bigint, text, uuid);
drop function private.top_up_wallet(uuid, bigint, text, uuid);
drop function private.credit_wallet(uuid, bigint, text, text, uuid);
drop function private.lock_wallet(uuid);
drop view public.wallet_differences;
drop table public.wallet_movements;
drop table public.wallets;
drop function private.record_wallet_movement();
