set local lock_timeout = '5s';

select interlock.conceal('wallet_differences');
select interlock.conceal('payment_proofs');
select interlock.conceal('wallet_movements');
select interlock.conceal('wallets');
drop function
  public.accept_payment(uuid),
  public.list_payment_proofs(text, bigint, int),
  public.reject_payment(uuid, text, boolean),
  public.submit_payment_proof(uuid, text),
  public.top_up_wallet(uuid, bigint, text, text);

do $$
begin
  if to_regclass('storage.objects') is not null then
    drop trigger if exists interlock_payment_proofs_limit on storage.objects;
    drop policy if exists interlock_payment_proofs_insert_own on storage.objects;
    drop policy if exists interlock_payment_proofs_select_own_or_staff on storage.objects;
  end if;
end
$$;

drop view interlock.wallet_differences;
drop trigger orders_close_payment_proofs on interlock.orders;
drop function
  interlock.accept_payment,
  interlock.credit_wallet,
  interlock.debit_wallet,
  interlock.has_room_for_proof,
  interlock.is_proof_path,
  interlock.list_payment_proofs,
  interlock.lock_wallet,
  interlock.may_upload_proof,
  interlock.prepare_storage,
  interlock.reject_payment,
  interlock.submit_payment_proof,
  interlock.top_up_wallet;
drop table
  interlock.wallets,
  interlock.wallet_top_ups,
  interlock.wallet_movements,
  interlock.payment_proofs;
drop domain
  interlock.object_path,
  interlock.payment_proof_status,
  interlock.rejection_reason;
drop function
  interlock.close_payment_proofs,
  interlock.guard_proof_upload,
  interlock.keep_wallet_with_money,
  interlock.record_wallet_movement;
