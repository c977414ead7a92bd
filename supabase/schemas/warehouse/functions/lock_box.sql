-- Lock the box of an order against whoever completes it or takes it out, and answer what it is; the one helper for this kind of lock.
--
-- Callers: interlock.complete_box, interlock.take_out_order, interlock.need_less, interlock.close_sent_box.
-- Locks: the box, waiting.
-- Errors: 55P03 after lock_timeout. Null if the order is not in the session.
create function interlock.lock_box(p_session_id uuid, p_order_id uuid)
returns interlock.picking_session_orders
language plpgsql
set search_path = ''
as $$
declare
  v_box interlock.picking_session_orders;
begin
  if clock_timestamp() > statement_timestamp() + interval '100 milliseconds' then
    perform interlock.limit_wait();
  end if;
  select b.*
  into v_box
  from interlock.picking_session_orders b
  where b.picking_session_id = p_session_id
    and b.order_id = p_order_id
  for no key update;
  return v_box;
end
$$;
