-- The lines of a request with what they name: `line`, counted from 0, inventory_id (null where there is no row yet),
-- product_id and location_id, and what else they have. p_into says that goods come in, which a closed location refuses.
--
-- Callers: interlock.get_inventory, interlock.change_inventory, with lines that interlock.find_inventory_problems has seen.
-- Locks: none.
-- Errors: as interlock.refuse_inventory_lines, which is asked where a look does not show that there is nothing to refuse.
create function interlock.name_inventory_lines(p_action text, p_lines jsonb, p_into boolean default false)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  v_found record;
begin
  -- Read first: where there are many shops, what is said in a line could not be looked up by index otherwise.
  with said as materialized (
    select
      l.n - 1 as line,
      jsonb_strip_nulls(l.line) as members,
      (l.line ->> 'inventory_id')::uuid as inventory_id,
      (l.line ->> 'product_id')::uuid as product_id,
      (l.line ->> 'location_id')::uuid as location_id
    from jsonb_array_elements(p_lines) with ordinality as l (line, n)
  ),
  lines as materialized (
    select
      l.line, l.members, l.inventory_id,
      coalesce(l.product_id, i.product_id, l.inventory_id) as product_id,
      coalesce(l.location_id, i.location_id, interlock.online_location()) as location_id
    from said l
    left join interlock.inventory i on i.id = l.inventory_id
  ),
  named as (
    select
      l.line,
      l.members || jsonb_build_object(
        'line', l.line,
        'inventory_id', case l.location_id when interlock.online_location() then l.product_id else i.id end,
        'product_id', l.product_id,
        'location_id', l.location_id
      ) as members,
      (
        p.kind = 'physical'
        and w.active
        and coalesce(l.members ->> 'delta', l.members ->> 'quantity', l.members ->> 'counted', '') not like '%.%'
      ) is not true as may_be_refused
    from lines l
    left join interlock.products p on p.id = l.product_id
    left join interlock.locations w on w.id = l.location_id
    left join interlock.inventory i on i.product_id = l.product_id and i.location_id = l.location_id
  )
  select
    jsonb_agg(n.members order by n.line) as lines,
    bool_or(n.may_be_refused) or p_action in ('set', 'count') and count(*) > 1 as may_be_refused
  into v_found
  from named n;

  if v_found.may_be_refused then
    perform interlock.refuse_inventory_lines(p_action, p_lines, v_found.lines, p_into);
  end if;
  return v_found.lines;
end
$$;
