-- What public.ship_order_lines does, with its owner's rights: a part of an order has left, in a parcel of its own. The order
-- is partly_shipped, and shipped once nothing of it is left to be sent: of no physical product a unit that was not
-- refunded. With a reference it counts once.
--
-- Callers: authenticated (staff) and service_role, through public.ship_order_lines.
-- Locks: the reference; the account of the buyer and the order; with the last part as interlock.close_sent_box. Two seconds at most in all.
-- Errors: UNAUTHENTICATED, FORBIDDEN, VALIDATION_FAILED, ORDER_NOT_FOUND, ORDER_STATE_CONFLICT, SHIPMENT_EXCEEDS_ORDER,
--   INSUFFICIENT_INVENTORY, IDEMPOTENCY_KEY_REUSED; 55P03 is transient.
-- Security definer: nobody has the right to write orders.
create function interlock.ship_order_lines(p_order_id uuid, p_lines jsonb, p_tracking text, p_reference text)
returns json
language plpgsql
security definer
set search_path = ''
set lock_timeout = '2s'
set plan_cache_mode = force_generic_plan
set timezone = 'UTC'
as $$
declare
  v_problems jsonb := '[]'::jsonb;
  v_answer jsonb;
  v_order interlock.orders;
  v_excess jsonb;
  v_shipment_id uuid;
  v_goods text;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform interlock.raise_isolation_level();
  end if;
  perform interlock.refuse_unless_shop();

  if p_order_id is null then
    v_problems := v_problems || interlock.problem('/p_order_id', 'is required');
  end if;
  v_problems := v_problems || interlock.find_line_problems(p_lines, '{}');
  if not interlock.is_line(p_tracking, 200) then
    v_problems := v_problems || interlock.problem('/p_tracking', 'must have 1 to 200 characters');
  end if;
  perform interlock.refuse_problems(v_problems);

  v_answer := interlock.begin_reference(
    'ship_order_lines', p_reference, jsonb_build_array(p_order_id, p_lines, p_tracking)
  );
  if v_answer is not null then
    return v_answer::json;
  end if;

  if interlock.lock_order(p_order_id) is null then
    perform interlock.raise_error('ORDER_NOT_FOUND', jsonb_build_object('order_id', p_order_id));
  end if;
  select o.* into v_order from interlock.orders o where o.id = p_order_id;
  if v_order.status not in ('confirmed', 'paid')
    or v_order.fulfillment not in ('unfulfilled', 'processing', 'partly_shipped')
  then
    perform interlock.raise_error('ORDER_STATE_CONFLICT', jsonb_build_object(
      'order_id', p_order_id, 'status', v_order.status, 'fulfillment', v_order.fulfillment
    ));
  end if;

  select jsonb_agg(
    jsonb_build_object('product_id', w.product_id, 'requested', w.quantity, 'shippable', coalesce(r.on_shelf, 0))
    order by w.product_id
  )
  into v_excess
  from jsonb_to_recordset(p_lines) as w (product_id uuid, quantity numeric)
  left join interlock.order_rest(p_order_id) r on r.product_id = w.product_id and r.kind = 'physical'
  where w.quantity > coalesce(r.on_shelf, 0);
  if v_excess is not null then
    perform interlock.raise_error('SHIPMENT_EXCEEDS_ORDER', jsonb_build_object(
      'order_id', p_order_id, 'lines', v_excess
    ));
  end if;

  select interlock.add_shipment(p_order_id, array_agg(w.product_id), array_agg(w.quantity::int), p_tracking)
  into v_shipment_id
  from jsonb_to_recordset(p_lines) as w (product_id uuid, quantity numeric);

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

  if v_goods = 'shipped' then
    perform interlock.close_sent_box(p_order_id, v_shipment_id);
  end if;

  return interlock.finish_reference(
    'ship_order_lines', p_reference,
    interlock.order_answer(p_order_id)::jsonb || jsonb_build_object('shipment_id', v_shipment_id)
  )::text::json;
end
$$;
