-- Take orders that have ended out of the sessions in which they are picked or packed.
--
-- Callers: interlock.settle_orders, before it locks anything; with the orders locked.
-- Locks: as interlock.take_out_order, one order after the other by their ids.
create function interlock.leave_sessions(p_order_ids uuid[])
returns void
language plpgsql
set search_path = ''
as $$
begin
  perform interlock.take_out_order(b.picking_session_id, b.order_id, 'cancelled')
  from (
    select o.picking_session_id, o.order_id
    from interlock.picking_session_orders o
    where o.order_id = any (p_order_ids)
      and o.status = 'open'
    order by o.order_id
  ) b;
end
$$;
