-- Undoes 20251121000100_order_life.sql. Newest first: run it in one transaction, then
-- `supabase migration repair --status reverted 20251121000100`.
-- Drops the payment proofs; files in the bucket payment-proofs and the bucket stay.

set local lock_timeout = '5s';

do $$
begin
  if to_regclass('cron.job') is not null then
    perform cron.unschedule(jobid) from cron.job where jobname = 'interlock-expire-orders';
  end if;

  if to_regclass('storage.objects') is not null then
    drop policy if exists interlock_payment_proofs_select_own_or_staff on storage.objects;
    drop policy if exists interlock_payment_proofs_insert_own on storage.objects;
  end if;
end
$$;

drop function public.submit_payment_proof(uuid, text);
drop function private.submit_payment_proof(uuid, text);
drop function public.expire_orders(int);
drop function private.expire_orders(int);
drop function public.reject_payment(uuid);
drop function public.accept_payment(uuid);
drop function private.decide_payment(uuid, boolean);
drop function public.fulfill_order(uuid);
drop function private.fulfill_order(uuid);
drop function public.refund_order(uuid);
drop function private.refund_order(uuid);
drop function public.cancel_order(uuid, text);
drop function private.cancel_order(uuid, text);
drop function private.acts_for_shop();
drop function private.order_answer(uuid);
drop function private.move_order(uuid, text[], text, text);
drop trigger orders_settle on public.orders;
drop function private.settle_orders();
drop table public.payment_proofs;
