-- The lines that expect another stock than there is, with what there is; null if none does.
--
-- Callers: interlock.change_inventory, with the stock that interlock.lock_inventory has answered.
create function interlock.find_inventory_conflicts(p_lines jsonb, p_stock jsonb)
returns jsonb
language plpgsql
immutable
set search_path = ''
as $$
begin
  return (
    select jsonb_agg(
      jsonb_build_object(
        'line', l.line,
        -- Somebody may have made the row meanwhile; one that was made for this goes with the refusal.
        'inventory_id', case when not s.made then s.inventory_id end,
        'product_id', l.product_id,
        'location_id', l.location_id,
        'expected_version', l.expected_version,
        'expected_quantity', trim_scale(l.expected_quantity),
        'version', s.version,
        'quantity', s.quantity
      )
      order by l.line
    )
    from jsonb_to_recordset(p_lines) as l (
      line int, product_id uuid, location_id uuid, expected_version numeric, expected_quantity numeric
    )
    join jsonb_to_recordset(p_stock) as s (
      inventory_id uuid, product_id uuid, location_id uuid, quantity numeric, version bigint, made boolean
    )
      on s.product_id = l.product_id and s.location_id = l.location_id
    where l.expected_version <> s.version
      or l.expected_quantity <> s.quantity
  );
end
$$;
