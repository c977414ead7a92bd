-- An order as its buyer sees it, with its lines, its details and, once paid, its codes; with what was
-- refunded of it in parts, and its parcels, if there are any.
--
-- Callers: interlock.checkout and the functions of an order's life.
create function interlock.order_to_json(p_order_id uuid)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  v_row record;
  v_order interlock.orders;
  v_items jsonb;
  v_codes jsonb;
begin
  select
    o as the_order,
    interlock.shape_details(d.shipping_address, d.contact, d.metadata) as details,
    (
      select jsonb_agg(
        to_jsonb(r) - 'shop_id' - 'order_id' - 'actor' || jsonb_build_object('items', (
          select coalesce(jsonb_agg(to_jsonb(i) - 'shop_id' - 'order_id' - 'refund_id' - 'first_unit' order by i.product_id), '[]')
          from interlock.order_refund_items i
          where i.refund_id = r.id
        ))
        order by r.id
      )
      from interlock.order_refunds r
      where r.order_id = o.id
    ) as refunds,
    (
      select jsonb_agg(
        to_jsonb(s) - 'shop_id' - 'order_id' - 'actor' || jsonb_build_object('items', (
          select jsonb_agg(jsonb_build_object('product_id', i.product_id, 'quantity', i.quantity) order by i.product_id)
          from interlock.order_shipment_items i
          where i.shipment_id = s.id
        ))
        order by s.id
      )
      from interlock.order_shipments s
      where s.order_id = o.id
    ) as shipments
  into v_row
  from interlock.orders o
  left join interlock.order_details d on d.order_id = o.id
  where o.id = p_order_id;
  v_order := v_row.the_order;

  select jsonb_agg(
    jsonb_build_object(
      'product_id', i.product_id,
      'name', i.name,
      'quantity', i.quantity,
      'unit_price', i.unit_price,
      'discount', i.discount,
      'tax', i.tax,
      'total', i.quantity * i.unit_price
    ) || case when i.backordered > 0 then jsonb_build_object('backordered', i.backordered) else '{}' end
    order by i.product_id
  )
  into v_items
  from interlock.order_items i
  where i.order_id = p_order_id;

  if v_order.status in ('paid', 'fulfilled') then
    select jsonb_agg(jsonb_build_object('product_id', c.product_id, 'code', c.code) order by c.product_id, c.id)
    into v_codes
    from interlock.product_codes c
    where c.order_id = p_order_id
      and c.used_at is not null
      and c.replaced_by is null;
  end if;

  return interlock.shape_order(v_order, v_items, v_row.details)
    || case when v_codes is null then '{}' else jsonb_build_object('codes', v_codes) end
    || case
      when v_row.refunds is null then '{}'
      else jsonb_build_object('refunded', v_order.refunded, 'refunds', v_row.refunds)
    end
    || case when v_row.shipments is null then '{}' else jsonb_build_object('shipments', v_row.shipments) end;
end
$$;
