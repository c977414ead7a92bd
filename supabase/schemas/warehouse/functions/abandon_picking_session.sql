-- What public.abandon_picking_session does, with its owner's rights: give up a session. Called again it answers the same.
--
-- Callers: authenticated (managers of the location, staff) and service_role, through public.abandon_picking_session.
-- Locks: as interlock.abandon_session, two seconds at most.
-- Errors: UNAUTHENTICATED, FORBIDDEN, SESSION_NOT_FOUND; 55P03 is transient.
-- Security definer: nobody has the right to write sessions.
create function interlock.abandon_picking_session(p_session_id uuid)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
set timezone = 'UTC'
as $$
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;
  perform interlock.require_packer();
  perform interlock.find_session(p_session_id);
  if not interlock.acts_for_shop() and auth.jwt() -> 'app_metadata' ->> 'role' <> 'manager' then
    perform interlock.raise_error('FORBIDDEN');
  end if;
  perform interlock.abandon_session(p_session_id);
  return jsonb_build_object('success', true, 'session', interlock.session_to_json(p_session_id));
end
$$;
