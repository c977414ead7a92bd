-- Bring a product from the stock that it has to another, and answer both. What has slots is shared out anew. What was owed
-- is filled first, so the new stock may be less than p_to.
--
-- Callers: interlock.adjust_stock, interlock.count_stock, interlock.write_inventory, which hold the product and have called
--   in its slots.
-- Locks: the product and its slots, held already.
-- Errors: STOCK_LIMIT_EXCEEDED.
create function interlock.move_stock(
  p_product_id uuid,
  p_from int,
  p_to int,
  p_reason text,
  p_reference_id uuid default null
)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  v_quantity int;
begin
  if p_to > interlock.most_units() then
    perform interlock.raise_error('STOCK_LIMIT_EXCEEDED', jsonb_build_object(
      'product_ids', jsonb_build_array(p_product_id), 'limit', interlock.most_units()
    ));
  end if;

  perform interlock.set_ledger_context(p_reason, p_reference_id);

  update interlock.products p
  set available_quantity = p_to
  where p.id = p_product_id
  returning p.available_quantity into v_quantity;

  perform interlock.set_ledger_context(null, null);

  perform interlock.grant_slots(p_product_id, p.stock_slots, p_to)
  from interlock.products p
  where p.id = p_product_id;

  return jsonb_build_object(
    'success', true,
    'product_id', p_product_id,
    'old_quantity', p_from,
    'new_quantity', v_quantity,
    'delta', p_to - p_from
  );
end
$$;
