-- The row of an order as a table of the shop's own has it, by its columns: texts that they read, and JSON.
--
-- Callers: interlock.write_order_row, interlock.find_order_trial_problems, interlock.order_drift.
-- Locks: none.
create function interlock.order_row(
  p_link interlock.order_links, p_order interlock.orders, p_details interlock.order_details, p_items interlock.order_items[]
)
returns jsonb
language plpgsql
stable
set search_path = ''
set timezone = 'UTC'
as $$
declare
  v_scale constant numeric := case p_link.map ->> 'unit' when 'major' then 10::numeric ^ interlock.currency_decimals(p_order.currency) else 1 end;
  v_digits constant int := case p_link.map ->> 'unit' when 'major' then interlock.currency_decimals(p_order.currency) else 0 end;
  v_fields jsonb := to_jsonb(p_order) - 'shop_id' || jsonb_build_object(
    'user', p_order.user_id,
    'subtotal', round(p_order.subtotal / v_scale, v_digits),
    'discount', round(p_order.discount / v_scale, v_digits),
    'shipping', round(p_order.shipping / v_scale, v_digits),
    'tax', round(p_order.tax / v_scale, v_digits),
    'total', round(p_order.total / v_scale, v_digits),
    'refunded', round(p_order.refunded / v_scale, v_digits),
    'shipping_address', p_details.shipping_address,
    'contact', p_details.contact,
    'metadata', p_details.metadata
  );
begin
  if p_link.map ? 'customer' then
    v_fields := v_fields || jsonb_build_object('customer', (
      select m.source_id
      from interlock.customers c
      join interlock.linked_customers m on m.customer_id = c.id
      where c.user_id = p_order.user_id
    ));
  end if;
  if p_link.map ? 'lines' then
    v_fields := v_fields || jsonb_build_object('lines', (
      select coalesce(jsonb_agg(jsonb_build_object(
        'product_id', i.product_id,
        'source_id', m.source_id,
        'name', i.name,
        'quantity', i.quantity,
        'unit_price', round(i.unit_price / v_scale, v_digits),
        'discount', round(i.discount / v_scale, v_digits),
        'tax', round(i.tax / v_scale, v_digits),
        'total', round(i.quantity * i.unit_price / v_scale, v_digits)
      ) order by i.product_id), '[]')
      from unnest(p_items) i
      left join interlock.linked_products m on m.product_id = i.product_id
    ));
  end if;
  return (
    select jsonb_object_agg(
      interlock.column_of(e.value),
      case
        when jsonb_typeof(v_fields -> e.key) in ('object', 'array') then v_fields -> e.key
        else to_jsonb(coalesce(e.value -> 'as' ->> (v_fields ->> e.key), v_fields ->> e.key))
      end
    )
    from jsonb_each(p_link.map) e
    where e.key <> 'unit'
  );
end
$$;
