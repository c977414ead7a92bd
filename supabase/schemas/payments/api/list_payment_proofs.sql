create function public.list_payment_proofs(
  p_status text default 'submitted',
  p_after bigint default null,
  p_limit int default 50
)
returns jsonb
language plpgsql
stable
security invoker
set search_path = ''
as $$
begin
  return interlock.list_payment_proofs(p_status, p_after, p_limit);
end
$$;

comment on function public.list_payment_proofs(text, bigint, int) is
  'Payment proofs that wait for a decision (or have p_status), the oldest first, for staff and the service role; p_after is the id of the last one of the page before.';
