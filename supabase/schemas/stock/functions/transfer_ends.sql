-- Lines of a transfer at one location, as interlock.lock_inventory wants them, with `change`.
--
-- Callers: interlock.receive_transfer, interlock.cancel_transfer, interlock.correct_transfer, interlock.correct_shortfall,
--   interlock.correct_till_sale, interlock.take_packed_stock.
-- Locks: none.
create function interlock.transfer_ends(p_lines jsonb, p_location_id uuid)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select jsonb_agg(jsonb_build_object(
      'line', l.n - 1,
      'inventory_id', case p_location_id when interlock.online_location() then l.line -> 'product_id' else to_jsonb(i.id) end,
      'product_id', l.line -> 'product_id',
      'location_id', p_location_id,
      'change', l.line -> 'quantity'
    ))
    from jsonb_array_elements(p_lines) with ordinality as l (line, n)
    left join interlock.inventory i on i.product_id = (l.line ->> 'product_id')::uuid and i.location_id = p_location_id
  );
end
$$;
