-- One end of the lines of a transfer as interlock.lock_inventory wants them, with `change` (the quantity, or with p_sign -1 less
-- that) and `of_line`. The ends of a line are numbered one after the other, so that answers have them in this order. A closed location
-- gets nothing.
--
-- Callers: interlock.transfer_inventory, with lines that interlock.find_inventory_problems has seen.
-- Locks: none.
-- Errors: LOCATION_NOT_FOUND, PRODUCT_NOT_FOUND, VALIDATION_FAILED.
create function interlock.name_transfer_ends(p_lines jsonb, p_end text, p_sign int)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select jsonb_agg(jsonb_build_object(
      'line', 2 * (e.line ->> 'line')::int + case p_sign when 1 then 1 else 0 end,
      'of_line', e.line -> 'line',
      'inventory_id', e.line -> 'inventory_id',
      'product_id', e.line -> 'product_id',
      'location_id', e.line -> 'location_id',
      'change', p_sign * (e.line ->> 'quantity')::numeric
    ))
    from jsonb_array_elements(interlock.name_inventory_lines(
      'transfer',
      (
        select jsonb_agg(
          jsonb_build_object(
            'product_id', l.line -> 'product_id', 'location_id', l.line -> p_end, 'quantity', l.line -> 'quantity'
          )
          order by l.n
        )
        from jsonb_array_elements(p_lines) with ordinality as l (line, n)
      ),
      p_sign = 1
    )) as e (line)
  );
end
$$;
