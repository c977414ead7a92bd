create function public.abandon_stale_sessions(p_limit int default 20)
returns jsonb
language sql
security invoker
set search_path = ''
as $$
  select jsonb_build_object('success', true, 'abandoned', interlock.abandon_stale_sessions(p_limit))
$$;

comment on function public.abandon_stale_sessions(int) is
  'Abandons up to p_limit picking sessions in which nothing was done for settings.session_idle. For the service role.';
