create function public.purge_idempotency_keys(p_limit int default 10000)
returns jsonb
language sql
security invoker
set search_path = ''
as $$
  select jsonb_build_object('success', true, 'purged', interlock.purge_idempotency_keys(p_limit))
$$;

comment on function public.purge_idempotency_keys(int) is
  'Removes up to p_limit idempotency keys whose time is over. For the service role.';
