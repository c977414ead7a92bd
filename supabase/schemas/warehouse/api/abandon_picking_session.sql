create function public.abandon_picking_session(p_session_id uuid)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
begin
  return interlock.abandon_picking_session(p_session_id);
end
$$;

comment on function public.abandon_picking_session(uuid) is
  'Gives up a picking session. For managers of the location, staff and the service role.';
