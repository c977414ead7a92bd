-- Bring the goods of a confirmed or paid order on, once. Goods that are there already stay as they are, unless another
-- tracking number is meant: that is refused rather than lost.
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

  if v_order.status in ('confirmed', 'paid') and v_order.fulfillment = any (p_from) then
    update interlock.orders o
    set fulfillment = p_to,
        tracking = p_tracking
    where o.id = p_order_id;
  elsif v_order.status not in ('confirmed', 'paid')
    or v_order.fulfillment <> p_to
    or coalesce(p_tracking, v_order.tracking) is distinct from v_order.tracking
  then
    perform interlock.raise_error('ORDER_STATE_CONFLICT', jsonb_build_object(
      'order_id', p_order_id, 'status', v_order.status, 'fulfillment', v_order.fulfillment
    ));
  end if;
end
$$;
