-- The lines that public.manage_inventory answers, of stock that interlock.lock_inventory has answered and that was changed
-- since, in its order.
--
-- Callers: interlock.change_inventory, interlock.transfer_inventory, interlock.receive_transfer, interlock.cancel_transfer.
-- Locks: held already.
create function interlock.moved_inventory(p_stock jsonb)
returns json
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select json_agg(
      json_build_object(
        'inventory_id', s.inventory_id,
        'product_id', s.product_id,
        'location_id', s.location_id,
        'old_quantity', trim_scale(s.quantity),
        'new_quantity', coalesce(trim_scale(i.quantity), p.available_quantity - p.backordered),
        'version', coalesce(i.version::bigint, interlock.stock_version(s.product_id))
      )
      order by s.first_line
    )
    from jsonb_to_recordset(p_stock) as s (
      first_line int, inventory_id uuid, product_id uuid, location_id uuid, quantity numeric
    )
    left join interlock.inventory i on i.id = s.inventory_id
    left join interlock.products p on p.id = s.inventory_id
  );
end
$$;
