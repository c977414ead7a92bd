-- The members that a line of public.manage_inventory may have, by action: of which kind, and whether it must have them.
-- Which actions there are is read here, too.
--
-- Callers: interlock.find_inventory_problems.
create function interlock.inventory_members(p_action text)
returns table (name text, kind text, needed boolean)
language sql
immutable
set search_path = ''
as $$
  select m.name, m.kind, m.needed
  from (values
    ('get adjust receive set count', 'inventory_id', 'id', false),
    ('get adjust receive set count', 'product_id', 'id', false),
    ('get adjust receive set count', 'location_id', 'id', false),
    ('adjust', 'delta', 'change', true),
    ('receive', 'quantity', 'amount', true),
    ('set', 'quantity', 'level', true),
    ('adjust set', 'expected_version', 'version', false),
    ('set', 'expected_quantity', 'seen', false),
    ('count', 'counted', 'level', true),
    ('count', 'began_at', 'time', false)
  ) as m (actions, name, kind, needed)
  where p_action = any (string_to_array(m.actions, ' '))
$$;
