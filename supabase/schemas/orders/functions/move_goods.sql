-- Bring the goods of a confirmed or paid order on, once. Goods that are there already stay as they are, but for a tracking
-- number that is said only now, or corrected: the history has each.
--
-- Callers: interlock.process_order, interlock.ship_order.
-- Locks: the account of the buyer and the order; with p_to shipped as interlock.close_sent_box.
-- Errors: ORDER_NOT_FOUND; ORDER_STATE_CONFLICT with status and fulfillment; with p_to shipped INSUFFICIENT_INVENTORY.
create function interlock.move_goods(p_order_id uuid, p_from text[], p_to text, p_tracking text)
returns void
language plpgsql
set search_path = ''
as $$
declare
  v_order interlock.orders;
  v_shipment_id uuid;
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

  if p_to = 'shipped' then
    select interlock.add_shipment(p_order_id, array_agg(r.product_id), array_agg(r.on_shelf), p_tracking)
    into v_shipment_id
    from interlock.order_rest(p_order_id) r
    where r.kind = 'physical'
      and r.on_shelf > 0
    having count(*) > 0;

    -- Of what has left already the last parcel is meant.
    if v_order.fulfillment = p_to and p_tracking is not null then
      update interlock.order_shipments s
      set tracking = p_tracking
      where s.id = (
        select l.id from interlock.order_shipments l where l.order_id = p_order_id order by l.id desc limit 1
      );
    end if;
    perform interlock.close_sent_box(p_order_id, v_shipment_id);
  end if;

  update interlock.orders o
  set fulfillment = p_to,
      tracking = coalesce(p_tracking, o.tracking)
  where o.id = p_order_id;
end
$$;
