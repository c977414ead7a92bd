-- Bring the goods of a confirmed or paid order on, once. Goods that are there already stay as they are, but for a tracking
-- number that is said only now, or corrected: the history has each.
--
-- Callers: interlock.process_order, interlock.ship_order.
-- Locks: the order.
-- Errors: ORDER_NOT_FOUND; ORDER_STATE_CONFLICT with status and fulfillment.
create function interlock.move_goods(p_order_id uuid, p_from text[], p_to text, p_tracking text)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_order interlock.orders;
begin
  if interlock.lock_order(p_order_id) is null then
    perform interlock.raise_error('ORDER_NOT_FOUND', jsonb_build_object('order_id', p_order_id));
  end if;
  select o.* into v_order from interlock.orders o where o.id = p_order_id;

  if v_order.status not in ('confirmed', 'paid') or v_order.fulfillment <> all (p_from || p_to) then
    perform interlock.raise_error('ORDER_STATE_CONFLICT', jsonb_build_object(
      'order_id', p_order_id, 'status', v_order.status, 'fulfillment', v_order.fulfillment
    ));
  end if;

  update interlock.orders o
  set fulfillment = p_to,
      tracking = coalesce(p_tracking, o.tracking)
  where o.id = p_order_id;
end
$$;
