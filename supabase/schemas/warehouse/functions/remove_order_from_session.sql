-- What public.remove_order_from_session does, with its owner's rights: an order leaves its session, and may go into another one. What was packed
-- for it is in the basket again. Called again it answers the same.
--
-- Callers: authenticated (packers, managers, staff) and service_role, through public.remove_order_from_session.
-- Locks: the box; the baskets by product; the lines; the session; two seconds at most.
-- Errors: UNAUTHENTICATED, FORBIDDEN, SESSION_NOT_FOUND, PACKING_LINE_NOT_FOUND, SESSION_STATE_CONFLICT (it was completed); 55P03 is transient.
-- Security definer: nobody has the right to write sessions.
create function interlock.remove_order_from_session(p_session_id uuid, p_order_id uuid)
returns jsonb
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
as $$
declare
  v_status text;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;
  perform interlock.require_packer();
  perform interlock.find_session(p_session_id);

  if not interlock.take_out_order(p_session_id, p_order_id, 'removed') then
    select b.status
    into v_status
    from interlock.picking_session_orders b
    where b.picking_session_id = p_session_id
      and b.order_id = p_order_id;
    if v_status is null then
      perform interlock.raise_error('PACKING_LINE_NOT_FOUND', jsonb_build_object(
        'session_id', p_session_id, 'order_id', p_order_id
      ));
    elsif v_status = 'completed' then
      perform interlock.refuse_session(p_session_id, p_order_id);
    end if;
  end if;
  return interlock.box_answer(p_session_id, p_order_id);
end
$$;
