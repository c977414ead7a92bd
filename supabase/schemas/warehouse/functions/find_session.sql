-- The picking session of this id, if the caller works at its location.
--
-- Callers: the functions of the warehouse.
-- Locks: none.
-- Errors: as interlock.require_packer; SESSION_NOT_FOUND, also for that of another location.
create function interlock.find_session(p_session_id uuid)
returns interlock.picking_sessions
language plpgsql
set search_path = ''
as $$
declare
  v_session interlock.picking_sessions;
begin
  select s.* into v_session from interlock.picking_sessions s where s.id = p_session_id;
  if v_session.id is null or not interlock.works_at(v_session.location_id) then
    perform interlock.require_packer();
    perform interlock.raise_error('SESSION_NOT_FOUND', jsonb_build_object('session_id', p_session_id));
  end if;
  return v_session;
end
$$;
