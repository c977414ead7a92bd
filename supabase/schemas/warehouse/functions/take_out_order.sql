-- Take an order out of its session: what was packed for it is in the basket again, and what the others do not need goes back to
-- the shelf (interlock.put_backs).
--
-- Callers: interlock.leave_sessions, interlock.remove_order_from_session, interlock.abandon_session, interlock.need_less.
-- Locks: the box; the baskets by product; the lines; the session.
-- Errors: 55P03 after lock_timeout. False if it was closed already.
create function interlock.take_out_order(p_session_id uuid, p_order_id uuid, p_status text)
returns boolean
language plpgsql
set search_path = ''
as $$
declare
  v_box constant interlock.picking_session_orders := interlock.lock_box(p_session_id, p_order_id);
begin
  if v_box.status is distinct from 'open' then
    return false;
  end if;
  perform interlock.lock_baskets(p_session_id, array(
    select p.product_id from interlock.packing_progress p where p.picking_session_id = p_session_id and p.order_id = p_order_id
  ));
  update interlock.picking_session_items i
  set quantity_needed = i.quantity_needed - p.quantity_needed,
      quantity_packed = i.quantity_packed - p.quantity_packed,
      version = i.version + 1
  from interlock.packing_progress p
  where p.picking_session_id = p_session_id
    and p.order_id = p_order_id
    and i.picking_session_id = p_session_id
    and i.product_id = p.product_id;

  insert into interlock.packing_scans (picking_session_id, order_id, product_id, action, quantity, actor)
  select p_session_id, p_order_id, p.product_id, 'take_out', -p.quantity_packed, auth.uid()
  from interlock.packing_progress p
  where p.picking_session_id = p_session_id
    and p.order_id = p_order_id
    and p.quantity_packed > 0
  order by p.product_id;
  update interlock.packing_progress p
  set quantity_packed = 0,
      quantity_short = 0,
      box_open = false,
      version = p.version + 1,
      updated_at = now()
  where p.picking_session_id = p_session_id
    and p.order_id = p_order_id;
  perform interlock.close_box(p_session_id, p_order_id, p_status, null);
  return true;
end
$$;
