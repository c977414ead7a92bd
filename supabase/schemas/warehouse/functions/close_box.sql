-- Close the box of an order, and with the last one its session, however many close theirs at once: each counts the
-- session down by one, under the lock of its row, and whoever comes to nothing ends it.
--
-- Callers: interlock.complete_box, interlock.take_out_order, interlock.close_sent_box; with the box and its lines locked.
-- Locks: the session.
create function interlock.close_box(p_session_id uuid, p_order_id uuid, p_status text, p_shipment_id uuid)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_session interlock.picking_sessions;
begin
  update interlock.picking_session_orders b
  set status = p_status,
      shipment_id = p_shipment_id,
      closed_by = auth.uid(),
      closed_at = interlock.clock()
  where b.picking_session_id = p_session_id
    and b.order_id = p_order_id;
  update interlock.packing_progress p
  set box_open = false
  where p.picking_session_id = p_session_id
    and p.order_id = p_order_id;
  perform interlock.note_event(
    case when p_status = 'completed' then 'packing.order_completed' else 'packing.order_taken_out' end,
    p_session_id::text,
    jsonb_build_object(
      'session_id', p_session_id, 'order_id', p_order_id, 'status', p_status, 'shipment_id', p_shipment_id
    )
  );

  if clock_timestamp() > statement_timestamp() + interval '100 milliseconds' then
    perform interlock.limit_wait();
  end if;
  update interlock.picking_sessions s
  set open_orders = s.open_orders - 1,
      completed_orders = s.completed_orders + (p_status = 'completed')::int,
      status = case
        when s.open_orders > 1 then s.status
        when p_status = 'completed' or s.completed_orders > 0 then 'completed'
        else 'abandoned'
      end,
      ended_at = case when s.open_orders = 1 then interlock.clock() end
  where s.id = p_session_id
  returning s.* into v_session;
  if v_session.ended_at is not null then
    perform interlock.note_event('packing.session_ended', p_session_id::text, jsonb_build_object(
      'session_id', p_session_id, 'code', v_session.code, 'status', v_session.status
    ));
  end if;
end
$$;
