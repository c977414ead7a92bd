-- The members that a line of public.manage_inventory may have, by action: of which kind, and whether it must have them.
-- Of a transfer that is in transit lines name products alone (p_of_transfer).
--
-- Callers: interlock.find_inventory_problems.
create function interlock.inventory_members(p_action text, p_of_transfer boolean)
returns table (name text, kind text, needed boolean)
language plpgsql
immutable
rows 5
set search_path = ''
as $$
begin
  return query
    select m.name, m.kind, m.needed
    from (values
      ('get adjust receive set count', false, 'inventory_id', 'id', false),
      ('get adjust receive set count', false, 'product_id', 'id', false),
      ('get adjust receive set count', false, 'location_id', 'id', false),
      ('adjust', false, 'delta', 'change', true),
      ('receive transfer', false, 'quantity', 'amount', true),
      ('set', false, 'quantity', 'level', true),
      ('adjust set', false, 'expected_version', 'version', false),
      ('set', false, 'expected_quantity', 'seen', false),
      ('count', false, 'counted', 'level', true),
      ('count', false, 'began_at', 'time', false),
      ('transfer', false, 'product_id', 'id', true),
      ('transfer', false, 'from_location_id', 'id', true),
      ('transfer', false, 'to_location_id', 'id', true),
      ('receive lose', true, 'product_id', 'id', true),
      ('receive lose', true, 'quantity', 'amount', true)
    ) as m (actions, of_transfer, name, kind, needed)
    where p_action = any (string_to_array(m.actions, ' '))
      and m.of_transfer = p_of_transfer;
end
$$;
