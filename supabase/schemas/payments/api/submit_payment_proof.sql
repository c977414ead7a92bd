create function public.submit_payment_proof(p_order_id uuid, p_object_path text)
returns json
language sql
security invoker
set search_path = ''
as $$
  select interlock.submit_payment_proof(p_order_id, p_object_path)
$$;

comment on function public.submit_payment_proof(uuid, text) is
  'Hands in a payment proof (a file in the bucket payment-proofs) for an order that waits for its payment.';
