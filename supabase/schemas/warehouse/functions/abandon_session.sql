-- Give up a session: all its open orders leave it and may go into another one; what is in the baskets goes back to the shelf
-- (interlock.put_backs). Orders that were completed stay completed.
--
-- Callers: interlock.abandon_picking_session, interlock.abandon_stale_sessions.
-- Locks: its boxes by order, and with each as interlock.take_out_order.
-- Errors: 55P03 after lock_timeout.
create function interlock.abandon_session(p_session_id uuid)
returns void
language plpgsql
set search_path = ''
as $$
begin
  -- All boxes before the first basket: whoever takes an order out goes from its box to baskets and to the session.
  perform
    clock_timestamp() < statement_timestamp() + interval '100 milliseconds' or interlock.limit_wait()
  from interlock.picking_session_orders b
  where b.picking_session_id = p_session_id
    and b.status = 'open'
  order by b.order_id
  for no key update;
  perform interlock.lock_baskets(p_session_id, null);
  perform interlock.take_out_order(p_session_id, b.order_id, 'removed')
  from (
    select o.order_id
    from interlock.picking_session_orders o
    where o.picking_session_id = p_session_id
      and o.status = 'open'
    order by o.order_id
  ) b;
end
$$;
