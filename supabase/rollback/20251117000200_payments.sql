set local lock_timeout = '5s';

select interlock.conceal('wallet_differences');
select interlock.conceal('payment_proofs');
select interlock.conceal('wallet_movements');
select interlock.conceal('wallets');
drop function
  public.accept_payment(uuid),
  public.reject_payment(uuid),
  public.submit_payment_proof(uuid, text),
  public.top_up_wallet(uuid, bigint, text, uuid);

do $$
begin
  if to_regclass('storage.objects') is not null then
    drop policy if exists interlock_payment_proofs_insert_own on storage.objects;
    drop policy if exists interlock_payment_proofs_select_own_or_staff on storage.objects;
  end if;
end
$$;

drop view interlock.wallet_differences;
drop function
  interlock.credit_wallet,
  interlock.debit_wallet,
  interlock.decide_payment,
  interlock.lock_wallet,
  interlock.submit_payment_proof,
  interlock.top_up_wallet;
drop table
  interlock.wallets,
  interlock.wallet_movements,
  interlock.payment_proofs;
drop function
  interlock.record_wallet_movement;
drop domain
  interlock.object_path,
  interlock.payment_proof_status;
