create function public.refund_payment(p_payment_id uuid, p_amount bigint default null, p_reference text default null)
returns jsonb
language plpgsql
volatile
security invoker
set search_path = ''
as $$
begin
  return interlock.refund_payment(p_payment_id, p_amount, p_reference);
end
$$;

comment on function public.refund_payment(uuid, bigint, text) is
  'For staff and the service role: so much of a payment by card (null: all that is left) has to go back; once per p_reference. The order stays as it is.';
