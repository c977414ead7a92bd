-- What public.start_packing does, with its owner's rights: from now on what is in the baskets may be packed. Picking goes on where something is
-- missing. Called again it answers the same.
--
-- Callers: authenticated (packers, managers, staff) and service_role, through public.start_packing.
-- Locks: the session, two seconds at most.
-- Errors: UNAUTHENTICATED, FORBIDDEN, SESSION_NOT_FOUND, SESSION_STATE_CONFLICT; 55P03 is transient.
-- Security definer: nobody has the right to write sessions.
create function interlock.start_packing(p_session_id uuid)
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

  update interlock.picking_sessions s
  set status = 'packing',
      packing_started_at = interlock.clock()
  where s.id = p_session_id
    and s.status = 'picking';
  if found then
    perform interlock.note_event('packing.started', p_session_id::text, jsonb_build_object('session_id', p_session_id));
  elsif (interlock.find_session(p_session_id)).status <> 'packing' then
    perform interlock.refuse_session(p_session_id);
  end if;
  return jsonb_build_object('success', true, 'session', interlock.session_to_json(p_session_id));
end
$$;
