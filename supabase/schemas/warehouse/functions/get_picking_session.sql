-- What public.get_picking_session does, with its owner's rights: a session with its orders, lines and baskets, each number with its version.
--
-- Callers: authenticated (packers, managers, staff) and service_role, through public.get_picking_session.
-- Locks: none.
-- Errors: UNAUTHENTICATED, FORBIDDEN, SESSION_NOT_FOUND.
-- Security definer: so that it may use the functions of this schema.
create function interlock.get_picking_session(p_session_id uuid)
returns jsonb
language plpgsql
stable
security definer
set search_path = ''
set timezone = 'UTC'
as $$
begin
  perform interlock.require_packer();
  return jsonb_build_object(
    'success', true, 'session', interlock.session_to_json((interlock.find_session(p_session_id)).id)
  );
end
$$;
