-- The incident reports' optimistic lock: read the row with its version, write it back only if
-- the version is still the same, and try again if not. The reports try again from the
-- application, at most three times; here the loop is in the function, which saves the
-- round trips and never gives up.

create function bench_peers.checkout_version_with_retry(p_cart_items jsonb, p_idempotency_key text)
returns text
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_order_id constant uuid := gen_random_uuid();
  v_response jsonb;
  v_line record;
  v_available int;
  v_version bigint;
begin
  v_response := bench_peers.begin_request(p_idempotency_key, p_cart_items);
  if v_response is not null then
    return v_response #>> '{order,id}';
  end if;

  for v_line in
    select (i.item ->> 'product_id')::uuid as product_id, (i.item ->> 'quantity')::int as quantity
    from jsonb_array_elements(p_cart_items) as i (item)
    order by 1
  loop
    loop
      select p.available_quantity, p.version into v_available, v_version
      from bench_peers.products p
      where p.id = v_line.product_id;

      if v_available < v_line.quantity then
        raise exception using errcode = 'PT409', message = 'INSUFFICIENT_INVENTORY';
      end if;

      update bench_peers.products p
      set available_quantity = v_available - v_line.quantity, version = v_version + 1
      where p.id = v_line.product_id
        and p.version = v_version;

      exit when found;
    end loop;

    perform bench_peers.record_movement(
      v_line.product_id, -v_line.quantity, v_available - v_line.quantity, v_order_id
    );
  end loop;

  return bench_peers.finish_order(v_order_id, p_cart_items, p_idempotency_key) #>> '{order,id}';
end
$$;

grant execute on function bench_peers.checkout_version_with_retry(jsonb, text) to authenticated;
