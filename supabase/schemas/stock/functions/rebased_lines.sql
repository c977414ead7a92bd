-- Lines of a `set` that is tried again on the present stock, as a key remembers them: by what they add, whatever they were
-- added to.
--
-- Callers: interlock.change_inventory_once.
create function interlock.rebased_lines(p_lines jsonb)
returns jsonb
language plpgsql
immutable
set search_path = ''
as $$
begin
  return (
    select jsonb_agg(
      (l.line - 'quantity' - 'expected_quantity' - 'expected_version') || jsonb_build_object(
        'difference', trim_scale((l.line ->> 'quantity')::numeric - (l.line ->> 'expected_quantity')::numeric)
      )
      order by l.n
    )
    from jsonb_array_elements(p_lines) with ordinality as l (line, n)
  );
end
$$;
