-- Who may call what of payments. What is not here belongs to its owner.
revoke execute on all functions in schema interlock from public;
revoke all on function
  public.accept_payment(uuid),
  public.reject_payment(uuid),
  public.submit_payment_proof(uuid, text),
  public.top_up_wallet(uuid, bigint, text, uuid)
from public, anon, authenticated, service_role;

grant execute on function
  public.submit_payment_proof(uuid, text), interlock.submit_payment_proof
to authenticated, service_role;

grant execute on function
  public.accept_payment(uuid), public.reject_payment(uuid), interlock.decide_payment,
  public.top_up_wallet(uuid, bigint, text, uuid), interlock.top_up_wallet
to service_role;
