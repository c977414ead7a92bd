create function public.reject_payment(
  p_order_id uuid,
  p_reason text default null,
  p_cancel boolean default false
)
returns json
language plpgsql
security invoker
set search_path = ''
as $$
begin
  return interlock.reject_payment(p_order_id, p_reason, p_cancel);
end
$$;

comment on function public.reject_payment(uuid, text, boolean) is
  'The proof of a bank transfer is rejected, and the buyer may hand in another one; with p_cancel, or without a try left, the order is cancelled and everything comes back. For staff and the service role.';
