-- Take of a product's stock in the web shop, and say what interlock.decrement_inventory answers. Of an untracked product
-- nothing is taken; of one that is sold beyond its stock the quantities are less what is owed.
--
-- Callers: interlock.decrement_inventory.
-- Locks: as interlock.take_stock.
-- Errors: VALIDATION_FAILED, INVENTORY_NOT_FOUND, INSUFFICIENT_INVENTORY; 55P03 after lock_timeout.
create function interlock.decrement_online(p_product_id uuid, p_quantity numeric)
returns json
language plpgsql
set search_path = ''
as $$
declare
  v_deducted numeric := trim_scale(p_quantity);
  v_product interlock.products;
  v_details jsonb;
  v_text text;
begin
  select p.* into v_product from interlock.products p where p.id = p_product_id;
  if not found then
    perform interlock.raise_error(
      'INVENTORY_NOT_FOUND', jsonb_build_object('inventory_ids', jsonb_build_array(p_product_id))
    );
  end if;
  if v_product.kind = 'digital' then
    perform interlock.refuse_problems(interlock.problem(
      '/p_inventory_id', 'is a digital product: claim its codes with claim_product_codes_atomic'
    ));
  end if;
  if p_quantity <> trunc(p_quantity) or p_quantity > interlock.most_units() then
    perform interlock.refuse_problems(interlock.problem(
      '/p_quantity', format('must be an integer of at most %s: the web shop sells whole units', interlock.most_units())
    ));
  end if;

  if v_product.stock_policy = 'untracked' then
    v_deducted := 0;
  else
    begin
      perform interlock.take_stock(array[p_product_id], array[p_quantity::int], 'decrement', null);
    exception
      -- A shortage, which is to say where.
      when sqlstate 'PT409' then
        get stacked diagnostics v_text = pg_exception_detail;
        v_details := v_text::jsonb;
        perform interlock.raise_error(sqlerrm, jsonb_build_object('shortages', jsonb_build_array(
          jsonb_build_object('inventory_id', p_product_id, 'location_id', interlock.online_location())
            || (v_details -> 'shortages' -> 0)
        )));
    end;
  end if;

  select p.* into v_product from interlock.products p where p.id = p_product_id;

  return json_build_object(
    'success', true,
    'inventory_id', p_product_id,
    'old_quantity', v_product.available_quantity - v_product.backordered + v_deducted,
    'new_quantity', v_product.available_quantity - v_product.backordered,
    'deducted', v_deducted
  );
end
$$;
