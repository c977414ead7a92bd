-- What came back with a sale, as its answer shows it.
--
-- Apart from interlock.sale_to_json, and not in its SQL, so that a sale without returns does not plan it.
--
-- Callers: interlock.sale_to_json.
-- Locks: none.
create function interlock.returns_to_json(p_sale_id uuid)
returns json
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select json_agg(
      json_build_object(
        'n', r.n,
        'sale_id', r.original_sale_id,
        'line', r.original_line,
        'product_id', r.product_id,
        'inventory_id', r.inventory_id,
        'name', r.name,
        'quantity', trim_scale(r.quantity),
        'unit_price', r.unit_price,
        'tax', r.tax,
        'amount', r.amount,
        'restock', r.restock,
        'reason', r.reason
      )
      order by r.n
    )
    from interlock.sale_returns r
    where r.sale_id = p_sale_id
  );
end
$$;
