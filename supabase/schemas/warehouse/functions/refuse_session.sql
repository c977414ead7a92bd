-- Refuse what cannot be done in the present state of a picking session, or of an order in it.
--
-- Errors: SESSION_STATE_CONFLICT.
create function interlock.refuse_session(p_session_id uuid, p_order_id uuid default null)
returns void
language plpgsql
set search_path = ''
as $$
begin
  perform interlock.raise_error('SESSION_STATE_CONFLICT', jsonb_strip_nulls(jsonb_build_object(
    'session_id', p_session_id,
    'status', (select s.status from interlock.picking_sessions s where s.id = p_session_id),
    'order_id', p_order_id,
    'order_status', (
      select o.status
      from interlock.picking_session_orders o
      where o.picking_session_id = p_session_id
        and o.order_id = p_order_id
    )
  )));
end
$$;
