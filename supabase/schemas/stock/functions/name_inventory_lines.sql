-- The lines of a request with what they name: `line`, counted from 0, inventory_id (null where there is no row yet),
-- product_id and location_id, and what else they have. What does not exist is refused, all of a kind; then what cannot be
-- done to what they name. p_into says that goods come in, which a closed location refuses.
--
-- Callers: interlock.get_inventory, interlock.change_inventory, with lines that interlock.find_inventory_problems has seen.
-- Locks: none.
-- Errors: INVENTORY_NOT_FOUND, LOCATION_NOT_FOUND, PRODUCT_NOT_FOUND, VALIDATION_FAILED.
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
      l.members,
      l.inventory_id as asked_id,
      l.product_id,
      l.location_id,
      p.id is not null as is_product,
      p.kind = 'digital' as is_digital,
      case l.location_id when interlock.online_location() then 0 else p.decimals end as decimals,
      case l.location_id when interlock.online_location() then l.product_id else i.id end as inventory_id,
      w.id is not null and (w.active or not p_into) as is_location,
      min(l.line) over same as first_line,
      first_value(l.members ->> 'began_at') over (same order by l.line) is distinct from l.members ->> 'began_at' as began_apart
    from lines l
    left join interlock.products p on p.id = l.product_id
    left join interlock.locations w on w.id = l.location_id
    left join interlock.inventory i on i.product_id = l.product_id and i.location_id = l.location_id
    window same as (partition by l.product_id, l.location_id)
  )
  select
    jsonb_agg(distinct n.asked_id) filter (where n.asked_id is not null and not n.is_product) as no_inventory,
    jsonb_agg(distinct n.location_id) filter (where not n.is_location) as no_locations,
    jsonb_agg(distinct n.product_id) filter (where n.asked_id is null and not n.is_product) as no_products,
    (
      select coalesce(
        jsonb_agg(
          jsonb_build_object('pointer', format('/lines/%s/%s', b.line, b.member), 'message', b.message) order by b.line, b.member
        ),
        '[]'
      )
      from (
        select m.line, case when m.asked_id is null then 'product_id' else 'inventory_id' end as member,
          'is a digital product: its stock is its codes' as message
        from named m
        where m.is_digital and p_action <> 'get'
        union all
        select m.line, q.name, case m.location_id
          when interlock.online_location() then 'must be a whole number: the web shop sells whole units'
          else format('must have at most %s decimals, as the product has', m.decimals)
        end
        from named m
        cross join unnest(array['delta', 'quantity', 'counted']) as q (name)
        where (m.members ->> q.name)::numeric <> round((m.members ->> q.name)::numeric, m.decimals)
        union all
        select m.line, case when m.asked_id is null then 'product_id' else 'inventory_id' end,
          format('names the same stock as line %s', m.first_line)
        from named m
        where p_action = 'set' and m.line > m.first_line
        union all
        select m.line, 'began_at', format('must be that of line %s, which counts the same stock', m.first_line)
        from named m
        where p_action = 'count' and m.began_apart
      ) b
    ) as problems,
    jsonb_agg(
      n.members || jsonb_build_object(
        'line', n.line, 'inventory_id', n.inventory_id, 'product_id', n.product_id, 'location_id', n.location_id
      )
      order by n.line
    ) as lines
  into v_found
  from named n;

  if v_found.no_inventory is not null then
    perform interlock.raise_error('INVENTORY_NOT_FOUND', jsonb_build_object('inventory_ids', v_found.no_inventory));
  end if;
  if v_found.no_locations is not null then
    perform interlock.raise_error('LOCATION_NOT_FOUND', jsonb_build_object('location_ids', v_found.no_locations));
  end if;
  if v_found.no_products is not null then
    perform interlock.raise_error('PRODUCT_NOT_FOUND', jsonb_build_object('product_ids', v_found.no_products));
  end if;
  perform interlock.refuse_problems(v_found.problems);
  return v_found.lines;
end
$$;
