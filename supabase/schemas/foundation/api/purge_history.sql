create function public.purge_history(p_limit int default 1000)
returns jsonb
language sql
security invoker
set search_path = ''
as $$
  select jsonb_build_object('success', true, 'purged', interlock.purge_history(p_limit))
$$;

comment on function public.purge_history(int) is
  'Removes up to p_limit rows of each history that are older than the settings have them kept. For the service role.';
