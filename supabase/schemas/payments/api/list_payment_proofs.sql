create function public.list_payment_proofs(
  p_status text default 'submitted',
  p_after bigint default null,
  p_limit int default 50
)
returns jsonb
language sql
stable
security invoker
set search_path = ''
as $$
  select interlock.list_payment_proofs(p_status, p_after, p_limit)
$$;

comment on function public.list_payment_proofs(text, bigint, int) is
  'Payment proofs that wait for a decision (or have p_status), the oldest first, for staff and the service role; p_after is the id of the last one of the page before.';
