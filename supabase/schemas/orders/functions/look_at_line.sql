-- As interlock.look_at_cart, of a cart of one line, as most are: without sets, which cost a tenth of a checkout.
--
-- Callers: interlock.checkout, with a line in which interlock.find_checkout_problems has found no problem.
-- Locks: none.
create function interlock.look_at_line(p_item jsonb)
returns interlock.cart_look
language plpgsql
stable
set search_path = ''
as $$
declare
  v_id constant uuid := p_item ->> 'product_id';
  v_quantity constant int := (p_item -> 'quantity')::numeric;
  v_product interlock.products;
  v_available int;
  v_in_one_slot int;
begin
  select p.* into v_product from interlock.products p where p.id = v_id;
  v_available := v_product.available_quantity;

  if v_product.stock_slots > 0 then
    select v_available - coalesce(sum(s.used), 0), max(s.granted - s.used)
    into v_available, v_in_one_slot
    from interlock.counter_slots s
    where s.owner_id = v_id;
  end if;

  return row(
    array[v_id],
    array[v_quantity],
    array[v_product.price::bigint],
    array[v_product.name::text],
    array[v_product.kind::text],
    array[v_product.currency::text],
    jsonb_build_array(jsonb_build_object(
      'product_id', v_id,
      'name', v_product.name,
      'quantity', v_quantity,
      'unit_price', v_product.price,
      'discount', 0,
      'tax', 0,
      'total', v_quantity * v_product.price
    )),
    v_quantity * v_product.price,
    v_quantity,
    case when v_product.active is not true then array[v_id] end,
    v_product.price <> (p_item -> 'expected_unit_price')::numeric,
    case
      when v_available < v_quantity then
        jsonb_build_array(jsonb_build_object('product_id', v_id, 'requested', v_quantity, 'available', v_available))
    end,
    case when v_in_one_slot >= v_quantity then array[v_id] end,
    v_product.stock_policy <> 'tracked' or num_nonnulls(v_product.max_per_order, v_product.max_per_customer) > 0
  );
end
$$;
