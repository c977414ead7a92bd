create function public.submit_payment_proof(p_order_id uuid, p_object_path text)
returns json
language plpgsql
security invoker
set search_path = ''
as $$
begin
  return interlock.submit_payment_proof(p_order_id, p_object_path);
end
$$;

comment on function public.submit_payment_proof(uuid, text) is
  'Hands in a payment proof (a file in the bucket payment-proofs) for an order that waits for its payment.';
