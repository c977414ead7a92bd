create function public.abandon_picking_session(p_session_id uuid)
returns jsonb
language sql
security invoker
set search_path = ''
as $$
  select interlock.abandon_picking_session(p_session_id)
$$;

comment on function public.abandon_picking_session(uuid) is
  'Gives up a picking session. For managers of the location, staff and the service role.';
