-- The incident reports' checkout: the application creates the order, then calls
-- decrement_inventory for each line. Every call is a transaction of its own, so a cart may
-- be sold in part; the point here is what the round trips and commits cost.

create function bench_peers.create_order(p_cart_items jsonb, p_idempotency_key text)
returns text
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_response jsonb;
begin
  v_response := coalesce(
    bench_peers.begin_request(p_idempotency_key, p_cart_items),
    bench_peers.finish_order(gen_random_uuid(), p_cart_items, p_idempotency_key)
  );
  return v_response #>> '{order,id}';
end
$$;

-- As in the report, with the ledger and the order that it is for.
create function bench_peers.decrement_inventory(p_product_id uuid, p_quantity int, p_order_id text)
returns text
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_old_quantity int;
  v_new_quantity int;
begin
  select p.available_quantity into v_old_quantity
  from bench_peers.products p
  where p.id = p_product_id
  for update;

  if v_old_quantity < p_quantity then
    raise exception using errcode = 'PT409', message = 'INSUFFICIENT_INVENTORY';
  end if;

  update bench_peers.products p
  set available_quantity = p.available_quantity - p_quantity
  where p.id = p_product_id
    and p.available_quantity >= p_quantity
  returning p.available_quantity into v_new_quantity;

  perform bench_peers.record_movement(p_product_id, -p_quantity, v_new_quantity, p_order_id::uuid);

  return jsonb_build_object(
    'success', true,
    'old_quantity', v_old_quantity,
    'new_quantity', v_new_quantity,
    'deducted', p_quantity
  )::text;
end
$$;

grant execute on function bench_peers.create_order(jsonb, text) to authenticated;
grant execute on function bench_peers.decrement_inventory(uuid, int, text) to authenticated;
