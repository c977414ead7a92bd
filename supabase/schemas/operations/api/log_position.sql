create function public.log_position()
returns jsonb
language sql
stable
security invoker
set search_path = ''
as $$
  select interlock.log_position()
$$;

comment on function public.log_position() is
  'How far the log of the database is: at the primary what was written, at a replica what was replayed, so that who has written can tell whether a replica has it. For whoever is signed in, and the service role.';
