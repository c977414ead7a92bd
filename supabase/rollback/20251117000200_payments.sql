set local lock_timeout = '5s';

select interlock.conceal('wallet_differences');
select interlock.conceal('payments');
select interlock.conceal('payment_proofs');
select interlock.conceal('wallet_movements');
select interlock.conceal('wallets');
drop function
  public.accept_payment(uuid),
  public.adjust_wallet(uuid, bigint, text, text, text),
  public.begin_card_payment(uuid),
  public.debit_wallet(uuid, bigint, text, text, text),
  public.list_payment_proofs(text, bigint, int),
  public.list_payments(text, uuid, int),
  public.list_wallet_movements(uuid, bigint, int),
  public.payment_webhook(text, text, text),
  public.refund_payment(uuid, bigint, text),
  public.reject_payment(uuid, text, boolean),
  public.set_payment_secret(text, text),
  public.store_card_payment(uuid, text, boolean),
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
  interlock.adjust_wallet,
  interlock.apply_dispute_event,
  interlock.apply_money,
  interlock.apply_payment_event,
  interlock.apply_refund_event,
  interlock.begin_card_payment,
  interlock.credit_wallet,
  interlock.debit_wallet,
  interlock.find_signature_problem,
  interlock.give_back,
  interlock.has_room_for_proof,
  interlock.hmac_sha256,
  interlock.is_proof_path,
  interlock.list_payment_proofs,
  interlock.list_payments,
  interlock.list_wallet_movements,
  interlock.lock_wallet,
  interlock.may_upload_proof,
  interlock.move_wallet,
  interlock.move_wallet_money,
  interlock.pay_from_wallet,
  interlock.payment_webhook,
  interlock.prepare_storage,
  interlock.read_event,
  interlock.reads_proof,
  interlock.refund_payment,
  interlock.reject_payment,
  interlock.retake_for_late_money,
  interlock.set_payment_secret,
  interlock.settle_payment,
  interlock.store_card_payment,
  interlock.stored_proofs,
  interlock.submit_payment_proof,
  interlock.take_payment,
  interlock.top_up_wallet,
  interlock.wallet_returned;
drop table
  interlock.wallets,
  interlock.wallet_top_ups,
  interlock.wallet_movements,
  interlock.wallet_balances,
  interlock.payments,
  interlock.payment_secrets,
  interlock.payment_refunds,
  interlock.payment_proofs,
  interlock.payment_events;
drop domain
  interlock.object_path,
  interlock.payment_proof_status,
  interlock.rejection_reason,
  interlock.payment_provider,
  interlock.provider_id,
  interlock.payment_status,
  interlock.payment_flag,
  interlock.signing_secret,
  interlock.refund_status,
  interlock.webhook_outcome;
drop function
  interlock.close_payment_proofs,
  interlock.guard_proof_upload,
  interlock.keep_wallet_with_money,
  interlock.note_payment,
  interlock.record_wallet_movement,
  interlock.is_provider_id,
  interlock.to_amount,
  interlock.to_uuid;
