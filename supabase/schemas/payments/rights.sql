-- Who may call what of payments. What is not here belongs to its owner.
revoke execute on all functions in schema interlock from public;
revoke all on function
  public.accept_payment(uuid),
  public.adjust_wallet(uuid, bigint, text, text, text),
  public.begin_card_payment(uuid),
  public.debit_wallet(uuid, bigint, text, text, text),
  public.list_payments(text, uuid, int),
  public.list_wallet_movements(uuid, bigint, int),
  public.payment_webhook(text, text, text),
  public.refund_payment(uuid, bigint, text),
  public.set_payment_secret(text, text),
  public.store_card_payment(uuid, text, boolean),
  public.list_payment_proofs(text, bigint, int),
  public.reject_payment(uuid, text, boolean),
  public.submit_payment_proof(uuid, text),
  public.top_up_wallet(uuid, bigint, text, text)
from public, anon, authenticated, service_role;

grant execute on function
  -- Policies of the platform's storage ask.
  interlock.may_upload_proof, interlock.reads_proof,
  -- For the shop: staff by token, anybody else is refused.
  public.accept_payment(uuid), interlock.accept_payment,
  public.reject_payment(uuid, text, boolean), interlock.reject_payment,
  public.list_payment_proofs(text, bigint, int), interlock.list_payment_proofs,
  public.list_payments(text, uuid, int), interlock.list_payments,
  public.refund_payment(uuid, bigint, text), interlock.refund_payment,
  public.debit_wallet(uuid, bigint, text, text, text), interlock.debit_wallet,
  public.adjust_wallet(uuid, bigint, text, text, text), interlock.adjust_wallet,
  public.list_wallet_movements(uuid, bigint, int), interlock.list_wallet_movements,
  public.submit_payment_proof(uuid, text), interlock.submit_payment_proof,
  public.begin_card_payment(uuid), interlock.begin_card_payment,
  public.store_card_payment(uuid, text, boolean), interlock.store_card_payment
to authenticated, service_role;

grant execute on function
  public.set_payment_secret(text, text), interlock.set_payment_secret,
  public.top_up_wallet(uuid, bigint, text, text), interlock.top_up_wallet
to service_role;

-- A provider signs its events, and nobody else has a right here.
grant execute on function
  public.payment_webhook(text, text, text), interlock.payment_webhook
to anon, authenticated, service_role;
