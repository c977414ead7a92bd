-- Complete an order: each of its lines is packed, or given up as short. What is packed leaves as one parcel, with its tracking
-- number if there is one; however often and by however many this is asked for, there is one parcel. What is short is taken off
-- the order and paid back, or stays to be sent in another session (settings.short_lines).
--
-- Callers: interlock.pack_item.
-- Locks: the account of the buyer and the order; the box; the lines by product; the session; as interlock.take_packed_stock; for what is short as
--   interlock.take_off_order.
-- Errors: SESSION_STATE_CONFLICT, PACKING_LINE_NOT_FOUND, NOT_FULLY_PACKED, ORDER_STATE_CONFLICT, SHIPMENT_EXCEEDS_ORDER,
--   INSUFFICIENT_INVENTORY; 55P03 and 40P01 are transient.
create function interlock.complete_box(p_session interlock.picking_sessions, p_order_id uuid, p_tracking text)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  v_box interlock.picking_session_orders;
  v_order interlock.orders;
  v_open jsonb;
  v_products uuid[];
  v_packed int[];
  v_short jsonb;
  v_shipment_id uuid;
  v_goods text;
begin
  perform interlock.raise_error('PACKING_LINE_NOT_FOUND', jsonb_build_object(
    'session_id', (p_session).id, 'order_id', p_order_id
  ))
  where not exists (
    select
    from interlock.picking_session_orders b
    where b.picking_session_id = (p_session).id
      and b.order_id = p_order_id
  );
  perform interlock.lock_order(p_order_id);
  v_box := interlock.lock_box((p_session).id, p_order_id);
  if v_box.status = 'completed' then
    return interlock.box_answer((p_session).id, p_order_id);
  end if;
  if v_box.status <> 'open' or (p_session).status = 'picking' then
    perform interlock.refuse_session((p_session).id, p_order_id);
  end if;
  -- Who packs into it at this moment is waited for, and comes too late afterwards.
  perform
    clock_timestamp() < statement_timestamp() + interval '100 milliseconds' or interlock.limit_wait()
  from interlock.packing_progress p
  where p.picking_session_id = (p_session).id
    and p.order_id = p_order_id
  order by p.product_id
  for no key update;

  select
    jsonb_agg(jsonb_build_object(
      'progress_id', p.id, 'product_id', p.product_id, 'quantity_packed', p.quantity_packed,
      'quantity_needed', p.quantity_needed, 'quantity_short', p.quantity_short
    ) order by p.product_id) filter (where p.quantity_packed + p.quantity_short < p.quantity_needed),
    array_agg(p.product_id order by p.product_id) filter (where p.quantity_packed > 0),
    array_agg(p.quantity_packed::int order by p.product_id) filter (where p.quantity_packed > 0),
    jsonb_agg(jsonb_build_object(
      'product_id', p.product_id, 'quantity', p.quantity_short, 'restock', false, 'shipped', false
    ) order by p.product_id) filter (where p.quantity_short > 0)
  into v_open, v_products, v_packed, v_short
  from interlock.packing_progress p
  where p.picking_session_id = (p_session).id
    and p.order_id = p_order_id;
  if v_open is not null then
    perform interlock.raise_error('NOT_FULLY_PACKED', jsonb_build_object(
      'session_id', (p_session).id, 'order_id', p_order_id, 'lines', v_open
    ));
  end if;
  select o.* into v_order from interlock.orders o where o.id = p_order_id;
  if v_order.status not in ('confirmed', 'paid') or v_order.fulfillment in ('shipped', 'delivered') then
    perform interlock.raise_error('ORDER_STATE_CONFLICT', jsonb_build_object(
      'order_id', p_order_id, 'status', v_order.status, 'fulfillment', v_order.fulfillment
    ));
  end if;

  select jsonb_agg(
    jsonb_build_object('product_id', u.product_id, 'requested', u.quantity, 'shippable', coalesce(r.on_shelf, 0))
    order by u.product_id
  )
  into v_open
  from unnest(v_products, v_packed) as u (product_id, quantity)
  left join interlock.order_rest(p_order_id) r on r.product_id = u.product_id
  where u.quantity > coalesce(r.on_shelf, 0);
  -- A part of it was sent without this session.
  if v_open is not null then
    perform interlock.raise_error('SHIPMENT_EXCEEDS_ORDER', jsonb_build_object('order_id', p_order_id, 'lines', v_open));
  end if;

  if v_products is not null then
    v_shipment_id := interlock.add_shipment(p_order_id, v_products, v_packed, p_tracking);
    v_goods := case when interlock.has_to_ship(p_order_id) then 'partly_shipped' else 'shipped' end;
    update interlock.orders o
    set fulfillment = v_goods,
        tracking = coalesce(p_tracking, o.tracking)
    where o.id = p_order_id;
    -- Of another state the order's trigger writes the history.
    if v_goods = v_order.fulfillment then
      insert into interlock.order_events (order_id, event, tracking, actor)
      values (p_order_id, v_goods, p_tracking, auth.uid());
    end if;
  end if;
  perform interlock.note_scan((p_session).id, p_order_id, null, 'complete', null);
  perform interlock.close_box((p_session).id, p_order_id, 'completed', v_shipment_id);
  perform interlock.take_packed_stock(p_session, p_order_id);
  if v_short is not null and (select s.short_lines from interlock.settings s) = 'shorten' then
    perform interlock.take_off_order(p_order_id, v_short, 'short_pick', false, false, false);
  end if;
  return interlock.box_answer((p_session).id, p_order_id);
end
$$;
