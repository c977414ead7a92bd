create function public.arrange_history()
returns jsonb
language sql
security invoker
set search_path = ''
as $$
  select jsonb_build_object('success', true, 'made', interlock.make_history_parts(), 'archived', interlock.archive_history())
$$;

comment on function public.arrange_history() is
  'Makes the next part of a history, and archives one in which everything is older than the settings have it kept. For the service role.';
