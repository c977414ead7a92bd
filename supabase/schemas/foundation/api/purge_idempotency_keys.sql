create function public.purge_idempotency_keys()
returns jsonb
language sql
security invoker
set search_path = ''
as $$
  select jsonb_build_object('success', true, 'purged', interlock.purge_idempotency_keys())
$$;

comment on function public.purge_idempotency_keys() is
  'Removes idempotency keys whose time is over. For the service role.';
