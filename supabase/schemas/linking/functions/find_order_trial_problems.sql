-- What a table of the shop's own refuses when rows are tried: an order in every state that there is, from its first one on, and
-- without a buyer, as it is once their account was deleted; all of it undone. Sequences of the table have gone on by that.
--
-- Callers: interlock.link_orders.
-- Locks: what the table's triggers and foreign keys lock.
create function interlock.find_order_trial_problems(p_link interlock.order_links)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  v_problems jsonb;
  v_order interlock.orders;
  v_details interlock.order_details;
  v_items interlock.order_items[];
  v_state record;
  v_tried text;
  v_found jsonb := jsonb '[]';
begin
  v_order.id := interlock.new_id();
  v_order.number := (select s.last_value from interlock.orders_number_seq s);
  v_order.user_id := coalesce(
    (select o.user_id from interlock.orders o where o.user_id is not null order by o.id desc limit 1),
    (select u.id from interlock.accounts u order by u.created_at desc nulls last limit 1)
  );
  v_order.currency := coalesce((select p.currency from interlock.products p limit 1), 'EUR');
  v_order.subtotal := 1999;
  v_order.discount := 0;
  v_order.shipping := 0;
  v_order.tax := 0;
  v_order.total := 1999;
  v_order.refunded := 0;
  v_order.created_at := interlock.clock();
  v_details.shipping_address := '{"name": "Trial", "line1": "1 Trial Street"}';
  v_details.contact := '{"email": "trial@example.com"}';
  v_details.metadata := '{"trial": "trial"}';
  v_items := array(
    select jsonb_populate_record(null::interlock.order_items, jsonb_build_object(
      'order_id', v_order.id, 'product_id', interlock.new_id(), 'quantity', 1, 'unit_price', 1999, 'name', 'Trial',
      'kind', 'physical', 'discount', 0, 'tax', 0, 'untracked', false, 'backordered', 0
    ))
  );

  for v_state in
    select *
    from (values
      ('pending_payment', 'unfulfilled', 'bank_transfer'), ('confirmed', 'processing', 'cash_on_delivery'),
      ('paid', 'partly_shipped', 'card'), ('paid', 'shipped', 'wallet'), ('fulfilled', 'delivered', 'card'),
      ('cancelled', 'unfulfilled', 'card'), ('expired', 'unfulfilled', 'bank_transfer'), ('refunded', 'delivered', 'card')
    ) s (status, fulfillment, payment_method)
  loop
    begin
      v_tried := format('an order that is %s and %s, by %s', v_state.status, v_state.fulfillment, v_state.payment_method);
      v_order.payment_method := v_state.payment_method;
      v_order.status := case v_state.payment_method
        when 'cash_on_delivery' then 'confirmed' when 'wallet' then 'paid' else 'pending_payment'
      end;
      v_order.fulfillment := 'unfulfilled';
      v_order.paid_at := case v_order.status when 'paid' then v_order.created_at end;
      perform interlock.put_order_row(p_link, interlock.order_row(p_link, v_order, v_details, v_items));
      v_order.status := v_state.status;
      v_order.fulfillment := v_state.fulfillment;
      v_order.paid_at := case when v_state.status in ('paid', 'fulfilled', 'refunded') then v_order.created_at end;
      v_order.fulfilled_at := case when v_state.fulfillment = 'delivered' then v_order.created_at end;
      v_order.cancelled_at := case when v_state.status in ('cancelled', 'expired') then v_order.created_at end;
      v_order.refunded_at := case v_state.status when 'refunded' then v_order.created_at end;
      perform interlock.put_order_row(p_link, interlock.order_row(p_link, v_order, v_details, v_items));
      if v_state.status in ('fulfilled', 'cancelled', 'expired', 'refunded') then
        v_tried := v_tried || ', and without its buyer''s account';
        perform interlock.put_order_row(p_link, interlock.order_row(
          p_link, jsonb_populate_record(v_order, '{"user_id": null}'), jsonb_populate_record(v_details, '{"shipping_address": null, "contact": null}'), v_items
        ));
      end if;
      raise exception using errcode = 'UNDO1', message = 'undo';
    exception
      when others then
        if sqlstate <> 'UNDO1' then
          v_found := v_found || jsonb_build_array(jsonb_build_object('why', sqlstate || ' ' || sqlerrm, 'what', v_tried));
        end if;
    end;
  end loop;

  select coalesce(jsonb_agg(jsonb_build_object(
    'pointer', '/p_target',
    'message', format('it refuses %s: %s', q.what, q.why),
    'rows', q.times
  ) order by q.place), '[]')
  into v_problems
  from (
    select f.value ->> 'why' as why, (array_agg(f.value ->> 'what' order by f.place))[1] as what, count(*) as times, min(f.place) as place
    from jsonb_array_elements(v_found) with ordinality as f (value, place)
    group by 1
  ) q;
  return v_problems;
end
$$;
